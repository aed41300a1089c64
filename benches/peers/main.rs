//! Measures `bgctl` beside its peers: the same work, in one run, on one machine. They take turns, round by round, so that what
//! else the machine does meets them alike. Times are medians with the tenth and the ninetieth percentile.
//!
//! `benches/run` installs the peers and calls this. What it prints is what it writes into `docs/performance.md`.

#![expect(clippy::cast_precision_loss, reason = "what is counted here is far below 2^52")]

mod measure;
mod page;
mod peers;
mod plot;
mod works;

use page::Page;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The word by which this program is a job that says when it began and ended.
const STAMP: &str = "stamp";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [word, file] = &words[..]
        && word == STAMP
    {
        return works::stamp(Path::new(file));
    }
    let unknown = words.iter().find(|word| !works::NAMES.contains(&word.as_str()));
    if let Some(word) = unknown {
        eprintln!("there is no {word}; there are {}", works::NAMES.join(", "));
        return ExitCode::from(2);
    }
    let scratch =
        tempfile::Builder::new().prefix("bgctl-bench.").tempdir().expect("a folder for what is measured");
    let peers = peers::installed();
    let mut page = Page::new(&peers, scratch.path());
    for (name, work) in works::ALL {
        if words.is_empty() || words.iter().any(|word| word == name) {
            eprintln!("== {name}");
            page.add(work(&peers, scratch.path()));
        }
    }
    print!("{}", page.text());
    if words.is_empty() {
        let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs");
        page.write(&docs).expect("the page can be written");
    }
    ExitCode::SUCCESS
}
