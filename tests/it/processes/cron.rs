//! A real cron (Debian's) with a crontab that `bgctl init cron --install` made, in a mount namespace of its own: neither
//! crontabs nor mail of this machine are touched.

use super::program;
use crate::support::{User, until};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Private folders for cron, a mailer that keeps what it is given, and cron itself in the foreground. It runs until it is
/// ended from outside.
const SCRIPT: &str = r#"
mount --make-rprivate / || { echo cannot mount; exit 9; }
for folder in /var/spool/cron /etc/cron.d /run; do
  mount -t tmpfs tmpfs "$folder" || { echo cannot mount; exit 9; }
done
mkdir -p /var/spool/cron/crontabs && chgrp crontab /var/spool/cron/crontabs && chmod 1730 /var/spool/cron/crontabs
: > empty && mount --bind empty /etc/crontab
if [ -e /usr/sbin/sendmail ]; then
  mount --bind "$MAILER" "$(readlink -f /usr/sbin/sendmail)"
else
  mkdir mail && cp "$MAILER" mail/sendmail && mount -t overlay overlay -o lowerdir="$PWD/mail:/usr/sbin" /usr/sbin
fi || { echo cannot mount; exit 9; }
printf '%s\n' '# mine' 'MAILTO=ann' '@yearly echo 100\% > /dev/null' | crontab - || exit 8
crontab -l > before
"$BGCTL" init cron --install > installed || exit 7
"$BGCTL" init cron --install > again || exit 7
crontab -l > with
"$BGCTL" init cron --uninstall > removed || exit 7
crontab -l > after
"$BGCTL" init cron --install > /dev/null || exit 7
echo ready
exec cron -f -L 15
"#;

fn has_cron(user: &User) -> bool {
    let has = |program: &str| {
        let found = user.command("sh").args(["-c", &format!("command -v {program}")]).output();
        found.is_ok_and(|output| output.status.success())
    };
    std::path::Path::new("/usr/sbin/cron").exists() && has("crontab") && has("unshare")
}

#[test]
fn a_real_cron_runs_schedules_and_mails_what_failed_for_good_and_nothing_else() {
    let user = User::new();
    if !rustix::process::geteuid().is_root() || !has_cron(&user) {
        crate::support::skipped("needs cron, and root");
        return;
    }
    let mails = user.path("mails");
    let mailer = user.script("mailer", &format!("#!/bin/sh\ncat >> '{}'\n", mails.display()));
    // The reports have begun.
    user.make_root();
    user.ok(["tick", "--report", "failures"]);
    let failed = user.start(["--name", "dump", "--", "sh", "-c", "echo no space left; exit 3"]);
    let good = user.start(["--name", "fine", "--", "echo", "all is well"]);
    assert_eq!((user.wait(&failed), user.wait(&good)), (3, 0));
    let ran = user.path("ran");
    user.configure(&format!(
        "[schedules.beat]\nevery = \"2s\"\ncommand = \"echo $BG_JOB_ID >> '{}'\"\n",
        ran.display()
    ));
    let mut cron = user.command("unshare");
    cron.args(["-m", "sh", "-c", SCRIPT])
        .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
        .env("BGCTL", program())
        .env("MAILER", mailer);
    let out = std::fs::File::create(user.path("cron.out")).unwrap();
    let mut cron = cron.stdout(out.try_clone().unwrap()).stderr(out).stdin(Stdio::null()).spawn().unwrap();
    let said = || std::fs::read_to_string(user.path("cron.out")).unwrap();
    let ready = || said().lines().any(|line| line == "ready");
    until("cron is there, or cannot be", || ready() || cron.try_wait().unwrap().is_some());
    if !ready() {
        assert!(said().contains("cannot mount"), "{}", said());
        crate::support::skipped("needs to mount folders of its own");
        return;
    }
    let text = |name: &str| std::fs::read_to_string(user.path(name)).unwrap();
    assert!(text("installed").starts_with("added to the crontab:\n"), "{}", text("installed"));
    assert!(text("again").starts_with("the crontab has it already:\n"), "{}", text("again"));
    assert!(text("removed").starts_with("removed from the crontab:\n"), "{}", text("removed"));
    assert_eq!(text("before"), text("after"));
    let line = text("with").strip_prefix(&text("before")).unwrap().to_owned();
    assert!(line.ends_with("tick --report failures # bgctl init cron\n"), "{line}");

    let began = Instant::now();
    // Cron looks at each full minute.
    let within = Duration::from_secs(75);
    let runs = || std::fs::read_to_string(&ran).unwrap_or_default().lines().count();
    while (runs() < 3 || !mails.exists()) && began.elapsed() < within {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(runs() >= 3, "the schedule runs, and goes on between two minutes: {} {}", runs(), said());
    let mail = std::fs::read_to_string(&mails).unwrap_or_default();
    assert!(mail.contains(&format!("{failed} (dump) failed: exit code 3")), "{mail}{}", said());
    assert!(mail.contains("no space left") && mail.contains("To: ann"), "{mail}");
    assert!(!mail.contains(&good) && !mail.contains("all is well"), "{mail}");
    assert_eq!(mail.matches("Subject:").count(), 1, "{mail}");
    cron.kill().unwrap();
    cron.wait().unwrap();
}
