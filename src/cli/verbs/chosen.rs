//! Which jobs a change is for: from arguments to a selection.

use crate::cli::args::ChosenArgs;
use crate::model::state::Status;
use crate::ops::{
    fault::{Code, Fault},
    find::given,
    list::parse_status,
    select::Selection,
};
use crate::render::{Voice, human};

/// The selection that these arguments mean. Reads the jobs that standard input names.
pub fn chosen(args: &ChosenArgs, voice: Voice) -> Result<Selection, Fault> {
    if !args.jobs.is_empty() {
        let jobs = given(&args.jobs)?;
        if jobs.is_empty() {
            voice.say(human::NONE_NAMED);
        }
        return Ok(Selection::Named(jobs));
    }
    Ok(Selection::Active { labels: args.label.clone(), statuses: active_statuses(&args.status)? })
}

fn active_statuses(words: &[String]) -> Result<Vec<Status>, Fault> {
    let mut statuses = Vec::new();
    for word in words.iter().flat_map(|words| words.split(',')) {
        let named = parse_status(word)?;
        if named.iter().any(|status| status.has_ended()) {
            return Err(Fault::new(Code::Usage, format!("what is {word} has ended, and stays as it is"))
                .hint("states: queued, running, waiting_approval"));
        }
        statuses.extend(named);
    }
    Ok(statuses)
}
