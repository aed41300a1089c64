//! Where a job runs, and what was recorded when it got its slot.

use serde::{Deserialize, Serialize};

/// One kernel's view of processes: within it, and only within it, a process id means something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// The machine's name, for people (`uname(2)`).
    pub host: String,
    /// The machine's lasting id (`machine-id(5)`), empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub machine: String,
    /// The id of this boot (`/proc/sys/kernel/random/boot_id`).
    pub boot: String,
    /// The pid namespace's inode (`pid_namespaces(7)`); 0 where there is no such thing.
    #[serde(default)]
    pub pid_namespace: u64,
}

/// How another site relates to this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The same boot and pid namespace: its processes can be seen and judged.
    Same,
    /// The same machine, started again since: nothing of then still runs.
    Earlier,
    /// Another machine, or a container of this one: shown, never judged.
    Other,
}

impl Site {
    /// How the site of a claim relates to this one.
    pub fn relation(&self, claimed: &Site) -> Relation {
        if self.boot == claimed.boot {
            return if self.pid_namespace == claimed.pid_namespace {
                Relation::Same
            } else {
                Relation::Other
            };
        }
        if self.host == claimed.host && self.machine == claimed.machine {
            Relation::Earlier
        } else {
            Relation::Other
        }
    }
}

/// Which executor runs a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExecutorName {
    /// Processes of this machine.
    #[default]
    Local,
    /// Everything but the execution.
    DryRun,
}

/// The slot a running job holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Where it runs.
    #[serde(flatten)]
    pub site: Site,
    /// What runs it.
    #[serde(default, skip_serializing_if = "is_local")]
    pub executor: ExecutorName,
}

fn is_local(name: &ExecutorName) -> bool {
    *name == ExecutorName::Local
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(host: &str, boot: &str, pid_namespace: u64) -> Site {
        Site { host: host.into(), machine: "m".into(), boot: boot.into(), pid_namespace }
    }

    #[test]
    fn only_the_same_boot_and_namespace_can_be_judged() {
        let here = site("a", "boot-1", 1);
        assert_eq!(here.relation(&site("a", "boot-1", 1)), Relation::Same);
        assert_eq!(here.relation(&site("renamed", "boot-1", 1)), Relation::Same);
        assert_eq!(here.relation(&site("a", "boot-1", 2)), Relation::Other);
        assert_eq!(here.relation(&site("a", "boot-0", 1)), Relation::Earlier);
        assert_eq!(here.relation(&site("b", "boot-0", 1)), Relation::Other);
    }
}
