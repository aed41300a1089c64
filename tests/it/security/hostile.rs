//! An index that somebody made to harm: every reading command answers within its bounds, with a documented code and without
//! a panic, and no file outside the root is touched.

use super::measured::{Bounds, run, run_with};
use super::victim::Victim;
use crate::proof::{Proof, is_long};
use crate::support::User;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::time::Duration;

/// The longest time, on a busy machine and without the compiler's optimisations.
const TIME_MAX: Duration = Duration::from_mins(2);

/// What a command may take. Of memory the long form has more, as its indexes are larger.
fn bounds() -> Bounds {
    Bounds { time: TIME_MAX, bytes: if is_long() { 2 << 30 } else { 512 << 20 } }
}

/// The commands that read, and the passes that act on what they read.
pub const COMMANDS: [&[&str]; 18] = [
    &["list"],
    &["list", "--all", "--json"],
    &["status", "aaaaaa"],
    &["status", "@"],
    &["logs", "aaaaaa"],
    &["wait", "--within", "0", "aaaaaa"],
    &["health"],
    &["health", "--jobs"],
    &["approval"],
    &["dead"],
    &["schedule", "list"],
    &["group", "list"],
    &["store"],
    &["doctor"],
    &["tick", "--dry-run"],
    &["prune", "--dry-run"],
    &["tick"],
    &["prune", "--all"],
];

pub const AT: &str = "2026-02-13T10:00:00Z";

pub fn job(random: &str, status: &str, more: &Value) -> Value {
    let mut job = json!({ "id": format!("bg_20260213_{random}"), "status": status, "command": "true", "argv": ["true"],
        "cwd": "/", "created_at": AT });
    if status == "completed" {
        job["ended_at"] = AT.into();
        job["exit_code"] = 0.into();
    }
    job.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    job
}

fn index(jobs: &[Value], more: &str) -> String {
    let lines: Vec<String> = jobs.iter().map(Value::to_string).collect();
    format!("{{\"version\":1,\"updated_at\":\"{AT}\"{more},\"jobs\":[\n{}\n]}}\n", lines.join(",\n"))
}

/// One job whose field is this.
fn with(status: &str, field: &str, value: &Value) -> String {
    index(&[job("aaaaaa", status, &json!({ field: value }))], "")
}

/// The text of a sound job with a piece of it exchanged.
fn torn(from: &str, to: &str) -> String {
    let text = index(&[job("aaaaaa", "queued", &json!({}))], "");
    assert!(text.contains(from), "{from}");
    text.replace(from, to)
}

/// A six-letter random part for a number, of the letters that ids have.
fn random(mut number: usize) -> String {
    const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyz";
    let mut text = String::new();
    for _ in 0..6 {
        text.push(char::from(LETTERS[number % LETTERS.len()]));
        number /= LETTERS.len();
    }
    text
}

/// Names that would leave the folder, or be no name.
fn paths(outside: &str) -> Vec<String> {
    let relative = format!("bg_20260213_../../{}", outside.rsplit('/').next().unwrap());
    vec![
        "../../victim/file".into(),
        relative,
        outside.into(),
        String::new(),
        ".".into(),
        "..".into(),
        "bg_20260213_aaa\0aa".into(),
        "bg_20260213_aaa/aa".into(),
        "bg_20260213_\u{1b}aaaa".into(),
        format!("bg_20260213_{}", "a".repeat(1 << 20)),
    ]
}

/// Small texts, each with a name for messages.
pub fn small(outside: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut add = |name: String, text: String| found.push((name, text));
    for path in paths(outside) {
        let short: String = path.chars().take(40).collect();
        for status in ["completed", "queued", "running"] {
            let named = job("aaaaaa", status, &json!({ "id": path }));
            add(format!("{status} job with the id {short:?}"), index(&[named], ""));
        }
        for field in ["env", "batch", "retry_of", "parent", "group", "schedule"] {
            add(format!("{field} {short:?}"), with("queued", field, &json!(path)));
        }
        for field in ["after", "after_end"] {
            add(format!("{field} [{short:?}]"), with("queued", field, &json!([path])));
        }
        add(format!("stdin {short:?}"), with("completed", "stdin", &json!(path)));
        add(format!("cwd {short:?}"), with("completed", "cwd", &json!(path)));
        for table in ["groups", "schedules", "names"] {
            let table = format!(",\"{table}\":{}", json!({ path.as_str(): {} }));
            add(format!("table of {short:?}"), index(&[job("aaaaaa", "completed", &json!({}))], &table));
        }
    }
    let numbers = [
        "-1",
        "0",
        "1e999",
        "-1e999",
        "1e18",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775808",
        "4294967295",
        "2147483648",
        "1.5",
        "\"1\"",
        "[]",
        "{}",
        "null",
        "true",
    ];
    for field in [
        "exit_code",
        "timeout_seconds",
        "stale_after_seconds",
        "grace_seconds",
        "log_max_bytes",
        "attempt",
        "max_attempts",
        "retry_delay_seconds",
        "retry_max_delay_seconds",
        "key_ttl_seconds",
        "array_index",
        "interruptions",
        "signal",
    ] {
        for number in numbers {
            for status in ["completed", "queued", "running", "failed", "waiting_approval"] {
                let text = with(status, field, &json!("PLACE")).replace("\"PLACE\"", number);
                let text = text.replace("\"command\"", "\"key\":\"k\",\"dead_letter\":true,\"command\"");
                add(format!("{field} {number} of a {status} job"), text);
            }
        }
    }
    for number in numbers {
        for field in ["version", "last_event", "totals", "requires"] {
            let text = format!("{{\"version\":1,\"{field}\":{number},\"jobs\":[]}}");
            add(format!("{field} {number} at the top"), text);
        }
        add(format!("slots {number}"), index(&[], &format!(",\"groups\":{{\"g\":{{\"slots\":{number}}}}}")));
        let totals =
            format!(",\"totals\":{{\"succeeded\":{number},\"failed\":{number},\"cancelled\":{number}}}");
        add(format!("totals {number}"), index(&[job("aaaaaa", "completed", &json!({}))], &totals));
        let names = format!(",\"names\":{{\"n\":{{\"runs\":{number},\"recent_ms\":[{number},{number}]}}}}");
        add(format!("names {number}"), index(&[], &names));
        let usage =
            format!("{{\"memory_peak_kib\":{number},\"cpu_user_ms\":{number},\"cpu_system_ms\":{number}}}");
        add(
            format!("usage {number}"),
            with("completed", "usage", &json!("PLACE")).replace("\"PLACE\"", &usage),
        );
    }
    let times = [
        "-0001-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999Z",
        "+262142-12-31T23:59:59Z",
        "-262143-01-01T00:00:00Z",
        "+999999-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-06-30T23:59:60Z",
        "",
        "-1",
        "soon",
    ];
    for time in times {
        for field in ["created_at", "started_at", "ended_at", "not_before", "paused_at"] {
            for status in ["completed", "queued", "running", "failed"] {
                add(format!("{field} {time:?} of a {status} job"), with(status, field, &json!(time)));
            }
        }
        let keyed = json!({ "ended_at": time, "key": "k", "key_ttl_seconds": u64::MAX, "started_at": time });
        add(format!("a key since {time:?}"), index(&[job("aaaaaa", "completed", &keyed)], ""));
        let asked = json!({ "approval": { "on": "local", "at": time, "since": time, "ttl_seconds": u64::MAX, "hash": "" } });
        add(format!("asked {time:?}"), index(&[job("aaaaaa", "waiting_approval", &asked)], ""));
        let claim = json!({ "claim": { "host": "h", "boot": "b", "pid_namespace": 1 }, "started_at": time, "attempt": 1 });
        add(format!("claimed {time:?}"), index(&[job("aaaaaa", "running", &claim)], ""));
        let schedule = json!({ "rhythm": { "every_seconds": 1 }, "task": "retention", "added_at": time, "next_at": time,
            "restart_at": time, "valid_until": time, "jitter_seconds": u64::MAX, "health": { "last_success_at": time } });
        for rhythm in [
            json!({ "every_seconds": 1 }),
            json!({ "interval": { "seconds": 1 } }),
            json!("1s"),
            json!({ "every": 0 }),
        ] {
            let mut one = schedule.clone();
            one["rhythm"] = rhythm;
            add(format!("schedule {time:?}"), index(&[], &format!(",\"schedules\":{}", json!({ "s": one }))));
        }
    }
    for surrogate in [r"\ud800", r"\udfff\ud800", r"\u0000", r"\uFFFF"] {
        add(
            format!("name {surrogate}"),
            torn("\"command\"", &format!("\"name\":\"{surrogate}\",\"command\"")),
        );
        add(
            format!("command {surrogate}"),
            torn("\"command\":\"true\"", &format!("\"command\":\"{surrogate}\"")),
        );
        add(format!("field {surrogate}"), torn("\"command\"", &format!("\"{surrogate}\":1,\"command\"")));
    }
    let twice = job("aaaaaa", "queued", &json!({}));
    add("an id twice".into(), index(&[twice.clone(), twice.clone()], ""));
    add("a field twice".into(), torn("\"command\"", "\"status\":\"running\",\"command\""));
    add("jobs twice".into(), "{\"version\":1,\"jobs\":[],\"jobs\":[]}".into());
    add("a job of its own".into(), with("queued", "after", &json!(["bg_20260213_aaaaaa"])));
    for (name, b64) in [("bad", "!!!"), ("a NUL in", "AAAA"), ("empty", "")] {
        add(format!("{name} base64"), with("queued", "argv", &json!([{ "b64": b64 }])));
    }
    add(
        "a huge gate".into(),
        with(
            "queued",
            "gate",
            &json!({ "on": "github:a/b#18446744073709551615", "ttl_seconds": u64::MAX, "hash": "" }),
        ),
    );
    for text in [
        "",
        "\0",
        "[]",
        "{}",
        "null",
        "{\"version\":1}",
        "{\"version\":2,\"jobs\":[]}",
        "\u{feff}{}",
        "{\"version\":1,\"jobs\":{}}",
    ] {
        add(format!("text {text:?}"), text.into());
    }
    found
}

/// Texts that are long or deep. So many `entries` has a field of one job, and so many `jobs` an index.
pub fn large(entries: usize, count: usize) -> Vec<(String, String)> {
    let mut many = String::new();
    for number in 0..entries {
        let _ = write!(many, "\"label{number}\",");
    }
    let many = format!("[{}]", many.trim_end_matches(','));
    let jobs = |status: &str, more: &dyn Fn(usize) -> String| {
        let ended =
            if status == "completed" { ",\"ended_at\":\"2026-02-13T10:00:00Z\",\"exit_code\":0" } else { "" };
        let mut text = format!("{{\"version\":1,\"updated_at\":\"{AT}\",\"jobs\":[\n");
        for number in 0..count {
            let comma = if number == 0 { "" } else { ",\n" };
            let _ = write!(
                text,
                "{comma}{{\"id\":\"bg_20260213_{}\",\"status\":\"{status}\",\"command\":\"true\",\"created_at\":\"{AT}\"{ended}{}}}",
                random(number),
                more(number)
            );
        }
        text + "\n]}\n"
    };
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let deep_object = "{\"a\":".repeat(100_000) + "1" + &"}".repeat(100_000);
    let sound =
        |field: &str, value: &str| with("completed", field, &json!("PLACE")).replace("\"PLACE\"", value);
    let long = format!("\"{}\"", "x".repeat(200 * count));
    vec![
        (format!("{entries} labels"), sound("labels", &many)),
        (format!("{entries} arguments"), sound("argv", &many)),
        (format!("{entries} notes"), sound("notes", &many)),
        (format!("a name of {} bytes", long.len()), sound("name", &long)),
        (format!("a command of {} bytes", long.len()), sound("command", &long)),
        (format!("an unknown field of {} bytes", long.len()), sound("unheard", &long)),
        ("an unknown field that is deep".into(), sound("unheard", &deep)),
        ("labels that are deep".into(), sound("labels", &deep)),
        ("a deep field at the top".into(), format!("{{\"version\":1,\"deep\":{deep_object},\"jobs\":[]}}")),
        ("deep jobs".into(), format!("{{\"version\":1,\"jobs\":{deep}}}")),
        ("nothing but brackets".into(), deep.clone()),
        (format!("{count} jobs: completed jobs"), jobs("completed", &|_| String::new())),
        (
            format!("{count} jobs: queued jobs"),
            jobs("queued", &|number| {
                format!(",\"name\":\"n{number}\",\"labels\":[\"l{number}\"],\"key\":\"k{number}\"")
            }),
        ),
        (
            format!("{count} jobs: dead letters"),
            jobs("failed", &|_| ",\"dead_letter\":true,\"max_attempts\":3".into()),
        ),
        (
            format!("{count} jobs in a chain"),
            jobs("queued", &|number| {
                format!(",\"after\":[\"bg_20260213_{}\"]", random((number + 1) % count))
            }),
        ),
        (
            format!("{count} jobs: waiting for one"),
            jobs("queued", &|number| {
                if number == 0 {
                    String::new()
                } else {
                    format!(",\"after_end\":[\"bg_20260213_{}\"]", random(0))
                }
            }),
        ),
        (
            format!("{count} jobs: running jobs"),
            jobs("running", &|_| ",\"attempt\":1,\"claim\":{\"host\":\"h\",\"boot\":\"b\"}".into()),
        ),
        (
            format!("{count} jobs: waiting for approval"),
            jobs("waiting_approval", &|_| {
                ",\"approval\":{\"on\":\"local\",\"at\":\"2026-02-13T10:00:00Z\",\"hash\":\"\",\"ttl_seconds\":null}".into()
            }),
        ),
    ]
}

/// What came of it.
pub struct Tried {
    cases: usize,
    troubles: Vec<String>,
    slowest: (Duration, String),
    largest: (u64, String),
}

impl Tried {
    pub fn new() -> Self {
        Self { cases: 0, troubles: Vec::new(), slowest: Default::default(), largest: Default::default() }
    }

    pub fn look(&mut self, name: &str, user: &User, victim: &Victim, commands: &[&[&str]]) {
        for command in commands {
            let measured = run(user, command, bounds());
            self.note(name, &command.join(" "), &measured, victim);
        }
        let completion =
            run_with(user, &["2", "bgctl", "status", ""], &[("BGCTL_COMPLETE", "fish")], bounds());
        self.note(name, "completion", &completion, victim);
    }

    fn note(&mut self, name: &str, command: &str, measured: &super::measured::Measured, victim: &Victim) {
        self.cases += 1;
        let trouble = measured.trouble().into_iter().chain(victim.changes());
        self.troubles.extend(trouble.map(|what| format!("{name}: {command}: {what}")));
        let called = || format!("{command}, {name}");
        if measured.took > self.slowest.0 {
            self.slowest = (measured.took, called());
        }
        if measured.peak_bytes > self.largest.0 {
            self.largest = (measured.peak_bytes, called());
        }
    }

    /// Says what it came to, with more that is to be said of it.
    #[track_caller]
    pub fn tell(self, name: &'static str, more: &str) {
        let remark = format!(
            "slowest {:.1} s ({}), most memory {} MiB ({}), {more}",
            self.slowest.0.as_secs_f64(),
            self.slowest.1,
            self.largest.0 >> 20,
            self.largest.1
        );
        Proof { name, cases: self.cases, failures: self.troubles.len(), remark }.tell();
        assert!(self.troubles.is_empty(), "{}", self.troubles.join("\n"));
    }

    fn join(&mut self, other: Self) {
        self.cases += other.cases;
        self.troubles.extend(other.troubles);
        if other.slowest.0 > self.slowest.0 {
            self.slowest = other.slowest;
        }
        if other.largest.0 > self.largest.0 {
            self.largest = other.largest;
        }
    }
}

/// A user with an index, a victim beside the root, and a file of the first job.
pub fn scene(text: &str) -> (User, Victim) {
    let user = User::new();
    user.write_index(text);
    std::fs::create_dir(user.root().join("runs")).unwrap();
    std::fs::write(user.root().join("runs/bg_20260213_aaaaaa.log"), "output\n").unwrap();
    let victim = Victim::new(user.path("victim"));
    (user, victim)
}

#[test]
fn an_index_made_to_harm_is_answered_in_bounded_time_and_memory() {
    let seed = crate::proof::seed();
    let place = User::new();
    let all = small(place.path("victim/file").to_str().unwrap());
    let count = crate::proof::cases(60, usize::MAX).min(all.len());
    let mut chosen = Vec::new();
    for number in 0..count {
        chosen.push(&all[(seed as usize + number * all.len() / count) % all.len()]);
    }
    let turn = seed as usize / 1_000 % 3;
    // Without optimisations a million take a minute.
    let (entries, jobs) = if is_long() { (1_000_000, 10_000) } else { (1_000, 1_000) };
    let large = large(entries, jobs);
    let mut tried = Tried::new();
    std::thread::scope(|threads| {
        let small = threads.spawn(|| {
            let mut tried = Tried::new();
            for (number, (name, text)) in chosen.iter().enumerate() {
                let (user, victim) = scene(text);
                // The quick form takes a third of the commands for each.
                let commands: Vec<&[&str]> = COMMANDS
                    .into_iter()
                    .enumerate()
                    .filter(|(place, _)| is_long() || place % 3 == (number + turn) % 3)
                    .map(|(_, command)| command)
                    .collect();
                tried.look(name, &user, &victim, &commands);
            }
            tried
        });
        for (name, text) in &large {
            let (user, victim) = scene(text);
            tried.look(name, &user, &victim, if is_long() { &COMMANDS } else { &COMMANDS[..16] });
        }
        let (user, victim) = scene("");
        let mut file = BufWriter::new(std::fs::File::create(user.root().join("jobs.json")).unwrap());
        file.write_all(b"{\"version\":1,\"jobs\":[").unwrap();
        file.into_inner().unwrap().set_len(1 << 30).unwrap();
        tried.look("a file of 1 GiB", &user, &victim, &COMMANDS);
        tried.join(small.join().unwrap());
    });
    let more = format!("large ones of {entries} entries or {jobs} jobs; seed {seed}");
    tried.tell("security.hostile_index", &more);
}

/// In time that grows with their number, not with its square.
#[test]
fn a_shell_completes_among_very_many_jobs() {
    let text = large(1, 20_000).into_iter().find(|(name, _)| name.ends_with("queued jobs")).unwrap().1;
    let (user, _victim) = scene(&text);
    for (command, option) in [("status", ""), ("list", "--label="), ("list", "--name="), ("status", "--key=")]
    {
        let words = ["2", "bgctl", command, option];
        let bounds = Bounds { time: Duration::from_secs(20), ..bounds() };
        let measured = run_with(&user, &words, &[("BGCTL_COMPLETE", "fish")], bounds);
        assert_eq!(measured.trouble(), None, "{words:?}");
        assert!(measured.ran.out.lines().count() >= 20_000, "{words:?}");
    }
}

#[test]
fn numbers_that_cannot_be_added_are_shown() {
    let usage = json!({ "memory_peak_kib": u64::MAX, "cpu_user_ms": u64::MAX, "cpu_system_ms": u64::MAX });
    let (user, _victim) = scene(&with("completed", "usage", &usage));
    let ran = user.run(["status", "aaaaaa"]);
    assert!(ran.code == 0 && ran.out.contains("of processor time"), "{}{}", ran.out, ran.err);
}

#[test]
fn an_index_of_more_jobs_than_are_read_is_refused() {
    let mut text = "{\"version\":1,\"jobs\":[0".to_owned();
    text.push_str(&",0".repeat(1_000_000));
    let (user, _victim) = scene(&(text + "]}"));
    let measured = run(&user, &["list"], bounds());
    assert_eq!((measured.ran.code, measured.trouble()), (5, None), "{}", measured.ran.err);
    assert!(
        measured.ran.err.contains("has 1000001 jobs, more than the 1000000 that are read"),
        "{}",
        measured.ran.err
    );
}

#[test]
fn an_index_beyond_its_limit_is_refused_with_the_limit_and_the_way_on() {
    let (user, _victim) = scene("");
    std::fs::File::create(user.root().join("jobs.json")).unwrap().set_len((256 << 20) + 1).unwrap();
    for command in [["list"].as_slice(), &["tick"], &["start", "--", "true"]] {
        let ran = user.run(command);
        assert_eq!((ran.code, ran.out.as_str()), (5, ""), "{}", ran.err);
        assert!(
            ran.err.contains("is 268435457 bytes long, more than the 268435456 that are read"),
            "{}",
            ran.err
        );
    }
}
