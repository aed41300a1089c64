//! Approval: what a person is asked, and what becomes of the answer.

pub mod decide;
pub mod list;
pub mod request;

use super::{fault::Fault, home::Home};
use crate::model::{approval::content_hash, job::Job};
use crate::store::environments;

/// The hash of what a job would run now: its arguments, its folder, the names of its environment.
pub fn content(home: &Home, job: &Job) -> Result<String, Fault> {
    // A job of a hand-made index has the environment of whoever launches it.
    let Some(name) = &job.spec.env else { return Ok(content_hash(&job.spec, [])) };
    let inherited = environments::load(&home.root, name)?;
    Ok(content_hash(&job.spec, inherited.names()))
}
