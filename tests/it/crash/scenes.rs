//! What is recorded: submissions of each kind, each with all that follows until its jobs have ended.

use super::afterlife::RAN;
use super::explore::{End, Tally, explore};
use super::operation::{Node, Operation, What};
use super::recorder::{Recording, record};
use super::truth::Truth;
use crate::support::User;
use std::ops::Range;

/// A command that tells each of its executions apart.
pub fn witness() -> String {
    format!("echo \"$BG_JOB_ID $BG_ATTEMPT\" >> {RAN}")
}

/// A scene that was played and recorded.
pub struct Scene {
    /// Whose.
    pub user: User,
    /// What was done.
    pub recording: Recording,
    /// What it means.
    pub truth: Truth,
}

/// How a scene begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// There is no root, nor the folder above it, nor the one above that.
    Nothing,
    /// A root with so many slots, of which one job with the same environment was run.
    Slots(u32),
    /// The same with an index of lines, which is begun anew when so many were added.
    Lines(u32, u32),
}

impl Scene {
    /// Plays it. `$J` is a command that tells of its execution.
    pub fn play(before: Before, script: &str) -> Self {
        let user = User::new();
        let root = match before {
            Before::Nothing => "bg/far/below",
            Before::Slots(slots) | Before::Lines(slots, _) => {
                user.make_root();
                let store = match before {
                    Before::Lines(_, most) => {
                        format!("[store]\ntype = \"jsonl\"\nautosave_interval = {most}\n")
                    }
                    _ => String::new(),
                };
                let text = format!("{store}[queue]\nmax_concurrent = {slots}\n");
                std::fs::write(user.root().join("config.toml"), text).unwrap();
                user.command("sh")
                    .arg("-ec")
                    .arg(format!("J='{}'\n{FIRST}", witness()))
                    .env("B", crate::support::BGCTL)
                    .status()
                    .unwrap();
                user.all_gone();
                "bg"
            }
        };
        let script = format!("export BG_HOME=\"$PWD/{root}\"\nJ='{}'\n{script}", witness());
        let recording = record(&user, &script);
        let truth = Truth::of(&recording, root);
        assert!(truth.versions.len() > 2, "a submission and an end are written");
        Self { user, recording, truth }
    }

    /// A single job that starts at once.
    pub fn start(before: Before) -> Self {
        Self::play(before, "$B start -- sh -c \"$J\" >> printed")
    }

    /// A job that holds the only slot, and one that waits for it and is gone on with.
    pub fn queued() -> Self {
        let script = "mkfifo go\n\
            $B start -- sh -c \"read line < go; $J\" >> printed\n\
            WITH=another $B start -- sh -c \"$J\" >> printed\n\
            echo > go";
        Self::play(Before::Slots(1), script)
    }

    /// A job that fails, and succeeds at the second attempt.
    pub fn retried() -> Self {
        let script =
            "$B start --attempts 2 --retry-delay 0s -- sh -c \"$J; test \\$BG_ATTEMPT = 2\" >> printed";
        Self::play(Before::Slots(2), script)
    }

    /// The instants until the last submitter has left.
    pub fn submission(&self) -> Range<usize> {
        0..self.left() + 1
    }

    /// The instants from then on.
    pub fn afterwards(&self) -> Range<usize> {
        self.left()..self.recording.operations.len() + 1
    }

    /// How many operations there are until the last submitter has left.
    fn left(&self) -> usize {
        let operations = &self.recording.operations;
        let printed = operations.iter().rfind(|one| matches!(one.what, What::Print { .. })).unwrap().pid;
        operations.iter().position(|one| one.pid == printed && one.what == What::Exit).unwrap() + 1
    }

    /// Goes through these instants as they were, and lets the program go on in some.
    pub fn explore(&self, instants: Range<usize>) -> Tally {
        explore(&self.recording, &self.truth, &self.recording.operations, instants, End::GoesOn(&self.user))
    }

    /// Goes through other operations than were recorded, held against what was recorded, until a complaint has these words.
    pub fn explore_planted(&self, operations: &[Operation], until: Option<&str>) -> Tally {
        let instants = 0..operations.len() + 1;
        explore(&self.recording, &self.truth, operations, instants, End::Stops { at: until })
    }

    /// The places of the operations by which an index came to stand, with the file and the root.
    pub fn commits(&self) -> Vec<(usize, Node, Node)> {
        let commit = |(place, one): (usize, &Operation)| match &one.what {
            What::Rename { parent, to, node, .. } if to == "jobs.json" => Some((place, *node, *parent)),
            What::Exchange { parent, other, nodes, .. } if other == "jobs.json" => {
                Some((place, nodes.0, *parent))
            }
            _ => None,
        };
        self.recording.operations.iter().enumerate().filter_map(commit).collect()
    }
}

/// What is played unrecorded in a root that is not new.
const FIRST: &str = "$B wait --quiet \"$($B start -- sh -c \"$J\")\"";
