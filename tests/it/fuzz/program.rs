//! The program over a root in which something is wrong: it says so with a documented exit code, and never that it panicked.
//!
//! The other targets read in memory; this one is for what comes after reading, in the commands that only look.

use super::{
    mutate::{Corpus, mutations},
    runner,
};
use crate::proof::{self, Proof};
use crate::support::{Ran, User};
use proptest::test_runner::{TestCaseError, TestError};

/// What only looks, and what says what it would do.
const COMMANDS: [&[&str]; 26] = [
    &[],
    &["list", "-a"],
    &["list", "-a", "--json"],
    &["list", "-a", "--sort", "time", "--columns", "all"],
    &["status", "@"],
    &["status", "@2", "--json"],
    &["status", "@3"],
    &["logs", "@"],
    &["health"],
    &["health", "--json"],
    &["doctor", "--json"],
    &["store"],
    &["store", "check"],
    &["store", "rebuild", "--dry-run"],
    &["tick", "--dry-run"],
    &["tick", "--dry-run", "--json"],
    &["prune", "--dry-run", "--all"],
    &["config", "show"],
    &["config", "check"],
    &["schedule", "list"],
    &["schedule", "list", "--json"],
    &["group", "list"],
    &["dead", "list"],
    &["approval", "list"],
    &["events"],
    &["start", "--dry-run", "--", "true"],
];

/// The exit codes of these commands.
const CODES: [i32; 8] = [0, 1, 2, 3, 4, 5, 75, 78];

#[test]
fn no_command_that_looks_panics_over_a_root_that_is_damaged() {
    let index = Corpus::of_files("index");
    let record = Corpus::of_files("record");
    let settings = Corpus::of_files("config");
    let events = Corpus::of_files("events");
    let files = Corpus::of_files("files");
    let user = User::new();
    user.ok(["group", "add", "gpu", "--slots", "1"]);
    let cases = proof::cases(150, 2_000);
    let seed = proof::seed();
    let all = [(); 5].map(|()| mutations());
    let found = runner(cases, seed).run(&(0..COMMANDS.len(), all), |(command, mutations)| {
        let corpora = [&index, &record, &settings, &events, &files];
        let mut texts = corpora.iter().zip(&mutations).map(|(corpus, mutation)| corpus.text(mutation));
        let mut next = || texts.next().unwrap();
        let root = user.root();
        std::fs::create_dir_all(root.join("runs")).unwrap();
        std::fs::write(root.join("jobs.json"), next()).unwrap();
        let record = next();
        for id in ["bg_20260213_5tphxw", "bg_20260213_wmre9m", "bg_20260213_zzzzzz", "bg_20260213_def456"] {
            std::fs::write(root.join("runs").join(format!("{id}.lock")), &record).unwrap();
        }
        std::fs::write(root.join("config.toml"), next()).unwrap();
        std::fs::write(root.join("events.jsonl"), next()).unwrap();
        let other = next();
        for name in
            ["hooked", "polled.json", "runs/bg_20260213_zzzzzz.meta.json", "runs/bg_20260213_grrajc.cut"]
        {
            std::fs::write(root.join(name), &other).unwrap();
        }
        std::fs::write(root.join("runs/bg_20260213_grrajc.log"), &other).unwrap();
        let ran = Ran::of(&user.bgctl(COMMANDS[command]).output().unwrap());
        let what = format!("{:?}: {} {}", COMMANDS[command], ran.code, ran.err);
        assert!(CODES.contains(&ran.code) && !ran.err.contains("panicked"), "{what}");
        Ok::<(), TestCaseError>(())
    });
    let failures = usize::from(found.is_err());
    Proof { name: "fuzz.program", cases, failures, remark: format!("seed {seed}") }.tell();
    if let Err(TestError::Fail(why, (command, mutations))) = found {
        let corpora = [&index, &record, &settings, &events, &files];
        let texts = corpora.iter().zip(&mutations).map(|(corpus, mutation)| corpus.text(mutation));
        let texts: Vec<String> = texts.map(|text| text.escape_ascii().to_string()).collect();
        panic!("{why}\n{:?} with\n{}", COMMANDS[command], texts.join("\n---\n"));
    }
    user.all_gone();
}
