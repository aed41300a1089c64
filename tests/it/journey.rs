//! What a person does on the first day, end to end.

use crate::support::{BGCTL, User, ended, is_alive};
use bgctl::os::process::{self, Identity};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};

#[test]
fn a_script_starts_twenty_jobs_and_waits_for_them() {
    let user = User::new();
    let script =
        "for i in $(seq 20); do ids=\"$ids $($BGCTL start -- sh -c \"echo $i >> done\")\"; done 2>/dev/null
        $BGCTL wait $ids && wc -l < done";
    let output = user.command("sh").args(["-c", script]).env("BGCTL", BGCTL).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "20",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    user.all_gone();
}

#[test]
fn a_cancelled_build_of_this_project_leaves_no_compiler() {
    let user = User::new();
    let project = copied_project(&user);
    let id = user.start(build(&project, &["--release"]));
    let mut logs = Logs::follow(&user, &id);
    logs.read_to("Compiling");
    let compiler =
        || processes_of(&id).into_iter().find(|one| one.look().unwrap().is_some_and(|it| it.name == "rustc"));
    crate::support::until("a compiler runs", || compiler().is_some());
    let watcher = user.recorded_pid(&id, "watcher");
    let build = processes_of(&id);

    assert!(user.ok(["cancel", &id]).contains(&id));

    let alive: Vec<_> =
        build.iter().filter_map(|one| one.look().unwrap()).filter(|one| !one.zombie).collect();
    assert!(alive.is_empty(), "cancel has returned, and these still run: {alive:?}");
    assert_eq!(processes_of(&id), [], "nor does anything that they started");
    assert_eq!(user.status(&id), "cancelled");
    assert_eq!(user.wait(&id), 125);
    logs.end();
    crate::support::until("the watcher leaves", || !is_alive(watcher));
    assert!(user.processes().is_empty());
}

#[test]
fn a_small_build_is_followed_to_its_end() {
    let user = User::new();
    let project = user.path("hello");
    std::fs::create_dir_all(project.join("src")).unwrap();
    let manifest = "[package]\nname = \"hello\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
    std::fs::write(project.join("Cargo.toml"), manifest).unwrap();
    std::fs::write(project.join("src/main.rs"), "fn main() { println!(\"hello\"); }\n").unwrap();

    let id = user.start(build(&project, &[]));
    let mut logs = Logs::follow(&user, &id);
    logs.read_to("Finished");
    logs.end();

    assert_eq!(user.wait(&id), 0);
    let job = user.job(&id);
    assert_eq!((job["status"].as_str(), job["exit_code"].as_i64()), (Some("completed"), Some(0)));
    let hello = user.command(project.join("target/debug/hello")).output().unwrap();
    assert_eq!(hello.stdout, b"hello\n");
    user.all_gone();
}

/// The whole of it takes minutes, and so runs on demand.
#[test]
fn a_release_build_of_this_project_gives_a_program_that_runs_a_first_job() {
    if std::env::var_os("BG_TEST_LONG").is_none() {
        crate::support::skipped("a whole release build takes minutes; BG_TEST_LONG=1 runs it");
        return;
    }
    let user = User::new();
    let project = copied_project(&user);
    let id = user.start(build(&project, &["--release"]));
    let mut logs = Logs::follow(&user, &id);
    logs.read_to("Finished");
    logs.end();
    assert_eq!(user.wait(&id), 0);

    let target = std::fs::read_dir(project.join("target")).unwrap().flatten().map(|entry| entry.path());
    let built = target.flat_map(|folder| [folder.join("bgctl"), folder.join("release/bgctl")]);
    let bgctl = built.into_iter().find(|path| path.is_file()).expect("the build made bgctl");
    let first = user.command(bgctl).args(["start", "--wait", "--", "true"]).status().unwrap();
    assert!(first.success());
    user.all_gone();
}

/// `bgctl logs -f`, as somebody reads it.
struct Logs {
    process: Child,
    lines: BufReader<ChildStdout>,
    read: String,
}

impl Logs {
    fn follow(user: &User, id: &str) -> Self {
        let mut process = user.bgctl(["logs", "-f", id]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap());
        Self { process, lines, read: String::new() }
    }

    /// Reads on to a line with that word. The output ends with the job, so this does too.
    #[track_caller]
    fn read_to(&mut self, word: &str) {
        loop {
            let before = self.read.len();
            let count = self.lines.read_line(&mut self.read).unwrap();
            assert_ne!(count, 0, "no {word} in: {}", self.read);
            if self.read[before..].contains(word) {
                return;
            }
        }
    }

    /// Reads the rest; the command ends by itself because the job has.
    #[track_caller]
    fn end(mut self) {
        self.lines.read_to_string(&mut self.read).unwrap();
        assert_eq!(ended(&mut self.process), 0, "{}", self.read);
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The arguments of a start that builds a project without the network, with what this machine's cargo already has.
fn build(project: &Path, options: &[&str]) -> Vec<OsString> {
    let cargo = Path::new(env!("CARGO"));
    let from_home = |variable: &str, folder: &str| {
        let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(folder);
        std::env::var_os(variable).map_or_else(home, PathBuf::from)
    };
    let set = |name: &str, value: &Path| -> [OsString; 2] {
        let mut entry = OsString::from(format!("{name}="));
        entry.push(value);
        ["--env".into(), entry]
    };
    let mut path = cargo.parent().unwrap().as_os_str().to_owned();
    path.push(":/usr/local/bin:/usr/bin:/bin");

    let mut arguments: Vec<OsString> = vec!["--cwd".into(), project.into()];
    arguments.extend(set("PATH", Path::new(&path)));
    arguments.extend(set("CARGO_HOME", &from_home("CARGO_HOME", ".cargo")));
    arguments.extend(set("RUSTUP_HOME", &from_home("RUSTUP_HOME", ".rustup")));
    arguments.extend(set("CARGO_TARGET_DIR", &project.join("target")));
    arguments.extend(["--".into(), cargo.into(), "build".into(), "--offline".into()]);
    arguments.extend(options.iter().map(OsString::from));
    arguments
}

/// A copy of this very project, without what was built of it.
fn copied_project(user: &User) -> PathBuf {
    let copy = user.path("project");
    std::fs::create_dir(&copy).unwrap();
    let entries = std::fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap().flatten();
    let kept = entries.filter(|entry| entry.file_name() != "target" && entry.file_name() != ".git");
    let paths = kept.map(|entry| entry.path());
    assert!(user.command("cp").arg("-R").args(paths).arg(&copy).status().unwrap().success());
    copy
}

/// The living processes that belong to a job, by what each has in its environment.
fn processes_of(id: &str) -> Vec<Identity> {
    let of_job = |one: &process::Process| {
        process::variable(one.identity.pid, "BG_JOB_ID").is_some_and(|value| value == id.as_bytes())
    };
    process::all()
        .unwrap()
        .into_iter()
        .filter(|one| !one.zombie && of_job(one))
        .map(|one| one.identity)
        .collect()
}
