//! Clocks that count from the boot and differ, by time namespaces (`time_namespaces(7)`): after a suspend time since boot is ahead of
//! time without suspended hours, and within such a namespace, both and the start times of processes are other ones. No job looks
//! dead because of that, and none has used up its time.

use super::place::{Place, observed};
use super::{Cases, attempts, differs, end_by_force, entry, let_go, missing, running, state, witness};
use crate::support::{User, is_alive};
use std::time::{Duration, Instant};

/// Clocks that count from the boot, with suspended time and without, in seconds more than the machine's.
const CLOCKS: [(&str, (i64, i64)); 3] = [
    ("suspended for a day", (86_400, 0)),
    ("a day on", (86_400, 86_400)),
    ("another clock alone", (0, 86_400)),
];

/// What is seen and done from a time namespace, of a job that runs outside of it.
fn seen_from(there: &Place, name: &str, cases: &mut Cases) {
    let user = User::new();
    let limits = ["--quiet", "--timeout", "1h", "--stale-after", "30m"];
    let script = witness("cat go; exit 5");
    let start = || user.start([&limits[..], &["--", "sh", "-c", &script]].concat());
    user.fifo("go");
    let first = start();
    let (watcher, main) = running(&user, &first);
    there.ok(&user, ["tick"]);
    let mut wrong: Vec<String> =
        differs("what is seen", there.observed(&user, &first).as_str(), "alive").into_iter().collect();
    wrong.extend(differs("its intent", entry(&user, &first)["ending"].clone(), serde_json::Value::Null));
    let listed = there.ok(&user, ["status", &first, "--json"]);
    wrong.extend(
        (!listed.contains(&format!("\"pid\": {main}")) && !listed.contains(&format!("\"pid\":{main}")))
            .then(|| "its process is not shown".to_owned()),
    );
    cases.tried(&format!("{name}: a watched job"), wrong);
    there.ok(&user, ["pause", &first]);
    cases.tried(&format!("{name}: a pause"), (!super::is_stopped(main)).then(|| "it goes on".to_owned()));
    there.ok(&user, ["resume", &first]);
    end_by_force(watcher);
    there.ok(&user, ["tick"]);
    let mut wrong: Vec<String> =
        missing("it is adopted", || observed(&user, &first) == "alive").into_iter().collect();
    wrong.extend((!is_alive(main)).then(|| "its process is gone".to_owned()));
    wrong.extend(differs("its intent", entry(&user, &first)["ending"].clone(), serde_json::Value::Null));
    cases.tried(&format!("{name}: a job without a watcher"), wrong);
    let_go(user.path("go"));
    let mut wrong: Vec<String> =
        missing("it ends", || state(&user, &first) == "failed").into_iter().collect();
    let job = entry(&user, &first);
    wrong.extend((job["exit_code"] != 5 && !job["exit"]["unknown"].is_object()).then(|| job.to_string()));
    wrong.extend(differs("its attempts", attempts(&user, &first), vec![1]));
    cases.tried(&format!("{name}: its end"), wrong);
    let other = start();
    let (_, main) = running(&user, &other);
    let began = Instant::now();
    there.ok(&user, ["cancel", &other]);
    let prompt = began.elapsed() < Duration::from_secs(30);
    cases.tried(
        &format!("{name}: a cancel"),
        differs("ended at once", (prompt, is_alive(main)), (true, false)),
    );
    user.all_gone();
}

/// The other way round: the job began in the namespace.
fn began_in(there: &Place, name: &str, cases: &mut Cases) {
    let user = User::new();
    let id = there.ok(&user, ["start", "--timeout", "1h", "--", "sh", "-c", &witness("exec sleep 1000")]);
    let id = id.trim_end();
    let (watcher, main) = running(&user, id);
    user.ok(["tick"]);
    let mut wrong: Vec<String> =
        differs("what is seen", observed(&user, id).as_str(), "alive").into_iter().collect();
    end_by_force(watcher);
    user.ok(["tick"]);
    wrong.extend(missing("it is adopted", || observed(&user, id) == "alive"));
    wrong.extend((!is_alive(main)).then(|| "its process is gone".to_owned()));
    user.ok(["cancel", id]);
    wrong.extend(is_alive(main).then(|| "it was cancelled and lives".to_owned()));
    cases.tried(&format!("{name}: a job that began there"), wrong);
    user.all_gone();
}

#[test]
fn other_clocks_since_the_boot_make_no_job_look_dead_and_use_up_no_time() {
    let user = User::new();
    if !Place::ahead(86_400, 0).is_open(&user) {
        return;
    }
    let mut cases = Cases::new("adoption.suspend");
    for (name, (with_suspended, without)) in CLOCKS {
        let there = Place::ahead(with_suspended, without);
        seen_from(&there, name, &mut cases);
        began_in(&there, name, &mut cases);
    }
    cases.tell("time namespaces");
}
