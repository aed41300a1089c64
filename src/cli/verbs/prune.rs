//! `bgctl prune`: from its arguments to a use case, from the outcome to words and an exit code.

use crate::cli::args::prune::PruneArgs;
use crate::model::state::Status;
use crate::ops::{
    fault::{Code, Fault},
    list::parse_statuses,
    prune,
};
use crate::plan::retain::Wish;
use crate::render::{Voice, human, human::screen::Screen, json};

/// `bgctl prune`
pub fn run(args: &PruneArgs, voice: Voice) -> Result<i32, Fault> {
    let request = prune::Request {
        wish: Wish {
            older_than_seconds: args.older_than,
            keep: args.keep.map(|count| usize::try_from(count).unwrap_or(usize::MAX)),
            all: args.all,
        },
        labels: args.label.clone(),
        statuses: ended_statuses(&args.status)?,
        dry_run: args.dry_run,
    };
    let pruned = prune::prune(&request)?;
    voice.events(&pruned.decided.events);
    voice.warn(&pruned.warnings);
    let text = human::pruned(&pruned, Screen::of(voice));
    voice.result("prune", &text, || json::pruned(&pruned, args.dry_run), &pruned.warnings)?;
    voice.say(&human::pruned_in_all(&pruned, args.dry_run));
    for line in human::kept(&pruned) {
        voice.say(&line);
    }
    Ok(0)
}

fn ended_statuses(words: &[String]) -> Result<Vec<Status>, Fault> {
    parse_statuses(words, Status::has_ended, |word| {
        Fault::new(Code::Usage, format!("jobs that are {word} have not ended, so that they are not removed"))
            .hint("states: completed, failed, cancelled; bgctl cancel ends a job")
    })
}
