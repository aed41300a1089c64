//! Everything that is read from outside, fed with what nobody would write.
//!
//! A target takes bytes and says whether they were accepted; it asserts more than that nothing panics: what is accepted comes
//! back from its own writing, what is refused is named with its place, nothing is made up. The bytes are mutations of
//! checked-in seeds (`corpus/`): indexes, records and events that the real program wrote, settings and batches of the
//! documentation, answers as GitHub documents them.
//!
//! The library is proptest, which the other random tests use too: it draws the edits of [`mutate`], and shrinks a failure to
//! few of them. Bolero was looked at, as it also drives libFuzzer: on stable its own engine makes random bytes and replays
//! files, and does not mutate them, so that hardly an input is a text that is understood in part; and it brings more than twenty crates.
//! Whoever has a nightly toolchain can give each target, which is a function of bytes, to `libfuzzer-sys`.
//!
//! Each seed is tried as it stands before any is mutated. An input that was found to be wrong goes into `corpus/` as a file,
//! and is tried each time from then on. `BG_TEST_SEED` repeats a run.
//!
//! Faults that were planted by hand in the program, each where another target looks or by itself, and how the quick form reported
//! them:
//!
//! | planted | caught by | as |
//! |---|---|---|
//! | `limit.rs` looks at the first three bytes of a duration as text | `fuzz.durations` | "not a char boundary" |
//! | `when.rs` looks at the last three bytes of a time as text | `fuzz.times` | "not a char boundary" |
//! | `id.rs` takes `/` and `.` in the random part | `fuzz.ids` | `bg_20260213_../../x` |
//! | `approval.rs` takes `..` for a repository | `fuzz.references` | the assertion on parts |
//! | `kind.rs` shows a size rounded | `fuzz.sizes` | "1.9 GiB" came back as another size |
//! | `retry.rs` shows the end of a range of codes one lower | `fuzz.codes` | came back as another set |
//! | `template.rs` quotes a placeholder unescaped | `fuzz.templates` | a control character in the message |
//! | `calendar.rs` reads times beyond its years | `fuzz.crons` | "Local time out of range" |
//! | `record.rs` takes a last line without its end | `fuzz.record` | another reading than of the whole lines |
//! | `model/stream.rs` takes the first line for the last | `fuzz.events` | another number |
//! | `environments.rs` does not compare the hash | `fuzz.environment` | believed under another name |
//! | `hook.rs` runs the hooks of lines before the cursor | `fuzz.hooked` | hooks are left of an earlier line |
//! | `batch.rs` does not count empty lines | `fuzz.batch` | the numbers of lines |
//! | `variables.rs` counts lines from 0 | `fuzz.variables` | a line outside of the file |
//! | `mistake.rs` names the line behind the mistake | `fuzz.config` | a place outside of the file |
//! | `unknown.rs` writes all fields but the first | `fuzz.index` | a job came back without it |
//! | `facts/mod.rs` does not write fields at the top that nobody knows | `fuzz.index` | "theme" is missing |
//! | `salvage.rs` writes entries anew | `fuzz.index` | "was made up" |
//! | `distil.rs` takes an answer that it does not understand for a right to write | `fuzz.github` | approved without that right |
//! | `refuse.rs` tells the body of a refusal with the token in it | `fuzz.http` | the token in a message |
//! | `human/status.rs` unwraps the start of a job | `fuzz.program` | "panicked" |
//!
//! And faults that were there, found by the first runs: places of damage in a table, a rebuilt index that could not be read,
//! panics over times of no calendar and over sums beyond 64 bits (`fuzz.index`, `fuzz.crons`, `fuzz.cut`, `fuzz.times`), and two
//! readers that took time by the square (`fuzz.growth`).

mod github;
mod growth;
mod index;
mod lines;
mod mutate;
mod program;
mod record;
mod settings;
mod words;

use crate::proof::{self, Proof};
use base64::{Engine, engine::general_purpose::STANDARD};
use mutate::{Corpus, mutations};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Most steps in which a failure is made smaller.
const SHRINK_STEPS_MAX: u32 = 2_000;

/// Of a hundred inputs, so many have to be accepted, and so many to be refused: else hardly anything was tested.
const SHARE_PERCENT_MIN: usize = 1;

/// Something that reads bytes, and how often it is tried.
struct Target<'a> {
    name: &'a str,
    corpus: &'a Corpus,
    cases: usize,
}

impl Target<'_> {
    /// Tries the seeds, then mutations of them. `accepts` says whether the bytes were understood, and panics where something is
    /// wrong.
    #[track_caller]
    fn run(&self, accepts: impl Fn(&[u8]) -> bool) {
        let seed = proof::seed();
        let accepted = Cell::new(0);
        let tried = Cell::new(0);
        let wrong = self
            .corpus
            .seeds
            .iter()
            .position(|seed| catch_unwind(AssertUnwindSafe(|| accepts(seed))).is_err());
        let unmutated = wrong.map(|place| Err(TestError::Fail("a seed".into(), (place as u16, Vec::new()))));
        let mutated = || {
            runner(self.cases, seed).run(&mutations(), |mutation| {
                let text = self.corpus.text(&mutation);
                let was_accepted = accepts(&text);
                tried.set(tried.get() + 1);
                accepted.set(accepted.get() + usize::from(was_accepted));
                Ok::<(), TestCaseError>(())
            })
        };
        let failure = match unmutated.unwrap_or_else(mutated) {
            Ok(()) => None,
            Err(TestError::Fail(why, mutation)) => Some((why, self.corpus.text(&mutation))),
            Err(TestError::Abort(why)) => panic!("{why}"),
        };
        Proof {
            name: self.name,
            cases: self.cases,
            failures: usize::from(failure.is_some()),
            remark: format!("{} of {} accepted; seed {seed}", accepted.get(), tried.get()),
        }
        .tell();
        if let Some((why, text)) = failure {
            panic!("{why}\n{}\nin base64, for the corpus: {}", text.escape_ascii(), STANDARD.encode(&text));
        }
        let enough = self.cases * SHARE_PERCENT_MIN / 100;
        assert!((enough..=self.cases - enough).contains(&accepted.get()), "hardly anything was tested");
    }
}

fn runner(cases: usize, seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: u32::try_from(cases).unwrap(),
        max_shrink_iters: SHRINK_STEPS_MAX,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}
