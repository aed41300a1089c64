//! `docs/reliability.md`: each promise, how it is tested, how many cases were tried, and what came of it.
//!
//! `tests/run --long` has it written of what its own run said: of the numbers that the proofs told (`proof`), and of the lines
//! of the test runner. Nothing in it is typed but the promises and how they are tested, which stand here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// A promise, and what it is held against.
struct Promise {
    says: &'static str,
    how: &'static str,
    /// The beginnings of the names of its proofs.
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
        how: "The process is killed as it enters one system call after the other, of a call that is made more than 100 times \
              at every second, third or so; and processes of ours are killed at \
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
    commit: String,
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
    let said = std::fs::read_to_string(given("BG_TEST_SAID")).unwrap();
    let page = page(&told, &named(), &said);
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
fn each_proof_stands_for_a_promise() {
    let named = named();
    for name in &named {
        let promises = PROMISES.iter().filter(|promise| promise.has(name)).count();
        assert_eq!(promises, 1, "{name}");
    }
    for begin in PROMISES.iter().flat_map(|promise| promise.proofs) {
        assert!(named.iter().any(|name| name.starts_with(begin)), "no test tells of {begin}");
    }
    assert!(
        named.len() > 100 && named.contains("crash.start") && named.contains("kill: a start"),
        "{named:?}"
    );
}

#[test]
fn a_failure_and_a_proof_that_told_nothing_are_not_hidden() {
    let told = |name: &str, cases, failures| Told {
        name: name.to_owned(),
        cases,
        failures,
        remark: String::new(),
        long: cases != 8,
        commit: if cases == 8 { "abc" } else { "def" }.to_owned(),
    };
    let named = ["crash.start", "crash.end", "fault: a start", "fuzz.words", "model.json"];
    let named = named.map(str::to_owned).into();
    let said = "     Running tests/it/main.rs\ntest crash::one ... ok\ntest crash::two ... FAILED\ntest fuzz::three ... ignored, why\n\
        skipped: no strace\ntest result: FAILED. 1 passed\n";
    let all = [
        told("crash.start", 7, 0),
        told("fault: a start", 7, 2),
        told("fuzz.words", 8, 0),
        told("model.json", 0, 0),
    ];
    let page = page(&all, &named, said);
    for words in [
        "| 7 | **2 failures** |",
        "**1 of 2 tests failed**",
        "**not run: crash.end**",
        "**not run: model.json**",
        "1 test left out",
        "| fuzz.words | 8 | held | quick form; at abc;",
        "at commits abc, def:",
        "not all of them in the long form",
        "- skipped: no strace",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
}

#[test]
#[should_panic(expected = "did not come to its end")]
fn a_run_that_was_broken_off_makes_no_page() {
    let said = "     Running unittests src/lib.rs\ntest result: ok. 1 passed\n     Running tests/it/main.rs\ntest crash::one ... ok\n";
    page(&[], &BTreeSet::new(), said);
}

/// The names of all proofs: those of the sweeps, and what stands in the sources of the other harnesses.
fn named() -> BTreeSet<String> {
    fn read(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                read(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("it/reliability.rs")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                found.extend(text.split('"').filter(|part| is_proof(part)).map(str::to_owned));
            }
        }
    }
    let mut found: BTreeSet<String> = crate::sweeps::proofs().into_iter().collect();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it"), &mut found);
    found
}

/// The proofs of a run, by name.
fn told(folder: &Path) -> Vec<Told> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let is_told = |entry: &std::fs::DirEntry| entry.path().extension().is_some_and(|end| end == "json");
    let mut told: Vec<Told> = entries
        .filter(is_told)
        .map(|entry| serde_json::from_str(&std::fs::read_to_string(entry.path()).unwrap()).unwrap())
        .collect();
    told.sort_by(|one, other| one.name.cmp(&other.name));
    told
}

/// Whether each program of tests said how it ended.
fn is_whole(said: &str) -> bool {
    let is_begun = |line: &&str| {
        let line = line.trim_start();
        line.starts_with("Running ") || line.starts_with("Doc-tests ")
    };
    let mut programs = said.lines().skip_while(|line| !is_begun(line)).peekable();
    let mut all = programs.peek().is_some();
    while programs.next().is_some() {
        let mut ended = false;
        while let Some(line) = programs.next_if(|line| !is_begun(line)) {
            ended |= line.starts_with("test result: ");
        }
        all &= ended;
    }
    all
}

/// Whether this is the name of a proof: a harness, a point, and a word.
fn is_proof(literal: &str) -> bool {
    const HARNESSES: [&str; 8] = ["adoption", "crash", "crowd", "fuzz", "kill", "model", "security", "stop"];
    let is_word =
        |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    literal.split_once('.').is_some_and(|(harness, rest)| HARNESSES.contains(&harness) && is_word(rest))
}

/// How each test went. What a test itself prints may stand between its name and its end.
fn went(text: &str) -> BTreeMap<String, Went> {
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

/// The page, of what the proofs told, of those that there are, and of what the test runner said.
fn page(told: &[Told], named: &BTreeSet<String>, said: &str) -> String {
    assert!(is_whole(said), "the run of the tests did not come to its end");
    let went = went(said);
    let form = match told.iter().filter(|one| !one.long).count() {
        0 => "",
        _ => " Some cases are those of the quick form, not all of them in the long form.",
    };
    let commits: BTreeSet<&str> = told.iter().map(|one| one.commit.as_str()).collect();
    let mut page = format!(
        "# Reliability\n\nThis page was written by `tests/run --long`, of what that run tried and found; only the promises and how they are \
         tested are\ntyped, in `tests/it/reliability.rs`. Anyone can run it again.{form}\n\n{}\n\n\
         | promise | how it is tested | cases | result |\n|---|---|---|---|\n",
        machine(&commits)
    );
    for promise in &PROMISES {
        let proofs: Vec<&Told> = told.iter().filter(|one| promise.has(&one.name)).collect();
        let cases: u64 = proofs.iter().map(|one| one.cases).sum();
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} |",
            promise.says,
            promise.how,
            if promise.proofs.is_empty() { "–".to_owned() } else { cases.to_string() },
            promise.result(&proofs, named, &went)
        );
    }
    page += "\n## Cases\n\nA seed or an offset does a run again (`BG_TEST_SEED`, `BG_TEST_OFFSET`). What each harness would report was tried with \
             planted faults: tests of\nits own, or a table at the head of its module (`tests/it/{sweeps,crash,crowds,machine,fuzz}/mod.rs`). In the \
             sweeps, a case is a call that was hit.\n\n\
             | proof | cases | result | remark |\n|---|---|---|---|\n";
    for one in told {
        let result = match one.failures {
            0 if one.cases == 0 => "**not run**".to_owned(),
            0 => "held".to_owned(),
            count => format!("**{count} failures**"),
        };
        let form = if one.long { "" } else { "quick form; " };
        let at = if commits.len() > 1 { format!("at {}; ", one.commit) } else { String::new() };
        let _ = writeln!(page, "| {} | {} | {result} | {form}{at}{} |", one.name, one.cases, one.remark);
    }
    let skips: BTreeSet<&str> = said.lines().filter(|line| line.starts_with("skipped")).collect();
    if !skips.is_empty() {
        page += "\n## Left out\n\n";
    }
    for skip in skips {
        let _ = writeln!(page, "- {skip}");
    }
    page
}

impl Promise {
    /// Whether a proof of this name is one of its own.
    fn has(&self, name: &str) -> bool {
        self.proofs.iter().any(|begin| name.starts_with(begin))
    }

    /// What came of it.
    fn result(&self, proofs: &[&Told], named: &BTreeSet<String>, went: &BTreeMap<String, Went>) -> String {
        let below = |name: &str| self.tests.iter().any(|module| name.starts_with(&format!("{module}::")));
        let tests: Vec<Went> = went.iter().filter(|(name, _)| below(name)).map(|(_, went)| *went).collect();
        let mut parts = Vec::new();
        let failures: u64 = proofs.iter().map(|one| one.failures).sum();
        let ran = |name: &str| proofs.iter().any(|one| one.name == name && one.cases > 0);
        let missing = named.iter().filter(|name| self.has(name) && !ran(name));
        parts.extend(missing.map(|name| format!("**not run: {name}**")));
        if tests.is_empty() {
            parts.push("**no test was run**".to_owned());
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
}

/// On what, of what, and when.
fn machine(commits: &BTreeSet<&str>) -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory_kib: u64 = read("/proc/meminfo")
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap_or(0);
    let commits = match commits.len() {
        1 => format!("commit {}", commits.first().unwrap()),
        _ => format!("commits {}", commits.iter().copied().collect::<Vec<_>>().join(", ")),
    };
    format!(
        "Written on {} of runs at {commits}: Linux {}, {cores} cores, {} GiB of memory.",
        chrono::Utc::now().format("%Y-%m-%d"),
        // What stands behind the version is a distribution's.
        kernel.trim().split('-').next().unwrap_or_default(),
        (memory_kib + (1 << 19)) >> 20
    )
}
