//! Approvals: who is waited for, what is asked, and what was answered.

use super::measure::local;
use super::screen::{Screen, WARNING, columns, pad, wrap};
use super::table::{Strip, table};
use super::words::{age, brief, moment, seconds_until};
use crate::model::{
    Timestamp,
    approval::{Answer, Asked, Gate, On, Request, Verdict, Waiting},
    id::JobId,
    job::Job,
    limit::format_seconds,
};
use crate::ops::approval::{
    decide::{AnswerResult, Answered, Question, Wish},
    list::Listed,
    request,
};
use crate::render::safe;

/// Least width of a command in the table, and of the place where the answer is given.
const TEXT_COLUMNS_MIN: usize = 12;
/// Most jobs that a line below the table names.
const NAMED_MAX: usize = 4;

/// A line a job that waits, and below it what stands in the way of its answer.
pub fn approvals(listed: &Listed, now: Timestamp, screen: Screen) -> String {
    if listed.jobs.is_empty() {
        return String::new();
    }
    let column = |header, of: &dyn Fn(&Job) -> String| {
        Strip::new(header, listed.jobs.iter().map(|job| (of(job), None)).collect())
    };
    let name = column("NAME", &|job| dash(job.spec.name.as_deref().map(safe::line)));
    let on = column("ON", &|job| on(job).map_or_else(|| "-".to_owned(), |on| on.to_string()));
    let since =
        column("SINCE", &|job| job.waiting().map_or_else(|| "runs".to_owned(), |of| age(of.since, now)));
    let command = column("COMMAND", &|job| safe::line(&job.spec.display));
    let least = TEXT_COLUMNS_MIN.min(command.least);
    let mut strips = vec![
        column("ID", &|job| job.id.to_string()),
        Strip { goes: Some(2), ..name },
        Strip { least: TEXT_COLUMNS_MIN.min(on.least), ..on },
        Strip { goes: Some(1), ..since },
        column("LEFT", &|job| job.waiting().map_or_else(|| "-".to_owned(), |of| left(of, now))),
        Strip { least, comfortable: least, goes: Some(3), ..command },
    ];
    strips.retain(|strip| strip.header != "NAME" || !strip.is_empty());
    let mut text = table(strips, screen);
    for line in
        troubles(&listed.jobs).iter().flat_map(|line| wrap(line, screen.columns.unwrap_or(usize::MAX)))
    {
        text.push_str(&format!("{}\n", screen.paint(WARNING, &line)));
    }
    text
}

/// What stands in the way of answers: a sentence each, with the jobs that it is about.
fn troubles(jobs: &[Job]) -> Vec<String> {
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    for job in jobs {
        let Some(trouble) = job.waiting().and_then(|of| of.trouble.as_deref()) else { continue };
        let random = job.id.random_part();
        match found.iter_mut().find(|(known, _)| *known == trouble) {
            Some((_, ids)) => ids.push(random),
            None => found.push((trouble, vec![random])),
        }
    }
    let named = |ids: &[&str]| match ids.get(NAMED_MAX..) {
        Some(more @ [_, ..]) => format!("{} and {} more", ids[..NAMED_MAX].join(", "), more.len()),
        _ => ids.join(", "),
    };
    found.iter().map(|(trouble, ids)| format!("{}: {}", named(ids), safe::line(trouble))).collect()
}

/// When it was tried last to ask GitHub.
pub fn polled(at: Timestamp, now: Timestamp) -> String {
    format!("GitHub was last tried {} ago", age(at, now))
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
        (on, _) => format!("for an answer on {on}, where the question is yet to be put"),
    }
}

/// What `status` says of a job that waits: a label and its text each.
pub fn waiting_entries(waiting: &Waiting, id: &JobId, now: Timestamp) -> Vec<(&'static str, String)> {
    let Request { reason, hash, on, .. } = &waiting.request;
    let mut entries = vec![("waits", waits_for(waiting, id)), ("since", moment(waiting.since, now))];
    entries.push((
        "until",
        match waiting.expires_at() {
            Some(at) if at > now => format!("{} (in {})", local(at), brief(seconds_until(now, at))),
            Some(at) if on.github().is_some() => {
                format!("{}, which is over; it fails once GitHub was asked once more", local(at))
            }
            Some(at) => format!("{}, which is over; the next bgctl tick fails it", local(at)),
            None => "there is an answer".to_owned(),
        },
    ));
    entries.extend(reason.as_ref().map(|reason| ("reason", safe::line(reason))));
    entries.extend((!hash.is_empty()).then(|| ("hash", safe::line(hash))));
    entries.extend(waiting.trouble.as_ref().map(|trouble| ("trouble", safe::line(trouble))));
    entries
}

/// What a running job has asked.
pub fn asked_while_running(request: &Request, now: Timestamp) -> String {
    let on = request.on.github().map(|_| format!(" on {}", request.on)).unwrap_or_default();
    let why = request.reason.as_ref().map(|reason| format!(": {}", safe::line(reason))).unwrap_or_default();
    format!("for approval{on} of what comes next, {} ago{why}", age(request.at, now))
}

/// Who has to approve a job before it runs, and within which time.
pub fn gate(gate: &Gate) -> String {
    let who = match &gate.on {
        On::Local => "by bgctl approve".to_owned(),
        on @ On::GitHub(_) => format!("on {on}"),
    };
    let within = gate.ttl_seconds.map(|seconds| format!(", within {}", format_seconds(seconds)));
    format!("{who}{}", within.unwrap_or_default())
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
    let name = job.spec.name.as_deref().map(|name| format!(" ({})", safe::line(name))).unwrap_or_default();
    let mut lines = vec![
        ("job", format!("{}{name}", job.id)),
        (
            if job.spec.shell_line().is_some() { "sh -c" } else { "command" },
            safe::lines(&job.spec.command_to_approve()),
        ),
        ("folder", safe::line(&job.spec.cwd.to_text())),
    ];
    if !job.spec.variables.is_empty() {
        lines.push(("sets", safe::line(&job.spec.variables.join(", "))));
    }
    let has_run = job.attempt > 0;
    if let Some(waiting) = job.waiting() {
        let on = waiting.request.on.github().map(|_| format!(", on {}", waiting.on())).unwrap_or_default();
        lines.push(("asked", format!("{} ago{on}", age(waiting.request.at, now))));
        lines.extend(waiting.request.reason.as_ref().map(|reason| ("reason", safe::line(reason))));
        lines.extend(waiting.expires_at().map(|at| ("until", local(at))));
        lines.extend(waiting.not_before.map(|at| ("starts", format!("not before {}", local(at)))));
    }
    if has_run {
        lines.push(("so far", format!("bgctl logs {} has its output", job.id)));
    }
    lines.push(("hash", safe::line(hash)));
    let width = lines.iter().map(|(label, _)| columns(label)).max().unwrap_or(0) + 2;
    // A line end in a command is shown as one: escaped, it would look like the two characters that are no line end.
    let indented = |text: &str| text.replace('\n', &format!("\n{}", " ".repeat(width)));
    let text: String =
        lines.iter().map(|(label, text)| format!("{}{}\n", pad(label, width), indented(text))).collect();
    let ask = match wish {
        Wish::Approve if has_run => "Let it go on?",
        Wish::Approve => "Let it run?",
        Wish::Decline => "Cancel it?",
    };
    format!("{text}{ask} [y/N] ")
}

/// What became of an answer.
pub fn answered(one: &Answered, wish: Wish) -> String {
    let id = &one.job.id;
    match (&one.result, wish) {
        (AnswerResult::Done, Wish::Approve) => format!("{id} approved ({})", one.job.status()),
        (AnswerResult::Done, Wish::Decline) => format!("{id} declined ({})", one.job.status()),
        (AnswerResult::Left, _) => format!("{id} waits as before"),
        (AnswerResult::Failed(fault), _) => safe::lines(&fault.message),
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
