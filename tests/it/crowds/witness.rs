//! What jobs themselves write down: that they began and ended, and whether more ran than there are slots.
//!
//! A job takes one of as many locks as there are slots (`flock(1)`) and keeps it until its last process is gone, however it
//! goes: the kernel lets go of it. A job that finds all of them taken says so. Lines are appended whole, so that their order
//! is that in which they were written.

use super::history::Asked;
use crate::support::User;
use std::collections::{BTreeMap, BTreeSet};

/// Where they write.
const WITNESS: &str = "witness";

/// Makes the script that jobs run: `sh job.sh CODE PAUSE [FAILS]`. It exits with CODE, but with 9 in its first FAILS
/// attempts.
pub fn install(user: &User, slots: usize) {
    let places: Vec<String> = (1..=slots).map(|place| place.to_string()).collect();
    let script = format!(
        "echo begin $BG_JOB_ID $BG_ATTEMPT >> {WITNESS}
         for place in {}; do
           exec 9> place-$place
           flock -n 9
           got=$?
           case $got in 126|127) echo lockless $BG_JOB_ID $BG_ATTEMPT >> {WITNESS} ;; esac
           # Only 1 says that it is taken: flock may have been killed.
           [ $got = 1 ] || break
           place=
         done
         [ -n \"$place\" ] || echo crowded $BG_JOB_ID $BG_ATTEMPT >> {WITNESS}
         sleep $2
         echo end $BG_JOB_ID $BG_ATTEMPT >> {WITNESS}
         [ $BG_ATTEMPT -gt ${{3:-0}} ] || exit 9
         exit $1\n",
        places.join(" ")
    );
    std::fs::write(user.path("job.sh"), script).unwrap();
}

/// What they wrote.
#[derive(Debug, Default)]
pub struct Witness {
    lines: Vec<(String, String, u32)>,
    begun: BTreeMap<(String, u32), usize>,
    ended: BTreeSet<(String, u32)>,
}

impl Witness {
    /// All that was written in this user's folder.
    pub fn of(user: &User) -> Self {
        Self::parse(&std::fs::read_to_string(user.path(WITNESS)).unwrap_or_default())
    }

    /// From the text.
    pub fn parse(text: &str) -> Self {
        let mut witness = Self::default();
        for line in text.lines() {
            let mut words = line.split(' ');
            let mut word = || words.next().unwrap_or_default().to_owned();
            let (what, id, attempt) = (word(), word(), word().parse().unwrap_or(0));
            match what.as_str() {
                "begin" => *witness.begun.entry((id.clone(), attempt)).or_default() += 1,
                "end" => drop(witness.ended.insert((id.clone(), attempt))),
                _ => {}
            }
            witness.lines.push((what, id, attempt));
        }
        witness
    }

    /// How often an attempt began.
    pub fn times(&self, id: &str, attempt: u32) -> usize {
        self.begun.get(&(id.to_owned(), attempt)).copied().unwrap_or(0)
    }

    /// Whether an attempt came to its end by itself.
    pub fn ended(&self, id: &str, attempt: u32) -> bool {
        self.ended.contains(&(id.to_owned(), attempt))
    }

    /// The attempts of a job that began.
    pub fn attempts(&self, id: &str) -> Vec<u32> {
        self.begun.keys().filter(|(one, _)| one == id).map(|(_, attempt)| *attempt).collect()
    }

    /// All jobs that began.
    pub fn ids(&self) -> BTreeSet<&str> {
        self.begun.keys().map(|(id, _)| id.as_str()).collect()
    }

    /// The most attempts at once of those that came to their end: of the others nobody knows when they went.
    pub fn most_at_once(&self) -> usize {
        let (mut now, mut most) = (0_usize, 0);
        for (what, id, attempt) in &self.lines {
            match what.as_str() {
                "begin" if self.ended(id, *attempt) => now += 1,
                "end" => now = now.saturating_sub(1),
                _ => {}
            }
            most = most.max(now);
        }
        most
    }

    /// What is wrong whatever the jobs were: an attempt that began twice, or one for which there was no slot.
    pub fn complaints(&self, asked: &Asked) -> Vec<String> {
        let twice = self.begun.iter().filter(|(_, times)| **times > 1);
        let mut complaints: Vec<String> = twice
            .map(|((id, attempt), times)| format!("attempt {attempt} of {id} began {times} times"))
            .collect();
        let crowded = self.lines.iter().filter(|(what, ..)| what == "crowded");
        complaints.extend(
            crowded.map(|(_, id, attempt)| {
                format!("attempt {attempt} of {id} ran beside {} others", asked.slots)
            }),
        );
        let lockless = self.lines.iter().filter(|(what, ..)| what == "lockless");
        complaints.extend(lockless.map(|(_, id, attempt)| {
            format!("attempt {attempt} of {id} could not run flock(1), and does not know who ran beside it")
        }));
        if self.most_at_once() > asked.slots {
            complaints.push(format!(
                "{} ran at once, and there are {} slots",
                self.most_at_once(),
                asked.slots
            ));
        }
        complaints
    }
}
