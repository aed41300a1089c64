//! A user's machine for one test: an own root, an empty environment, and nothing left behind.

pub mod terminal;

use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long a test waits for an event that must come. Never a measure of anything: on a busy machine it only has to
/// be long enough.
pub const EVENT_MAX: Duration = Duration::from_mins(1);

/// The program under test.
pub const BGCTL: &str = env!("CARGO_BIN_EXE_bgctl");

/// A user with an own home. Dropped, every process that it left is ended.
pub struct User {
    dir: tempfile::TempDir,
}

/// What a command printed, and how it ended.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl User {
    pub fn new() -> Self {
        Self::on(&std::env::temp_dir())
    }

    /// The same with everything below that folder.
    pub fn on(place: &Path) -> Self {
        let user = Self { dir: tempfile::tempdir_in(place).unwrap() };
        std::fs::create_dir(user.path("home")).unwrap();
        user
    }

    /// A path in this test's own folder.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The root: `BG_HOME`.
    pub fn root(&self) -> PathBuf {
        self.path("bg")
    }

    /// Any program as this user: environment cleared but for what a login gives, cwd the test's folder.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.path("home"))
            .env("BG_HOME", self.root())
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        command
    }

    /// `bgctl` as this user.
    pub fn bgctl<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.command(BGCTL);
        command.args(arguments);
        command
    }

    /// Runs `bgctl` to its end. What it prints with `--json` has to be as the schema says.
    #[track_caller]
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        let arguments: Vec<S> = arguments.into_iter().collect();
        let ran = Ran::of(&self.bgctl(&arguments).output().unwrap());
        crate::schema::check(&self.root(), &arguments, &ran.out);
        ran
    }

    /// Runs `bgctl`, which must succeed, and gives what it printed.
    #[track_caller]
    pub fn ok<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        ran.out
    }

    /// `bgctl start ARGUMENTS`, which must succeed; gives the id.
    #[track_caller]
    pub fn start<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> String {
        let start = std::iter::once(std::ffi::OsString::from("start"));
        let id = self.ok(start.chain(arguments.into_iter().map(|one| one.as_ref().to_owned())));
        id.trim_end().to_owned()
    }

    /// A started shell script.
    #[track_caller]
    pub fn start_sh(&self, script: &str) -> String {
        self.start(["--", "sh", "-c", script])
    }

    /// A job as `status --json` shows it.
    #[track_caller]
    pub fn job(&self, id: &str) -> Value {
        let text = self.ok(["status", "--json", id]);
        let value: Value = serde_json::from_str(&text).unwrap();
        value["jobs"][0].clone()
    }

    /// The word for a job's state.
    #[track_caller]
    pub fn status(&self, id: &str) -> String {
        self.job(id)["status"].as_str().unwrap().to_owned()
    }

    /// Waits for a job's end; gives the exit code of `wait`.
    #[track_caller]
    pub fn wait(&self, id: &str) -> i32 {
        let within = EVENT_MAX.as_secs().to_string();
        let ran = self.run(["wait", "--quiet", "--within", &within, id]);
        assert_ne!(ran.code, 121, "{id} did not end");
        ran.code
    }

    /// The index, parsed.
    pub fn index(&self) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.root().join("jobs.json")).unwrap()).unwrap()
    }

    /// Makes the index by hand.
    pub fn write_index(&self, text: &str) {
        self.make_root();
        std::fs::write(self.root().join("jobs.json"), text).unwrap();
    }

    /// Makes the root as bgctl would.
    pub fn make_root(&self) {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().mode(0o700).recursive(true).create(self.root()).unwrap();
    }

    /// The lines of a job's run record.
    pub fn record(&self, id: &str) -> Vec<Value> {
        let text =
            std::fs::read_to_string(self.root().join("runs").join(format!("{id}.lock"))).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The pid of a job's watcher (`watcher`) or main process (`process`), once its record has it.
    #[track_caller]
    pub fn recorded_pid(&self, id: &str, line: &str) -> i32 {
        let find =
            || self.record(id).iter().rev().find(|one| one["line"] == line).map(|one| one["pid"].clone());
        until("the record names it", || find().is_some());
        i32::try_from(find().unwrap().as_i64().unwrap()).unwrap()
    }

    /// A file's text, once it is there and has a whole line.
    #[track_caller]
    pub fn line_in(&self, name: &str) -> String {
        let path = self.path(name);
        until(name, || std::fs::read_to_string(&path).is_ok_and(|text| text.ends_with('\n')));
        std::fs::read_to_string(path).unwrap()
    }

    /// A FIFO: whoever reads it waits until somebody writes, so that a test decides when a job goes on.
    pub fn fifo(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        path
    }

    /// The living processes that belong to this user: those with its root in environment or arguments.
    pub fn processes(&self) -> Vec<i32> {
        let root = self.root().into_os_string().into_encoded_bytes();
        let has = |pid: i32, file: &str| {
            std::fs::read(format!("/proc/{pid}/{file}"))
                .is_ok_and(|text| text.windows(root.len()).any(|part| part == root))
        };
        let own = std::process::id().cast_signed();
        pids()
            .into_iter()
            .filter(|pid| *pid != own && (has(*pid, "environ") || has(*pid, "cmdline")) && is_alive(*pid))
            .collect()
    }

    /// Waits until no process of this user is left.
    #[track_caller]
    pub fn all_gone(&self) {
        // A process that is just being executed has no environment for an instant (`execve(2)`): it is seen by the second look.
        until("no process is left", || {
            self.processes().is_empty() && {
                std::thread::sleep(Duration::from_millis(5));
                self.processes().is_empty()
            }
        });
    }
}

impl Drop for User {
    fn drop(&mut self) {
        // Watchers and jobs may start others while they are ended.
        for _ in 0..200 {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            for pid in left {
                kill(pid, rustix::process::Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Ran {
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The JSON object on standard output.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

/// Waits for something that must come; `what` says it if it does not.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + EVENT_MAX;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// All pids that can be seen.
pub fn pids() -> Vec<i32> {
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Whether a process runs; a zombie does not.
pub fn is_alive(pid: i32) -> bool {
    bgctl::os::process::look(pid).unwrap().is_some_and(|process| !process.zombie)
}

/// Sends a signal to a process of the test's own.
pub fn kill(pid: i32, signal: rustix::process::Signal) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Waits for a child to end, with a bound.
#[track_caller]
pub fn ended(child: &mut Child) -> i32 {
    until("the command ends", || child.try_wait().unwrap().is_some());
    child.wait().unwrap().code().unwrap_or(-1)
}

/// Says, past the test runner, that a test or a part of it is left out here, and why.
pub fn skipped(why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}
