//! What a pass would do.

use crate::model::{event::Event, state::Change};
use crate::pass::Decided;
use crate::plan::Action;
use crate::render::safe;

/// What a pass would do, a line each.
pub fn foreseen_pass(decided: &Decided) -> String {
    let mut text = String::new();
    for event in &decided.events {
        text.push_str(&format!("would {}\n", event_words(event)));
    }
    for action in &decided.actions {
        text.push_str(&match action {
            Action::Launch(id) => format!("would launch a watcher for {id}\n"),
            Action::Poke(id) => format!("would poke the watcher of {id}\n"),
            Action::Evict(id) => format!("would replace the silent watcher of {id}\n"),
        });
    }
    text
}

fn event_words(event: &Event) -> String {
    match event {
        Event::Submitted { job } => format!("submit {}", job.id),
        Event::Removed { id } => format!("remove {id}"),
        Event::Edited { id, .. } => format!("change what is asked of {id}"),
        Event::Changed { id, change } => match change {
            Change::Claim { .. } => format!("start {id}"),
            Change::GiveBack => format!("queue {id} again"),
            Change::Decide { ending } => {
                let note = ending.note.as_deref().unwrap_or("told to end");
                format!("end {id}: {}", safe::line(note))
            }
            Change::End { summary, .. } => {
                let why =
                    summary.as_deref().map(|text| format!(": {}", safe::line(text))).unwrap_or_default();
                format!("write down the end of {id}{why}")
            }
            Change::Pause { .. } => format!("pause {id}"),
            Change::Resume => format!("let {id} go on"),
            Change::AskApproval | Change::Approve | Change::Decline { .. } | Change::Expire { .. } => {
                format!("change the approval of {id}")
            }
            Change::Enrich { .. } => format!("add what is known of {id}"),
        },
    }
}
