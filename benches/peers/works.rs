//! What is measured: each work gives a part of the page.

use crate::STAMP;
use crate::measure::{Times, said, time};
use crate::page::{Part, Row, Table};
use crate::peers::{Durability, Peer, Place, Store, wait_until};
use crate::plot::{Line, Plot};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// A work: what it is called, and how it is measured among these peers, in a folder for what is made.
type Work = (&'static str, fn(&[Peer], &Path) -> Part);

/// All of them, in their order on the page.
pub const ALL: [Work; 9] = [
    ("startup", startup),
    ("submit", submit),
    ("handoff", handoff),
    ("drain", drain),
    ("scale", scale),
    ("memory", memory),
    ("many", many),
    ("output", output),
    ("large", large),
];

/// Their names.
pub const NAMES: [&str; ALL.len()] = {
    let mut names = [""; ALL.len()];
    let mut place = 0;
    while place < names.len() {
        names[place] = ALL[place].0;
        place += 1;
    }
    names
};

/// Rounds in which each takes its turn.
const ROUNDS: usize = 100;

/// A job that says when it began and when it ended, in nanoseconds of the monotonic clock (`clock_gettime(2)`).
pub fn stamp(file: &Path) -> ExitCode {
    let begun = monotonic_nanoseconds();
    let mut file = fs::OpenOptions::new().append(true).create(true).open(file).expect("a file for the times");
    let _ = writeln!(file, "{begun} {}", monotonic_nanoseconds());
    ExitCode::SUCCESS
}

fn monotonic_nanoseconds() -> i128 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
}

/// Rounds in which all take their turns, each time another one first.
fn in_turns<T>(all: &[T], rounds: usize, mut turn: impl FnMut(usize, &T)) {
    in_turns_but(all, rounds, |_| false, &mut turn);
}

/// The same, where some are so slow that they take part in every tenth round only.
fn in_turns_but<T>(all: &[T], rounds: usize, is_slow: impl Fn(&T) -> bool, turn: &mut dyn FnMut(usize, &T)) {
    for round in 0..rounds {
        for step in 0..all.len() {
            let place = (round + step) % all.len();
            if round % 10 == 0 || !is_slow(&all[place]) {
                turn(place, &all[place]);
            }
        }
    }
}

fn startup(_: &[Peer], scratch: &Path) -> Part {
    let place = Peer::Bgctl(Store::Json, Durability::Power).open(scratch, 1);
    let mut times = [Times::default(), Times::default()];
    in_turns(&[0, 1], 5 * ROUNDS, |_, which| {
        times[*which].add(match which {
            0 => time(&mut place.bgctl(&["--version"])),
            _ => time(&mut Command::new("true")),
        });
    });
    place.close();
    let rows = ["`bgctl --version`", "`true`"].map(str::to_owned).into_iter().zip(&times).collect();
    let table = Table::of_times("command", rows, Some(("`true`".to_owned(), &times[1])));
    Part {
        title: "Start-up".to_owned(),
        about: "From the launch of the process to its end.".to_owned(),
        tables: vec![table],
        plots: vec![],
    }
}

fn named(peers: &[Peer], times: &[Times], to: Peer) -> Table {
    let reference = peers.iter().position(|peer| *peer == to).map(|place| &times[place]);
    let rows = peers.iter().zip(times).map(|(peer, times)| (peer.name(), times)).collect();
    Table::of_times("program", rows, reference.map(|times| (to.name(), times)))
}

fn submit(peers: &[Peer], scratch: &Path) -> Part {
    let places: Vec<Place> = peers.iter().map(|peer| peer.open(scratch, 2)).collect();
    let mut times = vec![Times::default(); peers.len()];
    in_turns_but(&places, 2 * ROUNDS, |place| place.peer == Peer::Pueue, &mut |which, place| {
        times[which].add(time(&mut place.submit(&["true"])));
        place.drain();
    });
    places.into_iter().for_each(Place::close);
    Part {
        title: "Submit".to_owned(),
        about: "One `true` into an empty queue, from the launch of the command to its end. What was submitted before has ended, and \
                is still in the list."
            .to_owned(),
        tables: vec![named(peers, &times, Peer::TaskSpooler)],
        plots: vec![],
    }
}

fn handoff(peers: &[Peer], scratch: &Path) -> Part {
    const JOBS: usize = 50;
    let itself = std::env::current_exe().expect("this program");
    let itself = itself.to_string_lossy().into_owned();
    let mut times = vec![Times::default(); peers.len()];
    in_turns_but(peers, 5, |peer| *peer == Peer::Pueue, &mut |which, peer| {
        let place = peer.open(scratch, 1);
        let file = scratch.join("stamps");
        let _ = fs::remove_file(&file);
        // All of them wait before the first one starts.
        time(&mut place.submit(&["sleep", "1"]));
        for _ in 0..JOBS {
            time(&mut place.submit(&[&itself, STAMP, &file.to_string_lossy()]));
        }
        wait_until(|| fs::read_to_string(&file).unwrap_or_default().lines().count() == JOBS);
        let text = fs::read_to_string(&file).unwrap_or_default();
        let stamps: Vec<Vec<u64>> =
            text.lines().map(|line| line.split(' ').filter_map(|word| word.parse().ok()).collect()).collect();
        for two in stamps.windows(2) {
            times[which].add(Duration::from_nanos(two[1][0].saturating_sub(two[0][1])));
        }
        place.close();
    });
    Part {
        title: "Hand-off".to_owned(),
        about: format!(
            "{JOBS} jobs wait, one runs at a time: from the last instruction of a job to the first one of the next. Both are told by \
             the jobs themselves; ending and launching a process is in it."
        ),
        tables: vec![named(peers, &times, Peer::Nq)],
        plots: vec![],
    }
}

fn drain(peers: &[Peer], scratch: &Path) -> Part {
    const JOBS: usize = 300;
    let mut times = vec![Times::default(); peers.len()];
    in_turns_but(peers, 5, |peer| *peer == Peer::Pueue, &mut |which, peer| {
        let place = peer.open(scratch, 2);
        let begun = Instant::now();
        for _ in 0..JOBS {
            time(&mut place.submit(&["true"]));
        }
        place.drain();
        times[which].add(begun.elapsed());
        place.close();
    });
    Part {
        title: "Drain".to_owned(),
        about: format!(
            "{JOBS} × `true`, each submitted by its own command, two at a time (nq: one at a time): from the first submission to the \
             last end."
        ),
        tables: vec![named(peers, &times, Peer::TaskSpooler)],
        plots: vec![],
    }
}

fn scale(peers: &[Peer], scratch: &Path) -> Part {
    const WAITING: [usize; 6] = [0, 100, 300, 1_000, 3_000, 10_000];
    const SCALE_ROUNDS: usize = 20;
    let mut submits: Vec<Line> = peers.iter().map(|peer| Line::of(peer.name())).collect();
    let mut lists = submits.clone();
    for waiting in WAITING {
        eprintln!("   {waiting} waiting");
        // Who looks at what a job uses looks at every process: those of the peers, thousands, would count for ours.
        for ours in [true, false] {
            let here: Vec<(usize, Place)> = peers
                .iter()
                .enumerate()
                .filter(|(_, peer)| peer.is_ours() == ours && peer.waiting_max() >= waiting)
                .map(|(which, peer)| (which, peer.open(scratch, 1)))
                .collect();
            for (_, place) in &here {
                place.fill(waiting);
            }
            let (mut submit, mut list) =
                (vec![Times::default(); peers.len()], vec![Times::default(); peers.len()]);
            in_turns(&here, SCALE_ROUNDS, |_, (which, place)| {
                submit[*which].add(time(&mut place.submit(&["true"])));
                if let Some(mut command) = place.list() {
                    list[*which].add(time(&mut command));
                }
            });
            for (lines, times) in [(&mut submits, submit), (&mut lists, list)] {
                for (line, times) in lines.iter_mut().zip(times).filter(|(_, times)| !times.is_empty()) {
                    line.points.push((waiting, times.median()));
                }
            }
            for (_, place) in here {
                place.close();
            }
        }
    }
    lists.retain(|line| !line.points.is_empty());
    let plot = |file: &str, what: &str, lines: &[Line]| Plot {
        file: file.to_owned(),
        title: format!("{what}, by the number of jobs that wait"),
        lines: lines.to_vec(),
    };
    Part {
        title: "Cost against the length of the queue".to_owned(),
        about: "One more submission, and a list of all, while so many jobs wait behind one that runs; medians in milliseconds. Those of bgctl take turns among \
                themselves, without the processes of the others, and the others after them. nq and \
                task-spooler keep a process for each job that waits; a thousand of nq's were tried, three hundred of task-spooler's, \
                which waits once it has a thousand connections, and a thousand of pueue's."
            .to_owned(),
        tables: vec![
            Table::of_lines("submit, waiting", &WAITING, &submits),
            Table::of_lines("list, waiting", &WAITING, &lists),
            hundred_thousand(peers, scratch, SCALE_ROUNDS),
        ],
        plots: vec![plot("submit", "Submit one job", &submits), plot("list", "List the jobs", &lists)],
    }
}

/// Another submission, and a list of the next ones, while a hundred thousand wait.
fn hundred_thousand(peers: &[Peer], scratch: &Path, rounds: usize) -> Table {
    let kept_as_lines = |peer: &&Peer| matches!(peer, Peer::Bgctl(Store::Lines, _));
    let times: Vec<(String, Times)> = peers
        .iter()
        .filter(kept_as_lines)
        .flat_map(|peer| {
            let place = peer.open(scratch, 1);
            place.fill(100_000);
            let (mut submit, mut list) = (Times::default(), Times::default());
            for _ in 0..rounds {
                submit.add(time(&mut place.submit(&["true"])));
                list.add(time(&mut place.bgctl(&["list", "--limit", "20"])));
            }
            place.close();
            [
                (format!("{}, submit", peer.name()), submit),
                (format!("{}, `list --limit 20`", peer.name()), list),
            ]
        })
        .collect();
    let rows = times.iter().map(|(name, times)| (name.clone(), times)).collect();
    Table::of_times("100,000 waiting", rows, None)
}

/// Proportional and dirty memory of these processes together, in KiB (`proc_pid_smaps(5)`).
fn memory_of(place: &Place) -> (usize, u64, u64) {
    let pids = place.processes();
    let sum = |field: &str| -> u64 {
        let of = |pid: &u32| {
            let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(field))?.to_owned();
            line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()
        };
        pids.iter().filter_map(of).sum()
    };
    (pids.len(), sum("Pss:"), sum("Private_Dirty:"))
}

fn memory(peers: &[Peer], scratch: &Path) -> Part {
    let mut rows = Vec::new();
    for peer in peers {
        let place = peer.open(scratch, 2);
        // What ran once has shown what stays when nothing does.
        time(&mut place.submit(&["true"]));
        place.drain();
        let left = |place: &Place| place.processes().len();
        if peer.is_ours() {
            wait_until(|| left(&place) == 0);
        }
        let idle = memory_of(&place);
        // nq runs one at a time: a second one waits.
        for _ in 0..2 {
            time(&mut place.submit(&["sleep", "1000"]));
        }
        std::thread::sleep(Duration::from_secs(2));
        let busy = memory_of(&place);
        let cells = [idle, busy]
            .into_iter()
            .flat_map(|(count, pss, dirty)| [count.to_string(), pss.to_string(), dirty.to_string()]);
        rows.push(Row { name: peer.name(), cells: cells.collect() });
        place.close();
    }
    let columns = ["program", "processes, idle", "PSS", "dirty", "processes, two jobs", "PSS", "dirty"];
    Part {
        title: "Memory".to_owned(),
        about: "What stays in memory beside the jobs themselves, in KiB: proportional (PSS) and private dirty, after a job has ended, \
                and while two `sleep` are there (nq runs one, the other waits)."
            .to_owned(),
        tables: vec![Table { columns: columns.map(str::to_owned).to_vec(), rows }],
        plots: vec![],
    }
}

fn many(peers: &[Peer], scratch: &Path) -> Part {
    const COUNT: usize = 64;
    let ours: Vec<Peer> = peers.iter().copied().filter(|peer| peer.is_ours()).collect();
    let (mut one_by_one, mut at_once) =
        (vec![Times::default(); ours.len()], vec![Times::default(); ours.len()]);
    in_turns(&ours, 10, |which, peer| {
        for is_parallel in [false, true] {
            let place = peer.open(scratch, 1);
            place.fill(0);
            let begun = Instant::now();
            if is_parallel {
                let quiet = |command: &mut Command| {
                    command
                        .stdin(Stdio::null())
                        .stdout(Stdio::null())
                        .stderr(Stdio::null())
                        .spawn()
                        .expect("a process")
                };
                let all: Vec<_> = (0..COUNT).map(|_| quiet(&mut place.submit(&["true"]))).collect();
                for mut one in all {
                    assert!(one.wait().is_ok_and(|status| status.success()), "a submission failed");
                }
                at_once[which].add(begun.elapsed());
            } else {
                for _ in 0..COUNT {
                    time(&mut place.submit(&["true"]));
                }
                one_by_one[which].add(begun.elapsed());
            }
            place.close();
        }
    });
    let table = |(peer, (one_by_one, at_once)): (&Peer, (&Times, &Times))| {
        let rows = vec![("one by one".to_owned(), one_by_one), ("at once".to_owned(), at_once)];
        Table::of_times(&peer.name(), rows, Some(("one by one".to_owned(), one_by_one)))
    };
    let tables = ours.iter().zip(one_by_one.iter().zip(&at_once)).map(table).collect();
    Part {
        title: "Many at once".to_owned(),
        about: format!("{COUNT} submissions that have to wait, one by one and all at once."),
        tables,
        plots: vec![],
    }
}

fn output(_: &[Peer], scratch: &Path) -> Part {
    const BYTES: &str = "1000000000";
    let place = Peer::Bgctl(Store::Json, Durability::Power).open(scratch, 1);
    let file = scratch.join("plain");
    let mut times = [Times::default(), Times::default()];
    in_turns(&[0, 1], 7, |_, which| {
        let write = format!("head -c {BYTES} /dev/zero");
        // The job says itself how long it took.
        let clocked = format!(
            "s=$(date +%s%N); {write}; e=$(date +%s%N); echo $((e - s)) > {}/took",
            scratch.display()
        );
        if *which == 0 {
            time(&mut place.bgctl(&["start", "--wait", "--log-max", "none", "--", "sh", "-c", &clocked]));
            time(&mut place.bgctl(&["prune", "--all"]));
        } else {
            time(Command::new("sh").args(["-c", &format!("{{ {clocked}; }} > {}", file.display())]));
            let _ = fs::remove_file(&file);
        }
        let took = fs::read_to_string(scratch.join("took")).unwrap_or_default();
        times[*which].add(Duration::from_nanos(took.trim().parse().unwrap_or(u64::MAX)));
    });
    let rows = ["into a log of bgctl", "`> file`"].map(str::to_owned).into_iter().zip(&times).collect();
    let table = Table::of_times("one gigabyte", rows, Some(("`> file`".to_owned(), &times[1])));
    place.close();
    Part {
        title: "Output".to_owned(),
        about: "A job writes a gigabyte of zeros to its standard output; the job itself takes the time."
            .to_owned(),
        tables: vec![table, tail_of_a_large_log(scratch)],
        plots: vec![],
    }
}

/// The last lines of a log of ten gigabytes, of which all but the end is a hole.
fn tail_of_a_large_log(scratch: &Path) -> Table {
    const BYTES: u64 = 10_000_000_000;
    let place = Peer::Bgctl(Store::Json, Durability::Power).open(scratch, 1);
    let id = said(&mut place.bgctl(&["start", "--wait", "--", "seq", "100000"]));
    let name = format!("home/runs/{}.log", id.trim());
    let path = place.path(&name);
    let lines = fs::read(&path).unwrap_or_default();
    let file = fs::OpenOptions::new().write(true).open(&path).expect("the log");
    std::os::unix::fs::FileExt::write_all_at(&file, &lines, BYTES - lines.len() as u64).expect("a long log");
    let mut times = Times::default();
    for _ in 0..ROUNDS {
        times.add(time(&mut place.bgctl(&["logs", "-n", "20", id.trim()])));
    }
    place.close();
    Table::of_times("of a log of 10 GB", vec![("`bgctl logs -n 20`".to_owned(), &times)], None)
}

fn large(peers: &[Peer], scratch: &Path) -> Part {
    let mut rows = Vec::new();
    for peer in peers.iter().filter(|peer| peer.is_ours()) {
        // With all jobs written anew at each change, ten thousand take minutes.
        let sizes =
            if matches!(peer, Peer::Bgctl(Store::Json, _)) { [1_000, 3_000] } else { [1_000, 10_000] };
        for jobs in sizes {
            let place = peer.open(scratch, 2);
            let file = place.path("batch");
            fs::write(&file, "{\"argv\": [\"true\"]}\n".repeat(jobs)).expect("a batch");
            let begun = Instant::now();
            time(place.bgctl(&["start", "--batch"]).arg(&file));
            place.drain();
            let took = begun.elapsed().as_secs_f64();
            let told = said(&mut place.bgctl(&["list", "--all", "--format", "{ended_at}"]));
            let mut ends: Vec<i64> = told
                .lines()
                .filter_map(|line| chrono::DateTime::parse_from_rfc3339(line).ok())
                .map(|at| at.timestamp_millis())
                .collect();
            ends.sort_unstable();
            let tenth = ends.len() / 10;
            let rate = |of: &[i64]| match of {
                [from, .., to] if to > from => (of.len() - 1) as f64 * 1_000.0 / (to - from) as f64,
                _ => f64::NAN,
            };
            let (at_first, at_last) = (rate(&ends[..tenth]), rate(&ends[ends.len() - tenth..]));
            let cells = vec![
                jobs.to_string(),
                format!("{took:.1} s"),
                format!("{:.0}", jobs as f64 / took),
                format!("{at_first:.0}"),
                format!("{at_last:.0}"),
            ];
            rows.push(Row { name: peer.name(), cells });
            place.close();
        }
    }
    let columns = ["program", "jobs", "time", "a second", "first tenth", "last tenth"];
    Part {
        title: "A large batch".to_owned(),
        about: "So many `true` submitted by one `--batch`, two at a time, and how many ended a second: altogether, among the first \
                tenth that ended, and among the last."
            .to_owned(),
        tables: vec![Table { columns: columns.map(str::to_owned).to_vec(), rows }],
        plots: vec![],
    }
}
