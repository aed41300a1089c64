//! Answers on GitHub, end to end: jobs wait on issues of an emulated GitHub, people label and close them there, and what they
//! say becomes of the jobs.

use crate::emulator::{ANN, BOT, Emulator, MALLORY};
use crate::support::{EVENT_MAX, User, kill, until};
use bgctl::model::approval::text_hash;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::time::Instant;

const APPROVED: &str = "bg:approved";
const DECLINED: &str = "bg:declined";
const WAITING: &str = "bg:approval";

/// A user whose jobs wait on a repository.
struct Asker {
    user: User,
    github: &'static Emulator,
    repo: String,
    token: String,
}

impl Asker {
    /// With settings beside those that reach the emulator. `None`: there is no emulator here.
    fn new(approval: &str) -> Option<Self> {
        let github = Emulator::shared()?;
        let asker = Self { user: User::new(), github, repo: github.repository(), token: github.own_token() };
        asker.user.make_root();
        let file = asker.user.path("token");
        write_secret(&file, &asker.token);
        let config = format!(
            "[approval]\npoll_interval = 1\n{approval}\n[approval.github]\napi_url = \"{}\"\ntoken_file = \"{}\"\n",
            github.url(),
            file.display()
        );
        std::fs::write(asker.user.root().join("config.toml"), config).unwrap();
        Some(asker)
    }

    /// A job that waits for an answer, and the issue on which it was asked.
    #[track_caller]
    fn asked(&self, on: &str, more: &[&str]) -> (String, u64) {
        let on = format!("github:{}{on}", self.repo);
        let arguments = [&["--approval", &on], more, &["--", "sh", "-c", "echo ran >> ran"]].concat();
        let id = self.user.start(arguments);
        (id.clone(), self.issue_of(&id))
    }

    /// The issue on which a job is asked for, once it is.
    #[track_caller]
    fn issue_of(&self, id: &str) -> u64 {
        let mut number = None;
        until("it is asked", || {
            number = self.waiting(id)["issue"]["number"].as_u64();
            number.is_some()
        });
        number.unwrap()
    }

    /// What a job waits for.
    fn waiting(&self, id: &str) -> Value {
        let index = self.user.index();
        let jobs = index["jobs"].as_array().unwrap();
        jobs.iter().find(|job| job["id"] == id).unwrap()["approval"].clone()
    }

    #[track_caller]
    fn until_status(&self, id: &str, status: &str) {
        until(&format!("{id} is {status}"), || self.user.status(id) == status);
    }

    #[track_caller]
    fn until_trouble(&self, id: &str, words: &str) {
        until(&format!("what stands in the way says {words:?}"), || {
            self.waiting(id)["trouble"].as_str().is_some_and(|trouble| trouble.contains(words))
        });
    }

    /// Whether the command ran, and how often.
    fn runs(&self) -> usize {
        std::fs::read_to_string(self.user.path("ran")).unwrap_or_default().lines().count()
    }

    /// Waits until GitHub was asked twice more: what was there before has been seen by then.
    #[track_caller]
    fn polled_twice(&self) {
        for _ in 0..2 {
            let before = self.polled();
            until("GitHub is asked", || self.polled() != before);
        }
        until("nobody asks at this moment", || self.pollers().is_empty());
    }

    /// From now on nobody asks GitHub but at a tick: the next time is beyond the horizon of the alarm.
    fn ticked_by_hand(self) -> Self {
        let config = self.user.root().join("config.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, text.replace("poll_interval = 1", "poll_interval = \"10m\"")).unwrap();
        self
    }

    /// When GitHub was asked last.
    fn polled(&self) -> std::time::SystemTime {
        std::fs::metadata(self.user.root().join("last_poll")).unwrap().modified().unwrap()
    }

    /// As if GitHub had been asked long ago.
    fn forget_last_poll(&self) {
        let last = std::fs::File::open(self.user.root().join("last_poll")).unwrap();
        last.set_modified(std::time::UNIX_EPOCH).unwrap();
    }

    /// A tick that asks GitHub, to the end of the asking.
    fn tick(&self) {
        self.forget_last_poll();
        self.user.ok(["tick"]);
        // One that is just being executed is not seen yet.
        until("GitHub is asked", || self.polled() != std::time::UNIX_EPOCH);
        until("nobody asks any more", || self.pollers().is_empty());
    }

    /// The processes that ask GitHub.
    fn pollers(&self) -> Vec<i32> {
        let asks = |pid: &i32| {
            std::fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.split(|byte| *byte == 0).nth(1) == Some(&b"__poll"[..]))
        };
        self.user.processes().into_iter().filter(asks).collect()
    }
}

fn write_secret(path: &std::path::Path, secret: &str) {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    writeln!(file, "{secret}").unwrap();
}

const ANN_DECIDES: &str = "approvers = [\"ann\"]";

#[test]
fn an_issue_is_made_for_a_job_which_runs_once_it_is_labelled() {
    let Some(asker) = Asker::new(ANN_DECIDES) else { return };
    let (id, number) = asker.asked("", &[]);
    let issue = asker.github.issue(&asker.repo, number);
    let text = issue["body"].as_str().unwrap();
    let job = asker.user.job(&id);
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    for part in [
        "sh -c 'echo ran >> ran'",
        job["cwd"].as_str().unwrap(),
        &host,
        &id,
        job["gate"]["hash"].as_str().unwrap(),
        APPROVED,
        DECLINED,
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(issue["user"]["login"], BOT.login);
    assert_eq!((asker.user.status(&id).as_str(), asker.runs()), ("waiting_approval", 0));
    asker.github.label(&asker.repo, number, APPROVED, ANN);
    asker.until_status(&id, "completed");
    let answer = &asker.user.job(&id)["answers"][0];
    assert_eq!((&answer["verdict"], &answer["by"]), (&json!("approved"), &json!("ann")));
    assert_eq!(answer["on"], format!("github:{}#{number}", asker.repo));
    assert_eq!((asker.runs(), asker.github.issues(&asker.repo).len()), (1, 1));
    asker.user.all_gone();
}

#[test]
fn on_an_issue_that_is_there_it_is_asked_by_a_comment_and_a_label_declines() {
    let Some(asker) = Asker::new(ANN_DECIDES) else { return };
    let number = asker.github.make_issue(&asker.repo, "Deploy", &[], ANN);
    let (id, on) = asker.asked(&format!("#{number}"), &[]);
    assert_eq!(on, number);
    let comments = asker.github.comments(&asker.repo, number);
    assert_eq!(comments.len(), 1);
    assert!(comments[0]["body"].as_str().unwrap().contains(&id), "{comments:?}");
    // Declined goes before approved, whichever came first.
    asker.github.label(&asker.repo, number, DECLINED, ANN);
    asker.github.label(&asker.repo, number, APPROVED, ANN);
    asker.until_status(&id, "cancelled");
    let summary = asker.user.job(&id)["summary"].as_str().unwrap().to_owned();
    assert!(summary.starts_with("declined by ann on github:"), "{summary}");
    assert_eq!(asker.user.wait(&id), 125);
    assert_eq!(asker.runs(), 0);
}

#[test]
fn closing_the_issue_as_not_planned_declines_and_closing_it_as_done_says_nothing() {
    let Some(asker) = Asker::new(ANN_DECIDES) else { return };
    let (id, number) = asker.asked("", &[]);
    asker.github.close(&asker.repo, number, ANN);
    asker.polled_twice();
    assert_eq!(asker.user.status(&id), "waiting_approval");
    asker.github.reopen(&asker.repo, number, ANN);
    asker.github.close_as_not_planned(&asker.repo, number, ANN);
    asker.until_status(&id, "cancelled");
    assert_eq!(asker.user.job(&id)["answers"][0]["by"], "ann");
}

#[test]
fn a_label_by_somebody_who_may_not_is_told_and_does_not_count() {
    let Some(asker) = Asker::new(ANN_DECIDES) else { return };
    let (id, number) = asker.asked("", &[]);
    asker.github.label(&asker.repo, number, APPROVED, MALLORY);
    asker.until_trouble(&id, "mallory");
    let status = asker.user.ok(["status", &id]);
    assert!(status.contains("mallory, who is not among approval.approvers"), "{status}");
    let health = asker.user.run(["health"]);
    assert_eq!(health.code, 1, "{}", health.out);
    assert!(health.out.contains("mallory"), "{}", health.out);
    asker.github.unlabel(&asker.repo, number, APPROVED, MALLORY);
    asker.github.label(&asker.repo, number, APPROVED, ANN);
    asker.until_status(&id, "completed");
    assert_eq!(asker.runs(), 1);
}

#[test]
fn a_label_that_was_there_before_the_request_does_not_count() {
    let Some(asker) = Asker::new(ANN_DECIDES) else { return };
    let number = asker.github.make_issue(&asker.repo, "Deploy", &[], ANN);
    asker.github.label(&asker.repo, number, APPROVED, ANN);
    let (id, _) = asker.asked(&format!("#{number}"), &[]);
    asker.until_trouble(&id, "before it was asked");
    assert_eq!(asker.runs(), 0);
}

#[test]
fn an_issue_that_is_edited_approves_nothing_any_more_and_can_still_decline() {
    let Some(asker) = Asker::new(ANN_DECIDES) else { return };
    let (id, number) = asker.asked("", &[]);
    let text = asker.github.issue(&asker.repo, number)["body"].as_str().unwrap().to_owned();
    asker.github.edit_body(&asker.repo, number, "harmless", MALLORY);
    asker.until_trouble(&id, "edited");
    // Put back, it is still not what was read by whoever labels it.
    asker.github.edit_body(&asker.repo, number, &text, MALLORY);
    asker.github.label(&asker.repo, number, APPROVED, ANN);
    asker.polled_twice();
    assert_eq!((asker.user.status(&id).as_str(), asker.runs()), ("waiting_approval", 0));
    asker.github.label(&asker.repo, number, DECLINED, ANN);
    asker.until_status(&id, "cancelled");
}

#[test]
fn who_asked_cannot_approve_unless_the_settings_say_so() {
    for (more, ends) in [("", false), ("\nself_approval = true", true)] {
        let Some(asker) = Asker::new(&format!("approvers = [\"bot\"]{more}")) else { return };
        let (id, number) = asker.asked("", &[]);
        asker.github.label(&asker.repo, number, APPROVED, BOT);
        if ends {
            asker.until_status(&id, "completed");
        } else {
            asker.until_trouble(&id, "the account that asked");
            assert_eq!(asker.runs(), 0);
        }
    }
}

#[test]
fn without_a_list_those_may_answer_who_may_write_to_the_repository() {
    let Some(asker) = Asker::new("") else { return };
    let (id, number) = asker.asked("", &[]);
    asker.github.label(&asker.repo, number, APPROVED, MALLORY);
    asker.until_trouble(&id, "mallory");
    asker.github.unlabel(&asker.repo, number, APPROVED, ANN);
    asker.github.label(&asker.repo, number, APPROVED, ANN);
    asker.until_status(&id, "completed");
}

#[test]
fn what_nobody_answers_is_warned_of_once_and_then_fails() {
    let Some(asker) = Asker::new("approvers = [\"ann\"]\nexpiry_warning = 4") else { return };
    let (id, number) = asker.asked("", &["--approval-ttl", "6s"]);
    asker.until_status(&id, "failed");
    let job = asker.user.job(&id);
    assert_eq!(job["summary"], "nobody approved it within 6s");
    let comments = asker.github.comments(&asker.repo, number);
    assert_eq!(comments.len(), 1, "{comments:?}");
    assert!(comments[0]["body"].as_str().unwrap().contains("Nobody has answered"), "{comments:?}");
    let events = asker.user.ok(["events", "--json-lines", "--event", "warn_expiry"]);
    assert_eq!(events.lines().count(), 1, "{events}");
    // Too late.
    asker.github.label(&asker.repo, number, APPROVED, ANN);
    assert_eq!(asker.user.run(["decline", &id]).code, 4);
    asker.user.all_gone();
    assert_eq!((asker.user.status(&id).as_str(), asker.runs()), ("failed", 0));
}

#[test]
fn a_running_job_that_asks_on_github_goes_on_once_it_is_approved() {
    let Some(asker) = Asker::new(ANN_DECIDES) else { return };
    let script = format!(
        "test -n \"$BG_APPROVED\" && exit 0; {} approval request --reason 'see the `plan`' --on github:{}",
        crate::support::BGCTL,
        asker.repo
    );
    let id = asker.user.start_sh(&script);
    let number = asker.issue_of(&id);
    let text = asker.github.issue(&asker.repo, number)["body"].as_str().unwrap().to_owned();
    assert!(text.contains("see the `plan`"), "{text}");
    asker.github.label(&asker.repo, number, APPROVED, ANN);
    asker.until_status(&id, "completed");
    assert_eq!(asker.user.job(&id)["attempt"], 1);
}

#[test]
fn an_issue_whose_number_a_crash_lost_is_found_again() {
    let Some(asker) = Asker::new(ANN_DECIDES).map(Asker::ticked_by_hand) else { return };
    let existing = asker.github.make_issue(&asker.repo, "Deploy", &[], ANN);
    let made = asker.asked("", &[]);
    let commented = asker.asked(&format!("#{existing}"), &[]);
    asker.user.all_gone();
    // As if whoever asked had been killed between the answer of GitHub and the next write of the index.
    for (id, _) in [&made, &commented] {
        let mut index = asker.user.index();
        let jobs = index["jobs"].as_array_mut().unwrap();
        let job = jobs.iter_mut().find(|job| job["id"] == id.as_str()).unwrap();
        let at = job["approval"]["since"].clone();
        job["approval"]["issue"] = json!({ "step": "begun", "at": at });
        asker.user.write_index(&index.to_string());
    }
    asker.tick();
    for (id, number) in [&made, &commented] {
        assert_eq!(asker.issue_of(id), *number);
    }
    assert_eq!(asker.github.issues(&asker.repo).len(), 2);
    assert_eq!(asker.github.comments(&asker.repo, existing).len(), 1);
    asker.github.label(&asker.repo, made.1, APPROVED, ANN);
    asker.tick();
    asker.until_status(&made.0, "completed");
}

#[test]
fn cron_alone_is_enough() {
    let Some(asker) = Asker::new(ANN_DECIDES).map(Asker::ticked_by_hand) else { return };
    let (id, number) = asker.asked("", &[]);
    asker.user.all_gone();
    asker.github.label(&asker.repo, number, APPROVED, ANN);
    asker.user.ok(["tick"]);
    asker.user.all_gone();
    assert_eq!(asker.user.status(&id), "waiting_approval", "it was asked less than ten minutes ago");
    asker.tick();
    asker.until_status(&id, "completed");
}

#[test]
fn the_supervisor_asks_too() {
    let Some(asker) = Asker::new(ANN_DECIDES) else { return };
    let (id, number) = asker.asked("", &[]);
    let mut supervisor = asker.user.bgctl(["tick", "--loop"]).spawn().unwrap();
    asker.github.label(&asker.repo, number, APPROVED, ANN);
    asker.until_status(&id, "completed");
    kill(supervisor.id().cast_signed(), Signal::TERM);
    supervisor.wait().unwrap();
    asker.user.all_gone();
}

#[test]
fn who_asks_is_killed_and_the_next_one_asks_again() {
    let Some(asker) = Asker::new(ANN_DECIDES) else { return };
    let (id, number) = asker.asked("", &[]);
    let began = Instant::now();
    let mut killed = 0;
    while killed < 5 && began.elapsed() < EVENT_MAX {
        for pid in asker.pollers() {
            kill(pid, Signal::KILL);
            killed += 1;
        }
    }
    assert!(killed >= 5, "nobody asks");
    asker.github.label(&asker.repo, number, APPROVED, ANN);
    asker.until_status(&id, "completed");
    assert_eq!((asker.runs(), asker.github.issues(&asker.repo).len()), (1, 1));
}

/// Waiting jobs on issues that are there, as the index has them.
fn waiting_on(asker: &Asker, repositories: &[String], each: usize) -> Vec<(String, String, u64)> {
    // It stays, and with it the environment that all of them have.
    asker.asked("", &[]);
    asker.user.all_gone();
    let template = asker.user.index()["jobs"][0].clone();
    let (mut jobs, mut placed) = (vec![template.clone()], Vec::new());
    for repo in repositories {
        for _ in 0..each {
            let number = asker.github.make_issue(repo, "Deploy", &[WAITING], BOT);
            let mut job = template.clone();
            let digits = "23456789abcdefghjkmnpqrstuvwxyz".as_bytes();
            let place = jobs.len();
            let random: String = [place / 961, place / 31 % 31, place % 31]
                .iter()
                .map(|digit| char::from(digits[*digit]))
                .collect();
            let id = format!("bg_20260213_zzz{random}");
            job["id"] = json!(id);
            job["approval"]["on"] = json!(format!("github:{repo}"));
            job["approval"]["issue"] = json!({
                "step": "on",
                "number": number,
                "asked_at": template["approval"]["issue"]["asked_at"],
                "asked_by": "bot",
                "content": text_hash("Deploy", ""),
            });
            jobs.push(job);
            placed.push((id, repo.clone(), number));
        }
    }
    let index = json!({ "version": 1, "updated_at": "2026-02-13T10:00:00Z", "requires": ["approvals"], "jobs": jobs });
    asker.user.write_index(&index.to_string());
    placed
}

#[test]
fn five_hundred_jobs_over_three_repositories_cost_a_request_for_each_page_of_each_repository() {
    let Some(asker) = Asker::new(ANN_DECIDES).map(Asker::ticked_by_hand) else { return };
    let repositories = [asker.repo.clone(), asker.github.repository(), asker.github.repository()];
    let placed = waiting_on(&asker, &repositories, 167);
    let (id, repo, number) = &placed[250];
    asker.github.label(repo, *number, APPROVED, ANN);
    // A token that nobody has counted with yet.
    let token = asker.github.own_token();
    write_secret(&asker.user.path("token"), &token);
    asker.forget_last_poll();
    let ticks: Vec<_> = (0..4).map(|_| asker.user.bgctl(["tick"]).spawn().unwrap()).collect();
    for mut tick in ticks {
        assert!(tick.wait().unwrap().success());
    }
    asker.until_status(id, "completed");
    asker.user.all_gone();
    // Two pages for each repository, and the steps of the one issue that says something.
    assert_eq!(asker.github.requests(&token), 3 * 2 + 1);
    let waiting = asker.user.index()["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|job| job["status"] == "waiting_approval")
        .count();
    assert_eq!(waiting, 1 + 3 * 167 - 1);
}

#[test]
fn the_token_stands_in_no_file_and_no_output() {
    let Some(asker) = Asker::new(ANN_DECIDES) else { return };
    std::fs::remove_file(asker.user.path("token")).unwrap();
    let config = asker.user.root().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let text: String =
        text.lines().filter(|line| !line.starts_with("token_file")).map(|line| format!("{line}\n")).collect();
    std::fs::write(&config, text).unwrap();
    let on = format!("github:{}", asker.repo);
    let mut start = asker.user.bgctl(["start", "--approval", &on, "--", "sh", "-c", "env; echo ran >> ran"]);
    let ran = start.env("GH_TOKEN", &asker.token).env("GITHUB_TOKEN", "other-token").output().unwrap();
    let id = String::from_utf8(ran.stdout).unwrap().trim().to_owned();
    let number = asker.issue_of(&id);
    let secret = |text: &[u8]| {
        [asker.token.as_bytes(), b"other-token"]
            .iter()
            .any(|secret| text.windows(secret.len()).any(|part| part == *secret))
    };
    assert!(!secret(&ran.stderr));
    asker.github.label(&asker.repo, number, APPROVED, ANN);
    asker.until_status(&id, "completed");
    asker.user.all_gone();
    for command in [
        vec!["status", &id],
        vec!["logs", &id],
        vec!["events", "--json-lines"],
        vec!["list", "--json"],
        vec!["doctor"],
        vec!["config"],
    ] {
        let ran = asker.user.run(command);
        assert!(!secret(ran.out.as_bytes()) && !secret(ran.err.as_bytes()));
    }
    let mut folders = vec![asker.user.root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert!(!secret(&std::fs::read(&path).unwrap()), "{}", path.display());
                assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o077 & !0o044, 0);
            }
        }
    }
}

#[test]
fn without_a_token_or_an_answer_the_job_goes_on_waiting_says_why_and_expires() {
    let Some(asker) = Asker::new("approvers = [\"ann\"]") else { return };
    std::fs::set_permissions(asker.user.path("token"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let on = format!("github:{}", asker.repo);
    let id = asker.user.start(["--approval", &on, "--approval-ttl", "5s", "--", "true"]);
    asker.until_trouble(&id, "chmod 600");
    asker.until_status(&id, "failed");
    let nowhere = asker.user.start(["--approval", "github:ann/no-such-repository", "--", "true"]);
    std::fs::set_permissions(asker.user.path("token"), std::fs::Permissions::from_mode(0o600)).unwrap();
    asker.until_trouble(&nowhere, "ann/no-such-repository");
    asker.user.ok(["cancel", &nowhere]);
    asker.user.all_gone();
}
