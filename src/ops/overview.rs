//! How things stand: everything that matters now, short enough for one screen. Looking makes and changes nothing.

use super::{
    fault::Fault,
    group::{Standing, standings},
    health,
    home::{BrokenConfig, Home, root_path},
    list::{Live, Observed, Row, observe, places},
    status::{processes, stuck},
};
use crate::model::{
    Timestamp,
    config::Config,
    facts::{Facts, Head},
    health::HealthStatus,
    id::JobId,
    job::Job,
    schedule::DefinedBy,
    state::Status,
};
use crate::os::clock::Clock;
use crate::plan::{
    health::Verdict,
    pick::{self, Waits},
    recur,
};
use crate::store::{Store, root::locate};
use std::cmp::Reverse;
use std::path::{Path, PathBuf};

/// Most running jobs that are shown, and looked at for what they use.
pub const RUNNING_MAX: usize = 20;
/// Most queued jobs that are shown.
pub const QUEUED_MAX: usize = 10;
/// Most failures that are shown.
pub const FAILED_MAX: usize = 5;

/// How things stand.
#[derive(Debug)]
pub struct Overview {
    /// Where the root is, or would be.
    pub root: PathBuf,
    /// Whether that is where it is without a variable that says otherwise.
    pub root_is_default: bool,
    /// How many jobs are in each state, in the order of a job's life.
    pub counts: [(Status, usize); Status::ALL.len()],
    /// Slots of the default group that are held here.
    pub slots_held: usize,
    /// Slots that it has.
    pub slots_max: usize,
    /// Every group, the default one first.
    pub groups: Vec<Standing>,
    /// Running jobs that need no slot.
    pub services: usize,
    /// The schedules that somebody defined.
    pub schedules: Schedules,
    /// The running jobs that got their slot first.
    pub running: Vec<Running>,
    /// The queued jobs that come next, in their order.
    pub queued: Vec<Queued>,
    /// The failures that came last, the latest first.
    pub failed: Vec<Job>,
    /// What a person should look at.
    pub attention: Vec<Attention>,
}

/// The schedules that somebody defined.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Schedules {
    /// How many there are.
    pub count: usize,
    /// How many of them are held back.
    pub paused: usize,
    /// The one that is due next, and when.
    pub next: Option<(String, Timestamp)>,
}

impl Schedules {
    fn of(facts: &Facts) -> Self {
        let own = || facts.schedules().iter().filter(|(_, one)| one.definition.source != DefinedBy::BuiltIn);
        let due = own().filter_map(|(name, one)| Some((recur::due_at(name, one)?, name)));
        Self {
            count: own().count(),
            paused: own().filter(|(_, one)| one.paused_at.is_some()).count(),
            next: due.min().map(|(at, name)| (name.clone(), at)),
        }
    }
}

/// A running job.
#[derive(Debug)]
pub struct Running {
    /// The job and what was seen of it.
    pub row: Row,
    /// What its living processes use; `None` where they cannot be looked at from here.
    pub live: Option<Live>,
}

/// A queued job.
#[derive(Debug)]
pub struct Queued {
    /// As it is in the index.
    pub job: Job,
    /// Why it waits.
    pub waits: Waits,
    /// Its place in the queue, from 1, where it stands in line for a slot.
    pub place: Option<usize>,
}

/// Something that a person should look at.
#[derive(Debug, PartialEq, Eq)]
pub enum Attention {
    /// The whole is not well.
    Health(Verdict),
    /// The settings cannot be used.
    Settings(String),
    /// These running jobs are not watched as they should be.
    Seen(Observed, Vec<JobId>),
    /// Processes of these jobs could not be ended.
    Stuck(Vec<JobId>),
    /// These jobs wait for a person's approval.
    Approval(Vec<JobId>),
    /// These jobs stand still until somebody resumes them.
    Paused(Vec<JobId>),
    /// The attempts of these jobs are used up, and nobody has dealt with that yet.
    DeadLetters(Vec<JobId>),
    /// None of this group's jobs starts until somebody resumes it.
    GroupPaused(String),
}

/// What is seen of a running job that its next pass has to mend, the worst first.
const AMISS: [Observed; 4] = [Observed::Lost, Observed::Rebooted, Observed::Unwatched, Observed::Unclear];

/// Looks at everything.
pub fn overview() -> Result<Overview, Fault> {
    let root = root_path()?;
    let Some(home) = Home::open_existing(BrokenConfig::Warns)? else {
        return Ok(Overview::of_nothing(root));
    };
    let facts = home.store().read()?;
    let count = |status| (status, facts.count(status));
    let mut running: Vec<&Job> = facts.running().collect();
    running.sort_by_key(|job| job.started_at());
    let seen: Vec<Option<Observed>> = running.iter().map(|job| observe(&home, job)).collect();
    Ok(Overview {
        counts: Status::ALL.map(count),
        slots_held: pick::holders_of(&facts, &home.site, None).count(),
        slots_max: home.config.slots,
        groups: standings(&facts, &home),
        schedules: Schedules::of(&facts),
        services: running.iter().filter(|job| job.spec.service).count(),
        queued: queued(&home, &facts)?,
        failed: failed(&facts)?,
        attention: attention(&home, &facts, &running, &seen),
        running: running
            .iter()
            .zip(&seen)
            .take(RUNNING_MAX)
            .map(|(job, observed)| Running {
                live: live(&home, job),
                row: Row { job: (*job).clone(), observed: *observed },
            })
            .collect(),
        ..Overview::of_nothing(root)
    })
}

impl Overview {
    /// Of a root that is not there.
    fn of_nothing(root: PathBuf) -> Self {
        // Neither BG_HOME nor XDG_CONFIG_HOME: only HOME counts.
        let plain = locate(|name| (name == "HOME").then(|| std::env::var_os(name)).flatten(), Path::new("/"));
        Self {
            root_is_default: plain.is_ok_and(|(plain, _)| plain == root),
            root,
            counts: Status::ALL.map(|status| (status, 0)),
            slots_held: 0,
            slots_max: Config::default().slots,
            groups: vec![Standing::of_nothing()],
            services: 0,
            schedules: Schedules::default(),
            running: Vec::new(),
            queued: Vec::new(),
            failed: Vec::new(),
            attention: Vec::new(),
        }
    }

    /// How many jobs are in that state.
    pub fn count(&self, status: Status) -> usize {
        self.counts.iter().find(|(one, _)| *one == status).map_or(0, |(_, count)| *count)
    }

    /// Whether there is no job.
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|(_, count)| *count == 0)
    }
}

/// What a job's living processes use.
fn live(home: &Home, job: &Job) -> Option<Live> {
    Live::of(job, &processes(home, job).ok()?, home.clock.now())
}

/// Those that come next: what stands in line in the order in which it gets a slot, before what waits for its time or for
/// others, and that before what is paused.
fn queued(home: &Home, facts: &Facts) -> Result<Vec<Queued>, Fault> {
    let now = home.clock.now();
    let mut heads: Vec<&Head> = facts.heads().filter(|head| head.status == Status::Queued).collect();
    let places = places(facts, heads.iter().map(|head| &head.id), now);
    let place = |head: &Head| places.get(&head.id).copied().unwrap_or(usize::MAX);
    heads.sort_by_key(|head| (head.paused, place(head), head.not_before.filter(|at| *at > now)));
    let mut queued = Vec::new();
    for head in heads.into_iter().take(QUEUED_MAX) {
        let waits = pick::why_it_waits(facts, &head.id, now, &home.config, &home.site)?;
        let place = places.get(&head.id).copied();
        queued.extend(facts.job(&head.id)?.zip(waits).map(|(job, waits)| Queued { job, waits, place }));
    }
    Ok(queued)
}

fn failed(facts: &Facts) -> Result<Vec<Job>, Fault> {
    let mut heads: Vec<&Head> = facts.heads().rev().filter(|head| head.status == Status::Failed).collect();
    heads.sort_by_key(|head| Reverse(head.ended_at));
    let jobs = heads.into_iter().take(FAILED_MAX).map(|head| facts.job(&head.id));
    Ok(jobs.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn attention(home: &Home, facts: &Facts, running: &[&Job], seen: &[Option<Observed>]) -> Vec<Attention> {
    // What is wrong with the settings has a line of its own.
    let verdict = health::verdict(home).ok().map(Verdict::without_settings);
    let verdict = verdict.filter(|verdict| verdict.status != HealthStatus::Ok);
    let mut found: Vec<Attention> = home.warnings.iter().cloned().map(Attention::Settings).collect();
    let ids_of = |wanted: &dyn Fn(&Head) -> bool| -> Vec<JobId> {
        facts.heads().filter(|head| wanted(head)).map(|head| head.id.clone()).collect()
    };
    let those = |wanted: &dyn Fn(&Job, Option<Observed>) -> bool| -> Vec<JobId> {
        let both = running.iter().zip(seen);
        both.filter(|(job, seen)| wanted(job, **seen)).map(|(job, _)| job.id.clone()).collect()
    };
    for amiss in AMISS {
        found.push(Attention::Seen(amiss, those(&|_, seen| seen == Some(amiss))));
    }
    let is_stuck =
        |job: &Job| job.run().is_some_and(|run| run.ending.is_some()) && !stuck(home, job).is_empty();
    found.push(Attention::Stuck(those(&|job, _| is_stuck(job))));
    found.push(Attention::Approval(ids_of(&|head| head.status == Status::WaitingApproval)));
    found.push(Attention::Paused(ids_of(&|head| head.paused && !head.status.has_ended())));
    found.push(Attention::DeadLetters(ids_of(&|head| head.dead_letter)));
    let groups = facts.groups().iter().filter(|(_, group)| group.paused_at.is_some());
    found.extend(groups.map(|(name, _)| Attention::GroupPaused(name.clone())));
    found.extend(verdict.map(Attention::Health));
    found.retain(|one| !one.jobs().is_some_and(<[JobId]>::is_empty));
    found
}

impl Attention {
    /// The jobs it is about; `None` where it is about none.
    pub fn jobs(&self) -> Option<&[JobId]> {
        match self {
            Self::Health(_) | Self::Settings(_) | Self::GroupPaused(_) => None,
            Self::Seen(_, jobs)
            | Self::Stuck(jobs)
            | Self::Approval(jobs)
            | Self::Paused(jobs)
            | Self::DeadLetters(jobs) => Some(jobs),
        }
    }

    /// The word for programs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Health(_) => "health",
            Self::Settings(_) => "settings",
            Self::Seen(observed, _) => observed.as_str(),
            Self::Stuck(_) => "stuck",
            Self::Approval(_) => "approval",
            Self::Paused(_) => "paused",
            Self::DeadLetters(_) => "dead",
            Self::GroupPaused(_) => "group_paused",
        }
    }
}
