//! Which jobs a command is for: from arguments to a selection.

use crate::cli::args::ChosenArgs;
use crate::model::state::Status;
use crate::ops::{
    fault::{Code, Fault},
    find::given,
    list::parse_statuses,
    select::{Kind, Selection},
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
    Ok(Selection::Active(Kind {
        labels: args.label.clone(),
        statuses: active_statuses(&args.status)?,
        group: args.group.clone(),
    }))
}

fn active_statuses(words: &[String]) -> Result<Vec<Status>, Fault> {
    parse_statuses(
        words,
        |status| !status.has_ended(),
        |word| {
            Fault::new(Code::Usage, format!("jobs that are {word} have ended; --status chooses active ones"))
                .hint("states: queued, running, waiting_approval")
        },
    )
}
