//! `docs/reliability.md`: each promise, how it is tested, how many cases were tried, and what came of it.
//!
//! `tests/run --long` has it written of what its own run said: of the numbers that the proofs told (`proof`), and of the lines
//! of the test runner. Nothing in it is typed but the promises and how they are tested, which stand here.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// A promise, and what it is held against.
struct Promise {
    says: &'static str,
    how: &'static str,
    /// The beginnings of the names of proofs.
    proofs: &'static [&'static str],
    /// The beginnings of the names of tests, without those of the proofs.
    tests: &'static [&'static str],
}

const PROMISES: [Promise; 10] = [
    Promise {
        says: "A fault of the system is answered truly. Nothing is lost, nothing runs twice, no file is left.",
        how: "One system call after the other fails (full or broken disk, no descriptors, no processes, interrupted, busy), \
              by strace, in every command that writes, in watchers, the tick and the alarm. The index is looked at, one \
              tick is made, and all must come to rest.",
        proofs: &["fault: "],
        tests: &["sweeps::fault", "sweeps::exec"],
    },
    Promise {
        says: "`kill -9` at any instruction: one tick brings everything to its right end.",
        how: "The process is killed as it enters one system call after the other; and processes of ours are killed at \
              random under many short jobs.",
        proofs: &["kill: ", "kill.random"],
        tests: &["sweeps::kill", "crowds::kill"],
    },
    Promise {
        says: "Who is stopped and goes on later does nothing twice.",
        how: "The same with SIGSTOP. Others do what they can meanwhile; then it is continued.",
        proofs: &["stop: ", "stop.random"],
        tests: &["sweeps::stop", "crowds::stop"],
    },
    Promise {
        says: "After a power cut the old or the new index is read, never another, and a printed id is there.",
        how: "What real commands and watchers do to files is recorded; every state that a file system may leave without the \
              fsyncs that were not made, at every instant, is made and read.",
        proofs: &["crash."],
        tests: &["crash"],
    },
    Promise {
        says: "The queue does what its documentation says, whatever happens in whatever order.",
        how: "Random sequences of commands and events over each store, against a plain model that was written from the \
              documentation; and the same suite over each store.",
        proofs: &["model."],
        tests: &["machine", "conformance", "scheduling", "states"],
    },
    Promise {
        says: "Many at once: nothing is lost, the order is kept, no more run than there are slots, `wait` wakes rightly.",
        how: "Submitters, cancellers, pruners, tickers, waiters and listers over one root, all of them real processes. The jobs \
              themselves measure how many run.",
        proofs: &["crowd."],
        tests: &["crowds::minute", "crowds::raced", "processes::crowd"],
    },
    Promise {
        says: "A job is never said to run that does not, and never taken for another.",
        how: "Reboots, pids given to other programs, other machines and namespaces, clocks put forward and back, suspension, \
              upgrades of the program under running jobs: in namespaces where they can be had.",
        proofs: &["adoption."],
        tests: &[
            "adoption",
            "processes::truth",
            "processes::orphans",
            "processes::strangers",
            "processes::stale",
        ],
    },
    Promise {
        says: "Nothing is left behind.",
        how: "Process trees that fork, hide and refuse to end, under real watchers that are killed.",
        proofs: &[],
        tests: &["processes::zoo", "processes::leftovers", "processes::hygiene", "processes::timeout"],
    },
    Promise {
        says: "Others cannot have it write, read or say what they want ([security.md](security.md)).",
        how: "Links and other kinds of files in place of ours, folders that are exchanged between check and use, other \
              users' files, escape sequences on a real terminal, secrets that are searched for, indexes that are hostile.",
        proofs: &["security."],
        tests: &["security"],
    },
    Promise {
        says: "What is read from outside ends no command, and says nothing that it does not say.",
        how: "Everything that is read (index, settings, batches, words, records, answers of GitHub) is fed with mutations of \
              real ones.",
        proofs: &["fuzz."],
        tests: &["fuzz"],
    },
];

/// What was told of one proof.
#[derive(serde::Deserialize)]
struct Told {
    name: String,
    cases: u64,
    failures: u64,
    remark: String,
    long: bool,
}

/// What the test runner said of one test.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Went {
    Well,
    Wrong,
    Left,
}

#[test]
#[ignore = "it writes docs/reliability.md of what a run of all tests said; tests/run --long calls it"]
fn the_page_is_written_of_what_the_run_said() {
    let given =
        |name: &str| PathBuf::from(std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set")));
    let told = told(&given("BG_TEST_PROOFS"));
    let said = said(&std::fs::read_to_string(given("BG_TEST_SAID")).unwrap());
    let page = page(&told, &said);
    std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md"), page).unwrap();
}

#[test]
fn each_promise_is_tested_by_what_is_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    for promise in &PROMISES {
        for module in promise.tests {
            let path = folder.join(module.replace("::", "/"));
            let is_there = path.is_dir() || path.with_extension("rs").is_file();
            assert!(is_there, "{}: there is no {module}", promise.says);
        }
    }
}

#[test]
fn a_failure_and_a_proof_that_told_nothing_are_not_hidden() {
    let told = |name: &str, failures| Told {
        name: name.to_owned(),
        cases: 7,
        failures,
        remark: String::new(),
        long: true,
    };
    let said =
        said("test crash::one ... ok\ntest crash::two ... FAILED\ntest fuzz::three ... ignored, why\n");
    let page = page(&[told("crash.start", 0), told("fault: a start", 2)], &said);
    assert!(page.contains("| 7 | **2 failures** |"), "{page}");
    assert!(page.contains("**1 of 2 tests failed**"), "{page}");
    assert!(page.contains("**not run**"), "{page}");
    assert!(page.contains("1 test left out"), "{page}");
}

/// The proofs of a run, by name.
fn told(folder: &Path) -> Vec<Told> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let mut told: Vec<Told> = entries
        .map(|entry| serde_json::from_str(&std::fs::read_to_string(entry.path()).unwrap()).unwrap())
        .collect();
    told.sort_by(|one, other| one.name.cmp(&other.name));
    told
}

/// How each test went. What a test itself prints may stand between its name and its end.
fn said(text: &str) -> BTreeMap<String, Went> {
    let mut went = BTreeMap::new();
    let mut last = None;
    for line in text.lines() {
        let (name, rest) = match line.strip_prefix("test ").and_then(|line| line.split_once(" ... ")) {
            Some((name, rest)) => (Some(name.to_owned()), rest),
            None => (last.clone(), line),
        };
        let how = match rest {
            "ok" => Some(Went::Well),
            "FAILED" => Some(Went::Wrong),
            rest if rest.starts_with("ignored") => Some(Went::Left),
            _ => None,
        };
        match (name, how) {
            (Some(name), Some(how)) => {
                went.insert(name, how);
                last = None;
            }
            (name, None) => last = name,
            (None, Some(_)) => {}
        }
    }
    went
}

fn page(told: &[Told], said: &BTreeMap<String, Went>) -> String {
    let mut page = format!(
        "# Reliability\n\nThis page was written by `tests/run --long`, of what that run tried and found; only the promises and how they are \
         tested are\ntyped, in `tests/it/reliability.rs`. Anyone can run it again.\n\n{}\n\n\
         | promise | how it is tested | cases | result |\n|---|---|---|---|\n",
        machine()
    );
    for promise in &PROMISES {
        let of = |name: &str| promise.proofs.iter().any(|begin| name.starts_with(begin));
        let proofs: Vec<&Told> = told.iter().filter(|one| of(&one.name)).collect();
        let below = |name: &str| promise.tests.iter().any(|module| name.starts_with(&format!("{module}::")));
        let tests: Vec<Went> = said.iter().filter(|(name, _)| below(name)).map(|(_, went)| *went).collect();
        let cases: u64 = proofs.iter().map(|one| one.cases).sum();
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} |",
            promise.says,
            promise.how,
            if promise.proofs.is_empty() { "–".to_owned() } else { cases.to_string() },
            result(promise, &proofs, &tests)
        );
    }
    page += "\n## Cases\n\nA seed or an offset does a run again (`BG_TEST_SEED`, `BG_TEST_OFFSET`). What each harness would report was tried with \
             planted faults: tests of\nits own, or a table at the head of its module (`tests/it/{sweeps,crash,crowds,machine,fuzz}/mod.rs`).\n\n\
             | proof | cases | result | remark |\n|---|---|---|---|\n";
    for one in told {
        let failures = match one.failures {
            0 => "held".to_owned(),
            count => format!("**{count} failures**"),
        };
        let form = if one.long { "" } else { "quick form; " };
        let _ = writeln!(page, "| {} | {} | {failures} | {form}{} |", one.name, one.cases, one.remark);
    }
    page
}

/// What came of one promise.
fn result(promise: &Promise, proofs: &[&Told], tests: &[Went]) -> String {
    let mut parts = Vec::new();
    let failures: u64 = proofs.iter().map(|one| one.failures).sum();
    let missing = promise.proofs.iter().any(|begin| !proofs.iter().any(|one| one.name.starts_with(begin)));
    if missing || tests.is_empty() {
        parts.push("**not run**".to_owned());
    }
    if failures > 0 {
        parts.push(format!("**{failures} failures**"));
    }
    let count = |wanted: Went| tests.iter().filter(|went| **went == wanted).count();
    let (well, wrong, left) = (count(Went::Well), count(Went::Wrong), count(Went::Left));
    if wrong > 0 {
        parts.push(format!("**{wrong} of {} tests failed**", well + wrong));
    }
    if parts.is_empty() {
        parts.push(format!("held; {well} tests passed"));
    }
    if left > 0 {
        parts.push(format!("{left} test{} left out", if left == 1 { "" } else { "s" }));
    }
    parts.join(", ")
}

/// On what, and when.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory_kib: u64 = read("/proc/meminfo")
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap_or(0);
    let git = std::process::Command::new("git")
        .args(["describe", "--always", "--dirty=, changed", "--exclude=*"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let commit = git.map_or_else(
        |_| "an unknown commit".to_owned(),
        |output| format!("commit {}", String::from_utf8_lossy(&output.stdout).trim()),
    );
    format!(
        "Written on {} at {commit}: Linux {}, {cores} cores, {} GiB of memory.",
        chrono::Utc::now().format("%Y-%m-%d"),
        kernel.trim(),
        (memory_kib + (1 << 19)) >> 20
    )
}
