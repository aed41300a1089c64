//! The programs that are compared, each with what it takes to give it a queue of its own.

use crate::measure::{said, time};
use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The program of this project.
const BGCTL: &str = env!("CARGO_BIN_EXE_bgctl");

/// One who is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// This program, with an index in that form.
    Bgctl(Store, Durability),
    /// nq.
    Nq,
    /// task-spooler.
    TaskSpooler,
    /// pueue.
    Pueue,
}

/// How our index is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// As one JSON file.
    Json,
    /// As lines.
    Lines,
}

impl Store {
    fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Lines => "jsonl",
        }
    }
}

/// What an id that was printed survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A power cut.
    Power,
    /// The death of any process.
    Process,
}

impl Durability {
    fn as_str(self) -> &'static str {
        match self {
            Self::Power => "power",
            Self::Process => "process",
        }
    }
}

/// Those that are there.
pub fn installed() -> Vec<Peer> {
    let is_there = |program: &str| {
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .any(|folder| folder.join(program).is_file())
    };
    let of =
        |store| [Durability::Power, Durability::Process].map(|durability| Peer::Bgctl(store, durability));
    let mut peers: Vec<Peer> = [Store::Json, Store::Lines].into_iter().flat_map(of).collect();
    let others = [(Peer::Nq, "nq"), (Peer::TaskSpooler, "tsp"), (Peer::Pueue, "pueued")];
    peers.extend(others.into_iter().filter(|(_, program)| is_there(program)).map(|(peer, _)| peer));
    peers
}

impl Peer {
    /// What it is called.
    pub fn name(self) -> String {
        match self {
            Self::Bgctl(store, durability) => format!("bgctl, {}, {}", store.as_str(), durability.as_str()),
            Self::Nq => "nq".to_owned(),
            Self::TaskSpooler => "tsp".to_owned(),
            Self::Pueue => "pueue".to_owned(),
        }
    }

    /// Its name and version, as it says them itself or as its package does.
    pub fn version(self) -> String {
        let package =
            |name: &str| said(Command::new("dpkg-query").args(["-W", "-f", "${Package} ${Version}", name]));
        let said = match self {
            Self::Bgctl(..) => {
                let library = if cfg!(target_env = "musl") { "musl" } else { "the machine's C library" };
                let version = said(Command::new(BGCTL).arg("--version"));
                format!("{} with {library}", version.lines().next().unwrap_or_default())
            }
            Self::Nq => package("nq"),
            Self::TaskSpooler => package("task-spooler"),
            Self::Pueue => said(Command::new("pueue").arg("--version")),
        };
        said.lines().next().unwrap_or("of an unknown version").to_owned()
    }

    /// Whether it is this program.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Bgctl(..))
    }

    /// The names of the programs that stay while jobs run or wait.
    fn staying(self) -> &'static [&'static str] {
        match self {
            Self::Bgctl(..) => &["bgctl"],
            Self::Nq => &["nq"],
            Self::TaskSpooler => &["tsp"],
            Self::Pueue => &["pueued"],
        }
    }

    /// Most jobs that may wait: nq keeps a process for each, task-spooler a process and a connection, of which it takes a thousand,
    /// and pueue takes longer for each further one.
    pub fn waiting_max(self) -> usize {
        match self {
            Self::Bgctl(..) => usize::MAX,
            Self::TaskSpooler => 300,
            Self::Nq | Self::Pueue => 1_000,
        }
    }

    /// A queue of its own, which runs so many jobs at once; nq always runs one.
    pub fn open(self, scratch: &Path, slots: usize) -> Place {
        let folder = tempfile::Builder::new().prefix("q.").tempdir_in(scratch).expect("a folder").keep();
        let place = Place { peer: self, folder };
        place.begin(slots);
        place
    }
}

/// A queue of its own.
#[derive(Debug)]
pub struct Place {
    /// Whose.
    pub peer: Peer,
    folder: PathBuf,
}

impl Place {
    fn begin(&self, slots: usize) {
        match self.peer {
            Peer::Bgctl(store, durability) => {
                fs::DirBuilder::new().mode(0o700).create(self.home()).expect("a root");
                let (store, durability) = (store.as_str(), durability.as_str());
                let settings = format!(
                    "[store]\ntype = \"{store}\"\ndurability = \"{durability}\"\n\
                     [queue]\nmax_concurrent = {slots}\nmax_size = 1000000\nbatch_max = 1000000\n"
                );
                fs::write(self.home().join("config.toml"), settings).expect("settings");
            }
            Peer::Nq => {}
            Peer::TaskSpooler => {
                time(self.command("tsp").args(["-S", &slots.to_string()]));
            }
            Peer::Pueue => {
                let at = self.folder.display();
                let settings = format!(
                    "shared:\n  pueue_directory: {at}/p\n  runtime_directory: {at}/p\n  use_unix_socket: true\n  \
                     unix_socket_path: {at}/s\nclient: {{}}\ndaemon: {{}}\n"
                );
                fs::write(self.folder.join("c.yml"), settings).expect("settings");
                fs::create_dir(self.folder.join("p")).expect("a folder");
                let mut daemon = self.command("pueued");
                daemon.args(["-d", "-c"]).arg(self.folder.join("c.yml"));
                time(&mut daemon);
                wait_until(|| {
                    self.pueue(&["status"])
                        .stdout(Stdio::null())
                        .stderr(Stdio::null())
                        .status()
                        .is_ok_and(|s| s.success())
                });
                time(&mut self.pueue(&["parallel", &slots.to_string()]));
            }
        }
    }

    /// Something in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// A command whose every process can be found by its environment.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_remove("BG_JOB_ID")
            .env("BG_HOME", self.home())
            .env("NQDIR", self.folder.join("nq"))
            .env("TS_SOCKET", self.folder.join("socket"))
            .env("TS_MAXFINISHED", "1000000")
            .env("TMPDIR", &self.folder);
        command
    }

    /// `bgctl` with these arguments.
    pub fn bgctl(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(BGCTL);
        command.args(arguments);
        command
    }

    fn pueue(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("pueue");
        command.arg("-c").arg(self.folder.join("c.yml")).args(arguments);
        command
    }

    /// What submits a job.
    pub fn submit(&self, job: &[&str]) -> Command {
        let mut command = match self.peer {
            Peer::Bgctl(..) => self.bgctl(&["start", "--"]),
            Peer::Nq => self.command("nq"),
            Peer::TaskSpooler => self.command("tsp"),
            Peer::Pueue => self.pueue(&["add", "--"]),
        };
        command.args(job);
        command
    }

    /// What shows the jobs; nq has nothing for that.
    pub fn list(&self) -> Option<Command> {
        match self.peer {
            Peer::Bgctl(..) => Some(self.bgctl(&["list", "--all"])),
            Peer::Nq => None,
            Peer::TaskSpooler => Some(self.command("tsp")),
            Peer::Pueue => Some(self.pueue(&["status"])),
        }
    }

    /// Lets so many jobs wait behind one that does not end.
    pub fn fill(&self, count: usize) {
        time(&mut self.submit(&["sleep", "100000"]));
        if let (Peer::Bgctl(..), true) = (self.peer, count > 0) {
            let file = self.folder.join("batch");
            fs::write(&file, "{\"argv\": [\"true\"]}\n".repeat(count)).expect("a batch");
            time(self.bgctl(&["start", "--batch"]).arg(&file));
            return;
        }
        for _ in 0..count {
            time(&mut self.submit(&["true"]));
        }
    }

    /// Waits until nothing runs and nothing waits.
    pub fn drain(&self) {
        match self.peer {
            Peer::Bgctl(..) => {
                time(&mut self.bgctl(&["wait", "--all"]));
            }
            Peer::Nq => {
                time(self.command("nq").arg("-w"));
            }
            Peer::TaskSpooler => wait_until(|| {
                let list = said(&mut self.command("tsp"));
                !list.lines().skip(1).any(|line| line.contains(" queued ") || line.contains(" running "))
            }),
            Peer::Pueue => {
                time(&mut self.pueue(&["wait", "--quiet", "--all"]));
            }
        }
    }

    /// The processes that stay for the jobs of this queue.
    pub fn processes(&self) -> Vec<u32> {
        let is_ours = |pid: &u32| {
            let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
            let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.peer.staying().contains(&name.as_str())
        };
        self.all_processes().into_iter().filter(is_ours).collect()
    }

    /// All processes that have this queue's folder in their environment or among their arguments.
    fn all_processes(&self) -> Vec<u32> {
        let folder = self.folder.as_os_str().as_encoded_bytes();
        let names = |pid: &u32, file: &str| {
            let text = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            text.windows(folder.len()).any(|part| part == folder)
        };
        let pids = fs::read_dir("/proc").expect("/proc").flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid| *pid != std::process::id() && (names(pid, "environ") || names(pid, "cmdline")))
            .collect()
    }

    /// Ends whatever is left.
    pub fn close(self) {
        match self.peer {
            Peer::Bgctl(..) => {
                time(&mut self.bgctl(&["cancel", "--all", "--yes"]));
                self.drain();
            }
            Peer::TaskSpooler => {
                let _ = self.command("tsp").arg("-K").status();
            }
            Peer::Pueue => {
                let _ = self.pueue(&["shutdown"]).stdout(Stdio::null()).status();
            }
            Peer::Nq => {}
        }
        let end = |pid: u32| {
            let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
            pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::KILL));
        };
        wait_until(|| {
            let left = self.all_processes();
            left.iter().copied().for_each(end);
            left.is_empty()
        });
        // Its folder goes with all others at the end: ext4 without a journal keeps the numbers of files that were removed for up to six
        // minutes, and whoever makes a file meanwhile looks at them all.
        wait_for_reaping();
    }
}

/// Waits until whoever has adopted the processes that have ended has let them go: until then they are among those that a look at
/// all processes meets. Ten seconds at most; there may be some that nobody lets go.
fn wait_for_reaping() {
    let is_zombie = |entry: fs::DirEntry| {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))
    };
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10)
        && fs::read_dir("/proc").expect("/proc").flatten().any(is_zombie)
    {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Looks every millisecond whether it is so.
///
/// # Panics
///
/// When it is not so after five minutes.
pub fn wait_until(mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_mins(5), "it does not come to an end");
        std::thread::sleep(Duration::from_millis(1));
    }
    let _ = std::io::stderr().flush();
}
