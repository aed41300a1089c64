//! A running job asks for approval of what comes next.

use super::content;
use crate::model::{
    approval::{NOTE_BYTES_MAX, On, Request},
    event::{Applied, Event},
    job::Job,
    limit::Seconds,
    state::Change,
};
use crate::ops::{
    fault::{Code, Fault},
    find::no_such_job,
    home::{BrokenConfig, Home},
    inside,
    start::given::can_be_asked,
};
use crate::os::clock::Clock;
use crate::pass::Decided;
use crate::plan::Scope;
use crate::store::Store;

/// What a running job asked.
#[derive(Debug)]
pub struct Asked {
    /// As it is now.
    pub job: Job,
    /// Whether it asked now; otherwise it had asked already.
    pub created: bool,
    /// What was decided, with what the user should be told.
    pub decided: Decided,
}

/// Asks for approval of the job inside which this process runs: where the submission said, unless it is said here.
pub fn request(reason: Option<&str>, on: Option<On>, ttl_seconds: Option<Seconds>) -> Result<Asked, Fault> {
    if reason.is_some_and(|reason| reason.trim().is_empty() || reason.len() > NOTE_BYTES_MAX) {
        return Err(Fault::new(Code::Usage, format!("a reason has 1 to {NOTE_BYTES_MAX} bytes")));
    }
    let Some(id) = inside::own_job() else {
        let message = "bgctl approval request is for a running job to ask with, and this is none";
        return Err(Fault::new(Code::Usage, message)
            .hint("bgctl start --approval local -- COMMAND asks before a job runs"));
    };
    let home = Home::open_existing(BrokenConfig::Warns)?.ok_or_else(|| no_such_job(id.as_str()))?;
    let store = home.store();
    let job = store.read()?.job(&id)?.ok_or_else(|| no_such_job(id.as_str()))?;
    if job.run().is_none() {
        let message =
            format!("{id} cannot ask for approval: only a running job asks, and it is {}", job.status());
        return Err(Fault::new(Code::WrongState, message));
    }
    let gate = job.spec.gate.as_ref();
    let on = on.or_else(|| gate.map(|gate| gate.on.clone())).unwrap_or(On::Local);
    can_be_asked(&home.config, &on)?;
    let usual = gate.map_or(home.config.approval.ttl_seconds, |gate| gate.ttl_seconds);
    let asked = Request {
        on,
        at: home.clock.now(),
        ttl_seconds: ttl_seconds.unwrap_or(usual),
        reason: reason.map(|reason| reason.trim().to_owned()),
        hash: content(&home, &job)?,
    };
    let executor = home.local();
    let pass = home.pass(&store, &executor);
    let mut applied = None;
    let mut decided = pass.decide(Scope::Slots, &mut |draft| {
        let change = Change::AskApproval { request: Box::new(asked.clone()) };
        applied = Some(draft.push(Event::Changed { id: id.clone(), change })?);
        Ok(())
    })?;
    decided.warnings.splice(0..0, home.warnings.iter().cloned());
    decided.warnings.extend(pass.act(&decided.actions.clone())?);
    let job = store.read()?.job(&id)?.ok_or_else(|| no_such_job(id.as_str()))?;
    match applied {
        Some(Applied::Refused(why)) => {
            Err(Fault::new(Code::WrongState, format!("{id} cannot ask for approval: {why}")))
        }
        applied => Ok(Asked { job, created: applied == Some(Applied::Yes), decided }),
    }
}
