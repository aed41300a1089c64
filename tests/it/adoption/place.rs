//! Another boot, another machine, other clocks: a mount namespace in which another file stands where the system's is, so that
//! the program reads it as it always does.

use super::{bounded, skipped};
use crate::support::{BGCTL, Ran, User};
use std::ffi::OsStr;
use std::process::Command;

/// Puts files in the place of the system's, and executes the rest.
const SCRIPT: &str = r#"set -e
[ -z "$1" ] || mount --bind "$1" /proc/sys/kernel/random/boot_id
[ -z "$2" ] || mount --bind "$2" /etc/machine-id
[ -z "$3" ] || echo "$3" > /proc/sys/kernel/hostname
shift 3
exec "$@""#;

/// Where a program believes to be. What is none is as it is here.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// Which boot.
    pub boot: Option<String>,
    /// Which machine.
    pub machine: Option<String>,
    /// What it is called.
    pub host: Option<String>,
    /// By how many seconds the time since boot is ahead, with suspended time and without.
    pub ahead: Option<(i64, i64)>,
}

impl Place {
    /// This machine, started again so often.
    pub fn boot(number: usize) -> Self {
        Self { boot: Some(format!("00000000-0000-4000-8000-{number:012}")), ..Self::default() }
    }

    /// Another machine.
    pub fn machine(number: usize) -> Self {
        Self {
            machine: Some(format!("{number:032}")),
            host: Some(format!("machine-{number}")),
            ..Self::boot(1_000 + number)
        }
    }

    /// A time namespace: the same boot, with other clocks.
    pub fn ahead(with_suspended: i64, without: i64) -> Self {
        Self { ahead: Some((with_suspended, without)), ..Self::default() }
    }

    /// Whether programs can be there; if not, it is said.
    pub fn is_open(&self, user: &User) -> bool {
        let is_open = self.program(user, "true").output().is_ok_and(|output| output.status.success());
        if !is_open {
            skipped("no namespaces can be made here");
        }
        is_open
    }

    /// A program there.
    pub fn program(&self, user: &User, program: impl AsRef<OsStr>) -> Command {
        let file = |name: &str, text: &Option<String>| {
            text.as_ref().map_or(String::new(), |text| {
                let path = user.path(format!("{name}-{text}"));
                if !path.exists() {
                    std::fs::write(&path, format!("{text}\n")).unwrap();
                }
                path.display().to_string()
            })
        };
        let mut command = user.command("unshare");
        command.arg("--mount");
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        if self.host.is_some() {
            command.arg("--uts");
        }
        if let Some((boottime, monotonic)) = self.ahead {
            command.args(["--time", "--fork"]);
            command.args(["--boottime", &boottime.to_string(), "--monotonic", &monotonic.to_string()]);
        }
        command.args(["sh", "-c", SCRIPT, "place"]);
        command.args([file("boot", &self.boot), file("machine", &self.machine)]);
        command.arg(self.host.clone().unwrap_or_default()).arg(program);
        command
    }

    /// `bgctl` there.
    pub fn bgctl<S: AsRef<OsStr>>(&self, user: &User, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.program(user, BGCTL);
        command.args(arguments);
        command
    }

    /// Runs `bgctl` there to its end.
    pub fn run<S: AsRef<OsStr>>(&self, user: &User, arguments: impl IntoIterator<Item = S>) -> Ran {
        bounded(self.bgctl(user, arguments))
    }

    /// Runs `bgctl` there, which must succeed, and gives what it printed.
    #[track_caller]
    pub fn ok<S: AsRef<OsStr>>(&self, user: &User, arguments: impl IntoIterator<Item = S>) -> String {
        let ran = self.run(user, arguments);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        ran.out
    }

    /// What is seen there of a job, or its state where that says all.
    #[track_caller]
    pub fn observed(&self, user: &User, id: &str) -> String {
        let ran = self.run(user, ["status", "--json", id]).json();
        let job = &ran["jobs"][0];
        job["observed"].as_str().or_else(|| job["status"].as_str()).unwrap_or("nothing").to_owned()
    }
}

/// What is seen here of a job, or its state where that says all.
#[track_caller]
pub fn observed(user: &User, id: &str) -> String {
    let job = user.job(id);
    job["observed"].as_str().or_else(|| job["status"].as_str()).unwrap_or("nothing").to_owned()
}

#[test]
fn a_place_is_what_the_program_takes_it_for() {
    let user = User::new();
    let there = Place { ahead: None, ..Place::machine(7) };
    if !there.is_open(&user) {
        return;
    }
    let id = there.ok(&user, ["start", "--delay", "1h", "--", "true"]);
    there.ok(&user, ["cancel", id.trim_end()]);
    let id = there.ok(&user, ["start", "--", "true"]);
    there.ok(&user, ["wait", id.trim_end()]);
    let claim = super::entry(&user, id.trim_end())["claim"].clone();
    let here = bgctl::os::site::here().unwrap();
    assert_eq!(claim["host"], "machine-7");
    assert_eq!(claim["machine"], format!("{:032}", 7));
    assert_eq!(claim["boot"], Place::machine(7).boot.unwrap());
    assert_eq!(claim["pid_namespace"], here.pid_namespace);
    user.all_gone();
}
