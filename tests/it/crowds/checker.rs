//! Those who look are shown damage that was made by hand, and have to see each.

use super::{
    history::{Asked, Course, History},
    minute::{at_the_end, not_as_waited},
    turmoil::{Looked, Submission, Told},
    witness::Witness,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ASKED: Asked = Asked { slots: 2 };

/// A stream in which jobs were submitted with these names, and then these things happened: `(place, change, was, status)`.
fn stream(names: &[&str], steps: &[(usize, &str, &str, &str)]) -> History {
    let submitted = names
        .iter()
        .zip(0_u64..)
        .map(|(name, place)| json!({"event": "submitted", "id": place.to_string(), "status": "queued", "name": name}));
    let changed = steps.iter().map(|(place, change, was, status)| match *change {
        "removed" => json!({"event": "removed", "id": place.to_string()}),
        _ => json!({
            "event": "changed", "id": place.to_string(), "change": change, "was": was, "status": status,
            "outcome": {"exit": {"code": 0}},
        }),
    });
    let numbered = submitted.chain(changed).zip(1_u64..).map(|(mut event, seq)| {
        event["seq"] = json!(seq);
        format!("{event}\n")
    });
    History::parse(&numbered.collect::<String>(), &ASKED)
}

const CLAIM: (&str, &str, &str) = ("claim", "queued", "running");
const END: (&str, &str, &str) = ("end", "running", "completed");

fn at(
    place: usize,
    (change, was, status): (&'static str, &'static str, &'static str),
) -> (usize, &'static str, &'static str, &'static str) {
    (place, change, was, status)
}

#[track_caller]
fn sees(complaints: &[String], what: &str) {
    assert!(complaints.iter().any(|text| text.contains(what)), "{what:?} is not in {complaints:?}");
}

#[test]
fn a_sound_history_is_not_complained_of() {
    let names = ["normal", "low", "high", "normal", "chained-4"];
    let (cancel, chained) = (("decide", "queued", "cancelled"), ("claim", "queued", "running"));
    let changes = [
        at(2, CLAIM),
        at(0, CLAIM),
        at(2, END),
        at(4, chained),
        at(0, END),
        at(3, CLAIM),
        at(1, cancel),
        at(3, END),
        at(3, ("removed", "", "")),
    ];
    let history = stream(&names, &changes);
    assert_eq!(history.complaints(), [] as [String; 0]);
    assert_eq!((history.most_at_once, history.missing), (2, 0));
    let index = json!({"jobs": [
        {"id": "0", "status": "completed"}, {"id": "1", "status": "cancelled"}, {"id": "2", "status": "completed"},
        {"id": "4", "status": "running"},
    ]});
    assert_eq!(history.differs(&index), [] as [String; 0]);
}

#[test]
fn a_start_before_ones_turn_is_seen() {
    sees(stream(&["normal", "normal"], &[at(1, CLAIM)]).complaints(), "1 was started before 0");
    sees(stream(&["low", "high"], &[at(0, CLAIM)]).complaints(), "0 was started before 1");
}

#[test]
fn more_running_jobs_than_slots_are_seen() {
    let history = stream(&["normal"; 3], &[at(0, CLAIM), at(1, CLAIM), at(2, CLAIM)]);
    sees(history.complaints(), "3 run at once");
}

#[test]
fn a_decision_from_what_was_not_so_any_more_is_seen() {
    let history = stream(&["normal"], &[at(0, CLAIM), at(0, CLAIM)]);
    sees(history.complaints(), "0 was running, and became running as if it had been queued");
    sees(stream(&["normal"], &[at(0, ("removed", "", ""))]).complaints(), "0 was removed, and was");
}

#[test]
fn what_the_index_lost_or_has_otherwise_is_seen() {
    let history = stream(&["normal", "normal"], &[at(0, CLAIM), at(0, END)]);
    let index = json!({"jobs": [{"id": "0", "status": "running"}, {"id": "2", "status": "queued"}]});
    let complaints = history.differs(&index);
    sees(&complaints, "0 is \"running\" in the index and completed by its events");
    sees(&complaints, "1 was submitted, never removed, and is lost");
    sees(&complaints, "2 is in the index, and was never submitted");
}

#[test]
fn events_that_are_missing_or_out_of_order_are_seen() {
    let text = "{\"seq\":1,\"event\":\"refused\"}\n{\"seq\":4,\"event\":\"refused\"}\n{\"seq\":3,\"event\":\"refused\"}\nno\n";
    let history = History::parse(text, &ASKED);
    assert_eq!(history.missing, 2);
    sees(history.complaints(), "event 3 comes after event 4");
    sees(history.complaints(), "no JSON");
}

#[test]
fn an_attempt_that_began_twice_and_one_without_a_slot_are_seen() {
    let sound = Witness::parse("begin a 1\nbegin b 1\nend b 1\nbegin c 1\nend a 1\nend c 1\nbegin a 2\n");
    assert_eq!((sound.complaints(&ASKED), sound.most_at_once()), (Vec::new(), 2));
    // One that never came to its end may have gone long ago.
    assert_eq!(Witness::parse("begin x 1\nbegin a 1\nbegin b 1\nend a 1\nend b 1\n").most_at_once(), 2);
    sees(&Witness::parse("begin a 1\nbegin a 1\n").complaints(&ASKED), "attempt 1 of a began 2 times");
    sees(
        &Witness::parse("begin a 1\ncrowded a 1\n").complaints(&ASKED),
        "attempt 1 of a ran beside 2 others",
    );
    sees(&Witness::parse("begin a 1\nlockless a 1\n").complaints(&ASKED), "could not run flock(1)");
    let crowd = "begin a 1\nbegin b 1\nbegin c 1\nend a 1\nend b 1\nend c 1\n";
    sees(&Witness::parse(crowd).complaints(&ASKED), "3 ran at once");
}

#[test]
fn an_end_that_the_jobs_own_witness_denies_is_seen() {
    let course = |status: &str, claims, outcome: Value| Course {
        status: status.into(),
        claims,
        outcome,
        removed: false,
    };
    let done = || json!({"exit": {"code": 0}});
    let ran = Witness::parse("begin a 1\nend a 1\n");
    let (cut, none) = (Witness::parse("begin a 1\n"), Witness::default());
    assert_eq!(at_the_end("a", &course("completed", 1, done()), &ran), None);
    assert_eq!(at_the_end("a", &course("cancelled", 1, json!({"exit": {"signal": 15}})), &cut), None);
    assert_eq!(at_the_end("a", &course("cancelled", 0, Value::Null), &none), None);
    for (course, witness) in [
        (course("completed", 1, done()), &none),
        (course("completed", 1, done()), &cut),
        (course("completed", 2, done()), &ran),
        (course("failed", 1, json!({"exit": {"unknown": {"reason": "?"}}})), &ran),
        (course("cancelled", 0, Value::Null), &ran),
        (course("queued", 0, Value::Null), &none),
    ] {
        assert!(at_the_end("a", &course, witness).is_some(), "{course:?}");
    }
}

#[test]
fn a_wait_that_ends_early_or_with_another_code_is_seen() {
    let course = |status: &str, code: i64, removed| Course {
        status: status.into(),
        claims: 1,
        outcome: json!({"exit": {"code": code}}),
        removed,
    };
    let failed = course("failed", 3, false);
    assert_eq!(not_as_waited("a", 3, Some("failed"), &failed), None);
    assert_eq!(not_as_waited("a", 122, None, &course("failed", 3, true)), None);
    for (code, now) in
        [(3, "running"), (3, "queued"), (0, "failed"), (121, "failed"), (122, "failed"), (-1, "failed")]
    {
        assert!(not_as_waited("a", code, Some(now), &failed).is_some(), "{code} {now}");
    }
    assert!(not_as_waited("a", 0, None, &course("cancelled", 0, false)).is_some());
}

/// What is said of a job at rest. Its attempt had the watcher 10 and the process 11; `victims` were killed.
fn looked(job: &Value, witness: &str, victims: &[i32], started: bool) -> Vec<String> {
    let mut record =
        vec![json!({"line": "watcher", "attempt": 1, "pid": 10}), json!({"line": "process", "pid": 11})];
    if started {
        record.push(json!({"line": "started"}));
    }
    let victims: BTreeSet<i32> = victims.iter().copied().collect();
    let (witness, other) = (Witness::parse(witness), json!({"status": "completed"}));
    Looked {
        job,
        record: &record,
        other: Some(&other),
        witness: &witness,
        victims: &victims,
        submitter_hit: false,
    }
    .complaints()
}

fn job(status: &str, more: &Value) -> Value {
    let mut job = json!({"id": "a", "status": status, "attempt": 1, "command": "sh job.sh 3 0", "summary": "so it was"});
    for (name, value) in more.as_object().unwrap() {
        job[name] = value.clone();
    }
    job
}

#[test]
fn an_end_for_which_nobody_was_killed_is_seen() {
    const RAN: &str = "begin a 1\nend a 1\n";
    let unknown = job("failed", &json!({"exit": {"unknown": "vanished"}}));
    let signal = job("failed", &json!({"signal": 9}));
    let not_started = job("failed", &json!({"exit": {"not_started": "left"}}));
    let own = job("failed", &json!({"exit_code": 3}));
    assert_eq!(looked(&own, RAN, &[], true), [] as [String; 0]);
    assert_eq!(looked(&unknown, RAN, &[10], true), [] as [String; 0]);
    assert_eq!(looked(&signal, "begin a 1\n", &[11], true), [] as [String; 0]);
    assert_eq!(looked(&not_started, "", &[11], false), [] as [String; 0]);
    for (job, witness, victims, started, what) in [
        (&unknown, RAN, &[11][..], true, "no reason that is known"),
        (&signal, RAN, &[10], true, "no reason that is known"),
        (&not_started, RAN, &[11], true, "no reason that is known"),
        (&job("failed", &json!({"exit_code": 4})), RAN, &[], true, "no reason that is known"),
        (&job("completed", &json!({})), RAN, &[], true, "no reason that is known"),
        (&job("cancelled", &json!({})), RAN, &[], true, "no reason that is known"),
        (&job("queued", &json!({})), "", &[], false, "no reason that is known"),
        (
            &job("failed", &json!({"exit_code": 3, "max_attempts": 2})),
            RAN,
            &[],
            true,
            "no reason that is known",
        ),
        (&own, RAN, &[], false, "without being let through"),
        (&own, "", &[10], true, "was let through in attempt 1 and did not run"),
        (&own, "begin a 2\nend a 2\n", &[], true, "ran in attempt 2, and had 1"),
    ] {
        sees(&looked(job, witness, victims, started), what);
    }
}

#[test]
fn a_start_that_failed_needs_its_own_watcher_or_submitter_among_those_who_were_killed() {
    let record = [json!({"line": "watcher", "attempt": 1, "pid": 10})];
    let job = job("failed", &json!({"exit": {"not_started": "left"}}));
    let complaints = |victim: i32, submitter_hit| {
        let victims = BTreeSet::from([victim]);
        let witness = Witness::default();
        Looked {
            job: &job,
            record: &record,
            other: None,
            witness: &witness,
            victims: &victims,
            submitter_hit,
        }
        .complaints()
    };
    assert_eq!(complaints(10, false), [] as [String; 0]);
    assert_eq!(complaints(99, true), [] as [String; 0]);
    sees(&complaints(99, false), "no reason that is known");
}

#[test]
fn a_disturber_that_hits_nobody_is_seen() {
    let mut told = Told::default();
    for what in ["nobody was hit", "nobody was ever seen to hold the lock", "no watcher was hit", "no wait"] {
        sees(&told.unreached(), what);
    }
    told.hits(std::process::id().cast_signed(), true);
    let left = told.unreached();
    assert!(
        !left.iter().any(|text| text.contains("to hold the lock") || text.contains("nobody was hit")),
        "{left:?}"
    );
    sees(&left, "no watcher was hit");
}

#[test]
fn a_submission_that_is_there_in_part_or_otherwise_than_it_said_is_seen() {
    let index = json!({"jobs": [{"id": "a", "name": "one"}, {"id": "b", "name": "one"}]});
    let submission = |count, printed: &[&str], code, err: &str| Submission {
        name: "one".into(),
        count,
        printed: printed.iter().map(|id| (*id).to_owned()).collect(),
        code,
        err: err.into(),
        waits: false,
    };
    assert_eq!(submission(2, &["a", "b"], 0, "").complaints(&index), [] as [String; 0]);
    assert_eq!(submission(2, &[], -1, "").complaints(&index), [] as [String; 0]);
    assert_eq!(submission(2, &[], -1, "").complaints(&json!({})), [] as [String; 0]);
    assert_eq!(submission(2, &[], 75, "has been locked").complaints(&json!({})), [] as [String; 0]);
    sees(&submission(5, &[], -1, "").complaints(&index), "which are 5 jobs, 2 are there");
    sees(
        &submission(2, &["a", "c"], 0, "").complaints(&index),
        "c was printed for one and is not in the index",
    );
    sees(&submission(2, &[], 75, "has been locked").complaints(&index), "exits 75");
    sees(&submission(2, &[], 1, "").complaints(&json!({})), "exits 1");
}
