//! An index that was restored from a backup, with the run files as they are: what the records know is not run again, and what
//! runs now is watched to its end.

use super::{Cases, attempts, broken_rules, differs, entry, let_go, missing, running, state, witness};
use crate::support::{User, is_alive, until};
use bgctl::store::{
    lock::{WAIT_MAX, locked},
    root::{INDEX, INDEX_TEMPORARY, Root},
};
use serde_json::Value;

/// The index as it is now.
fn backup(user: &User) -> Vec<u8> {
    std::fs::read(user.root().join(INDEX)).unwrap()
}

/// Puts an older index into the place of the present one.
fn restore(user: &User, backup: &[u8]) {
    let root = Root::open(&user.root()).unwrap().unwrap();
    locked(root.folder(), WAIT_MAX, || {
        root.folder().replace(INDEX, INDEX_TEMPORARY, backup, false).unwrap();
    })
    .unwrap();
}

fn start(user: &User, flags: &[&str], rest: &str) -> String {
    let script = witness(rest);
    user.start([&["--quiet"], flags, &["--", "sh", "-c", &script]].concat())
}

fn ends_as(user: &User, id: &str, status: &str, exit_code: i32, ran: &[u32]) -> Vec<String> {
    let mut wrong: Vec<String> = missing(status, || state(user, id) == status).into_iter().collect();
    wrong.extend(differs("its exit code", entry(user, id)["exit_code"].clone(), exit_code.into()));
    wrong.extend(differs("its attempts", attempts(user, id), ran.to_vec()));
    wrong.extend(missing("no process is left", || user.processes().is_empty()));
    wrong.extend(broken_rules(user));
    wrong
}

/// It waited when the backup was made, and has ended since.
fn waited_and_ended() -> Vec<String> {
    let user = User::new();
    user.configure("[queue]\nmax_concurrent = 1\n");
    user.fifo("go");
    let first = start(&user, &[], "cat go");
    let second = start(&user, &[], "exit 7");
    running(&user, &first);
    let old = backup(&user);
    let_go(user.path("go"));
    until("both have ended", || state(&user, &second) == "failed");
    user.all_gone();
    restore(&user, &old);
    user.ok(["tick"]);
    let mut wrong = ends_as(&user, &first, "completed", 0, &[1]);
    wrong.extend(ends_as(&user, &second, "failed", 7, &[1]));
    wrong
}

/// It waited when the backup was made, and runs now.
fn waited_and_runs() -> Vec<String> {
    let user = User::new();
    user.configure("[queue]\nmax_concurrent = 1\n");
    user.fifo("go");
    user.fifo("go2");
    let first = start(&user, &[], "cat go");
    let second = start(&user, &[], "cat go2; exit 7");
    running(&user, &first);
    let old = backup(&user);
    let_go(user.path("go"));
    let (_, main) = running(&user, &second);
    restore(&user, &old);
    user.ok(["tick"]);
    user.ok(["tick"]);
    let mut wrong: Vec<String> =
        (!is_alive(main)).then(|| "its process was ended".to_owned()).into_iter().collect();
    let_go(user.path("go2"));
    wrong.extend(ends_as(&user, &second, "failed", 7, &[1]));
    wrong.extend(ends_as(&user, &first, "completed", 0, &[1]));
    wrong
}

/// It ran its first attempt when the backup was made, and runs its second now.
fn first_and_second() -> Vec<String> {
    let user = User::new();
    user.fifo("go");
    user.fifo("go2");
    let id = start(
        &user,
        &["--attempts", "2", "--retry-delay", "0"],
        "test $BG_ATTEMPT = 2 || { cat go; exit 1; }; cat go2; exit 7",
    );
    running(&user, &id);
    let old = backup(&user);
    let_go(user.path("go"));
    until("the second attempt runs", || attempts(&user, &id) == [1, 2]);
    let main = user.recorded_pid(&id, "process");
    restore(&user, &old);
    user.ok(["tick"]);
    let mut wrong: Vec<String> =
        (!is_alive(main)).then(|| "its process was ended".to_owned()).into_iter().collect();
    let_go(user.path("go2"));
    wrong.extend(missing("its end is carried over", || {
        user.ok(["tick"]);
        state(&user, &id) == "failed"
    }));
    wrong.extend(ends_as(&user, &id, "failed", 7, &[1, 2]));
    wrong
}

/// It was submitted after the backup, and runs.
fn unknown_and_runs() -> Vec<String> {
    let user = User::new();
    let known = start(&user, &[], "true");
    until("it has ended", || state(&user, &known) == "completed");
    user.all_gone();
    let old = backup(&user);
    user.fifo("go");
    let id = start(&user, &[], "cat go; exit 7");
    let (_, main) = running(&user, &id);
    restore(&user, &old);
    user.ok(["tick"]);
    let mut wrong: Vec<String> =
        (!is_alive(main)).then(|| "its process was ended".to_owned()).into_iter().collect();
    let_go(user.path("go"));
    wrong.extend(missing("it leaves", || user.processes().is_empty()));
    wrong.extend(differs("its entry", entry(&user, &id), Value::Null));
    wrong.extend(differs("its attempts", attempts(&user, &id), vec![1]));
    // Its files tell of it, and nothing else takes its id.
    let doctor = user.run(["doctor"]);
    wrong.extend((!doctor.out.contains("files")).then(|| format!("doctor says nothing: {}", doctor.out)));
    wrong.extend(ends_as(&user, &start(&user, &[], "true"), "completed", 0, &[1]));
    wrong
}

/// It waited when the backup was made and has ended since, and its environment went with its end; its record, too.
fn waited_and_forgotten() -> Vec<String> {
    let user = User::new();
    user.configure("[queue]\nmax_concurrent = 1\n[retention]\nmin_age = \"0s\"\n");
    user.fifo("go");
    let first = start(&user, &[], "cat go");
    let second = start(&user, &["--env", "ONLY=here"], "true");
    running(&user, &first);
    let old = backup(&user);
    let_go(user.path("go"));
    until("both have ended", || state(&user, &second) == "completed");
    user.all_gone();
    user.ok(["prune", "--all"]);
    restore(&user, &old);
    user.ok(["tick"]);
    let mut wrong: Vec<String> =
        missing("it fails", || state(&user, &second) == "failed").into_iter().collect();
    let summary = entry(&user, &second)["summary"].as_str().unwrap_or_default().to_owned();
    wrong.extend((!summary.contains("environment")).then_some(summary));
    wrong.extend(differs("its attempts", attempts(&user, &second), vec![1]));
    wrong.extend(broken_rules(&user));
    wrong
}

/// Numbers of events go on behind those that were told.
fn numbers_go_on() -> Vec<String> {
    let user = User::new();
    let first = start(&user, &[], "true");
    until("it has ended", || state(&user, &first) == "completed");
    user.all_gone();
    let old = backup(&user);
    let second = start(&user, &[], "true");
    until("it has ended", || state(&user, &second) == "completed");
    user.all_gone();
    restore(&user, &old);
    let third = start(&user, &[], "true");
    until("it has ended", || state(&user, &third) == "completed");
    let text = std::fs::read_to_string(user.root().join("events.jsonl")).unwrap();
    let numbers: Vec<u64> =
        text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()?["seq"].as_u64()).collect();
    let sorted = numbers.windows(2).all(|two| two[0] < two[1]);
    (!sorted).then(|| format!("{numbers:?}")).into_iter().collect()
}

/// Restores an index in some situation; gives what went wrong.
type Case = fn() -> Vec<String>;

#[test]
fn an_older_index_runs_nothing_again_that_the_records_know_of() {
    let mut cases = Cases::new("adoption.restored");
    let all: [(&str, Case); 6] = [
        ("it waited, and has ended", waited_and_ended),
        ("it waited, and runs", waited_and_runs),
        ("it ran its first attempt, and runs its second", first_and_second),
        ("it was not there, and runs", unknown_and_runs),
        ("it waited, and was removed", waited_and_forgotten),
        ("the numbers of events", numbers_go_on),
    ];
    for (name, case) in all {
        cases.tried(name, case());
    }
    cases.tell("");
}
