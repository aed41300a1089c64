//! A person's answer at this machine.
//!
//! Whoever can write the index can answer without being asked: what is here keeps a job, a script or a slip of the hand from
//! answering in a person's name, not another program of the same user that means to (`docs/approvals.md`).

use super::content;
use crate::model::{
    approval::{NOTE_BYTES_MAX, Verdict},
    config::LocalApproval,
    event::Applied,
    facts::Facts,
    id::JobId,
    job::Job,
    state::{Change, Status},
};
use crate::ops::{
    fault::{Code, Fault},
    find::{Among, find_all},
    home::{BrokenConfig, Home},
    inside,
};
use crate::os::{clock::Clock, session, user};
use crate::pass::Decided;
use crate::plan::{Scope, approve};
use crate::store::Store;

/// What is to become of jobs that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// They may run.
    Approve,
    /// They are cancelled.
    Decline,
}

impl Wish {
    /// The subcommand.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Decline => "decline",
        }
    }
}

/// What is asked of a person.
#[derive(Debug)]
pub struct Question<'a> {
    /// About which job.
    pub job: &'a Job,
    /// What would become of it.
    pub wish: Wish,
    /// What it would run: see [`crate::model::approval::content_hash`].
    pub hash: &'a str,
}

/// What a person said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Do it.
    Yes,
    /// Leave it as it is.
    No,
    /// There is no terminal.
    Nobody,
}

/// What became of a job.
#[derive(Debug)]
pub struct Answered {
    /// As it is now, or as it was when it was asked about.
    pub job: Job,
    /// What became of the answer.
    pub result: AnswerResult,
}

/// What became of an answer.
#[derive(Debug)]
pub enum AnswerResult {
    /// It stands.
    Done,
    /// The person wanted none; the job waits as before.
    Left,
    /// There is none, after others were answered.
    Failed(Fault),
}

/// Answers for jobs, in the order asked. Each is asked about on its own; where one does not wait, none is answered.
pub fn decide(
    texts: &[String],
    wish: Wish,
    note: Option<&str>,
    ask: &mut dyn FnMut(&Question<'_>) -> Result<Reply, Fault>,
) -> Result<(Vec<Answered>, Decided), Fault> {
    let note = note.map(checked_note).transpose()?;
    if let Some(around) = inside::surrounding_job() {
        let message = format!("bgctl {} is for people, and this runs inside {around}", wish.as_str());
        return Err(Fault::new(Code::Failed, message).hint("a person answers at a terminal of their own"));
    }
    let home = Home::open_existing(BrokenConfig::Stops)?;
    let Some(home) = home else {
        return match texts.first() {
            Some(text) => Err(crate::ops::find::no_such_job(text)),
            None => Ok((Vec::new(), Decided::default())),
        };
    };
    let facts = home.store().read()?;
    let session = session::terminal();
    let ids = find_all(&facts, texts, Among::Session(session.as_deref()))?;
    let mut jobs = Vec::with_capacity(ids.len());
    for id in &ids {
        jobs.push(answerable(&home, &facts, id, wish)?);
    }
    let mut answered: Vec<Answered> = Vec::with_capacity(jobs.len());
    let mut told = Decided { warnings: home.warnings.clone(), ..Decided::default() };
    for (job, hash) in jobs {
        let question = Question { job: &job, wish, hash: &hash };
        let one = is_wanted(&home, &question, ask).and_then(|is_wanted| {
            if is_wanted { commit(&home, &job, wish, note.as_deref(), &mut told).map(Some) } else { Ok(None) }
        });
        let stands = answered.iter().any(|one| matches!(one.result, AnswerResult::Done));
        answered.push(match one {
            Ok(Some(job)) => Answered { job, result: AnswerResult::Done },
            Ok(None) => Answered { job, result: AnswerResult::Left },
            // What stands has to be told all the same.
            Err(fault) if stands => Answered { job, result: AnswerResult::Failed(fault) },
            Err(fault) => return Err(fault),
        });
    }
    Ok((answered, told))
}

fn checked_note(note: &str) -> Result<String, Fault> {
    let note = note.trim();
    if note.is_empty() || note.len() > NOTE_BYTES_MAX {
        return Err(Fault::new(Code::Usage, format!("a note has 1 to {NOTE_BYTES_MAX} bytes")));
    }
    Ok(note.to_owned())
}

/// A job that can be answered here, and the hash of what it would run.
fn answerable(home: &Home, facts: &Facts, id: &JobId, wish: Wish) -> Result<(Job, String), Fault> {
    let Some(job) = facts.job(id)? else { return Err(crate::ops::find::no_such_job(id.as_str())) };
    let Some(waiting) = job.waiting() else { return Err(waits_not(&job, wish)) };
    if home.config.approval.local == LocalApproval::Off {
        let message = format!("nobody may {} at this machine: approval.local is off", wish.as_str());
        return Err(Fault::new(Code::Config, message)
            .hint(format!("bgctl cancel {id} ends it; docs/approvals.md says how GitHub answers")));
    }
    if wish == Wish::Approve && waiting.request.on.github().is_some() {
        let on = waiting.on();
        let label = &home.config.approval.labels.approved;
        let message = format!("{id} waits for an answer on {on}, and cannot be approved here");
        return Err(Fault::new(Code::WrongState, message)
            .hint(format!("the label {label} on that issue approves it; bgctl decline {id} cancels it")));
    }
    let is_asked = !waiting.request.hash.is_empty();
    // Declining needs no hash: that nothing runs is right whatever it would have been.
    let hash = match content(home, &job) {
        Ok(hash) if is_asked && wish == Wish::Approve && hash != waiting.request.hash => {
            let message =
                format!("{id} is not what was asked about: its command, folder or variables changed");
            return Err(Fault::new(Code::WrongState, message)
                .hint(format!("bgctl cancel {id}, and start it again as it should be")));
        }
        Ok(hash) => hash,
        Err(fault) if wish == Wish::Approve => return Err(fault),
        Err(_) => waiting.request.hash.clone(),
    };
    Ok((job, hash))
}

/// It does not wait for an answer: what it does instead, or who answered.
fn waits_not(job: &Job, wish: Wish) -> Fault {
    let id = &job.id;
    let last = job.answers.last().map(|answer| {
        let by = answer.by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
        let on = answer.on.github().map(|_| format!(" on {}", answer.on)).unwrap_or_default();
        match answer.verdict {
            Verdict::Expired => "; nobody answered in time".to_owned(),
            verdict => format!("; it was {}{by}{on}", verdict.as_str()),
        }
    });
    let asks = job.run().is_some_and(|run| run.asked.is_some() && run.ending.is_none());
    let is = match job.status() {
        Status::Queued => "is queued".to_owned(),
        Status::Running if asks => "is still running, and waits once it has exited with 0".to_owned(),
        Status::Running => "is running".to_owned(),
        // That was answered meanwhile, and it asked again.
        Status::WaitingApproval => "waits for approval of something else by now".to_owned(),
        status => format!("has ended ({status})"),
    };
    let message = format!("{id} does not wait for approval: it {is}{}", last.unwrap_or_default());
    Fault::new(Code::WrongState, message).hint(match wish {
        Wish::Approve => "bgctl approval list shows what waits".to_owned(),
        Wish::Decline if job.status().has_ended() => "bgctl approval list shows what waits".to_owned(),
        Wish::Decline => format!("bgctl cancel {id} ends it"),
    })
}

fn is_wanted(
    home: &Home,
    question: &Question<'_>,
    ask: &mut dyn FnMut(&Question<'_>) -> Result<Reply, Fault>,
) -> Result<bool, Fault> {
    if home.config.approval.local == LocalApproval::Anyone {
        return Ok(true);
    }
    match ask(question)? {
        Reply::Yes => Ok(true),
        Reply::No => Ok(false),
        Reply::Nobody => {
            let (wish, id) = (question.wish.as_str(), &question.job.id);
            let message =
                format!("bgctl {wish} asks at the terminal, and there is none; {id} waits as before");
            Err(Fault::new(Code::Failed, message)
                .hint("a person answers at a terminal of their own; bgctl cancel ends a job without asking"))
        }
    }
}

/// Commits an answer to what was asked, if the job still waits for that. Gives the job as it is then.
fn commit(home: &Home, job: &Job, wish: Wish, note: Option<&str>, told: &mut Decided) -> Result<Job, Fault> {
    let store = home.store();
    let executor = home.local();
    let pass = home.pass(&store, &executor);
    let by = user::name().unwrap_or_else(|| format!("user {}", rustix::process::getuid().as_raw()));
    let mut now = job.clone();
    let mut applied = false;
    let decided = pass.decide(Scope::Slots, &mut |draft| {
        let (at, by, note) = (home.clock.now(), by.clone(), note.map(str::to_owned));
        let change = match wish {
            Wish::Approve => Change::Approve { at, by, said_at: None, note },
            Wish::Decline => Change::Decline { at, by, said_at: None, note },
        };
        let present = draft.facts().job(&job.id)?;
        applied = present.as_ref().is_some_and(|present| approve::still_asks(present, job))
            && approve::answer(draft, &job.id, change, at)? == Applied::Yes;
        if let Some(present) = draft.facts().job(&job.id)? {
            now = present;
        }
        Ok(())
    })?;
    told.warnings.extend(decided.warnings.iter().cloned());
    told.events.extend(decided.events.iter().cloned());
    // The answer stands, or another does: from here on, whatever goes wrong is a warning.
    told.warnings.extend(pass.act(&decided.actions).unwrap_or_else(|error| vec![error.to_string()]));
    if !applied {
        return Err(waits_not(&now, wish));
    }
    // It stands: what cannot be read now is no failure of it.
    Ok(store.read().ok().and_then(|facts| facts.job(&job.id).ok().flatten()).unwrap_or(now))
}
