//! Many jobs in one submission: the lines of a batch, or the numbers of an array. All of them are queued, or none.

use super::{
    WhenFull,
    array::Array,
    batch::{self, BadBatch, BadLine, Line},
    environment,
    fields::BadField,
    foresee::{Foreseen, Present},
    given::{Common, Request},
    input::OWN,
    submit::{Entry, Placed, Submission, Submitted, submit},
    wait_for_room, waited_for,
};
use crate::model::{config::Config, dependency::Dependency, facts::Facts, id::JobId, spec::JobSpec};
use crate::ops::{
    fault::{Code, Fault, without_number},
    home::{BrokenConfig, Home},
};
use crate::os::clock::Clock;
use crate::pass::Decided;
use crate::plan::{Action, admit::Full};
use crate::store::Store;
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

/// Which jobs are asked for at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Many {
    /// The lines of a file; `-` is our own standard input.
    Batch(PathBuf),
    /// One command for each number.
    Array(Array),
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Lines were read.
    Read {
        /// So many.
        lines: u64,
        /// With so many bytes.
        bytes: u64,
        /// Of so many, where that is known.
        of: Option<u64>,
    },
    /// The jobs are checked.
    Check {
        /// So many are.
        jobs: usize,
        /// Of so many.
        of: usize,
    },
    /// All of them are queued, in one step.
    Write {
        /// So many.
        jobs: usize,
    },
    /// There is no room for them yet.
    Wait(Full),
}

/// Which of many jobs one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// That of a line, from 1.
    Line(u64),
    /// That of a number of an array.
    Number(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Number(number) => write!(f, "array index {number}"),
        }
    }
}

/// What became of many jobs.
#[derive(Debug)]
pub struct Started {
    /// Each of them, in the order asked.
    pub jobs: Vec<(Place, Placed)>,
    /// How many start now.
    pub starting: usize,
    /// How many wait for approval.
    pub waiting: usize,
    /// What was decided, for those who want to see it.
    pub decided: Decided,
    /// What the user should be told.
    pub warnings: Vec<String>,
}

impl Started {
    /// The ids in the order asked.
    pub fn ids(&self) -> Vec<JobId> {
        self.jobs.iter().map(|(_, placed)| placed.id.clone()).collect()
    }
}

/// Submits many jobs with these flags. `told` learns how far it is.
pub fn start(
    flags: &Request,
    many: &Many,
    when_full: WhenFull,
    told: &mut dyn FnMut(Stage),
) -> Result<Started, Fault> {
    let home = Home::open(BrokenConfig::Stops)?;
    let deadline = when_full.deadline();
    let asked = Asked::read(flags, many, &home.config, told)?;
    loop {
        let (places, mut submission) = prepare(&home, flags, &asked, told)?;
        told(Stage::Write { jobs: places.len() });
        let left_out = environment::tokens_left_out(flags, &submission.inherited);
        let gated: Vec<bool> = submission.entries.iter().map(|entry| entry.spec.gate.is_some()).collect();
        let store = home.store();
        let executor = home.local();
        let pass = home.pass(&store, &executor);
        match submit(&home, &pass, &mut submission)? {
            Submitted::Stands(all, mut decided) => {
                let mut warnings = home.warnings.clone();
                warnings.extend(left_out);
                warnings.extend(decided.warnings.iter().cloned());
                let waits = |(one, gated): &(&Placed, &bool)| one.created && **gated;
                let waiting = all.iter().zip(&gated).filter(waits).count();
                // The ids are on disk: from here on, whatever goes wrong is a warning.
                warnings.extend(pass.act(&decided.actions).unwrap_or_else(|error| vec![error.to_string()]));
                let jobs: Vec<(Place, Placed)> = places.into_iter().zip(all).collect();
                let is_claimed = |one: &Placed| {
                    let launches = |action: &Action| matches!(action, Action::Launch { id } if *id == one.id);
                    one.created && decided.actions.iter().any(launches)
                };
                let starting = jobs.iter().filter(|(_, placed)| is_claimed(placed)).count();
                if starting == 0
                    && waiting < jobs.len()
                    && let Err(error) = pass.advance_if_due(&mut decided)
                {
                    warnings.push(error.to_string());
                }
                return Ok(Started { jobs, starting, waiting, decided, warnings });
            }
            Submitted::NoGroup { entry, fault } => return Err(asked.refused(places[entry], fault)),
            Submitted::Full(full, decided) => {
                pass.act(&decided.actions)?;
                wait_for_room(&home, &full, when_full, deadline, &mut |full| told(Stage::Wait(*full)))?;
            }
        }
    }
}

/// What would be submitted, or what is there in its place. Changes nothing.
pub fn foresee(
    flags: &Request,
    many: &Many,
    when_full: WhenFull,
    told: &mut dyn FnMut(Stage),
) -> Result<Foreseen, Fault> {
    let present = Present::read()?;
    let asked = Asked::read(flags, many, &present.config, told)?;
    let (entries, _) = entries(&present.config, &present.facts, flags, &asked, told)?;
    present.foresee(flags, entries.into_iter().map(|(_, spec)| spec).collect(), when_full)
}

/// What is asked for, read and yet to be checked.
enum Asked {
    Lines { called: String, lines: Vec<Line> },
    Numbers(Vec<u64>),
}

impl Asked {
    fn read(
        flags: &Request,
        many: &Many,
        config: &Config,
        told: &mut dyn FnMut(Stage),
    ) -> Result<Self, Fault> {
        if flags.stdin.as_deref() == Some(Path::new(OWN)) {
            return Err(one_reader());
        }
        let jobs_max = config.queue.batch_jobs_max;
        match many {
            Many::Array(array) => array
                .numbers(jobs_max)
                .map(|numbers| Self::Numbers(numbers.into_iter().collect()))
                .ok_or_else(|| too_many("--array", jobs_max)),
            Many::Batch(path) => {
                let called =
                    if path == Path::new(OWN) { "standard input".into() } else { path.display().to_string() };
                let lines = lines(path, flags, jobs_max, told).map_err(|error| unreadable(&called, error))?;
                if lines.is_empty() {
                    let fault = Fault::new(Code::Usage, format!("{called} has no line with a command"));
                    return Err(fault.hint("nothing was queued"));
                }
                Ok(Self::Lines { called, lines })
            }
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::Lines { lines, .. } => lines.len(),
            Self::Numbers(numbers) => numbers.len(),
        }
    }

    /// Each job that is asked for.
    fn each(
        &self,
        flags: &Request,
        mut take: impl FnMut(Place, &Request) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        match self {
            Self::Lines { lines, .. } => {
                lines.iter().try_for_each(|line| take(Place::Line(line.number), &line.request(flags)))
            }
            Self::Numbers(numbers) => {
                numbers.iter().try_for_each(|number| take(Place::Number(*number), &flags.numbered(*number)))
            }
        }
    }

    /// What is wrong with one of them, with its place.
    fn refused(&self, place: Place, fault: Fault) -> Fault {
        let message = match self {
            Self::Lines { called, .. } => format!("{called}, {place}: {}; nothing was queued", fault.message),
            Self::Numbers(_) => format!("{place}: {}; nothing was queued", fault.message),
        };
        Fault { message, ..fault }
    }
}

fn lines(
    path: &Path,
    flags: &Request,
    jobs_max: usize,
    told: &mut dyn FnMut(Stage),
) -> Result<Vec<Line>, BadBatch> {
    let own = path == Path::new(OWN);
    let (from, of): (Box<dyn Read>, Option<u64>) = if own {
        (Box::new(io::stdin().lock()), None)
    } else {
        let file = File::open(path)?;
        let of = file.metadata()?;
        let of = of.is_file().then_some(of.len());
        (Box::new(file), of)
    };
    batch::read(BufReader::new(from), flags, jobs_max, &mut |lines, bytes| {
        told(Stage::Read { lines, bytes, of });
    })
}

fn unreadable(called: &str, error: BadBatch) -> Fault {
    match error {
        BadBatch::Line { line, why } => {
            let fault = Fault::new(Code::Usage, format!("{called}, line {line}: {why}; nothing was queued"));
            match why {
                BadLine::Object(BadField::Syntax { .. }) => fault.hint(
                    "a line that begins with { is one JSON object; what a shell is to run in a group stands in ( )",
                ),
                _ => fault,
            }
        }
        BadBatch::TooMany(jobs_max) => too_many(called, jobs_max),
        BadBatch::System(error) => {
            let why = without_number(&error.to_string());
            Fault::new(Code::Failed, format!("could not read {called}: {why}; nothing was queued"))
        }
    }
}

fn too_many(called: &str, jobs_max: usize) -> Fault {
    Fault::new(Code::Usage, format!("{called}: more than {jobs_max} jobs at once; nothing was queued"))
        .hint("give them in parts, or raise queue.batch_max in config.toml")
}

fn one_reader() -> Fault {
    Fault::new(Code::Usage, "--stdin - is kept for a single job, and these are many")
        .hint("a file can be read by each of them: --stdin FILE")
}

/// What is to be submitted, everything checked, and which place each job has.
fn prepare(
    home: &Home,
    flags: &Request,
    asked: &Asked,
    told: &mut dyn FnMut(Stage),
) -> Result<(Vec<Place>, Submission), Fault> {
    let facts = home.store().read()?;
    let (all, inherited) = entries(&home.config, &facts, flags, asked, told)?;
    let (places, entries) =
        all.into_iter().map(|(place, spec)| (place, Entry { spec, input: None, after: Vec::new() })).unzip();
    let submission = Submission {
        entries,
        inherited,
        not_before: flags.not_before(home.clock.now()),
        is_batch: true,
        makes_groups: flags.create_group,
        retried: Vec::new(),
    };
    Ok((places, submission))
}

/// The specifications of all, and the environment that they have in common.
fn entries(
    config: &Config,
    facts: &Facts,
    flags: &Request,
    asked: &Asked,
    told: &mut dyn FnMut(Stage),
) -> Result<(Vec<(Place, JobSpec)>, crate::os::inherited::Inherited), Fault> {
    let mut common = Common::of(flags, config)?;
    let mut known: HashMap<(Vec<String>, Vec<String>), Vec<Dependency>> = HashMap::new();
    let mut keys: HashMap<String, Place> = HashMap::new();
    let mut entries: Vec<(Place, JobSpec)> = Vec::with_capacity(asked.count());
    let of = asked.count();
    asked.each(flags, |place, request| {
        told(Stage::Check { jobs: entries.len(), of });
        let mut spec = || {
            if request.stdin.as_deref() == Some(Path::new(OWN)) {
                return Err(one_reader());
            }
            let mut spec = common.spec(request)?;
            if !(request.after.is_empty() && request.after_end.is_empty()) {
                let names = (request.after.clone(), request.after_end.clone());
                if !known.contains_key(&names) {
                    let found = waited_for(facts, &request.after, &request.after_end)?;
                    known.insert(names.clone(), found);
                }
                spec.after.clone_from(&known[&names]);
            }
            spec.array_index = if let Place::Number(number) = place { Some(number) } else { None };
            Ok(spec)
        };
        let spec = spec().map_err(|fault| asked.refused(place, fault))?;
        if let Some(key) = &spec.key
            && let Some(other) = keys.insert(key.text.clone(), place)
        {
            return Err(same_key(asked, [other, place], &key.text));
        }
        entries.push((place, spec));
        Ok(())
    })?;
    for (_, spec) in &mut entries {
        let hash = spec.gate.is_some().then(|| common.hash(spec));
        if let (Some(gate), Some(hash)) = (&mut spec.gate, hash) {
            gate.hash = hash;
        }
    }
    Ok((entries, common.inherited))
}

fn same_key(asked: &Asked, places: [Place; 2], key: &str) -> Fault {
    let [one, other] = places;
    let fault = Fault::new(Code::Usage, format!("{key:?} is the key of {one}, too"));
    let fault = asked.refused(other, fault);
    fault.hint(match asked {
        Asked::Lines { .. } => {
            "a key stands for one job; a line has its own as {\"key\": …}, or --unique makes one"
        }
        Asked::Numbers(_) => "a key stands for one job; {} in it stands for the number: --key 'part-{}'",
    })
}
