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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::process::LiveUsage;

    fn process(pid: i32, parent: i32, start: u64) -> Process {
        Process {
            identity: Identity { pid, start },
            parent,
            session: 0,
            terminal: 0,
            stopped: false,
            usage: LiveUsage::default(),
            zombie: false,
            wait_status: None,
            name: format!("p{pid}"),
        }
    }

    #[test]
    fn each_comes_once_below_who_made_it_even_where_a_pid_came_again_while_they_were_listed() {
        // The pid 12 ended between two entries of the list, and another process got it.
        let all = [(13, 12, 40), (12, 11, 30), (11, 1, 20), (12, 13, 50)];
        let all = all.map(|(pid, parent, start)| process(pid, parent, start));
        let found = in_order(&all, Some(Identity { pid: 11, start: 20 }));
        let found: Vec<(i32, u64, usize)> = found.iter().map(|one| (one.pid, one.start, one.depth)).collect();
        assert_eq!(found, [(11, 20, 0), (12, 30, 1), (13, 40, 2)]);
    }
}
