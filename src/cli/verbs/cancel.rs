//! `bgctl cancel`: from its arguments to a use case, from the outcome to words and an exit code.

use super::{ask::is_wanted, chosen::chosen};
use crate::cli::args::cancel::CancelArgs;
use crate::model::{group, id::JobId};
use crate::ops::{
    called::Called,
    cancel::{self, CancelResult},
    fault::{Code, Fault},
    select::Selection,
};
use crate::render::{Voice, human, json};

/// `bgctl cancel`
pub fn run(args: &CancelArgs, voice: Voice) -> Result<i32, Fault> {
    let mut request = cancel::Request {
        selection: chosen(&args.chosen, voice)?,
        nested: args.nested,
        no_wait: args.no_wait,
        signal: args.signal,
    };
    // A label and a group were given to jobs by somebody; that they are active, or in no group, is true of any.
    let is_named_group = args.chosen.group.as_deref().is_some_and(|name| name != group::DEFAULT);
    let is_sweeping = args.chosen.jobs.is_empty() && args.chosen.label.is_empty() && !is_named_group;
    if is_sweeping && !args.yes {
        let (ids, names): (Vec<JobId>, Vec<Called>) = cancel::foresee(&request)?.into_iter().unzip();
        if !ids.is_empty() && !is_wanted("cancel", ids.len(), &human::to_cancel(&names))? {
            return Err(Fault::new(Code::Failed, "nothing was cancelled"));
        }
        // Those that were counted, whatever was started since.
        request.selection = Selection::Foreseen(ids);
    }
    let outcome = cancel::cancel(&request)?;
    let (results, told) = (&outcome.jobs, &outcome.told);
    voice.events(&told.events);
    voice.warn(&told.warnings);
    let mut text = String::new();
    let mut code = 0;
    for one in results {
        if matches!(one.result, CancelResult::Stuck(_) | CancelResult::Unclear | CancelResult::OutOfReach(_))
        {
            code = Code::Failed as i32;
            voice.fail(&human::cancelled(one));
        } else {
            text.push_str(&human::cancelled(one));
            text.push('\n');
        }
    }
    for id in &outcome.gone {
        code = Code::NotFound as i32;
        voice.fail(&human::removed_meanwhile(id));
    }
    voice.result("cancel", &text, || json::cancelled(&outcome), &told.warnings)?;
    if results.is_empty() && outcome.gone.is_empty() && args.chosen.jobs.is_empty() {
        voice.say(human::NONE_ACTIVE);
    } else if results.len() > 1 {
        voice.say(&human::cancelled_in_all(results));
    }
    if !outcome.dependants.is_empty() {
        voice.say(&human::cancelled_too(outcome.dependants.len(), results.len()));
    }
    Ok(code)
}
