//! What a proof tried and found, told to whoever writes `docs/reliability.md` (`reliability`).
//!
//! A proof is a test that goes through many cases: a sweep, random worlds, many processes. What it found is told before it is
//! asserted, so that a failure is written down too.

use std::io::Write;

/// What one proof came to.
pub struct Proof<'a> {
    /// Its name, such as `kill.start`: what stands before the point is the harness.
    pub name: &'a str,
    /// How many cases were tried.
    pub cases: usize,
    /// In how many of them something was wrong.
    pub failures: usize,
    /// What else a reader needs to judge it or to do it again: hits, a seed, the worst wait. No paths; may be empty.
    pub remark: String,
}

impl Proof<'_> {
    /// Says it, past the test runner, and keeps it in the folder `BG_TEST_PROOFS` where that is set, with the commit
    /// `BG_TEST_COMMIT`.
    pub fn tell(&self) {
        let remark = if self.remark.is_empty() { String::new() } else { format!("; {}", self.remark) };
        let _ = writeln!(
            std::io::stderr(),
            "proof {}: {} cases, {} failures{remark}",
            self.name,
            self.cases,
            self.failures
        );
        let Some(folder) = std::env::var_os("BG_TEST_PROOFS") else { return };
        std::fs::create_dir_all(&folder).unwrap();
        let told = serde_json::json!({
            "name": self.name,
            "cases": self.cases,
            "failures": self.failures,
            "remark": self.remark,
            "long": is_long(),
            "commit": std::env::var("BG_TEST_COMMIT").unwrap_or_default(),
        });
        let file = format!("{}.json", self.name.replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
        std::fs::write(std::path::Path::new(&folder).join(file), told.to_string()).unwrap();
    }
}

/// Whether every case is wanted, however long it takes: `tests/run --long`.
pub fn is_long() -> bool {
    std::env::var_os("BG_TEST_LONG").is_some_and(|value| value == "1")
}

/// How many cases to try in the quick form and in the long one; `BG_TEST_CASES` says another number for both.
pub fn cases(quick: usize, long: usize) -> usize {
    let given = std::env::var("BG_TEST_CASES").ok().and_then(|text| text.parse().ok());
    given.unwrap_or(if is_long() { long } else { quick })
}

/// The seed of what is drawn: another one each run, unless `BG_TEST_SEED` gives it. Whoever draws says it in its remark.
pub fn seed() -> u64 {
    let given = std::env::var("BG_TEST_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| u64::from(std::process::id()) ^ chrono::Utc::now().timestamp_micros() as u64)
}
