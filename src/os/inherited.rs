//! What a process inherits and a job gets from its submitter: environment, umask, resource limits, nice value.

use crate::model::bytes::Bytes;
use rustix::fs::RawMode;
use rustix::process::{Resource, Rlimit, getpriority_process, getrlimit, setrlimit, umask};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The submitter's surroundings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inherited {
    /// Name and value of each variable, by name.
    pub variables: Vec<(Bytes, Bytes)>,
    /// The bits that new files do not get (`umask(2)`).
    pub umask: RawMode,
    /// Nice value (`getpriority(2)`).
    pub nice: i32,
    /// Soft and hard resource limits by name (`getrlimit(2)`); null is unlimited.
    pub limits: BTreeMap<String, (Option<u64>, Option<u64>)>,
}

/// The limits that both Linux and macOS have, then those that only Linux has.
const RESOURCES: &[(&str, Resource)] = &[
    ("core", Resource::Core),
    ("cpu", Resource::Cpu),
    ("data", Resource::Data),
    ("fsize", Resource::Fsize),
    ("memlock", Resource::Memlock),
    ("nofile", Resource::Nofile),
    ("nproc", Resource::Nproc),
    ("stack", Resource::Stack),
    ("as", Resource::As),
    #[cfg(target_os = "linux")]
    ("locks", Resource::Locks),
    #[cfg(target_os = "linux")]
    ("msgqueue", Resource::Msgqueue),
    #[cfg(target_os = "linux")]
    ("nice", Resource::Nice),
    #[cfg(target_os = "linux")]
    ("rtprio", Resource::Rtprio),
    #[cfg(target_os = "linux")]
    ("rttime", Resource::Rttime),
    #[cfg(target_os = "linux")]
    ("sigpending", Resource::Sigpending),
];

/// Raises every soft limit of this process to its hard limit.
pub fn raise_limits() {
    for (_, resource) in RESOURCES {
        let Rlimit { current, maximum } = getrlimit(*resource);
        if current != maximum {
            let _ = setrlimit(*resource, Rlimit { current: maximum, maximum });
        }
    }
}

impl Inherited {
    /// The names of all variables.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.variables.iter().map(|(name, _)| name.as_slice())
    }

    /// Those of this process, less the variables that `left_out` names.
    pub fn capture(left_out: impl Fn(&str) -> bool) -> Self {
        let mut variables: Vec<(Bytes, Bytes)> = std::env::vars_os()
            .filter(|(name, _)| !name.to_str().is_some_and(&left_out))
            .filter_map(|(name, value)| Some((Bytes::try_from(name).ok()?, Bytes::try_from(value).ok()?)))
            .collect();
        variables.sort();
        // The mask can only be read by setting it.
        let mask = umask(rustix::fs::Mode::empty());
        umask(mask);
        let limits = RESOURCES
            .iter()
            .map(|(name, resource)| {
                let Rlimit { current, maximum } = getrlimit(*resource);
                ((*name).to_owned(), (current, maximum))
            })
            .collect();
        Self { variables, umask: mask.bits(), nice: getpriority_process(None).unwrap_or(0), limits }
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        self.variables
            .iter()
            .rev()
            .find(|(given, _)| given.as_slice() == name.as_bytes())
            .map(|(_, value)| value)
    }

    /// Sets a variable.
    pub fn set(&mut self, name: Bytes, value: Bytes) {
        self.unset(&name);
        self.variables.push((name, value));
        self.variables.sort();
    }

    /// Removes a variable.
    pub fn unset(&mut self, name: &Bytes) {
        self.variables.retain(|(given, _)| given != name);
    }

    /// The limits that this system knows.
    pub fn known_limits(&self) -> Vec<(&'static str, Resource, Rlimit)> {
        RESOURCES
            .iter()
            .filter_map(|(name, resource)| {
                let (current, maximum) = *self.limits.get(*name)?;
                Some((*name, *resource, Rlimit { current, maximum }))
            })
            .collect()
    }
}
