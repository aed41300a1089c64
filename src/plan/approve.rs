//! Approval: the end of the time for an answer, the warning before it, and whether GitHub has to be asked.
//!
//! Who waits for an answer on GitHub does not expire before GitHub was asked once more: what was answered in time counts,
//! however late somebody looks. So only a pass of who asks lets it expire, whatever came of the asking, and only what was over
//! before the asking began.

use super::{Action, Inputs, Scope};
use crate::model::{
    Timestamp,
    approval::{Asked, On, Waiting, later},
    config::Approval,
    event::{Applied, Event},
    facts::{Damage, Draft, Facts, Head},
    id::JobId,
    job::Job,
    state::Change,
};
use chrono::TimeDelta;

/// Warns of ends that are near, and fails what nobody approved in time.
pub fn approve(draft: &mut Draft, inputs: &Inputs<'_>, scope: Scope) -> Result<(), Damage> {
    if !scope.is_whole() {
        return Ok(());
    }
    // Of GitHub is known what was said until it was asked, and no more.
    let known_until = |waiting: &Waiting| match (&waiting.request.on, scope) {
        (On::Local, _) => Some(inputs.now),
        (On::GitHub(_), Scope::Poll) => inputs.polled_at.map(|at| at.min(inputs.now)),
        (On::GitHub(_), _) => None,
    };
    let due: Vec<(JobId, Change)> = waiting(draft.facts())
        .filter_map(|(head, waiting)| {
            let until = known_until(waiting)?;
            Some((head.id.clone(), what_is_due(waiting, &inputs.config.approval, until)?))
        })
        .collect();
    for (id, change) in due {
        // An entry that is damaged inside must not stop the others.
        if draft.facts().job(&id).is_ok() {
            draft.push(Event::Changed { id, change })?;
        }
    }
    Ok(())
}

/// Sees to it that GitHub is asked. It comes after what makes jobs wait: a run of a schedule is asked for in the pass that
/// submits it.
pub fn ask(draft: &Draft, inputs: &Inputs<'_>, scope: Scope, actions: &mut Vec<Action>) {
    let asks = match scope {
        Scope::Poll => false,
        Scope::Slots => has_just_come(draft),
        Scope::Whole | Scope::Tick => {
            poll_at(draft.facts(), &inputs.config.approval, inputs.polled_at, inputs.now)
                .is_some_and(|at| at <= inputs.now)
        }
    };
    if asks {
        actions.push(Action::Poll);
    }
}

/// Adds what a person answered at this machine. Where the time for it is over, the job has expired instead, also where no
/// pass has looked since.
pub fn answer(draft: &mut Draft, id: &JobId, answer: Change, now: Timestamp) -> Result<Applied, Damage> {
    let waiting = draft.facts().head(id).and_then(|head| head.waiting.as_deref());
    if waiting.is_some_and(|waiting| waiting.request.on == On::Local && is_over(waiting, now)) {
        draft.push(Event::Changed { id: id.clone(), change: Change::Expire { at: now } })?;
        return Ok(Applied::Refused("its time is over"));
    }
    draft.push(Event::Changed { id: id.clone(), change: answer })
}

/// Whether a job waits for the answer to that, and would run what was asked about: the index can be edited while a person thinks,
/// or while GitHub is asked.
pub fn still_asks(present: &Job, asked: &Job) -> bool {
    let (now, then) = (&present.spec, &asked.spec);
    let request = |job: &Job| job.waiting().map(|waiting| waiting.request.clone());
    present.waiting().is_some()
        && request(present) == request(asked)
        && (&now.command, &now.cwd, &now.env) == (&then.command, &then.cwd, &then.env)
}

/// The jobs that wait for a person.
fn waiting(facts: &Facts) -> impl Iterator<Item = (&Head, &Waiting)> {
    facts.heads().filter_map(|head| Some((head, head.waiting.as_deref()?)))
}

/// Those of them that wait for an answer on GitHub.
pub fn on_github(facts: &Facts) -> impl Iterator<Item = (&Head, &Waiting)> {
    waiting(facts).filter(|(_, waiting)| waiting.request.on.github().is_some())
}

/// When it is said that the time for an answer is nearly over; `None`: never, or it was said.
///
/// Where the whole time is not longer than the warning comes before its end, nothing is said.
pub fn warns_at(waiting: &Waiting, settings: &Approval) -> Option<Timestamp> {
    let expires_at = waiting.expires_at()?;
    let before = TimeDelta::try_seconds(i64::try_from(settings.warning_seconds?).ok()?)?;
    let at = expires_at.checked_sub_signed(before)?;
    (waiting.warned_at.is_none() && at > waiting.since).then_some(at)
}

/// Whether its time is over at `now`.
pub fn is_over(waiting: &Waiting, now: Timestamp) -> bool {
    waiting.expires_at().is_some_and(|at| at <= now)
}

fn what_is_due(waiting: &Waiting, settings: &Approval, now: Timestamp) -> Option<Change> {
    let expires_at = waiting.expires_at()?;
    if expires_at <= now {
        return Some(Change::Expire { at: now });
    }
    let is_near = warns_at(waiting, settings).is_some_and(|at| at <= now);
    is_near.then_some(Change::WarnExpiry { at: now, expires_at })
}

/// Whether this pass is the one in which a job began to wait for an answer on GitHub.
fn has_just_come(draft: &Draft) -> bool {
    let came = draft.events().iter().filter_map(|event| match event {
        Event::Submitted { job } => Some(&job.id),
        Event::Changed { id, change: Change::End { .. } } => Some(id),
        _ => None,
    });
    let waiting = |id: &JobId| draft.facts().head(id)?.waiting.as_deref();
    came.filter_map(waiting).any(|waiting| waiting.request.on.github().is_some())
}

/// When GitHub is to be asked: at once where a job was not asked for yet or is due, else a while after it was asked last.
/// `None`: nothing waits for it.
pub fn poll_at(
    facts: &Facts,
    settings: &Approval,
    polled_at: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    let mut jobs = on_github(facts).peekable();
    jobs.peek()?;
    let is_urgent = |waiting: &Waiting| {
        waiting.asked == Asked::NotYet && waiting.trouble.is_none()
            || what_is_due(waiting, settings, now).is_some()
    };
    // A time that has not come yet is that of a clock that was set back.
    let Some(polled_at) = polled_at.filter(|at| *at <= now) else { return Some(now) };
    if jobs.any(|(_, waiting)| is_urgent(waiting)) {
        return Some(now);
    }
    later(polled_at, Some(settings.poll_seconds))
}

/// The next instant after `now` at which something about an answer is due; polls apart.
pub fn next(facts: &Facts, settings: &Approval, now: Timestamp) -> Option<Timestamp> {
    let times =
        waiting(facts).flat_map(|(_, waiting)| [warns_at(waiting, settings), waiting.expires_at()]).flatten();
    times.filter(|at| *at > now).min()
}

/// Whether a pass of any scope would do something about an answer now.
pub fn is_any_due(facts: &Facts, settings: &Approval, now: Timestamp) -> bool {
    waiting(facts)
        .any(|(_, waiting)| waiting.request.on == On::Local && what_is_due(waiting, settings, now).is_some())
}
