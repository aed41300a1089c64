//! Admission: what may enter the queue.

use crate::model::{
    event::{Applied, Event},
    facts::{Damage, Draft},
    job::Job,
};

/// Adds a submitted job behind all others. `false`: its id is taken, and the submitter draws another.
pub fn admit(draft: &mut Draft, job: Job) -> Result<bool, Damage> {
    let applied = draft.push(Event::Submitted { job: Box::new(job) })?;
    Ok(applied == Applied::Yes)
}
