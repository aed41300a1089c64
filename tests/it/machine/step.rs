//! What can be done in a world, and how likely it is drawn. Jobs are meant by their number in the order of submission; one that is
//! gone, or was never there, is a mistake that people make, and is drawn now and then.

use super::model::{Job, Model, Ms, SECOND, Sight, State};
use bgctl::model::{
    dependency::Until,
    outcome::Exit,
    priority::Priority,
    schedule::{Missed, Overlap},
};
use proptest::prelude::*;
use proptest::sample::select;

/// The groups that are spoken of: `default` and `g` are of the settings, `h` and `k` may be there or not.
pub const GROUPS: [&str; 4] = ["default", "g", "h", "k"];

/// The schedules that are spoken of.
pub const SCHEDULES: [&str; 2] = ["s", "t"];

/// One thing that is done.
#[derive(Clone, Debug)]
pub struct Step {
    pub command: Command,
    /// The store cannot write meanwhile.
    pub is_unwritten: bool,
}

/// What is done.
#[derive(Clone, Debug)]
pub enum Command {
    /// `start`, or a batch of several. The flag is `--create-group`.
    Start {
        shapes: Vec<Shape>,
        is_batch: bool,
        creates_groups: bool,
    },
    /// A watcher commits the end of its job.
    Ends(usize, Exit),
    /// A watcher commits that the time of its job is over.
    TimesOut(usize),
    /// A watcher is there no more, or says nothing any more.
    Loses(usize, Sight),
    /// What becomes of launches from now on.
    Launches(Launching),
    Cancel {
        numbers: Vec<usize>,
        kills: bool,
    },
    Pause(usize),
    Resume(usize),
    PauseGroup(&'static str),
    ResumeGroup(&'static str),
    Retry(Vec<usize>),
    RetryDead,
    /// `prune`; the flag is `--all`.
    Prune {
        all: bool,
    },
    ClearDead(usize),
    Set(usize, Setting),
    AddGroup(&'static str, usize),
    RemoveGroup(&'static str),
    AddSchedule(&'static str, Recurs),
    PauseSchedule(&'static str),
    ResumeSchedule(&'static str),
    RemoveSchedule(&'static str),
    RunSchedule(&'static str),
    Approve(usize),
    Decline(usize),
    /// A running job asks for approval.
    Request(usize, Asks),
    Tick,
    /// Time passes; nobody looks.
    Wait(Ms),
}

/// What a case has more of than others, so that what needs several of a kind is reached too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taste {
    Plain,
    Gated,
    Keyed,
    Recurring,
}

impl Taste {
    pub const ALL: [Self; 4] = [Self::Plain, Self::Gated, Self::Keyed, Self::Recurring];
}

/// What becomes of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launching {
    /// A watcher is there.
    Works,
    /// The system refuses.
    Fails,
    /// Whoever launches dies before it, or the watcher right after it.
    IsLost,
}

/// What is asked of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    pub priority: Priority,
    pub group: &'static str,
    /// A key, and how many seconds it is kept.
    pub key: Option<(u8, u64)>,
    pub after: Vec<(usize, Until)>,
    /// `--delay`, in seconds.
    pub delay: Option<i64>,
    pub attempts_max: u32,
    /// `--retry-delay` and `--retry-max-delay`.
    pub retry_delay: (u64, u64),
    /// `--retry-on 75,124,137`.
    pub is_choosy: bool,
    pub is_service: bool,
    /// `--approval local`.
    pub gate: Option<Asks>,
}

/// That somebody is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asks {
    /// For so many seconds an answer can be given; `None` is for ever.
    pub ttl_seconds: Option<u64>,
}

/// What a schedule is like.
#[derive(Clone, Debug, PartialEq)]
pub struct Recurs {
    pub every_seconds: u64,
    pub overlap: Overlap,
    pub missed: Missed,
    pub restarts: bool,
    pub run: Shape,
}

/// What is changed of a job that has not ended.
#[derive(Clone, Debug)]
pub enum Setting {
    Priority(Priority),
    Group(&'static str),
    After(usize, Until),
    NotAfter(usize),
    /// `--delay`; 0 starts it now.
    Delay(i64),
}

/// What may come next.
pub fn steps(model: &Model) -> BoxedStrategy<Step> {
    (commands(model), prop::bool::weighted(0.05))
        .prop_map(|(command, is_unwritten)| {
            // What only happens in the world is not written.
            let happens = matches!(command, Command::Loses(..) | Command::Launches(_) | Command::Wait(_));
            Step { is_unwritten: is_unwritten && !happens, command }
        })
        .boxed()
}

fn commands(model: &Model) -> BoxedStrategy<Command> {
    let watched = model.numbers(|job| {
        // What is silent goes on being so until somebody looks.
        matches!(job.state, State::Running(_)) && model.sight(job.number) == Sight::Watched
    });
    let waits = |job: &Job| matches!(job.state, State::Waiting { .. });
    let has_any = |is_fit: fn(&Job) -> bool| !model.numbers(is_fit).is_empty();
    // What makes sense now is drawn more often than what would only be refused.
    let if_any = |is_there: bool, weight: u32| if is_there { weight } else { 1 };
    let has_waiting = has_any(|job| matches!(job.state, State::Waiting { .. }));
    let (has_paused, has_dead) = (has_any(|job| job.is_paused), has_any(|job| job.is_dead_letter));
    let has_ended = has_any(Job::has_ended);
    let start_weight = match model.taste {
        Taste::Recurring => 10,
        _ if model.count() < 14 => 34,
        _ => 8,
    };
    let recurs_much = model.taste == Taste::Recurring;
    let has_schedule = !model.index.schedules.is_empty();
    let group = || select(GROUPS.to_vec());
    let schedule = || select(SCHEDULES.to_vec());
    let mut all: Vec<(u32, BoxedStrategy<Command>)> = vec![
        (start_weight, start(model)),
        (if recurs_much { 20 } else { 10 }, Just(Command::Tick).boxed()),
        (if recurs_much { 24 } else { 12 }, wait()),
        (if model.launching == Launching::Works { 4 } else { 20 }, launching(model)),
        (5, cancel(model)),
        (4, one(model, |job| is_queued(job) || is_running(job)).prop_map(Command::Pause).boxed()),
        (if_any(has_paused, 5), one(model, |job| job.is_paused).prop_map(Command::Resume).boxed()),
        (1, group().prop_map(Command::PauseGroup).boxed()),
        (3, group().prop_map(Command::ResumeGroup).boxed()),
        (if_any(has_ended, if model.taste == Taste::Keyed { 14 } else { 5 }), retry(model)),
        (if_any(has_dead, 4), Just(Command::RetryDead).boxed()),
        (if_any(has_ended, 2), any::<bool>().prop_map(|all| Command::Prune { all }).boxed()),
        (if_any(has_dead, 3), one(model, |job| job.is_dead_letter).prop_map(Command::ClearDead).boxed()),
        (8, set(model)),
        (3, (group(), 1..3_usize).prop_map(|(name, slots)| Command::AddGroup(name, slots)).boxed()),
        (4, select(vec!["g", "h", "k", "h", "k"]).prop_map(Command::RemoveGroup).boxed()),
        (
            if recurs_much && !has_schedule { 30 } else { 4 },
            (schedule(), recurs(model.taste)).prop_map(|(name, one)| Command::AddSchedule(name, one)).boxed(),
        ),
        (1, schedule().prop_map(Command::PauseSchedule).boxed()),
        (if_any(has_schedule, 2), schedule().prop_map(Command::ResumeSchedule).boxed()),
        (1, schedule().prop_map(Command::RemoveSchedule).boxed()),
        (
            if_any(has_schedule, if recurs_much { 10 } else { 4 }),
            schedule().prop_map(Command::RunSchedule).boxed(),
        ),
        (
            if_any(has_waiting, if model.taste == Taste::Gated { 2 } else { 6 }),
            one(model, waits).prop_map(Command::Approve).boxed(),
        ),
        (if_any(has_waiting, 2), one(model, waits).prop_map(Command::Decline).boxed()),
    ];
    if watched.is_empty() {
        let asks = (one(model, |_| true), asks());
        all.push((1, asks.prop_map(|(number, asks)| Command::Request(number, asks)).boxed()));
    } else {
        let number = || select(watched.clone());
        all.push((30, (number(), exit()).prop_map(|(number, exit)| Command::Ends(number, exit)).boxed()));
        all.push((3, number().prop_map(Command::TimesOut).boxed()));
        all.push((6, (number(), sight()).prop_map(|(number, sight)| Command::Loses(number, sight)).boxed()));
        all.push((6, (number(), asks()).prop_map(|(number, asks)| Command::Request(number, asks)).boxed()));
    }
    prop::strategy::Union::new_weighted(all).boxed()
}

fn is_queued(job: &Job) -> bool {
    job.state == State::Queued
}

fn is_running(job: &Job) -> bool {
    matches!(job.state, State::Running(_))
}

/// Mostly one of these, now and then any at all, and sometimes one that is not there.
fn one(model: &Model, is_fit: impl Fn(&Job) -> bool) -> BoxedStrategy<usize> {
    let (fit, all) = (model.numbers(is_fit), model.numbers(|_| true));
    let mut choices = vec![(1, (0..model.next_number() + 2).boxed())];
    if !fit.is_empty() {
        choices.push((16, select(fit).boxed()));
    }
    if !all.is_empty() {
        choices.push((3, select(all).boxed()));
    }
    prop::strategy::Union::new_weighted(choices).boxed()
}

fn until() -> impl Strategy<Value = Until> {
    select(vec![Until::Completed, Until::Ended])
}

fn asks() -> impl Strategy<Value = Asks> {
    prop::option::weighted(0.8, 60..40_000_u64).prop_map(|ttl_seconds| Asks { ttl_seconds })
}

/// What a job that was submitted is like; those that it is to wait for are added.
fn shape(taste: Taste) -> impl Strategy<Value = Shape> {
    let is_keyed = if taste == Taste::Keyed { 0.7 } else { 0.1 };
    let is_gated = if taste == Taste::Gated { 0.8 } else { 0.15 };
    (
        select(Priority::ALL.to_vec()),
        prop_oneof![8 => Just("default"), 3 => Just("g"), 2 => Just("h"), 1 => Just("k")],
        prop::option::weighted(is_keyed, (0..2_u8, select(vec![0, 600, 20_000_u64]))),
        prop::option::weighted(0.15, 1..10_000_i64),
        select(vec![1, 2, 2, 3_u32]),
        select(vec![(5, 900), (60, 100), (600, 7_200), (20, 20_u64)]),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.08),
        prop::option::weighted(is_gated, asks()),
    )
        .prop_map(
            |(priority, group, key, delay, attempts_max, retry_delay, is_choosy, is_service, gate)| Shape {
                priority,
                group,
                key,
                after: Vec::new(),
                delay,
                attempts_max,
                retry_delay,
                is_choosy,
                is_service,
                gate,
            },
        )
}

fn start(model: &Model) -> BoxedStrategy<Command> {
    let others = prop::collection::vec((one(model, |job| !job.has_ended()), until()), 1..3);
    let shape = (shape(model.taste), prop::option::weighted(0.25, others))
        .prop_map(|(shape, others)| Shape { after: others.unwrap_or_default(), ..shape })
        .boxed();
    let many = prop_oneof![5 => 1..2_usize, 1 => 2..5_usize];
    (many.prop_flat_map(move |count| prop::collection::vec(shape.clone(), count)), any::<bool>())
        .prop_map(|(mut shapes, creates_groups)| {
            let is_batch = shapes.len() > 1;
            // A batch has one delay, as it has one command line.
            let delay = shapes[0].delay;
            for shape in &mut shapes {
                shape.delay = delay;
            }
            Command::Start { shapes, is_batch, creates_groups }
        })
        .boxed()
}

fn recurs(taste: Taste) -> impl Strategy<Value = Recurs> {
    let overlap = select(vec![Overlap::Skip, Overlap::Queue, Overlap::Replace]);
    let missed = select(vec![Missed::None, Missed::Once]);
    (select(vec![30, 600, 4_000_u64]), overlap, missed, prop::bool::weighted(0.75), shape(taste)).prop_map(
        move |(every_seconds, overlap, missed, restarts, run)| {
            // A run has no time of its own before when it does not start; and most runs are simple ones, so that what
            // schedules do by themselves is seen often.
            let is_special = taste != Taste::Recurring;
            let simple = Shape { group: "default", key: None, attempts_max: 1, gate: None, ..run.clone() };
            let run = Shape { delay: None, ..if is_special { run } else { simple } };
            Recurs { every_seconds, overlap, missed, restarts, run }
        },
    )
}

fn exit() -> impl Strategy<Value = Exit> {
    prop_oneof![
        6 => Just(Exit::Code(0)),
        4 => select(vec![1, 75, 124]).prop_map(Exit::Code),
        2 => select(vec![9, 15]).prop_map(Exit::Signal),
        1 => Just(Exit::NotStarted { reason: "it is not there".into(), code: 127 }),
    ]
}

fn sight() -> impl Strategy<Value = Sight> {
    prop_oneof![
        1 => Just(Sight::Vanished),
        2 => exit().prop_map(|exit| Sight::Recorded { exit, at: 0 }),
        2 => Just(Sight::Orphaned),
        1 => Just(Sight::Rebooted),
        2 => Just(Sight::Silent),
    ]
}

/// From within a second to half a day.
fn wait() -> BoxedStrategy<Command> {
    let span = prop_oneof![
        1 => 1..SECOND,
        3 => (1..120_i64).prop_map(|seconds| seconds * SECOND),
        3 => (120..3_600_i64).prop_map(|seconds| seconds * SECOND),
        1 => (3_600..40_000_i64).prop_map(|seconds| seconds * SECOND),
    ];
    span.prop_map(Command::Wait).boxed()
}

/// Launches fail for a while only: a world in which nothing starts has little to show.
fn launching(model: &Model) -> BoxedStrategy<Command> {
    let others = match model.launching {
        Launching::Works => vec![Launching::Fails, Launching::IsLost],
        _ => vec![Launching::Works],
    };
    select(others).prop_map(Command::Launches).boxed()
}

fn cancel(model: &Model) -> BoxedStrategy<Command> {
    (prop::collection::vec(one(model, |job| !job.has_ended()), 1..3), any::<bool>())
        .prop_map(|(mut numbers, kills)| {
            numbers.dedup();
            Command::Cancel { numbers, kills }
        })
        .boxed()
}

fn retry(model: &Model) -> BoxedStrategy<Command> {
    prop::collection::vec(one(model, Job::has_ended), 1..3)
        .prop_map(|mut numbers| {
            numbers.dedup();
            Command::Retry(numbers)
        })
        .boxed()
}

fn set(model: &Model) -> BoxedStrategy<Command> {
    let others = || one(model, |job| !job.has_ended());
    let waits = one(model, |job| is_queued(job) || matches!(job.state, State::Waiting { .. }));
    let setting = prop_oneof![
        2 => select(Priority::ALL.to_vec()).prop_map(Setting::Priority),
        2 => select(GROUPS.to_vec()).prop_map(Setting::Group),
        3 => (others(), until()).prop_map(|(other, until)| Setting::After(other, until)),
        1 => others().prop_map(Setting::NotAfter),
        2 => prop_oneof![Just(0), 1..5_000_i64].prop_map(Setting::Delay),
    ];
    (waits, setting).prop_map(|(number, setting)| Command::Set(number, setting)).boxed()
}
