//! What must be true once all have gone: nothing goes on, nothing is left, and the next jobs run as ever.

use super::history::{Asked, has_ended};
use super::ours;
use crate::support::User;
use bgctl::model::facts::Facts;
use bgctl::store::root::INDEX_TEMPORARY;
use serde_json::Value;
use std::time::{Duration, Instant};

/// How long is waited for what must come.
const PATIENCE: Duration = Duration::from_mins(3);
/// How many complaints are shown.
const SHOWN_MAX: usize = 20;

/// All jobs end and all processes go, while nobody looks after them: the index is only read.
pub fn settles(user: &User) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut left = Vec::new();
    let all_ended = comes(|| {
        left = active(&user.index());
        left.is_empty()
    });
    if !all_ended {
        complaints
            .extend(left.iter().map(|job| format!("{} is {} and does not end", job["id"], job["status"])));
    }
    if all_ended && !comes(|| ours::ours(user).iter().all(|pid| is_follower(*pid))) {
        complaints.push(format!("processes are left: {:?}", ours::ours(user)));
    }
    let text = std::fs::read_to_string(user.root().join("jobs.json")).unwrap_or_default();
    match Facts::parse(text).map(|facts| facts.check()) {
        Ok(Ok(())) => {}
        other => complaints.push(format!("the index breaks its rules: {other:?}")),
    }
    complaints
}

/// As many jobs as there are slots begin in the write that submits them, and each that ends starts the next, while
/// nobody looks after them.
pub fn goes_on(user: &User, asked: &Asked) -> Vec<String> {
    let file = user.path("goes-on");
    let line = "until [ -e go-on ]; do sleep 0.01; done; sh job.sh 0 0\n";
    std::fs::write(&file, line.repeat(asked.slots * 4)).unwrap();
    let ran = user.run(["start", "--batch", &file.to_string_lossy()]);
    let index = user.index();
    std::fs::write(user.path("go-on"), "").unwrap();
    let mut complaints = settles(user);
    let ids: Vec<&str> = ran.out.lines().collect();
    let of = |index: &Value, status: &str| {
        let jobs = index["jobs"].as_array().into_iter().flatten();
        jobs.filter(|job| job["status"] == status && ids.iter().any(|id| job["id"] == *id)).count()
    };
    let (running, completed) = (of(&index, "running"), of(&user.index(), "completed"));
    if ran.code != 0 || running != asked.slots || completed != asked.slots * 4 {
        complaints.push(format!(
            "of {} further jobs {running} ran at once and {completed} completed: {}{}",
            asked.slots * 4,
            ran.out,
            ran.err
        ));
    }
    complaints
}

/// No file is left that is written for a moment, and none of a job that is not there.
pub fn files(user: &User) -> Vec<String> {
    let index = user.index();
    let ids: Vec<&str> =
        index["jobs"].as_array().into_iter().flatten().filter_map(|job| job["id"].as_str()).collect();
    let mut complaints = Vec::new();
    for folder in ["", "env", "runs"] {
        for entry in std::fs::read_dir(user.root().join(folder)).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_of_job = name.split_once('.').is_some_and(|(id, _)| ids.contains(&id));
            let is_temporary = name.rsplit('.').next() == Some("tmp") && name != INDEX_TEMPORARY;
            if is_temporary || (folder == "runs" && !is_of_job) {
                complaints.push(format!("the file {folder}/{name} is left"));
            }
        }
    }
    complaints
}

/// Some of them, and how many they are.
pub fn shown(complaints: &[String]) -> String {
    let some: Vec<&str> = complaints.iter().take(SHOWN_MAX).map(String::as_str).collect();
    format!("{} complaints:\n{}", complaints.len(), some.join("\n"))
}

/// The jobs that have not ended.
pub fn active(index: &Value) -> Vec<Value> {
    let jobs = index["jobs"].as_array().into_iter().flatten();
    jobs.filter(|job| !has_ended(job["status"].as_str().unwrap_or_default())).cloned().collect()
}

/// Waits for what must come; gives whether it came.
pub fn comes(mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if is_so() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process follows the events for the test itself.
fn is_follower(pid: i32) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline"))
        .is_ok_and(|line| line.windows(8).any(|word| word == b"\0events\0"))
}
