//! Every state that a power cut may leave after each operation, or as many as there is time for, held against the truth.
//!
//! Where the states of an instant are few, all are tried. Else they are drawn: first nothing and everything that was not
//! durable, then all but one operation and only one, each in each way that may be kept, then by chance.

use super::afterlife;
use super::disk::{Disk, Kept, Tree};
use super::judge;
use super::operation::Operation;
use super::recorder::Recording;
use super::truth::{Promise, Truth};
use crate::proof::{Proof, cases, seed};
use crate::support::User;
use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// States that are tried at one instant, and of these the ones that the library reads and a first look mends.
const STATES_MAX: (usize, usize) = (300, 4_000);
const READ_MAX: (usize, usize) = (20, 120);

/// States of a whole scene in which the program itself goes on.
const LIVED_MAX: (usize, usize) = (5, 30);

/// How many different complaints a failure shows.
const SHOWN_MAX: usize = 12;

/// What was tried, and what is wrong.
#[derive(Default)]
pub struct Tally {
    /// Different states.
    pub states: usize,
    /// Instants, and those of which every state was tried.
    pub instants: usize,
    pub whole: usize,
    /// States that the library read, and in which the program went on.
    pub read: usize,
    pub lived: usize,
    /// In how many states something is wrong.
    pub failures: usize,
    /// What, for the first of them.
    pub complaints: Vec<String>,
    seed: u64,
}

/// What comes of the exploring.
#[derive(Clone, Copy)]
pub enum End<'a> {
    /// The program itself goes on in some of the states, as this user.
    GoesOn(&'a User),
    /// It does not, and all is over once a complaint has these words.
    Stops { at: Option<&'a str> },
}

/// Goes through the instants of these operations, as recorded or with a fault planted.
pub fn explore(
    recording: &Recording,
    truth: &Truth,
    operations: &[Operation],
    instants: Range<usize>,
    end: End<'_>,
) -> Tally {
    let promises = truth.promises(operations);
    let user = match end {
        End::GoesOn(user) => Some(user),
        End::Stops { .. } => None,
    };
    let mut tally = Tally { seed: seed(), ..Tally::default() };
    let mut chance = Chance(tally.seed);
    let place = fast_place();
    let mut known = HashSet::new();
    let mut candidates: Vec<(Tree, Promise)> = Vec::new();
    for count in instants {
        let disk = Disk::after(&recording.beginning, &operations[..count]);
        let promise = &promises[count];
        let (choices, is_whole) = choices(&disk.choices(), cases(STATES_MAX.0, STATES_MAX.1), &mut chance);
        tally.instants += 1;
        tally.whole += usize::from(is_whole);
        // Spread over all kinds that were drawn; those that look like others are left out, so that there are fewer.
        let stride = choices.len().div_ceil(cases(READ_MAX.0, READ_MAX.1)).max(1);
        for (number, kept) in choices.into_iter().enumerate() {
            let tree = disk.state(&kept);
            // A promise is a part of it: the same state may be well before somebody was told, and not afterwards.
            if !known.insert(BuildHasherDefault::<DefaultHasher>::default().hash_one((promise, &tree))) {
                continue;
            }
            tally.states += 1;
            let mut complaints = judge::complaints(truth, promise, &tree);
            if complaints.is_empty() && number % stride == 0 {
                tally.read += 1;
                complaints = judge::complaints_after_reboot(truth, promise, &tree, &place);
            }
            if complaints.is_empty() && user.is_some() {
                // Each is as likely to be among those that are kept.
                let most = cases(LIVED_MAX.0, LIVED_MAX.1);
                if candidates.len() < most {
                    candidates.push((tree, promise.clone()));
                } else if let Some(taken) = candidates.get_mut(chance.below(tally.states)) {
                    *taken = (tree, promise.clone());
                }
            }
            tally.note(&complaints, || {
                format!(
                    "after {count} operations, the last {:?}",
                    count.checked_sub(1).map(|last| &operations[last].what)
                )
            });
        }
        if let End::Stops { at: Some(words) } = end
            && tally.complaints.iter().any(|one| one.contains(words))
        {
            break;
        }
    }
    for (tree, promise) in user.map_or(Vec::new(), |_| candidates) {
        tally.lived += 1;
        let complaints = afterlife::complaints(user.unwrap(), truth, &promise, &tree);
        tally.note(&complaints, || format!("in {:?}", tree.keys()));
    }
    tally
}

impl Tally {
    fn note(&mut self, complaints: &[String], place: impl Fn() -> String) {
        self.failures += usize::from(!complaints.is_empty());
        for complaint in complaints {
            let is_new = !self.complaints.iter().any(|one| one.starts_with(complaint));
            if is_new && self.complaints.len() < SHOWN_MAX {
                let mut place = place();
                place.truncate(place.floor_char_boundary(300));
                // Past the runner: a recording is another each time, so that what was found may not come again.
                let _ = writeln!(std::io::stderr(), "{complaint} ({place})");
                self.complaints.push(format!("{complaint} ({place})"));
            }
        }
    }

    /// Tells the proof, and fails where something is wrong.
    #[track_caller]
    pub fn assert_well(&self, name: &str) {
        let Self { states, instants, whole, read, lived, failures, seed, .. } = self;
        let remark = format!(
            "{instants} instants, {whole} of them with every state and the others drawn with seed {seed}; \
            {read} states read by the library, in {lived} the program went on"
        );
        Proof { name, cases: *states, failures: *failures, remark }.tell();
        assert!(
            self.complaints.is_empty(),
            "{failures} of {states} states, seed {seed}:\n{}",
            self.complaints.join("\n")
        );
        assert!(*states > *instants, "hardly anything was tried");
    }

    /// Whether something was found that says so.
    #[track_caller]
    pub fn assert_found(&self, what: &str) {
        assert!(self.complaints.iter().any(|one| one.contains(what)), "{what}: {:#?}", self.complaints);
    }
}

/// What is tried at one instant, and whether that is all there is.
fn choices(all: &[&'static [Kept]], most: usize, chance: &mut Chance) -> (Vec<Vec<Kept>>, bool) {
    let count = all
        .iter()
        .try_fold(1_usize, |count, one| count.checked_mul(one.len()).filter(|count| *count <= most));
    if let Some(count) = count {
        let nth = |mut number: usize| -> Vec<Kept> {
            let pick = |one: &&'static [Kept]| {
                let kept = one[number % one.len()];
                number /= one.len();
                kept
            };
            all.iter().map(pick).collect()
        };
        return ((0..count).map(nth).collect(), true);
    }
    let mut drawn = Vec::with_capacity(most);
    for rest in [Kept::Nothing, Kept::All] {
        drawn.push(vec![rest; all.len()]);
        for (place, one) in all.iter().enumerate() {
            for kept in *one {
                let mut state = vec![rest; all.len()];
                state[place] = *kept;
                drawn.push(state);
            }
        }
    }
    while drawn.len() < most {
        // Mostly kept, or mostly lost, or evenly: states of each kind are rare among the others.
        let part = [1, 2, 4, 8][chance.below(4)];
        let usual = [Kept::All, Kept::Nothing][chance.below(2)];
        let draw = |one: &&'static [Kept]| {
            if chance.below(part) == 0 { one[chance.below(one.len())] } else { usual }
        };
        drawn.push(all.iter().map(draw).collect());
    }
    (drawn, false)
}

/// A little generator (`SplitMix64`): the same seed draws the same states.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }
}

/// Where files cost least: thousands of states are read.
fn fast_place() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if tempfile::tempdir_in(memory).is_ok() { memory.to_owned() } else { std::env::temp_dir() }
}
