//! What a pass would do.

use super::measure::local;
use crate::model::{
    Timestamp,
    event::Event,
    group::GroupChange,
    id::JobId,
    schedule::{DefinedBy, Fate, ScheduleChange},
    state::Change,
};
use crate::pass::Decided;
use crate::plan::Action;
use crate::render::safe;

/// What a pass would do, a line each.
pub fn foreseen_pass(decided: &Decided) -> String {
    let mut text = String::new();
    for event in decided.events.iter().filter(|event| !is_told_by_another(event, &decided.events)) {
        text.push_str(&format!("would {}\n", event_words(event)));
    }
    for action in &decided.actions {
        text.push_str(&match action {
            Action::Launch { id } if is_started(id, &decided.events) => continue,
            Action::Launch { id } => format!("would launch a watcher for {id}\n"),
            Action::Poke { id } => format!("would poke the watcher of {id}\n"),
            Action::Wake { at } => format!("would see that somebody starts what is due at {}\n", local(*at)),
            Action::Retain => continue,
            Action::Hook => "would run hooks\n".to_owned(),
            Action::Poll => "would ask GitHub for answers\n".to_owned(),
            Action::Evict { id } => format!("would replace the silent watcher of {id}\n"),
        });
    }
    for id in &decided.emptied_logs {
        text.push_str(&format!("would empty the log of {id}: all logs together are too large\n"));
    }
    text
}

/// Whether an event only tells why what another one tells happens: a job is told to end, and its end is known.
fn is_told_by_another(event: &Event, all: &[Event]) -> bool {
    if let Event::Submitted { job } = event {
        return job.spec.schedule.is_some();
    }
    // What a pass does itself is told by what comes of it.
    if let Event::Scheduled { change, .. } = event {
        return match change {
            ScheduleChange::Put { definition, .. } => definition.source == DefinedBy::BuiltIn,
            ScheduleChange::Due { fate, .. } => *fate == Fate::Begun,
            ScheduleChange::Did { .. } => true,
            _ => false,
        };
    }
    let Event::Changed { id, change: Change::Decide { .. } } = event else { return false };
    all.iter().any(|other| matches!(other, Event::Changed { id: of, change: Change::End { .. } } if of == id))
}

/// Whether a job gets its slot, which a watcher always follows.
fn is_started(id: &JobId, all: &[Event]) -> bool {
    all.iter()
        .any(|event| matches!(event, Event::Changed { id: of, change: Change::Claim { .. } } if of == id))
}

fn scheduled_words(name: &str, change: &ScheduleChange) -> String {
    let at = |at: &Option<Timestamp>| at.map_or_else(|| "never".to_owned(), local);
    match change {
        ScheduleChange::Put { definition, .. } => {
            format!("define the schedule {name}: {}", safe::line(&definition.rhythm.to_string()))
        }
        ScheduleChange::Remove => format!("remove the schedule {name}"),
        ScheduleChange::Pause { .. } => format!("pause the schedule {name}"),
        ScheduleChange::Resume { .. } => format!("let the schedule {name} go on"),
        ScheduleChange::Due { fate, .. } => match fate {
            Fate::Submitted { id } => format!("run the schedule {name} as {id}"),
            Fate::Overlapped { id } => format!("leave out a run of {name}: {id} has not ended"),
            Fate::Missed => format!("let a time of {name} pass: nobody looked when it came"),
            Fate::KeyTaken { id } => format!("leave out a run of {name}: {id} has its key"),
            Fate::Begun => format!("do what {name} is for"),
        },
        ScheduleChange::Moved { next_at } => format!("move the next time of {name} to {}", at(next_at)),
        ScheduleChange::Restart { restart_at } => {
            format!("run {name} again at {}, as it failed", local(*restart_at))
        }
        ScheduleChange::Renewed { valid_until, .. } => {
            format!("note that {name} is valid until {}", local(*valid_until))
        }
        ScheduleChange::Did { .. } => format!("note what {name} did"),
    }
}

fn event_words(event: &Event) -> String {
    match event {
        Event::Submitted { job } => format!("submit {}", job.id),
        Event::Removed { id } => format!("remove {id}"),
        Event::Grouped { group, change } => match change {
            GroupChange::Slots { slots } => format!("give the group {group} {slots} slots"),
            GroupChange::Pause { .. } => format!("pause the group {group}"),
            GroupChange::Resume => format!("let the group {group} go on"),
            GroupChange::Remove => format!("remove the group {group}"),
        },
        Event::Scheduled { schedule, change } => scheduled_words(schedule, change),
        Event::KeyExpired { id } => format!("forget the key of {id}, whose time is over"),
        Event::Edited { id, .. } => format!("change what is asked of {id}"),
        Event::Changed { id, change } => match change {
            Change::Claim { .. } => format!("start {id}"),
            Change::GiveBack => format!("queue {id} again"),
            Change::Decide { ending } => {
                let note = ending.note.as_deref().unwrap_or("told to end");
                format!("end {id}: {}", safe::line(note))
            }
            Change::End { summary, retry_at: Some(at), .. } => {
                let why =
                    summary.as_deref().map(|text| format!(": {}", safe::line(text))).unwrap_or_default();
                format!("try {id} again at {}{why}", local(*at))
            }
            Change::End { summary, .. } => {
                let why =
                    summary.as_deref().map(|text| format!(": {}", safe::line(text))).unwrap_or_default();
                format!("write down the end of {id}{why}")
            }
            Change::Pause { .. } => format!("pause {id}"),
            Change::CloseInput { .. } => format!("close the input of {id}"),
            Change::Resume => format!("let {id} go on"),
            Change::Reschedule { .. } => format!("change when {id} starts"),
            Change::AskApproval { .. } => format!("ask for approval of {id}"),
            Change::Ask { .. } => format!("note where approval of {id} is asked"),
            Change::Hinder { .. } => format!("note what stands in the way of approval of {id}"),
            Change::WarnExpiry { .. } => format!("warn that the time to approve {id} is nearly over"),
            Change::Approve { .. } => format!("approve {id}"),
            Change::Decline { .. } => format!("decline {id}"),
            Change::Expire { .. } => format!("fail {id}, as nobody has approved it in time"),
            Change::ClearDeadLetter => format!("take {id} off the dead letters"),
            Change::Enrich { .. } => format!("add what is known of {id}"),
        },
    }
}
