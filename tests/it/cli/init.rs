//! `bgctl init cron|systemd --install|--uninstall`, with stand-ins for `crontab`, `systemctl` and `loginctl`: nothing of this
//! machine is touched. A real cron is `processes::cron`'s.

use crate::support::{BGCTL, Ran, User};
use std::path::PathBuf;

const CRONTAB: &str = "#!/bin/sh
case $1 in
-l) cat \"$HOME/crontab\" 2>/dev/null || { echo 'no crontab for ann' >&2; exit 1; } ;;
-) cat >\"$HOME/crontab.new\"; mv \"$HOME/crontab.new\" \"$HOME/crontab\"; echo written >>\"$HOME/writes\" ;;
*) exit 1 ;;
esac
";
const SYSTEMCTL: &str = "#!/bin/sh
[ \"$2\" = --version ] || echo \"$*\" >>\"$HOME/systemctl\"
test ! -e \"$HOME/no-bus\" || [ \"$2\" = --version ] || { echo 'Failed to connect to bus' >&2; exit 1; }
";
const LOGINCTL: &str = "#!/bin/sh\ncat \"$HOME/linger\"\n";

/// A user with these programs and no others but the shell's.
struct Ann {
    user: User,
    programs: Vec<&'static str>,
}

impl Ann {
    fn new() -> Self {
        let user = User::new();
        std::fs::create_dir(user.path("bin")).unwrap();
        for (name, text) in [("crontab", CRONTAB), ("systemctl", SYSTEMCTL), ("loginctl", LOGINCTL)] {
            user.script(&format!("bin/{name}"), text);
        }
        std::fs::write(user.path("home/linger"), "no\n").unwrap();
        Self { user, programs: vec!["crontab", "systemctl", "loginctl"] }
    }

    fn without(mut self, program: &str) -> Self {
        std::fs::remove_file(self.user.path("bin").join(program)).unwrap();
        self.programs.retain(|name| *name != program);
        // Those that the programs here need.
        for needed in ["cat", "mv"] {
            std::os::unix::fs::symlink(format!("/bin/{needed}"), self.user.path("bin").join(needed)).unwrap();
        }
        self
    }

    fn init(&self, arguments: &[&str]) -> Ran {
        let bin = self.user.path("bin");
        let all = self.programs.len() == 3;
        let path = if all { format!("{}:/usr/bin:/bin", bin.display()) } else { bin.display().to_string() };
        let arguments: Vec<&str> = ["init"].iter().chain(arguments).copied().collect();
        let ran = Ran::of(&self.user.bgctl(&arguments).env("PATH", path).output().unwrap());
        crate::schema::check(&self.user.root(), &arguments, &ran.out);
        ran
    }

    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> Ran {
        let ran = self.init(arguments);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        ran
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.user.path("home").join(name)).unwrap_or_default()
    }

    /// The unit of a root that is not the usual one.
    fn unit(&self) -> PathBuf {
        let folder = self.user.path("home/.config/systemd/user");
        let names: Vec<PathBuf> =
            std::fs::read_dir(folder).map_or(Vec::new(), |all| all.flatten().map(|one| one.path()).collect());
        assert!(names.len() <= 1, "{names:?}");
        names.into_iter().next().unwrap_or_default()
    }
}

#[test]
fn the_line_comes_into_the_crontab_once_and_goes_and_all_others_stay() {
    let ann = Ann::new();
    let others = "# mine\nMAILTO=ann\n\n5 4 * * * tar -cf \"$(date +\\%F).tar\" x\n";
    std::fs::write(ann.user.path("home/crontab"), others).unwrap();
    let line = ann.ok(&["cron"]).out;
    let added = ann.ok(&["cron", "--install"]).out;
    assert_eq!(added, format!("added to the crontab:\n  {line}"));
    assert_eq!(ann.read("crontab"), format!("{others}{line}"));
    let again = ann.ok(&["cron", "--install"]).out;
    assert_eq!(again, format!("the crontab has it already:\n  {line}"));
    assert_eq!(ann.read("writes"), "written\n", "what is so is not written again");
    let removed = ann.ok(&["cron", "--uninstall"]).out;
    assert_eq!(removed, format!("removed from the crontab:\n  {line}"));
    assert_eq!(ann.read("crontab"), others);
    assert!(ann.ok(&["cron", "--uninstall"]).out.contains("nothing to do"));
}

#[test]
fn a_user_without_a_crontab_gets_one_with_that_line() {
    let ann = Ann::new();
    ann.ok(&["cron", "--install"]);
    assert_eq!(ann.read("crontab"), ann.ok(&["cron"]).out);
}

#[test]
fn a_line_of_another_path_is_replaced_where_it_is() {
    let ann = Ann::new();
    let root = ann.user.root().display().to_string();
    let old = format!("* * * * * BG_HOME='{root}' '/old/bgctl' tick");
    std::fs::write(ann.user.path("home/crontab"), format!("a\n{old}\nb\n")).unwrap();
    assert!(ann.ok(&["cron", "--install"]).out.starts_with("replaced in the crontab:\n"));
    let line = ann.ok(&["cron"]).out;
    assert_eq!(ann.read("crontab"), format!("a\n{line}b\n"));
}

#[test]
fn a_dry_run_changes_nothing() {
    let ann = Ann::new();
    for arguments in [["cron", "--install"], ["systemd", "--install"], ["cron", "--uninstall"]] {
        let ran = ann.ok(&[arguments[0], arguments[1], "--dry-run"]);
        assert!(ran.out.starts_with("would ") || ran.out.contains("nothing to do"), "{}", ran.out);
    }
    assert_eq!((ann.read("crontab"), ann.read("systemctl")), (String::new(), String::new()));
    assert!(!ann.user.path("home/.config").exists() && !ann.user.root().exists());
}

#[test]
fn a_crontab_that_cannot_be_read_is_not_written() {
    let ann = Ann::new();
    ann.user.script(
        "bin/crontab",
        "#!/bin/sh\n[ \"$1\" = -l ] || echo written >>\"$HOME/writes\"\necho 'you (ann) are not allowed to use this program' >&2\nexit 1\n",
    );
    let ran = ann.init(&["cron", "--install"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("not allowed") && ran.err.contains("nothing was changed"), "{}", ran.err);
    assert_eq!(ann.read("writes"), "");
}

#[test]
fn without_cron_or_systemd_the_other_ways_are_named_and_nothing_is_written() {
    let ann = Ann::new().without("crontab");
    let ran = ann.init(&["cron", "--install"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("crontab was not found") && ran.err.contains("init systemd"), "{}", ran.err);
    let ann = Ann::new().without("systemctl");
    let ran = ann.init(&["systemd", "--install"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("systemctl was not found") && ran.err.contains("init cron"), "{}", ran.err);
    assert!(!ann.user.path("home/.config").exists());
}

#[test]
fn the_unit_is_written_enabled_and_taken_away() {
    let ann = Ann::new();
    let text = ann.ok(&["systemd"]).out;
    let ran = ann.ok(&["systemd", "--install"]);
    let unit = ann.unit();
    let name = unit.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(name.starts_with("bgctl-") && name.ends_with(".service"), "{name}");
    assert_eq!(std::fs::read_to_string(&unit).unwrap(), text);
    let enable = format!("--user enable --now {name}");
    assert_eq!(
        ran.out,
        format!("wrote {}\nran systemctl --user daemon-reload\nran systemctl {enable}\n", unit.display())
    );
    assert!(ran.err.contains("enable-linger"), "{}", ran.err);
    assert_eq!(ann.read("systemctl"), format!("--user daemon-reload\n{enable}\n"));

    std::fs::write(ann.user.path("home/linger"), "yes\n").unwrap();
    let again = ann.ok(&["systemd", "--install"]);
    assert!(again.out.starts_with("it is there already"), "{}", again.out);
    assert_eq!(again.err, "");

    std::fs::write(&unit, text.replace(BGCTL, "/old/bgctl")).unwrap();
    assert!(ann.ok(&["systemd", "--install"]).out.starts_with("wrote anew"));
    assert!(ann.read("systemctl").ends_with(&format!("--user restart {name}\n")));
    assert_eq!(std::fs::read_to_string(&unit).unwrap(), text);

    assert!(ann.ok(&["systemd", "--uninstall"]).out.starts_with("removed "));
    assert!(!unit.exists());
    let said = ann.read("systemctl");
    assert!(said.ends_with(&format!("--user disable --now {name}\n--user daemon-reload\n")), "{said}");
    assert!(ann.ok(&["systemd", "--uninstall"]).out.contains("nothing to do"));
}

#[test]
fn the_usual_root_has_a_unit_of_the_usual_name() {
    let ann = Ann::new();
    let path = format!("{}:/usr/bin:/bin", ann.user.path("bin").display());
    let mut command = ann.user.bgctl(["init", "systemd", "--install", "--json"]);
    let ran = Ran::of(&command.env_remove("BG_HOME").env("PATH", path).output().unwrap());
    let wanted = ann.user.path("home/.config/systemd/user/bgctl.service");
    assert_eq!(ran.json()["path"].as_str(), wanted.to_str(), "{}", ran.err);
    assert_eq!(ran.json()["result"], "added");
}

#[test]
fn a_unit_that_somebody_else_made_is_left() {
    let ann = Ann::new();
    ann.ok(&["systemd", "--install"]);
    std::fs::write(ann.unit(), "[Service]\n").unwrap();
    for what in ["--install", "--uninstall"] {
        let ran = ann.init(&["systemd", what]);
        assert_eq!(ran.code, 1);
        assert!(ran.err.contains("was not made by bgctl"), "{}", ran.err);
    }
    assert_eq!(std::fs::read_to_string(ann.unit()).unwrap(), "[Service]\n");
}

#[test]
fn what_could_not_be_done_is_said_beside_what_was() {
    let ann = Ann::new();
    std::fs::write(ann.user.path("home/no-bus"), "").unwrap();
    let ran = ann.init(&["systemd", "--install"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("is written, but systemctl --user daemon-reload failed"), "{}", ran.err);
    assert!(ann.unit().exists());
    std::fs::remove_file(ann.user.path("home/no-bus")).unwrap();
    ann.ok(&["systemd", "--install"]);
    assert!(ann.read("systemctl").contains("enable --now"));
}

#[test]
fn systemd_itself_finds_nothing_wrong_with_the_unit() {
    let user = User::new();
    let unit = user.path("bgctl-test.service");
    std::fs::write(&unit, user.ok(["init", "systemd"])).unwrap();
    let verified = user.command("systemd-analyze").args(["--user", "--man=no", "verify"]).arg(&unit).output();
    let Ok(verified) = verified else {
        crate::support::skipped("systemd-analyze is not here");
        return;
    };
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    if said.contains("Failed to initialize manager") {
        crate::support::skipped(&said);
        return;
    }
    assert!(!said.contains("bgctl"), "{said}");
    assert!(verified.status.success(), "{said}");
}

#[test]
fn a_shells_start_file_is_left_to_its_user() {
    let ann = Ann::new();
    let ran = ann.init(&["bash", "--install"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert_eq!(ann.init(&["cron", "--install", "--uninstall"]).code, 2);
}
