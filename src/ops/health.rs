//! How the whole is: figures, and a verdict with its reasons. Looking makes and changes nothing.

use super::{
    fault::{Code, Fault},
    home::{BrokenConfig, Home},
    schedule::file,
};
use crate::exec::local::alarm;
use crate::model::{
    Timestamp,
    claim::Site,
    config::{Config, StoreType},
    facts::Facts,
    health::HealthStatus,
    id::JobId,
    job::Job,
    nearest::nearest_word,
};
use crate::os::clock::{Clock, SystemClock};
use crate::plan::{
    census::Census,
    health::{self, Going, Report, Sights, Verdict, amiss, judge},
};
use crate::store::{
    Store, StoreError,
    file::index::{self, file_name},
    logs,
    root::LAST_TICK,
    told::{self, Told},
};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Room beside the next index: for the lines of the stream and of run records.
const ROOM_BYTES: u64 = 64 * 1024;
/// How often is looked again when a job ended between two looks.
const LOOKS_MAX: usize = 5;

/// Everything about how the whole is.
#[derive(Debug)]
pub struct Answer {
    /// Whether that is well.
    pub verdict: Verdict,
    /// The figures.
    pub report: Report,
    /// The space of run files.
    pub disk: Disk,
    /// What the user should be told.
    pub warnings: Vec<String>,
    /// When that was.
    pub at: Timestamp,
}

/// The space of run files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// What all run files take.
    pub runs_bytes: u64,
    /// What the logs among them take.
    pub logs_bytes: u64,
    /// What they may take together.
    pub logs_bytes_max: Option<u64>,
    /// What the file system has left for this user; `None` where there is no root yet, or it does not tell.
    pub free_bytes: Option<u64>,
}

/// Looks at everything.
pub fn health() -> Result<Answer, Fault> {
    let Some(home) = Home::open_existing(BrokenConfig::Warns)? else { return Ok(of_nothing()) };
    let (facts, seen) = look(&home)?;
    let sights = seen.sights(&home);
    let space = logs::space(&home.root)?;
    let disk = Disk {
        runs_bytes: space.runs_bytes,
        logs_bytes: space.logs_bytes,
        logs_bytes_max: home.config.log_bytes_total_max,
        free_bytes: home.root.folder().space().ok().map(|space| space.free_bytes),
    };
    Ok(Answer {
        verdict: judge(&facts, &sights),
        report: health::report(&facts, &sights),
        disk,
        at: seen.now,
        warnings: home.warnings.clone(),
    })
}

/// A root that is not there is well.
fn of_nothing() -> Answer {
    let (config, census, mistakes) = (Config::default(), Census::new(), BTreeMap::new());
    let site = Site { host: String::new(), machine: String::new(), boot: String::new(), pid_namespace: 0 };
    let sights = Sights {
        census: &census,
        now: SystemClock.now(),
        config: &config,
        site: &site,
        last_tick: None,
        has_alarm: false,
        is_disk_full: false,
        settings: None,
        mistakes: &mistakes,
    };
    let report = health::report(&Facts::default(), &sights);
    let disk = Disk { logs_bytes_max: config.log_bytes_total_max, ..Disk::default() };
    Answer { verdict: Verdict::default(), report, disk, warnings: Vec::new(), at: sights.now }
}

/// What it comes to, for whoever has the root open and read the index.
pub fn verdict(home: &Home) -> Result<Verdict, Fault> {
    let (facts, seen) = look(home)?;
    Ok(judge(&facts, &seen.sights(home)))
}

/// Tells the stream what it comes to, where that is news. Gives what the caller should be told.
pub fn tell(home: &Home) -> Result<Option<String>, Fault> {
    let Verdict { status, reasons } = verdict(home)?;
    let now = home.clock.now();
    let words: Vec<String> = reasons.iter().map(|reason| reason.words(now)).collect();
    let is = Told { status, reasons: reasons.iter().map(health::Reason::key).collect() };
    Ok(told::tell(&home.root, &home.store(), now, &is, &words))
}

/// How schedules and names go: all, or one. The verdict is on these alone.
pub fn going(name: Option<&str>) -> Result<(Answer, Vec<Going>), Fault> {
    let mut answer = health()?;
    let mut going = std::mem::take(&mut answer.report.going);
    if let Some(name) = name {
        if !going.iter().any(|one| one.name == name) {
            return Err(no_such_name(name, &going));
        }
        going.retain(|one| one.name == name);
    }
    let names: BTreeSet<&str> = going.iter().map(|one| one.name.as_str()).collect();
    answer.verdict = std::mem::take(&mut answer.verdict).about(&names);
    Ok((answer, going))
}

fn no_such_name(name: &str, going: &[Going]) -> Fault {
    let fault =
        Fault::new(Code::NotFound, format!("no schedule is called {name:?}, nor did a job that has ended"));
    let known = going.iter().map(|one| one.name.as_str());
    match nearest_word(name, known) {
        Some(near) => fault.hint(format!("did you mean {near}? bgctl health --jobs shows all")),
        None => fault.hint("bgctl health --jobs shows all"),
    }
}

/// The names of everything that runs again and again, for those who type one.
pub fn known() -> Vec<String> {
    let names = || -> Option<Vec<String>> {
        let facts = Home::open_existing(BrokenConfig::Warns).ok()??.store().read().ok()?;
        Some(facts.schedules().keys().chain(facts.tables().names.keys()).cloned().collect())
    };
    names().unwrap_or_default()
}

/// What is seen beside the index.
struct Seen {
    now: Timestamp,
    census: Census,
    last_tick: Option<Timestamp>,
    has_alarm: bool,
    is_disk_full: bool,
    settings: Option<String>,
    mistakes: BTreeMap<String, String>,
}

impl Seen {
    fn sights<'a>(&'a self, home: &'a Home) -> Sights<'a> {
        Sights {
            census: &self.census,
            now: self.now,
            config: &home.config,
            site: &home.site,
            last_tick: self.last_tick,
            has_alarm: self.has_alarm,
            is_disk_full: self.is_disk_full,
            settings: self.settings.as_deref(),
            mistakes: &self.mistakes,
        }
    }
}

/// Reads the index and looks at what is beside it. A job that ends between the two seems to have lost its watcher: what
/// seems so is looked at again.
fn look(home: &Home) -> Result<(Rc<Facts>, Seen), StoreError> {
    let store = home.store();
    let mut facts = store.read()?;
    let mistakes = file::read(&home.config, home.root.path()).mistakes.into_iter();
    let mut seen = Seen {
        now: home.clock.now(),
        census: Census::new(),
        last_tick: home.root.folder().modified(LAST_TICK).ok().flatten().map(Timestamp::from),
        has_alarm: alarm::is_there(home.root.folder()).unwrap_or(false),
        is_disk_full: is_disk_full(home),
        settings: (!home.has_sound_config()).then(|| home.warnings.join("; ")),
        mistakes: mistakes.map(|(name, mistake)| (name, mistake.to_string())).collect(),
    };
    for _ in 0..LOOKS_MAX {
        seen.now = home.clock.now();
        seen.census = census(home, &facts);
        let amiss = amiss(&facts, &seen.sights(home));
        if amiss.is_empty() {
            break;
        }
        let again = store.read()?;
        let attempt =
            |facts: &Facts, id: &JobId| facts.running().find(|job| job.id == *id).map(Job::execution);
        let has_moved = amiss.jobs().any(|id| attempt(&facts, id) != attempt(&again, id));
        facts = again;
        if !has_moved {
            break;
        }
    }
    Ok((facts, seen))
}

/// Looks at each running job with what runs it. What cannot be looked at is left out.
fn census(home: &Home, facts: &Facts) -> Census {
    let mut census = Census::new();
    for job in facts.running() {
        let claim = |job: &Job| job.run()?.claim.as_ref().map(|claim| claim.executor);
        if let Ok(sighting) = home.executor(claim(job).unwrap_or_default()).look(job) {
            census.note(job, sighting);
        }
    }
    census
}

/// Whether there is no room for another index beside the present one.
fn is_disk_full(home: &Home) -> bool {
    let folder = home.root.folder();
    let form = index::form(&home.root).unwrap_or(StoreType::Json);
    let index_bytes = folder.allocated_bytes(file_name(form)).unwrap_or(0);
    folder.space().is_ok_and(|space| {
        !space.has_free_inodes || space.free_bytes < index_bytes.saturating_add(ROOM_BYTES)
    })
}

/// The exit code of a verdict.
pub const fn exit_code(status: HealthStatus) -> i32 {
    match status {
        HealthStatus::Ok => 0,
        HealthStatus::Degraded => 1,
        HealthStatus::Failing => 2,
    }
}

/// The exit code where it could not be told.
pub const COULD_NOT_TELL: i32 = 3;
