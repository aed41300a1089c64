//! `events`: what happened, for people and for programs, and what comes.

use super::{configure, hears_interrupts, interruptible};
use crate::support::{User, ended, kill, until};
use bgctl::store::stream::EVENTS_BYTES_MAX;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

/// A user with a stream made by hand: an object a line, numbered where it says no number.
#[track_caller]
fn with_stream(lines: &[Value]) -> User {
    let user = User::new();
    user.make_root();
    let text: String = lines.iter().enumerate().map(|(place, line)| numbered(place, line)).collect();
    std::fs::write(user.root().join("events.jsonl"), text).unwrap();
    user
}

fn numbered(place: usize, line: &Value) -> String {
    let mut all = json!({ "seq": place + 1, "at": format!("2026-02-13T10:00:{place:02}.000Z") });
    all.as_object_mut().unwrap().extend(line.as_object().unwrap().clone());
    format!("{all}\n")
}

const BUILD: &str = "bg_20260213_aaaaab";
const OTHER: &str = "bg_20260213_cccccd";

/// What happened to two jobs, a group and a schedule.
fn story() -> Vec<Value> {
    vec![
        json!({ "event": "submitted", "id": BUILD, "status": "queued", "name": "build" }),
        json!({ "event": "changed", "id": BUILD, "was": "queued", "status": "running", "name": "build", "change": "claim" }),
        json!({ "event": "submitted", "id": OTHER, "group": "gpu", "status": "queued", "schedule": "nightly",
            "not_before": "2026-02-13T11:00:00Z" }),
        json!({ "event": "changed", "id": BUILD, "was": "running", "status": "queued", "name": "build", "change": "end",
            "outcome": { "exit": { "signal": 9 }, "at": "2026-02-13T10:00:03Z" }, "retry_at": "2026-02-13T10:00:08Z" }),
        json!({ "event": "changed", "id": BUILD, "was": "running", "status": "failed", "name": "build", "change": "end",
            "outcome": { "exit": { "code": 3 }, "at": "2026-02-13T10:00:04Z" }, "summary": "exit code 3", "dead_letter": true,
            "hooks": ["job", "on_fail"] }),
        json!({ "event": "hook", "of": 5, "hook": "job", "id": BUILD, "name": "build", "result": "succeeded",
            "exit": { "code": 0 }, "took_ms": 12 }),
        json!({ "event": "hook_failed", "of": 5, "hook": "on_fail", "id": BUILD, "name": "build", "result": "timed_out",
            "exit": { "signal": 15 }, "took_ms": 30_020, "note": "its time of 30s was over" }),
        json!({ "seq": 11, "event": "changed", "id": OTHER, "was": "queued", "status": "cancelled", "schedule": "nightly",
            "change": "decide", "ending": { "why": "cancel", "at": "2026-02-13T10:00:07Z" } }),
        json!({ "seq": 12, "event": "grouped", "group": "gpu", "change": "slots", "slots": 2 }),
        json!({ "seq": 13, "event": "refused", "reason": "queue_full", "waiting": 81, "threshold": 80, "max_size": 100,
            "times": 7 }),
        json!({ "seq": 14, "event": "health", "was": "ok", "status": "degraded", "reasons": ["11 dead letters"] }),
        json!({ "seq": 15, "event": "removed", "id": BUILD, "was": "failed", "name": "\u{1b}[2Jbuild" }),
        json!({ "seq": 16, "event": "scheduled", "id": "bg_20260213_eeeeef", "schedule": "weekly", "change": "due",
            "next_at": "2026-02-20T10:00:00Z" }),
    ]
}

const STORY: &str = "\
2026-02-13 10:00:00      1  build aaaaab  submitted
2026-02-13 10:00:01      2  build aaaaab  started
2026-02-13 10:00:02      3  cccccd  submitted as a run of nightly to group gpu, to start at 2026-02-13 11:00:00
2026-02-13 10:00:03      4  build aaaaab  an attempt failed (SIGKILL), tried again at 2026-02-13 10:00:08
2026-02-13 10:00:04      5  build aaaaab  failed: exit code 3; a dead letter now
2026-02-13 10:00:05      6  build aaaaab  its hook for 5 succeeded
2026-02-13 10:00:06      7  build aaaaab  hook on_fail for 5 timed out after 30s: its time of 30s was over
events 8 to 10 are missing: not kept any more, or never written
2026-02-13 10:00:07     11  cccccd  cancelled
2026-02-13 10:00:08     12  group gpu  has 2 slots
2026-02-13 10:00:09     13  7 submissions were refused: 81 wait, and nothing is taken beyond 80
2026-02-13 10:00:10     14  all in all degraded: 11 dead letters
2026-02-13 10:00:11     15  \\u{1b}[2Jbuild aaaaab  removed
2026-02-13 10:00:12     16  schedule weekly  its time has come, next at 2026-02-20 10:00:00
2026-02-13 10:00:13     17  of a later version
";

#[test]
fn what_happened_is_told_in_words_a_line_each() {
    let later = json!({ "seq": 17, "event": "of_a_later_version" });
    let user = with_stream(&[story(), vec![later]].concat());
    let ran = user.run(["events"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, STORY, ""));
    assert_eq!(
        with_stream(&story()[..2]).run(["events", "nobody"]).err,
        "nothing of that kind has happened\n"
    );
    assert_eq!(User::new().run(["events"]).err, "nothing has happened yet\n");
}

#[test]
fn what_is_cut_short_is_left_out() {
    let user = with_stream(&story()[..2]);
    let path = user.root().join("events.jsonl");
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(b"\n\0\xff{\"seq\":3,\"at\":\"2026\n").unwrap();
    file.write_all(numbered(3, &json!({ "event": "removed", "id": BUILD })).as_bytes()).unwrap();
    file.write_all(b"{\"seq\":5,\"at\":\"2026-02-13T10:00").unwrap();
    let lines = user.ok(["events", "--json-lines"]);
    let numbers: Vec<Value> = lines.lines().map(|line| parsed(line)["seq"].clone()).collect();
    assert_eq!(numbers, [json!(1), json!(2), Value::Null, json!(4)], "{lines}");
    assert_eq!(parsed(lines.lines().nth(2).unwrap()), json!({ "event": "gap", "from": 3, "to": 3 }));
}

#[track_caller]
fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

#[test]
fn programs_get_the_lines_as_they_stand_and_can_come_back_to_where_they_were() {
    let user = with_stream(&story()[..7]);
    let stream = std::fs::read_to_string(user.root().join("events.jsonl")).unwrap();
    assert_eq!(user.ok(["events", "--json-lines"]), stream);
    let after = |seq: &str| user.ok(["events", "--json-lines", "--since", seq]);
    assert_eq!(after("0"), stream);
    assert_eq!(after("5"), stream.lines().skip(5).map(|line| format!("{line}\n")).collect::<String>());
    assert_eq!(after("7"), "");
    let object = user.run(["events", "--json", "--since", "4"]).json();
    assert_eq!((&object["last"], object["events"].as_array().unwrap().len()), (&json!(7), 3));
    let far = user.run(["events", "--json", "--since", "99"]);
    assert_eq!((&far.json()["events"], &far.json()["last"]), (&json!([]), &json!(99)));
    assert!(far.json()["warnings"][0].as_str().unwrap().contains("the last one is 7"), "{}", far.out);
}

#[test]
fn a_gap_is_told_where_lines_after_the_last_one_seen_are_not_kept() {
    let user = with_stream(&story());
    let gap = |arguments: &[&str]| parsed(user.ok(arguments).lines().next().unwrap());
    assert_eq!(
        gap(&["events", "--json-lines", "--since", "8"]),
        json!({ "event": "gap", "from": 9, "to": 10 })
    );
    assert_eq!(gap(&["events", "--json-lines", "--since", "10"])["seq"], 11);
    let path = user.root().join("events.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.lines().skip(7).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    assert_eq!(
        gap(&["events", "--json-lines", "--since", "2"]),
        json!({ "event": "gap", "from": 3, "to": 10 })
    );
    assert_eq!(
        gap(&["events", "--json-lines", "--since", "2020-01-01"]),
        json!({ "event": "gap", "from": 1, "to": 10 }),
        "nobody knows when these were"
    );
    assert_eq!(gap(&["events", "--json-lines"])["seq"], 11, "who asks for what is kept misses nothing");
    assert_eq!(user.run(["events", "--json", "--since", "2"]).json()["events"][0]["event"], "gap");
}

#[test]
fn since_a_time_only_what_came_then_is_told() {
    let user = with_stream(&story()[..7]);
    let lines = user.ok(["events", "--json-lines", "--since", "2026-02-13T10:00:05Z"]);
    assert_eq!(
        lines.lines().map(|line| parsed(line)["seq"].clone()).collect::<Vec<_>>(),
        [json!(6), json!(7)]
    );
    assert_eq!(user.ok(["events", "--json-lines", "--since", "1h"]), "");
    let ran = user.run(["events", "--since", "soon"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
}

#[test]
fn only_what_was_asked_for_is_told() {
    let user = with_stream(&story());
    let numbers = |arguments: &[&str]| -> Vec<u64> {
        let lines = user.ok(["events", "--json-lines"].iter().chain(arguments));
        lines.lines().filter_map(|line| parsed(line)["seq"].as_u64()).collect()
    };
    assert_eq!(numbers(&["build"]), [1, 2, 4, 5, 6, 7]);
    assert_eq!(numbers(&["cc"]), [3, 11]);
    assert_eq!(numbers(&[BUILD, OTHER]), [1, 2, 3, 4, 5, 6, 7, 11, 15]);
    assert_eq!(numbers(&["--schedule", "nightly"]), [3, 11]);
    assert_eq!(numbers(&["--event", "end"]), [4, 5]);
    assert_eq!(numbers(&["--event", "failed", "--event", "hook_failed"]), [5, 7]);
    assert_eq!(numbers(&["--event", "cancelled", "build"]), [] as [u64; 0]);
    assert_eq!(numbers(&["-n", "2"]), [15, 16]);
    let ran = user.run(["events", "--event", "submited"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("did you mean submitted?"), "{}", ran.err);
}

#[test]
fn people_see_the_last_hundred_unless_they_say_from_where_on() {
    let user = with_stream(&[]);
    let text: String = (0..250)
        .map(|place| numbered(place % 60, &json!({ "seq": place + 1, "event": "removed", "id": BUILD })))
        .collect();
    std::fs::write(user.root().join("events.jsonl"), text).unwrap();
    let ran = user.run(["events"]);
    assert_eq!(ran.out.lines().count(), 100);
    assert_eq!(ran.err, "150 events before these; --since 0 shows all\n");
    assert_eq!(user.ok(["events", "--since", "0"]).lines().count(), 250);
    assert_eq!(user.ok(["events", "-n", "3"]).lines().count(), 3);
    assert_eq!(user.ok(["events", "--json-lines"]).lines().count(), 250);
}

/// Somebody who follows, and what he got so far.
struct Following {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
    got: Vec<Value>,
}

impl Following {
    fn begin(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).all(|line| tell.send(line).is_ok()));
        Self { child, lines, got: Vec::new() }
    }

    /// Waits for the line of that number.
    #[track_caller]
    fn until_seq(&mut self, seq: u64) {
        while self.got.last().is_none_or(|line| line["seq"].as_u64().unwrap_or(0) < seq) {
            let line = self.lines.recv_timeout(crate::support::EVENT_MAX).expect("the line comes");
            self.got.push(parsed(&line));
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How often the file changes while somebody follows.
const ROUNDS: u64 = 6;

#[test]
fn who_follows_gets_each_line_once_over_every_change_of_the_file() {
    let user = User::new();
    let mut following = Following::begin(user.bgctl(["events", "-f", "--json-lines"]));
    let path = user.root().join("events.jsonl");
    for _ in 0..ROUNDS {
        let id = user.start(["--", "true"]);
        user.wait(&id);
        // Nobody writes there any more, and he is not two files behind: what is not kept is a gap.
        user.all_gone_but(following.child.id());
        following.until_seq(user.index()["last_event"].as_u64().unwrap());
        // Cut short, and so long that the next writer begins a new file.
        let filler = vec![b'x'; usize::try_from(EVENTS_BYTES_MAX).unwrap()];
        OpenOptions::new().append(true).open(&path).unwrap().write_all(&filler).unwrap();
    }
    let last = user.index()["last_event"].as_u64().unwrap();
    assert_eq!(last, ROUNDS * 3);
    following.until_seq(last);
    let numbers: Vec<u64> = following.got.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=last).collect::<Vec<_>>());
    user.all_gone_but(following.child.id());
}

#[test]
fn who_was_stopped_while_the_file_changed_twice_loses_nothing_that_is_kept_and_is_told_of_the_rest() {
    let user = User::new();
    let first = user.start(["--", "true"]);
    user.wait(&first);
    user.all_gone();
    let mut following = Following::begin(user.bgctl(["events", "-f", "--json-lines", "--since", "0"]));
    following.until_seq(3);
    let pid = following.child.id().cast_signed();
    kill(pid, Signal::STOP);
    let path = user.root().join("events.jsonl");
    // Each renames what was the stream: the first one is in an open file, the second in the file before.
    for _ in 0..3 {
        let filler = vec![b'x'; usize::try_from(EVENTS_BYTES_MAX).unwrap()];
        OpenOptions::new().append(true).open(&path).unwrap().write_all(&filler).unwrap();
        user.run(["start", "--delay", "1h", "--", "true"]);
    }
    kill(pid, Signal::CONT);
    following.until_seq(6);
    let got: Vec<Value> =
        following.got.iter().skip(3).map(|line| json!([line["event"], line["seq"], line["from"]])).collect();
    assert_eq!(got, [json!(["gap", null, 4]), json!(["submitted", 5, null]), json!(["submitted", 6, null])]);
}

#[test]
fn following_ends_with_its_reader_though_nothing_comes() {
    let user = with_stream(&story());
    let mut child = user.bgctl(["events", "-f"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut some = [0; 10];
    out.read_exact(&mut some).unwrap();
    drop(out);
    assert_eq!(ended(&mut child), 0);
}

#[test]
fn an_interrupt_ends_following_with_130() {
    let user = User::new();
    let mut child = interruptible(&user, &["events", "-f"]).stdout(Stdio::null()).spawn().unwrap();
    until("it hears interrupts", || hears_interrupts(child.id()));
    kill(child.id().cast_signed(), Signal::INT);
    assert_eq!(ended(&mut child), 130);
}

#[test]
fn who_follows_is_there_before_the_first_thing_happens_and_survives_a_broken_settings_file() {
    let user = User::new();
    configure(&user, "odd = 1\n");
    let mut following =
        Following::begin(user.bgctl(["events", "-f", "--json-lines", "--event", "submitted"]));
    std::fs::remove_file(user.root().join("config.toml")).unwrap();
    user.start(["--delay", "1h", "--name", "one", "--", "true"]);
    following.until_seq(1);
    assert_eq!(following.got[0]["name"], "one");
}

impl User {
    /// Waits until no process of this user is left but this one.
    #[track_caller]
    fn all_gone_but(&self, pid: u32) {
        until("no other process is left", || self.processes().iter().all(|one| one.cast_unsigned() == pid));
    }
}
