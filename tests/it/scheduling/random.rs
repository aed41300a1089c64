//! What holds whatever happens: random worlds, and random events.

use super::world::{
    World, asked_on_issue, assert_nothing_ended_changes, assert_replays, gate, job, name_of, read_again, site,
};
use bgctl::model::{
    Timestamp,
    approval::{Asked, Issue, On, Request},
    claim::{Claim, ExecutorName},
    dependency::{Dependency, Until},
    event::Event,
    facts::{Draft, Facts},
    group::GroupChange,
    id::JobId,
    key::Key,
    outcome::{Ending, Exit, Leftover, Outcome, Usage, Why},
    priority::Priority,
    schedule::{Missed, Overlap, ScheduleChange, Task},
    state::{Change, Status, queued},
};
use bgctl::plan::{admit::Admission, approve, census::Sighting};
use chrono::TimeDelta;
use proptest::prelude::*;

/// What can happen in a world. Numbers choose among the jobs that are there.
#[derive(Clone, Debug)]
enum Step {
    Submit(Shape),
    Pauses(usize),
    Resumes(usize),
    PausesGroup,
    ResumesGroup,
    RunsElsewhere(Option<&'static str>),
    Sees(usize, Sighting),
    Tick,
    Ends(usize, Exit),
    Told(usize, Why, Option<i32>),
    GivenBack(usize),
    After(i64),
    Slots(usize),
    Prune,
    Schedules(Recurs),
    PausesSchedule(usize),
    ResumesSchedule(usize),
    RemovesSchedule(usize),
    Asks(usize, Gated),
    Approves(usize),
    Declines(usize),
    Polls(i64, Vec<(usize, Said)>),
}

/// Where somebody is asked, and for how long.
type Gated = (&'static str, Option<u64>);

fn gated() -> impl Strategy<Value = Gated> {
    let on = prop::sample::select(vec!["local", "github:o/r", "github:o/r#7"]);
    (on, prop::option::weighted(0.8, 1..100_000_u64))
}

/// What GitHub says of a job that waits.
#[derive(Clone, Debug)]
enum Said {
    Asked,
    Trouble(bool),
    Yes,
    No,
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        3 => Just(Said::Asked),
        1 => any::<bool>().prop_map(Said::Trouble),
        2 => Just(Said::Yes),
        1 => Just(Said::No),
    ]
}

impl Said {
    fn change(self, at: Timestamp) -> Change {
        let (by, said_at, note) = ("bob".to_owned(), Some(at - TimeDelta::seconds(5)), None);
        match self {
            Self::Asked => asked_on_issue(at),
            Self::Trouble(is_there) => {
                Change::Hinder { trouble: is_there.then(|| "GitHub is slow".to_owned()) }
            }
            Self::Yes => Change::Approve { at, by, said_at, note },
            Self::No => Change::Decline { at, by, said_at, note },
        }
    }
}

/// A schedule; what happens to overlapping runs follows from its number.
#[derive(Clone, Debug)]
struct Recurs {
    number: usize,
    every_seconds: u64,
    jitter_seconds: u64,
    missed: Missed,
    restarts: bool,
    attempts_max: u32,
    gated: Option<Gated>,
}

const OVERLAPS: [Overlap; 3] = [Overlap::Skip, Overlap::Queue, Overlap::Replace];

fn recurs() -> impl Strategy<Value = Recurs> {
    let missed = prop::sample::select(vec![Missed::None, Missed::Once]);
    let gated = prop::option::weighted(0.2, gated());
    (0..3_usize, 1..100_000_u64, 0..5_000_u64, missed, any::<bool>(), 1..3_u32, gated).prop_map(
        |(number, every_seconds, jitter_seconds, missed, restarts, attempts_max, gated)| Recurs {
            number,
            every_seconds,
            jitter_seconds,
            missed,
            restarts,
            attempts_max,
            gated,
        },
    )
}

fn define(world: &mut World, recurs: &Recurs) {
    let now = world.now;
    world.schedule(&format!("s{}", recurs.number), recurs.every_seconds, |definition| {
        definition.overlap = OVERLAPS[recurs.number];
        definition.jitter_seconds = recurs.jitter_seconds;
        definition.missed = recurs.missed;
        definition.restarts = recurs.restarts;
        if let Task::Run(spec) = &mut definition.task {
            spec.retry.attempts_max = recurs.attempts_max;
            if let Some((on, ttl_seconds)) = recurs.gated {
                let mut run = job("", 0, now);
                gate(&mut run, on, ttl_seconds);
                spec.gate = run.spec.gate;
            }
        }
    });
}

/// What is special about a submitted job.
#[derive(Clone, Debug)]
struct Shape {
    priority: Priority,
    attempts_max: u32,
    in_group: bool,
    is_service: bool,
    key: Option<(u8, u64)>,
    after: Option<(usize, Until)>,
    delay_seconds: Option<i64>,
    gated: Option<Gated>,
}

fn shape() -> impl Strategy<Value = Shape> {
    (
        prop::sample::select(Priority::ALL.to_vec()),
        1..4_u32,
        any::<bool>(),
        prop::bool::weighted(0.1),
        prop::option::weighted(0.3, (0..3_u8, 0..1_000_u64)),
        prop::option::weighted(
            0.3,
            (any::<usize>(), prop::sample::select(vec![Until::Completed, Until::Ended])),
        ),
        prop::option::weighted(0.2, 0..10_000_i64),
        prop::option::weighted(0.3, gated()),
    )
        .prop_map(|(priority, attempts_max, in_group, is_service, key, after, delay_seconds, gated)| {
            Shape { priority, attempts_max, in_group, is_service, key, after, delay_seconds, gated }
        })
}

fn submit(world: &mut World, name: &str, shape: &Shape) {
    let there = world.jobs();
    let of = |which: usize| there.get(which % there.len().max(1)).map(|job| job.id.clone());
    let after = shape.after.and_then(|(which, until)| Some(Dependency { id: of(which)?, until }));
    let (now, shape) = (world.now, shape.clone());
    let admission = world.admit(name, |job| {
        job.spec.priority = shape.priority;
        job.spec.retry.attempts_max = shape.attempts_max;
        job.spec.group = shape.in_group.then(|| "g".to_owned());
        job.spec.service = shape.is_service;
        job.spec.key = shape.key.map(|(key, ttl_seconds)| Key { text: format!("k{key}"), ttl_seconds });
        job.spec.after.extend(after);
        job.state = queued(shape.delay_seconds.map(|seconds| now + TimeDelta::seconds(seconds)));
        if let Some((on, ttl_seconds)) = shape.gated {
            gate(job, on, ttl_seconds);
        }
    });
    assert!(admission != Admission::Taken);
}

fn instant() -> impl Strategy<Value = Timestamp> {
    let base: Timestamp = "2026-02-13T10:00:00Z".parse().unwrap();
    (0..100_000_000_i64).prop_map(move |ms| base + TimeDelta::milliseconds(ms))
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), Just("a \"b\" \\ \n \u{1b}[31m ü 🦀".to_owned()), "\\PC{0,8}"]
}

fn why() -> impl Strategy<Value = Why> {
    prop::sample::select(vec![Why::Cancel, Why::Timeout, Why::Stale, Why::Replace, Why::Dependency])
}

fn signal() -> impl Strategy<Value = Option<i32>> {
    prop::sample::select(vec![None, Some(9), Some(15)])
}

fn exit() -> impl Strategy<Value = Exit> {
    prop_oneof![
        3 => Just(Exit::Code(0)),
        2 => (1..256_i32).prop_map(Exit::Code),
        1 => (1..65_i32).prop_map(Exit::Signal),
        1 => (text(), prop::sample::select(vec![1, 126, 127]))
            .prop_map(|(reason, code)| Exit::NotStarted { reason, code }),
        1 => text().prop_map(|reason| Exit::Unknown { reason }),
        1 => Just(Exit::NotExecuted),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let usage = any::<(u64, u64, u64)>().prop_map(|(memory_peak_kib, cpu_user_ms, cpu_system_ms)| Usage {
        memory_peak_kib,
        cpu_user_ms,
        cpu_system_ms,
    });
    let leftover =
        (1..i32::MAX, any::<u64>(), text()).prop_map(|(pid, start, name)| Leftover { pid, start, name });
    (
        exit(),
        instant(),
        prop::option::of(usage),
        prop::collection::vec(leftover, 0..3),
        any::<(bool, bool)>(),
        prop::collection::vec(text(), 0..3),
    )
        .prop_map(|(exit, at, usage, leftovers, (leftovers_left, best_effort), notes)| Outcome {
            exit,
            at,
            usage,
            leftovers,
            leftovers_left,
            best_effort,
            notes,
        })
}

fn sighting() -> impl Strategy<Value = Sighting> {
    prop_oneof![
        (0..8_000_u64).prop_map(|silent_seconds| Sighting::Watched {
            silent_seconds,
            over: false,
            pausing: false
        }),
        Just(Sighting::NotStarted),
        Just(Sighting::Orphaned),
        Just(Sighting::Vanished),
        outcome().prop_map(|outcome| Sighting::Ended { outcome, ending: None }),
        Just(Sighting::Rebooted),
        instant().prop_map(|last_sign| Sighting::Unseen { last_sign }),
        Just(Sighting::NeverExecuted),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => shape().prop_map(Step::Submit),
        1 => any::<usize>().prop_map(Step::Pauses),
        1 => any::<usize>().prop_map(Step::Resumes),
        1 => Just(Step::PausesGroup),
        1 => Just(Step::ResumesGroup),
        1 => prop::sample::select(vec![None, Some("boot-1"), Some("boot-2"), Some("boot-9")])
            .prop_map(Step::RunsElsewhere),
        4 => (any::<usize>(), sighting()).prop_map(|(which, sighting)| Step::Sees(which, sighting)),
        4 => Just(Step::Tick),
        4 => (any::<usize>(), exit()).prop_map(|(which, exit)| Step::Ends(which, exit)),
        2 => (any::<usize>(), why(), signal()).prop_map(|(which, why, signal)| Step::Told(which, why, signal)),
        1 => any::<usize>().prop_map(Step::GivenBack),
        2 => (0..200_000_i64).prop_map(Step::After),
        1 => (0..5_usize).prop_map(Step::Slots),
        1 => Just(Step::Prune),
        2 => recurs().prop_map(Step::Schedules),
        1 => any::<usize>().prop_map(Step::PausesSchedule),
        1 => any::<usize>().prop_map(Step::ResumesSchedule),
        1 => any::<usize>().prop_map(Step::RemovesSchedule),
        3 => (any::<usize>(), gated()).prop_map(|(which, gated)| Step::Asks(which, gated)),
        3 => any::<usize>().prop_map(Step::Approves),
        1 => any::<usize>().prop_map(Step::Declines),
        3 => (0..3_i64, prop::collection::vec((any::<usize>(), said()), 0..4))
            .prop_map(|(seconds, said)| Step::Polls(seconds, said)),
    ]
}

fn change_schedule(world: &mut World, which: usize, change: &ScheduleChange) {
    let names: Vec<String> = world.facts.schedules().keys().cloned().collect();
    if let Some(name) = names.get(which % names.len().max(1)) {
        world.change_schedule(name, change);
    }
}

fn take(world: &mut World, step: Step) {
    let there: Vec<String> = world.jobs().iter().map(name_of).collect();
    let chosen = |which: usize| there.get(which % there.len().max(1));
    match step {
        Step::Submit(shape) => submit(world, &format!("j{}", there.len()), &shape),
        Step::Pauses(which) => {
            if let Some(name) = chosen(which) {
                let at = world.now;
                world.change(name, Change::Pause { at });
            }
        }
        Step::Resumes(which) => {
            if let Some(name) = chosen(which) {
                world.change(name, Change::Resume);
            }
        }
        Step::PausesGroup => {
            let at = world.now;
            world.group("g", &GroupChange::Pause { at });
        }
        Step::ResumesGroup => world.group("g", &GroupChange::Resume),
        Step::RunsElsewhere(boot) => {
            // An earlier boot of this machine, this one, or another machine's.
            let host = if boot == Some("boot-9") { "there" } else { "here" };
            world.runs_elsewhere(&format!("e{}", there.len()), boot.map(|boot| site(host, boot)));
        }
        Step::Sees(which, sighting) => {
            if let Some(name) = chosen(which) {
                world.sees(name, sighting);
            }
        }
        Step::Tick => drop(world.tick()),
        Step::Ends(which, exit) => {
            if let Some(name) = chosen(which) {
                world.ends(name, exit);
            }
        }
        Step::Told(which, why, signal) => {
            if let Some(name) = chosen(which) {
                world.tell(name, why, signal);
            }
        }
        Step::GivenBack(which) => {
            if let Some(name) = chosen(which) {
                world.change(name, Change::GiveBack);
            }
        }
        Step::After(seconds) => world.after(seconds),
        Step::Slots(count) => world.config.slots = count,
        Step::Prune => drop(world.prune()),
        Step::Schedules(recurs) => define(world, &recurs),
        Step::PausesSchedule(which) => {
            let at = world.now;
            change_schedule(world, which, &ScheduleChange::Pause { at });
        }
        Step::ResumesSchedule(which) => {
            let next_at = Some(world.now);
            change_schedule(world, which, &ScheduleChange::Resume { next_at });
        }
        Step::RemovesSchedule(which) => change_schedule(world, which, &ScheduleChange::Remove),
        Step::Asks(which, (on, ttl_seconds)) => {
            let running: Vec<String> = world.facts.running().map(name_of).collect();
            if let Some(name) = running.get(which % running.len().max(1)) {
                world.asks(name, on, ttl_seconds);
            }
        }
        Step::Approves(which) => {
            if let Some(id) = waiting(world, which) {
                world.answer(&id, &Said::Yes.change(world.now));
            }
        }
        Step::Declines(which) => {
            if let Some(id) = waiting(world, which) {
                world.answer(&id, &Said::No.change(world.now));
            }
        }
        Step::Polls(seconds_ago, said) => {
            let now = world.now;
            let found: Vec<(JobId, Change)> = said
                .into_iter()
                .filter_map(|(which, said)| Some((waiting(world, which)?, said.change(now))))
                .collect();
            world.is_told(now - TimeDelta::seconds(seconds_ago), &found);
        }
    }
}

/// One of the jobs that wait for a person.
fn waiting(world: &World, which: usize) -> Option<JobId> {
    let waiting: Vec<_> = world.facts.heads().filter(|head| head.status == Status::WaitingApproval).collect();
    waiting.get(which % waiting.len().max(1)).map(|head| head.id.clone())
}

fn request() -> impl Strategy<Value = Request> {
    let on = prop_oneof![Just("local"), Just("github:o/r"), Just("github:o/r#7")];
    (on, instant(), prop::option::of(1..100_000_u64), prop::option::of(text()), text()).prop_map(
        |(on, at, ttl_seconds, reason, hash)| Request {
            on: On::parse(on).unwrap(),
            at,
            ttl_seconds,
            reason,
            hash,
        },
    )
}

fn asked() -> impl Strategy<Value = Asked> {
    let issue = (1..1_000_u64, instant(), text(), text(), prop::option::of(instant())).prop_map(
        |(number, asked_at, asked_by, content, edited_at)| {
            Asked::On(Issue { number, asked_at, asked_by, content, edited_at })
        },
    );
    prop_oneof![Just(Asked::NotYet), instant().prop_map(|at| Asked::Begun { at }), issue]
}

/// Any change at all, sensible or not.
fn change() -> impl Strategy<Value = Change> {
    let ending = (why(), instant(), signal(), prop::option::of(text()))
        .prop_map(|(why, at, signal, note)| Ending { why, at, signal, note });
    prop_oneof![
        3 => (instant(), any::<bool>(), any::<u64>()).prop_map(|(at, dry, pid_namespace)| {
            let site = bgctl::model::claim::Site { pid_namespace, ..site("here", "boot-2") };
            let executor = if dry { ExecutorName::DryRun } else { ExecutorName::Local };
            Change::Claim { at, claim: Claim { site, executor } }
        }),
        1 => Just(Change::GiveBack),
        1 => ending.prop_map(|ending| Change::Decide { ending }),
        3 => (outcome(), prop::option::of(instant()), prop::option::of(text()))
            .prop_map(|(outcome, retry_at, summary)| Change::End { outcome, retry_at, summary, dead_letter: false }),
        1 => request().prop_map(|request| Change::AskApproval { request: Box::new(request) }),
        1 => asked().prop_map(|asked| Change::Ask { asked }),
        1 => prop::option::of(text()).prop_map(|trouble| Change::Hinder { trouble }),
        1 => (instant(), instant()).prop_map(|(at, expires_at)| Change::WarnExpiry { at, expires_at }),
        1 => (instant(), text(), prop::option::of(instant()), prop::option::of(text()))
            .prop_map(|(at, by, said_at, note)| Change::Approve { at, by, said_at, note }),
        1 => (instant(), text(), prop::option::of(instant()), prop::option::of(text()))
            .prop_map(|(at, by, said_at, note)| Change::Decline { at, by, said_at, note }),
        1 => instant().prop_map(|at| Change::Expire { at }),
        1 => (prop::option::of(instant()), prop::option::of(text()))
            .prop_map(|(ended_at, summary)| Change::Enrich { ended_at, summary }),
    ]
}

/// Which of a few jobs it concerns, and a change of it, its submission, or its removal.
fn event() -> impl Strategy<Value = (u32, Option<Change>, bool)> {
    (0..4_u32, prop::option::weighted(0.8, change()), any::<bool>())
}

/// A world with a group beside the default one.
fn grouped() -> World {
    let mut world = World::new();
    world.group("g", &GroupChange::Slots { slots: 1 });
    world
}

/// No two jobs that have not ended have the same key.
fn assert_keys_are_held_once(world: &World) {
    let active = world.facts.heads().filter(|head| !head.status.has_ended());
    let mut keys: Vec<&str> =
        active.filter_map(|head| head.key.as_ref()).map(|key| key.text.as_str()).collect();
    keys.sort_unstable();
    let count = keys.len();
    keys.dedup();
    assert_eq!(keys.len(), count, "{}", world.states());
}

/// No more runs of a schedule are there than its overlap allows, those left out that are being ended for a newer one.
fn assert_runs_overlap_as_they_may(world: &World) {
    for (number, most) in [1, 2, 1].into_iter().enumerate() {
        let name = format!("s{number}");
        let active = world.jobs().into_iter().filter(|job| {
            job.spec.schedule.as_ref() == Some(&name) && !job.status().has_ended() && !job.is_being_ended()
        });
        assert!(active.count() <= most, "{name}: {}", world.states());
    }
}

/// Nobody waits beyond the time for an answer once everything was looked at; for GitHub, once it was asked after that.
fn assert_nobody_waits_too_long(world: &World, is_asked: bool) {
    let heads = world.facts.heads().filter_map(|head| head.waiting.as_deref());
    for waiting in heads.filter(|waiting| is_asked || waiting.request.on.github().is_none()) {
        let until = if waiting.request.on.github().is_some() { world.polled_at } else { Some(world.now) };
        assert!(until.is_none_or(|until| !approve::is_over(waiting, until)), "{waiting:?}");
    }
}

/// What is due has come, once a pass has looked.
fn assert_nothing_is_due(world: &World) {
    let is_due = bgctl::plan::recur::is_any_due(&world.facts, world.now);
    assert!(!is_due, "{:?}", world.facts.schedules());
}

/// How many worlds are tried; more where somebody asks for them.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    /// The world checks after every decision: no more run here than there are slots, nothing that has ended changes,
    /// the events alone are the change, and the text is the facts.
    #[test]
    fn whatever_happens_in_a_world_its_rules_hold(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = grouped();
        for step in steps {
            let looks = matches!(step, Step::Tick | Step::Submit(_));
            let (is_whole, is_asked) =
                (matches!(step, Step::Tick | Step::Polls(..)), matches!(step, Step::Polls(..)));
            take(&mut world, step);
            if is_whole {
                assert_nobody_waits_too_long(&world, is_asked);
            }
            assert_keys_are_held_once(&world);
            assert_runs_overlap_as_they_may(&world);
            if looks {
                assert_nothing_is_due(&world);
            }
        }
    }

    #[test]
    fn a_world_that_is_left_to_itself_comes_to_rest(steps in prop::collection::vec(step(), 1..20)) {
        let mut world = grouped();
        for step in steps {
            take(&mut world, step);
        }
        world.group("g", &GroupChange::Resume);
        for name in world.facts.schedules().keys().cloned().collect::<Vec<_>>() {
            world.change_schedule(&name, &ScheduleChange::Remove);
        }
        world.config.slots = 2;
        // Everything that runs ends; with each end the next begins, until nothing is left to do.
        // One that asked before it ended comes back once more.
        let bound = 2 * (world.jobs().len() + 1);
        for _ in 0..bound {
            let running: Vec<String> = world.facts.running().map(name_of).collect();
            for name in &running {
                world.ends(name, Exit::Code(0));
            }
            // What was paused and then timed out waits for its next attempt, and is paused still.
            for name in world.jobs().iter().map(name_of) {
                world.change(&name, Change::Resume);
            }
            // Whoever is asked says yes.
            while let Some(id) = waiting(&world, 0) {
                world.is_told(world.now, &[(id, Said::Yes.change(world.now))]);
            }
            // What waits for its time gets it.
            world.after(100_000);
            world.tick();
        }
        prop_assert!(world.facts.heads().all(|head| head.status.has_ended()), "{}", world.states());
    }

    #[test]
    fn any_sequence_of_events_survives_its_written_form(events in prop::collection::vec(event(), 1..40)) {
        let now: Timestamp = "2026-02-14T10:00:00Z".parse().unwrap();
        let mut facts = Facts::default();
        for (number, change, submit) in events {
            let fresh = job(&format!("j{number}"), number, now);
            let id = fresh.id.clone();
            let event = match (change, submit) {
                (Some(change), _) => Event::Changed { id, change },
                (None, true) => Event::Submitted { job: Box::new(fresh) },
                (None, false) => Event::Removed { id },
            };
            let mut draft = Draft::new(facts.clone());
            draft.push(event).unwrap();
            let (after, events) = draft.into_parts();
            assert_replays(&facts, &events, &after, now);
            assert_nothing_ended_changes(&facts, &after, &events);
            facts = read_again(&after, now);
            let counted: usize = Status::ALL.iter().map(|status| facts.count(*status)).sum();
            prop_assert_eq!(counted, facts.heads().count());
        }
    }
}
