//! What must be true of each state that a power cut may leave, and of the root once somebody looks again.

use super::disk::Tree;
use super::truth::{Promise, Truth, index, parse};
use crate::support::EVENT_MAX;
use bgctl::exec::Executor;
use bgctl::model::{
    event::Event,
    job::Job,
    outcome::Exit,
    spec::Input,
    state::{Change, Status},
};
use bgctl::ops::home::{BrokenConfig, Home};
use bgctl::plan::{Scope, census::Sighting};
use bgctl::store::{Store, environments};
use sha2::{Digest, Sha256};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

/// What is wrong with a state as it lies on the disk.
pub fn complaints(truth: &Truth, promise: &Promise, tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    let text = index(tree, &truth.root);
    // The newest of those that look alike: nothing tells them apart.
    let Some(version) = truth.versions.iter().rposition(|version| version.text == text) else {
        let what = match text {
            None => "there is no index".to_owned(),
            Some(text) => match parse(&text) {
                Ok(_) => "the index is another than there ever was".to_owned(),
                Err(damage) => format!("the index is damaged: {damage}"),
            },
        };
        return vec![what];
    };
    if version < promise.version {
        complaints.push(format!("the index is an older one, although {}", promise.why));
    }
    for job in &truth.versions[version].jobs {
        complaints.extend(environment(truth, tree, job));
        complaints.extend(input(truth, tree, job));
    }
    complaints.extend(stream(truth, tree));
    complaints
}

/// A job that may yet run finds its environment, whole.
fn environment(truth: &Truth, tree: &Tree, job: &Job) -> Option<String> {
    let may_run = match job.status() {
        Status::Queued | Status::WaitingApproval => true,
        Status::Running => job.attempt < job.spec.retry.attempts_max,
        _ => job.end().is_some_and(|end| end.dead_letter),
    };
    let name = job.spec.env.as_ref().filter(|_| may_run)?;
    let found = tree.get(&format!("{}/env/{name}.json", truth.root)).and_then(Option::as_ref);
    let is_whole = found.is_some_and(|bytes| {
        let hash: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        hash == *name
    });
    let what = if found.is_some() { "damaged" } else { "not there" };
    (!is_whole).then(|| format!("the environment of {}, which is {}, is {what}", job.id, job.status()))
}

/// What was kept for a job to read is there, whole, as long as it may run.
fn input(truth: &Truth, tree: &Tree, job: &Job) -> Option<String> {
    let Input::File(_) = &job.spec.stdin else { return None };
    let path = format!("{}/runs/{}.in", truth.root, job.id);
    let kept = truth.inputs.get(&path)?;
    let is_whole = tree.get(&path).and_then(Option::as_ref) == Some(kept);
    (!is_whole).then(|| format!("the input of {} is not what was kept", job.id))
}

/// Each line of the stream that can be read is one that was written, and they come in order.
fn stream(truth: &Truth, tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    let Some(bytes) = tree.get(&format!("{}/events.jsonl", truth.root)).and_then(Option::as_ref) else {
        return complaints;
    };
    let mut last = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
        let Ok(value) = serde_json::from_slice::<serde_json::Value>(line) else { continue };
        let seq = value["seq"].as_u64().unwrap_or(0);
        if seq <= last {
            complaints.push(format!("event {seq} comes after {last}"));
        }
        last = seq;
        if !truth.lines.contains(String::from_utf8_lossy(line).trim_end()) {
            complaints.push(format!("the stream has a line that nobody wrote: {seq}"));
        }
    }
    complaints
}

/// Puts a state into a folder.
pub fn materialise(tree: &Tree, top: &Path) {
    use std::io::Write;
    for (path, bytes) in tree {
        let path = top.join(path);
        match bytes {
            None => std::fs::DirBuilder::new().mode(0o700).create(path).unwrap(),
            Some(bytes) => {
                let mut options = std::fs::OpenOptions::new();
                let mut file = options.write(true).create_new(true).mode(0o600).open(path).unwrap();
                file.write_all(bytes).unwrap();
            }
        }
    }
}

/// What is wrong once the library reads the state, after a reboot, and decides as a tick does. Nothing is launched.
pub fn complaints_after_reboot(truth: &Truth, promise: &Promise, tree: &Tree, place: &Path) -> Vec<String> {
    let top = tempfile::tempdir_in(place).unwrap();
    materialise(tree, top.path());
    let root = top.path().join(&truth.root);
    match reboot(truth, promise, tree, &root) {
        Ok(complaints) => complaints,
        Err(error) => vec![error],
    }
}

fn reboot(truth: &Truth, promise: &Promise, tree: &Tree, root: &Path) -> Result<Vec<String>, String> {
    let home =
        Home::open_at(root, BrokenConfig::Stops).map_err(|fault| format!("no root: {}", fault.message))?;
    let store = home.store();
    let before = store.read().map_err(|error| format!("the library does not read the index: {error}"))?;
    before.check().map_err(|damage| format!("the index breaks its rules: {damage}"))?;
    let executor = home.local();
    let decided = home
        .pass(&store, &executor)
        .decide(Scope::Tick, &mut |_| Ok(()))
        .map_err(|error| format!("the first look after the reboot fails: {error}"))?;
    let mut complaints: Vec<String> =
        decided.warnings.iter().map(|text| format!("it warns: {text}")).collect();
    for event in &decided.events {
        let Event::Changed { id, change: Change::End { outcome, .. } } = event else { continue };
        let attempt = before.job(id).ok().flatten().map_or(0, |job| job.attempt);
        let key = (id.as_str().to_owned(), attempt);
        let said = truth.recorded(tree, id.as_str()).remove(&attempt);
        match (&outcome.exit, &said) {
            (exit, Some(expected)) if exit == expected && promise.over.contains(&key) => {}
            (Exit::Unknown { .. }, None) => {}
            (exit, said) => complaints.push(format!(
                "attempt {attempt} of {id} is said to have ended with {exit:?}; its record says {said:?}, true is {:?}",
                truth.exits.get(&key)
            )),
        }
        if !matches!(outcome.exit, Exit::Unknown { .. }) && truth.exits.get(&key) != Some(&outcome.exit) {
            complaints.push(format!("attempt {attempt} of {id} did not end with {:?}", outcome.exit));
        }
    }
    let after = store.read().map_err(|error| format!("the library does not read what it wrote: {error}"))?;
    after.check().map_err(|damage| format!("what the first look wrote breaks the rules: {damage}"))?;
    for job in after.running() {
        let key = (job.id.as_str().to_owned(), job.attempt);
        if !job.run().and_then(|run| run.claim.as_ref()).is_some_and(|claim| claim.site == home.site) {
            complaints.push(format!("{} is said to run, and its machine was started again", job.id));
        }
        if promise.started.contains(&key) {
            complaints.push(format!("attempt {} of {} would run a second time", key.1, key.0));
        }
        // A process that another test starts at this instant has our descriptors until it executes: the record's lock, too.
        let deadline = Instant::now() + EVENT_MAX;
        let mut seen = executor.look(job);
        while matches!(seen, Ok(Sighting::Watched { .. })) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
            seen = executor.look(job);
        }
        if !matches!(seen, Ok(Sighting::NotStarted)) {
            complaints.push(format!("{} got a slot, and its watcher would not start it: {seen:?}", job.id));
        }
        if let Some(env) = &job.spec.env
            && let Err(error) = environments::load(&home.root, env)
        {
            complaints.push(format!("{} is to run without its environment: {error}", job.id));
        }
    }
    let told = store.told(0).map_err(|error| format!("the stream cannot be read: {error}"))?;
    if told.iter().zip(told.iter().skip(1)).any(|(one, next)| one.seq >= next.seq) {
        complaints.push("the stream is out of order after the first look".to_owned());
    }
    if told.last().map(|line| line.seq) != Some(after.last_event()) && !decided.events.is_empty() {
        complaints.push("the stream does not tell of the first look".to_owned());
    }
    Ok(complaints)
}
