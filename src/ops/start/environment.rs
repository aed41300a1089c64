//! The environment of a job: its submitter's, with what was set by hand.

use super::given::{Request, bytes};
use crate::exec::local::start::JOB_VARIABLES;
use crate::ops::fault::{Code, Fault};
use crate::os::{detach::KEPT_VARIABLES, inherited::Inherited};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The environment that is captured for a job.
pub fn assemble(request: &Request) -> Result<Inherited, Fault> {
    let clean = request.clean_env;
    let mut inherited = Inherited::capture(|name| {
        JOB_VARIABLES.contains(&name) || (clean && !KEPT_VARIABLES.contains(&name))
    });
    for entry in &request.env {
        let entry = entry.as_bytes();
        let Some(place) = entry.iter().position(|byte| *byte == b'=').filter(|place| *place > 0) else {
            let shown = String::from_utf8_lossy(entry).into_owned();
            return Err(Fault::new(Code::Usage, format!("--env {shown:?}: expected NAME=value")));
        };
        let part = |range: &[u8]| bytes(OsString::from_vec(range.to_vec()), "--env");
        inherited.set(part(&entry[..place])?, part(&entry[place + 1..])?);
    }
    Ok(inherited)
}
