//! The living processes of a job, in the order of a tree.

use crate::exec::{LiveProcess, LiveUse};
use crate::model::bytes::Bytes;
use crate::os::process::{self, Identity, Process};

/// These processes with the main one first and each before those that it made.
pub fn in_order(members: &[Process], main: Option<Identity>) -> Vec<LiveProcess> {
    let is_root = |one: &Process| !members.iter().any(|other| other.identity.pid == one.parent);
    let mut roots: Vec<&Process> = members.iter().filter(|one| is_root(one)).collect();
    roots.sort_by_key(|one| (Some(one.identity) != main, one.identity.start, one.identity.pid));
    let mut found = Vec::with_capacity(members.len());
    for root in roots {
        add(root, 0, members, &mut found);
    }
    found
}

/// What these processes use together; `None` for nobody.
pub fn usage(members: &[Process]) -> Option<LiveUse> {
    let sum = members.iter().fold(LiveUse::default(), |sum, one| LiveUse {
        processes: sum.processes + 1,
        cpu_ms: sum.cpu_ms + one.usage.cpu_ms + one.usage.reaped_cpu_ms,
        memory_kib: sum.memory_kib + one.usage.resident_kib,
    });
    (sum.processes > 0).then_some(sum)
}

fn add(process: &Process, depth: usize, members: &[Process], found: &mut Vec<LiveProcess>) {
    // A list of processes is no snapshot: a pid that came again must not make a ring.
    if found.iter().any(|one| one.pid == process.identity.pid) {
        return;
    }
    found.push(live(process, depth));
    let mut children: Vec<&Process> =
        members.iter().filter(|one| one.parent == process.identity.pid).collect();
    children.sort_by_key(|one| (one.identity.start, one.identity.pid));
    for child in children {
        add(child, depth + 1, members, found);
    }
}

fn live(process: &Process, depth: usize) -> LiveProcess {
    let argv = process::arguments(process.identity.pid).unwrap_or_default();
    // The system closes the last argument with a NUL too.
    let argv = argv.strip_suffix(&[Vec::new()]).unwrap_or(&argv);
    LiveProcess {
        pid: process.identity.pid,
        start: process.identity.start,
        parent: process.parent,
        depth,
        name: process.name.clone(),
        argv: argv.iter().filter_map(|word| Bytes::new(word.clone()).ok()).collect(),
        stopped: process.stopped,
        cpu_ms: process.usage.cpu_ms + process.usage.reaped_cpu_ms,
        memory_kib: process.usage.resident_kib,
    }
}
