//! Approvals: who is waited for, what is asked, and what was answered.

use super::measure::local;
use super::screen::{Screen, WARNING, columns, pad};
use super::table::{Strip, table};
use super::words::{age, brief, moment, seconds_until, title};
use crate::model::{
    Timestamp,
    approval::{Answer, Asked, On, Request, Verdict, Waiting},
    id::JobId,
    job::Job,
};
use crate::ops::approval::{
    decide::{Answered, Question, Wish},
    list::Listed,
    request,
};
use crate::render::safe;

/// Least width of a command in the table.
const COMMAND_COLUMNS_MIN: usize = 12;

/// A line a job that waits, and below it what stands in the way of its answer.
pub fn approvals(listed: &Listed, now: Timestamp, screen: Screen) -> String {
    if listed.jobs.is_empty() {
        return String::new();
    }
    let column = |header, of: &dyn Fn(&Job) -> String| {
        Strip::new(header, listed.jobs.iter().map(|job| (of(job), None)).collect())
    };
    let name =
        Strip { goes: Some(1), ..column("NAME", &|job| dash(job.spec.name.as_deref().map(safe::line))) };
    let command = column("COMMAND", &|job| safe::line(&job.spec.display));
    let least = COMMAND_COLUMNS_MIN.min(command.least);
    let command = Strip { least, comfortable: least, ..command };
    let mut strips = vec![
        column("ID", &|job| job.id.to_string()),
        name,
        column("ON", &|job| on(job).map_or_else(|| "-".to_owned(), |on| on.to_string())),
        column("SINCE", &|job| job.waiting().map_or_else(|| "runs".to_owned(), |of| age(of.since, now))),
        column("LEFT", &|job| job.waiting().map_or_else(|| "-".to_owned(), |of| left(of, now))),
        command,
    ];
    strips.retain(|strip| strip.header != "NAME" || !strip.is_empty());
    let mut text = table(strips, screen);
    for job in &listed.jobs {
        if let Some(trouble) = job.waiting().and_then(|of| of.trouble.as_deref()) {
            let line = format!("{}: {}", job.id, safe::line(trouble));
            text.push_str(&format!("{}\n", screen.paint(WARNING, &line)));
        }
    }
    text
}

fn dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

/// Where the answer is given.
fn on(job: &Job) -> Option<On> {
    let asked = || Some(job.run()?.asked.as_ref()?.on.clone());
    job.waiting().map(Waiting::on).or_else(asked)
}

/// How much time is left for an answer.
fn left(waiting: &Waiting, now: Timestamp) -> String {
    match waiting.expires_at() {
        None => "for ever".to_owned(),
        Some(at) if at <= now => "over".to_owned(),
        Some(at) => brief(seconds_until(now, at)),
    }
}

/// Whom it waits for, in a sentence.
pub fn waits_for(waiting: &Waiting, id: &JobId) -> String {
    match (waiting.on(), &waiting.asked) {
        (On::Local, _) => format!("for approval: bgctl approve {id}"),
        (on, Asked::On(_)) => format!("for an answer on {on}"),
        (on, _) => format!("for an answer on {on}, where it is yet to be asked; bgctl status {id}"),
    }
}

/// What `status` says of a job that waits: a label and its text each.
pub fn waiting_entries(waiting: &Waiting, id: &JobId, now: Timestamp) -> Vec<(&'static str, String)> {
    let Request { reason, hash, .. } = &waiting.request;
    let mut entries = vec![("waits", waits_for(waiting, id)), ("since", moment(waiting.since, now))];
    entries.push((
        "until",
        match waiting.expires_at() {
            Some(at) if at > now => format!("{} (in {})", local(at), brief(seconds_until(now, at))),
            Some(at) => format!("{}, which is over; the next bgctl tick fails it", local(at)),
            None => "there is an answer".to_owned(),
        },
    ));
    entries.extend(reason.as_ref().map(|reason| ("reason", safe::line(reason))));
    entries.extend((!hash.is_empty()).then(|| ("hash", safe::line(hash))));
    entries.extend(waiting.trouble.as_ref().map(|trouble| ("trouble", safe::line(trouble))));
    entries
}

/// An answer that was given.
pub fn answer_words(answer: &Answer, now: Timestamp) -> String {
    let by = answer.by.as_ref().map(|by| format!(" by {}", safe::line(by))).unwrap_or_default();
    let on = answer.on.github().map(|_| format!(" on {}", answer.on)).unwrap_or_default();
    let note = answer.note.as_ref().map(|note| format!(": {}", safe::line(note))).unwrap_or_default();
    let what = match answer.verdict {
        Verdict::Expired => "nobody answered in time",
        verdict => verdict.as_str(),
    };
    format!("{what}{by}{on}, {}{note}", moment(answer.at, now))
}

/// What a person is asked.
pub fn approval_question(question: &Question<'_>, now: Timestamp) -> String {
    let Question { job, wish, hash } = question;
    let mut lines = vec![
        ("job", safe::line(&title(job))),
        ("command", safe::line(&job.spec.display)),
        ("folder", safe::line(&job.spec.cwd.to_text())),
    ];
    if let Some(waiting) = job.waiting() {
        lines.push(("asked", format!("{} ago", age(waiting.request.at, now))));
        lines.extend(waiting.request.reason.as_ref().map(|reason| ("reason", safe::line(reason))));
    }
    lines.push(("hash", safe::line(hash)));
    let width = lines.iter().map(|(label, _)| columns(label)).max().unwrap_or(0) + 2;
    let text: String = lines.iter().map(|(label, text)| format!("{}{text}\n", pad(label, width))).collect();
    let ask = match wish {
        Wish::Approve => "Let it run?",
        Wish::Decline => "Cancel it?",
    };
    format!("{text}{ask} [y/N] ")
}

/// What became of an answer.
pub fn answered(one: &Answered, wish: Wish) -> String {
    let id = &one.job.id;
    match (one.done, wish) {
        (true, Wish::Approve) => format!("{id} approved ({})", one.job.status()),
        (true, Wish::Decline) => format!("{id} declined ({})", one.job.status()),
        (false, _) => format!("{id} waits as before; nothing was changed"),
    }
}

/// That a job has asked.
pub fn approval_asked(asked: &request::Asked) -> String {
    let id = &asked.job.id;
    if asked.created {
        format!("{id} waits for approval once it has exited with 0")
    } else {
        format!("{id} has asked already")
    }
}
