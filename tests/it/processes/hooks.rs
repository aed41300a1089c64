//! Hooks: each is run once at the most, beside the jobs and never as part of one, and what became of it is told.

use crate::schema::check_events;
use crate::support::{BGCTL, User, is_alive, kill, until};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

impl User {
    /// Writes the settings `[hooks]`.
    fn set_hooks(&self, text: &str) {
        self.make_root();
        std::fs::write(self.root().join("config.toml"), format!("[hooks]\n{text}\n")).unwrap();
    }

    /// The lines of the stream.
    fn told(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.root().join("events.jsonl")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// What was told of hooks.
    fn hooked(&self) -> Vec<Value> {
        let is_hook = |line: &Value| line["event"] == "hook" || line["event"] == "hook_failed";
        self.told().into_iter().filter(is_hook).collect()
    }

    /// Waits until so many hooks were told of; gives them.
    #[track_caller]
    fn until_hooked(&self, count: usize) -> Vec<Value> {
        until("the hooks have run", || self.hooked().len() >= count);
        self.hooked()
    }

    fn text_of(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

#[test]
fn each_hook_runs_once_with_the_event_on_standard_input_and_in_its_environment() {
    let user = User::new();
    let dir = user.path("").display().to_string();
    let tell = |name: &str| {
        format!("cat >>{dir}/{name}.in; env | grep ^BG_ | sort >{dir}/{name}.env; pwd >{dir}/{name}.cwd")
    };
    user.set_hooks(&format!(
        "on_end = '{}'\non_fail = ['/bin/sh', '-c', '{}']\non_dead_letter = '{}'",
        tell("end"),
        tell("fail"),
        tell("dead")
    ));
    std::fs::create_dir(user.path("place")).unwrap();
    let good = user.start(["--name", "good", "--cwd", "place", "--on-end", &tell("own"), "--", "true"]);
    user.wait(&good);
    assert_eq!(
        user.until_hooked(2).iter().map(|line| line["hook"].clone()).collect::<Vec<_>>(),
        [json!("job"), json!("on_end")]
    );
    let bad = user.start(["--attempts", "2", "--retry-delay", "0", "--", "sh", "-c", "exit 7"]);
    user.wait(&bad);
    user.until_hooked(5);
    user.all_gone();
    let hooked = user.hooked();
    assert!(hooked.iter().all(|line| line["event"] == "hook" && line["result"] == "succeeded"), "{hooked:?}");
    let hooks: Vec<Value> = hooked.iter().map(|line| json!([line["id"], line["hook"]])).collect();
    assert_eq!(
        hooks,
        [
            json!([good, "job"]),
            json!([good, "on_end"]),
            json!([bad, "on_end"]),
            json!([bad, "on_fail"]),
            json!([bad, "on_dead_letter"])
        ]
    );
    let read = |name: &str| -> Vec<Value> {
        user.text_of(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert_eq!(read("own.in"), [user.told()[2].clone()], "the line as it stands in the stream");
    assert_eq!(
        read("end.in").iter().map(|line| line["status"].clone()).collect::<Vec<_>>(),
        ["completed", "failed"]
    );
    assert_eq!((read("fail.in").len(), read("dead.in").len()), (1, 1));
    let root = user.root().display().to_string();
    let seq = read("own.in")[0]["seq"].clone();
    let at = read("own.in")[0]["at"].as_str().unwrap().to_owned();
    assert_eq!(
        user.text_of("own.env"),
        format!(
            "BG_EVENT_AT={at}\nBG_EVENT_COMMAND=true\nBG_EVENT_EXIT_CODE=0\nBG_EVENT_JOB_ID={good}\nBG_EVENT_KIND=end\n\
            BG_EVENT_LOG={root}/runs/{good}.log\nBG_EVENT_NAME=good\nBG_EVENT_SEQ={seq}\nBG_EVENT_STATUS=completed\n\
            BG_EVENT_WAS=running\nBG_HOME={root}\n"
        )
    );
    let dead = user.text_of("dead.env");
    for line in [
        "BG_EVENT_KIND=dead_letter\n",
        "BG_EVENT_EXIT_CODE=7\n",
        "BG_EVENT_STATUS=failed\n",
        "BG_EVENT_SUMMARY=exit code 7",
    ] {
        assert!(dead.contains(line), "{line}: {dead}");
    }
    assert_eq!(user.text_of("own.cwd").trim_end(), user.path("place").display().to_string());
    assert_eq!(user.text_of("end.cwd").trim_end(), user.path("home").display().to_string());
    check_events(&user.root());
}

#[test]
fn what_happened_before_a_hook_was_set_is_for_none() {
    let user = User::new();
    let note = format!("echo $BG_EVENT_JOB_ID >>{}", user.path("got").display());
    let end = |name: &str| {
        let id = user.start(["--name", name, "--", "true"]);
        user.wait(&id);
        user.all_gone();
        id
    };
    end("before");
    user.set_hooks(&format!("on_end = '{note}'"));
    user.ok(["tick"]);
    let first = end("first");
    user.set_hooks("");
    end("between");
    user.set_hooks(&format!("on_end = '{note}'"));
    user.ok(["tick"]);
    user.all_gone();
    let second = end("second");
    assert_eq!(user.text_of("got"), format!("{first}\n{second}\n"));
    // Who lost his place tells nobody twice.
    std::fs::remove_file(user.root().join("hooked")).unwrap();
    user.ok(["tick"]);
    user.all_gone();
    user.set_hooks("");
    assert_eq!(user.text_of("got").lines().count(), 2);
}

#[test]
fn the_runner_is_killed_again_and_again_and_no_hook_runs_twice() {
    const JOBS: usize = 200;
    let user = User::new();
    let note = format!("echo $BG_EVENT_JOB_ID >>{}", user.path("got").display());
    user.make_root();
    let settings = format!("[queue]\nmax_concurrent = 8\n[hooks]\non_end = '{note}'\n");
    std::fs::write(user.root().join("config.toml"), settings).unwrap();
    let batch: String = "true\n".repeat(JOBS);
    std::fs::write(user.path("batch"), batch).unwrap();
    user.ok(["start", "--batch", "batch"]);
    let mut kills = 0;
    let mut random = u64::from(std::process::id());
    // Far longer than it takes, on a machine where syncing a file is slow.
    let deadline = std::time::Instant::now() + 5 * crate::support::EVENT_MAX;
    while user.hooked().len() < JOBS {
        assert!(
            std::time::Instant::now() < deadline,
            "waited in vain for {} hooks",
            JOBS - user.hooked().len()
        );
        // Any distance from the last time, from none to some hooks.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(std::time::Duration::from_millis((random >> 33) % 60));
        let text = std::fs::read_to_string(user.root().join("hooks.lock")).unwrap_or_default();
        if let Ok(who) = serde_json::from_str::<Value>(&text) {
            let pid = i32::try_from(who["pid"].as_i64().unwrap()).unwrap();
            let is_runner = std::fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.windows(7).any(|part| part == b"__hooks"));
            if is_runner && kills < 60 && is_alive(pid) {
                kill(pid, Signal::KILL);
                kills += 1;
            }
        }
        user.ok(["tick"]);
    }
    user.all_gone();
    assert!(kills >= 5, "{kills}");
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    for line in user.hooked() {
        let id = line["id"].as_str().unwrap().to_owned();
        let again = told.insert(id.clone(), line["result"].as_str().unwrap().to_owned());
        assert_eq!(again, None, "{id} was told of twice");
    }
    let text = user.text_of("got");
    let got: BTreeSet<&str> = text.lines().collect();
    assert_eq!(got.len(), text.lines().count(), "none ran twice");
    for (id, result) in &told {
        match result.as_str() {
            "succeeded" => assert!(got.contains(id.as_str()), "{id}"),
            "unknown" => {}
            other => panic!("{id}: {other}"),
        }
    }
    let unknown = told.values().filter(|result| *result == "unknown").count();
    assert!(unknown <= kills, "{unknown} of {kills}");
    check_events(&user.root());
}

#[test]
fn what_became_of_the_last_hook_is_told_although_its_runner_was_killed_and_no_other_hook_comes() {
    let user = User::new();
    let (began, never) = (user.fifo("began"), user.fifo("never"));
    user.set_hooks(&format!("on_end = 'echo $$ >{}; read x <{}'", began.display(), never.display()));
    let id = user.start(["--", "true"]);
    let hook: i32 = std::fs::read_to_string(&began).unwrap().trim().parse().unwrap();
    // Nothing is to be done while it runs.
    user.ok(["tick"]);
    assert_eq!(user.hooked(), [] as [Value; 0]);
    let lock = std::fs::read_to_string(user.root().join("hooks.lock")).unwrap();
    let runner: Value = serde_json::from_str(&lock).unwrap();
    kill(i32::try_from(runner["pid"].as_i64().unwrap()).unwrap(), Signal::KILL);
    until("a tick has seen to it", || {
        user.ok(["tick"]);
        user.hooked().len() == 1
    });
    let told = user.hooked().remove(0);
    assert_eq!((&told["id"], &told["result"], &told["exit"]), (&json!(id), &json!("unknown"), &Value::Null));
    assert!(!is_alive(hook), "what it had left");
    user.all_gone();
    // Once.
    user.ok(["tick"]);
    user.all_gone();
    assert_eq!(user.hooked(), [told]);
    check_events(&user.root());
    // Of what is not kept any more nothing is said.
    std::fs::remove_file(user.root().join("events.jsonl")).unwrap();
    user.ok(["tick"]);
    user.all_gone();
    assert_eq!(user.hooked(), [] as [Value; 0]);
}

#[test]
fn a_hook_that_hangs_is_ended_with_all_it_started_and_holds_up_no_job() {
    let user = User::new();
    let never = user.fifo("never").display().to_string();
    user.make_root();
    let hook = format!(
        "setsid sh -c \"trap : TERM; read x <{never}\" & setsid sh -c \"read x <{never}\" & read x <{never}"
    );
    let settings = format!("[queue]\nmax_concurrent = 1\n[hooks]\non_fail = '{hook}'\ntimeout = 1\n");
    std::fs::write(user.root().join("config.toml"), settings).unwrap();
    let bad = user.start(["--", "false"]);
    user.wait(&bad);
    // The only slot is free, although the hook hangs.
    for _ in 0..3 {
        let good = user.start(["--", "true"]);
        assert_eq!(user.wait(&good), 0);
    }
    assert_eq!(user.hooked(), [] as [Value; 0], "it still hangs");
    let hooked = user.until_hooked(1).remove(0);
    assert_eq!(
        (&hooked["event"], &hooked["result"], &hooked["note"]),
        (&json!("hook_failed"), &json!("timed_out"), &json!("its time of 1s was over"))
    );
    assert!(hooked["took_ms"].as_u64().unwrap() >= 1_000, "{hooked}");
    user.all_gone();
    check_events(&user.root());
}

#[test]
fn a_hook_that_fails_is_seen_with_what_it_printed() {
    let user = User::new();
    user.set_hooks("on_end = 'echo could not reach anybody; exit 3'\non_fail = ['/nowhere/at/all']");
    let bad = user.start(["--name", "bad", "--", "false"]);
    user.wait(&bad);
    user.until_hooked(2);
    user.all_gone();
    let shown = user.ok(["events", "--event", "hook_failed"]);
    assert!(shown.contains("hook on_end for 3 failed: exit code 3"), "{shown}");
    assert!(shown.contains("hook on_fail for 3 failed: /nowhere/at/all: command not found"), "{shown}");
    let log = std::fs::read_to_string(user.root().join("hooks.log")).unwrap();
    assert!(log.contains(&format!(" on_end of 3 {bad}: failed\ncould not reach anybody\n")), "{log}");
    check_events(&user.root());
}

#[test]
fn what_hooks_print_is_bounded() {
    let user = User::new();
    user.set_hooks("on_end = 'yes line | head -c 3000000; echo the end'");
    for _ in 0..20 {
        let id = user.start(["--", "true"]);
        user.wait(&id);
    }
    user.until_hooked(20);
    user.all_gone();
    let log = std::fs::read(user.root().join("hooks.log")).unwrap();
    assert!(log.len() <= 256 * 1024 && log.len() > 32 * 1024, "{}", log.len());
    assert!(log.ends_with(b"the end\n"));
    assert!(log.starts_with(b"line\n") || log.starts_with(b"== "), "cut at the end of a line");
}

#[test]
fn a_hook_that_cannot_be_executed_says_why() {
    let user = User::new();
    user.set_hooks("on_end = ['/usr']");
    user.wait(&user.start(["--", "true"]));
    user.until_hooked(1);
    user.all_gone();
    let shown = user.ok(["events", "--event", "hook_failed"]);
    assert!(shown.contains("hook on_end for 3 failed: /usr: Permission denied"), "{shown}");
}

#[test]
fn a_job_that_a_hook_starts_is_independent_of_it() {
    let user = User::new();
    let go = user.fifo("go");
    let start = format!("{BGCTL} start --name child -- cat {}", go.display());
    let first = user.start(["--name", "first", "--on-end", &start, "--", "true"]);
    user.wait(&first);
    let hooked = user.until_hooked(1).remove(0);
    assert_eq!(hooked["result"], "succeeded", "{hooked}");
    let child = user.job("child");
    let id = child["id"].as_str().unwrap().to_owned();
    let pid = user.recorded_pid(&id, "process");
    // The runner has left, and what it ended was not the job.
    until("the runner has left", || {
        !user.processes().iter().any(|pid| {
            std::fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.windows(7).any(|part| part == b"__hooks"))
        })
    });
    assert!(is_alive(pid));
    assert_eq!((&child["status"], &child["parent"]), (&json!("running"), &Value::Null));
    std::fs::OpenOptions::new().write(true).open(go).unwrap().write_all(b"on\n").unwrap();
    assert_eq!(user.wait(&id), 0);
    user.all_gone();
}

#[test]
fn a_hook_is_no_part_of_the_job_inside_which_its_job_was_started() {
    let user = User::new();
    let go = user.fifo("go").display().to_string();
    user.set_hooks(&format!(
        "on_end = 'test \"$BG_EVENT_NAME\" = inner && echo $$ >{} && read x <{go}; true'",
        user.path("pid").display()
    ));
    let outer = user.start([
        "--name",
        "outer",
        "--",
        "sh",
        "-c",
        &format!("{BGCTL} start --name inner --wait -- true"),
    ]);
    assert_eq!(user.wait(&outer), 0);
    let hook: i32 = user.line_in("pid").trim_end().parse().unwrap();
    assert!(is_alive(hook), "it goes on although that job has ended");
    assert_eq!(user.job("outer")["leftovers"], json!([]), "nobody took it for one of its processes");
    std::fs::write(go, "on\n").unwrap();
    assert!(user.until_hooked(2).iter().all(|line| line["result"] == "succeeded"));
    user.all_gone();
}

#[test]
fn hooks_run_one_after_the_other_and_one_whose_job_was_removed_meanwhile_is_skipped() {
    let user = User::new();
    let go = user.fifo("go").display().to_string();
    let first = user.start(["--on-end", &format!("read x <{go}; echo one >>order"), "--", "true"]);
    user.wait(&first);
    let second = user.start(["--on-end", "echo two >>order", "--", "true"]);
    user.wait(&second);
    let third = user.start(["--on-end", "echo three >>order", "--", "true"]);
    user.wait(&third);
    until("the first one has begun", || user.root().join("hooked").exists());
    let begun = || {
        let text = std::fs::read_to_string(user.root().join("hooked")).unwrap_or_default();
        serde_json::from_str::<Value>(&text).is_ok_and(|cursor| cursor["hook"] == "job")
    };
    until("the first one has begun", begun);
    user.edit_jobs(|jobs| jobs.retain(|job| job["id"] != json!(second)));
    std::fs::write(go, "on\n").unwrap();
    let hooked = user.until_hooked(3);
    let results: BTreeSet<(String, String)> = hooked
        .iter()
        .map(|line| (line["id"].as_str().unwrap().to_owned(), line["result"].as_str().unwrap().to_owned()))
        .collect();
    let word = |id: &str, result: &str| (id.to_owned(), result.to_owned());
    assert!(results.contains(&word(&second, "skipped")), "{results:?}");
    assert!(results.contains(&word(&third, "succeeded")), "{results:?}");
    assert!(user.ok(["events"]).contains("skipped: its job was removed before"), "{hooked:?}");
    let order = user.text_of("order");
    assert!(order.contains("three\n") && !order.contains("two"), "{order}");
    user.all_gone();
}

#[test]
fn a_verdict_runs_its_hook_at_the_next_tick() {
    let user = User::new();
    user.set_hooks(&format!(
        "on_degraded = 'echo $BG_EVENT_STATUS: $BG_EVENT_REASONS >>{}'",
        user.path("got").display()
    ));
    let line = json!({ "seq": 1, "at": "2026-02-13T10:00:00Z", "event": "health", "was": "ok", "status": "degraded",
        "reasons": ["11 dead letters", "no tick"], "hooks": ["on_degraded"] });
    std::fs::write(user.root().join("events.jsonl"), format!("{line}\n")).unwrap();
    user.ok(["tick"]);
    user.until_hooked(1);
    assert_eq!(user.text_of("got"), "degraded: 11 dead letters; no tick\n");
    user.ok(["tick"]);
    user.all_gone();
    assert_eq!(user.hooked().len(), 1);
    check_events(&user.root());
}

#[test]
fn a_hook_of_a_batch_line_and_one_of_a_repeated_job_run_too() {
    let user = User::new();
    std::fs::write(
        user.path("batch"),
        "{\"argv\":[\"true\"],\"name\":\"a\",\"on_end\":\"echo $BG_EVENT_NAME >>got\"}\n\
        {\"argv\":[\"false\"],\"name\":\"b\",\"on_end\":[\"sh\",\"-c\",\"echo $BG_EVENT_NAME >>got\"]}\n",
    )
    .unwrap();
    user.ok(["start", "--batch", "batch"]);
    user.until_hooked(2);
    let again = user.ok(["retry", "b"]);
    assert!(again.contains("bg_"), "{again}");
    user.until_hooked(3);
    user.all_gone();
    let mut got: Vec<String> = user.text_of("got").lines().map(str::to_owned).collect();
    got.sort();
    assert_eq!(got, ["a", "b", "b"]);
    let ran = user.run(["start", "--on-end", " ", "--", "true"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
}

#[test]
fn with_broken_settings_hooks_wait_until_they_are_mended() {
    let user = User::new();
    let go = user.fifo("go");
    user.set_hooks(&format!("on_end = 'echo ran >>{}'", user.path("got").display()));
    let id = user.start(["--on-end", "echo own >>got", "--", "cat", go.to_str().unwrap()]);
    std::fs::write(user.root().join("config.toml"), "[hooks]\non_end = 3\n").unwrap();
    std::fs::write(go, "").unwrap();
    user.wait(&id);
    user.all_gone();
    assert_eq!(user.text_of("got"), "", "nobody knows how long it may take");
    user.set_hooks("timeout = 5");
    user.ok(["tick"]);
    user.until_hooked(1);
    user.all_gone();
    assert!(user.text_of("got").contains("own\n"));
}
