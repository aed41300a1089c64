//! The policies, each in a world without a disk, a process or a clock.

mod approvals;
mod health;
mod queue;
mod random;
mod recurring;
mod sessions;
mod world;

use bgctl::exec::dry_run::DryRun;
use bgctl::model::{
    Timestamp,
    claim::{Claim, ExecutorName},
    event::{Applied, Event},
    id::JobId,
    limit::{Limit, Limits, Source},
    outcome::{Ending, Exit, Outcome, Why},
    state::{Change, Run, State, queued},
};
use bgctl::os::clock::Clock;
use bgctl::pass::Pass;
use bgctl::plan::{
    Scope,
    admit::{self, Admission},
    census::Sighting,
    expire::seconds_left,
    pick::Waits,
};
use bgctl::store::{Store, memory::MemoryStore};
use chrono::TimeDelta;
use std::time::Duration;
use world::{World, job, limit, site};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const KILL: i32 = 9;

fn watched(silent_seconds: u64) -> Sighting {
    Sighting::Watched { silent_seconds, over: false, pausing: false }
}

// Admission.

#[test]
fn a_submitted_job_runs_at_once_where_a_slot_is_free() {
    let mut world = World::new();
    world.submit("a");
    assert_eq!(world.states(), "a:running");
    assert_eq!(world.job("a").attempt, 1);
    assert_eq!(world.job("a").run().unwrap().claim.as_ref().unwrap().site, site("here", "boot-2"));
}

#[test]
fn an_id_that_is_taken_is_not_admitted_and_changes_nothing() {
    let mut world = World::new();
    world.submit("a");
    let mut twin = job("b", 1, world.now);
    twin.id = world.job("a").id;
    world.decide(Scope::Slots, |draft| {
        assert_eq!(admit::admit(draft, twin.clone(), twin.created_at), Ok(Admission::Taken));
        assert!(draft.events().is_empty());
        Ok(())
    });
    assert_eq!(world.states(), "a:running");
}

// Picking.

#[test]
fn no_more_run_than_there_are_slots_and_the_others_wait_in_the_order_of_submission() {
    let mut world = World::new();
    world.submit("a b c d");
    assert_eq!(world.states(), "a:running b:running c:queued d:queued");
    world.ends("b", Exit::Code(0));
    assert_eq!(world.states(), "a:running b:completed c:running d:queued");
    world.ends("a", Exit::Code(1));
    assert_eq!(world.states(), "a:failed b:completed c:running d:running");
}

#[test]
fn within_one_millisecond_the_order_is_that_of_submission_whatever_the_ids() {
    let mut world = World::new().slots(1);
    // The later job's id sorts before the earlier one's.
    world.submit("first");
    world.submit_with("second", |job| job.id = JobId::parse("bg_20260213_zzzzzz").unwrap());
    world.submit_with("third", |job| job.id = JobId::parse("bg_20260213_222222").unwrap());
    world.ends("first", Exit::Code(0));
    assert_eq!(world.states(), "first:completed second:running third:queued");
}

#[test]
fn the_end_of_a_job_and_the_next_claim_are_one_decision() {
    let mut world = World::new().slots(1);
    world.submit("a b");
    world.ends("a", Exit::Code(0));
    assert_eq!(world.actions, [bgctl::plan::Action::Launch { id: world.job("b").id }]);
}

#[test]
fn a_job_that_must_not_start_yet_is_passed_over_and_starts_when_it_is_due() {
    let mut world = World::new().slots(1);
    let due = world.now + TimeDelta::seconds(60);
    world.submit_with("late", |job| job.state = queued(Some(due)));
    assert_eq!(world.states(), "late:queued");
    world.submit("b");
    assert_eq!(world.states(), "late:queued b:running");
    world.ends("b", Exit::Code(0));
    assert_eq!(world.tick(), "wake in 60 s");
    world.after(59);
    assert_eq!(world.tick(), "wake in 1 s");
    world.after(1);
    assert_eq!(world.tick(), "launch late");
}

#[test]
fn jobs_of_another_host_hold_no_slot_here() {
    let mut world = World::new().slots(1);
    world.runs_elsewhere("theirs", Some(site("there", "boot-9")));
    world.submit("ours");
    assert_eq!(world.states(), "theirs:running ours:running");
}

#[test]
fn jobs_of_another_pid_namespace_hold_no_slot_here() {
    let mut world = World::new().slots(1);
    let container = bgctl::model::claim::Site { pid_namespace: 2, ..site("here", "boot-2") };
    world.runs_elsewhere("contained", Some(container));
    world.submit("ours");
    assert_eq!(world.states(), "contained:running ours:running");
}

#[test]
fn a_running_job_that_nobody_claimed_holds_a_slot_since_it_might_be_here() {
    let mut world = World::new().slots(1);
    world.runs_elsewhere("hand-made", None);
    world.submit("ours");
    assert_eq!(world.states(), "hand-made:running ours:queued");
}

#[test]
fn fewer_slots_than_running_jobs_end_nothing_and_start_nothing() {
    let mut world = World::new();
    world.submit("a b c");
    world.config.slots = 1;
    assert_eq!(world.tick(), "");
    world.ends("a", Exit::Code(0));
    assert_eq!(world.states(), "a:completed b:running c:queued");
    world.ends("b", Exit::Code(0));
    assert_eq!(world.states(), "a:completed b:completed c:running");
}

#[test]
fn a_place_in_the_queue_counts_the_queued_jobs_before_it() {
    let mut world = World::new().slots(1);
    world.submit("a b c d");
    let ahead = |world: &World, name: &str| match world.waits(name) {
        Some(Waits::ForSlot { held_by, ahead }) => {
            assert_eq!(held_by, [world.job("a").id]);
            ahead.len()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(["b", "c", "d"].map(|name| ahead(&world, name)), [0, 1, 2]);
    world.cancel("c");
    assert_eq!(ahead(&world, "d"), 1);
}

// Services, and jobs that stand still.

#[test]
fn a_service_runs_outside_the_slots_and_holds_none() {
    let mut world = World::new().slots(1);
    world.submit("a b");
    world.submit_with("s", |job| job.spec.service = true);
    assert_eq!(world.states(), "a:running b:queued s:running");
    world.ends("a", Exit::Code(0));
    assert_eq!(world.states(), "a:completed b:running s:running");
}

#[test]
fn a_paused_job_gets_no_slot_and_the_next_one_passes_it() {
    let mut world = World::new().slots(1);
    world.submit("a b c");
    assert_eq!(world.change("b", Change::Pause { at: world.now }), Applied::Yes);
    assert_eq!(world.waits("b"), Some(Waits::Paused { since: world.now }));
    world.ends("a", Exit::Code(0));
    assert_eq!(world.states(), "a:completed b:queued c:running");
    assert_eq!(world.change("b", Change::Resume), Applied::Yes);
    world.ends("c", Exit::Code(0));
    assert_eq!(world.states(), "a:completed b:running c:completed");
}

#[test]
fn a_paused_running_job_keeps_its_slot() {
    let mut world = World::new().slots(1);
    world.submit("a b");
    assert_eq!(world.change("a", Change::Pause { at: world.now }), Applied::Yes);
    assert_eq!(world.tick(), "");
    assert_eq!(world.states(), "a:running b:queued");
}

#[test]
fn a_job_that_waits_for_its_time_says_so() {
    let mut world = World::new();
    let due = world.now + TimeDelta::seconds(30);
    world.submit_with("late", |job| job.state = queued(Some(due)));
    assert_eq!(world.waits("late"), Some(Waits::Until(due)));
}

// Intents and ends.

#[test]
fn a_cancelled_queued_job_never_runs() {
    let mut world = World::new().slots(1);
    world.submit("a b");
    assert_eq!(world.cancel("b"), Applied::Yes);
    world.ends("a", Exit::Code(0));
    assert_eq!(world.states(), "a:completed b:cancelled");
    assert_eq!((world.job("b").attempt, world.job("b").started_at()), (0, None));
}

#[test]
fn a_cancelled_running_job_runs_until_its_end_and_keeps_its_exit_code() {
    let mut world = World::new().slots(1);
    world.submit("a b");
    assert_eq!(world.cancel("a"), Applied::Yes);
    assert_eq!(world.states(), "a:running b:queued", "its slot is held until its last process is gone");
    world.ends("a", Exit::Code(0));
    assert_eq!(world.states(), "a:cancelled b:running");
    let outcome = world.job("a").end().unwrap().outcome.clone().unwrap();
    assert_eq!(outcome.exit, Exit::Code(0));
    assert_eq!(world.summary("a"), "cancelled; exit code 0");
}

#[test]
fn a_cancel_after_the_end_is_a_no_op() {
    let mut world = World::new();
    world.submit("a");
    world.ends("a", Exit::Code(0));
    assert!(matches!(world.cancel("a"), Applied::NoOp(_)));
    assert_eq!(world.states(), "a:completed");
}

#[test]
fn a_repeated_cancel_is_a_no_op_unless_it_kills() {
    let mut world = World::new();
    world.submit("a");
    world.cancel("a");
    assert!(matches!(world.cancel("a"), Applied::NoOp(_)));
    assert_eq!(world.tell("a", Why::Cancel, Some(KILL)), Applied::Yes);
    assert!(matches!(world.tell("a", Why::Cancel, Some(KILL)), Applied::NoOp(_)));
}

#[test]
fn a_timeout_decides_the_state_whatever_the_command_then_exits_with() {
    let mut world = World::new();
    world.submit("a");
    world.tell("a", Why::Timeout, None);
    world.ends("a", Exit::Code(0));
    assert_eq!(world.states(), "a:failed");
    assert!(world.summary("a").starts_with("timed out after 30m, the default"), "{}", world.summary("a"));
}

#[test]
fn a_second_report_of_the_same_end_changes_nothing() {
    let mut world = World::new();
    world.submit("a");
    world.ends("a", Exit::Code(3));
    let text = world.facts.to_text(world.now);
    world.ends("a", Exit::Code(0));
    assert_eq!(world.facts.to_text(world.now), text);
}

#[test]
fn a_job_that_has_not_ended_is_not_removed() {
    let mut world = World::new();
    world.submit("a");
    let id = world.job("a").id;
    world.decide(Scope::Slots, |draft| {
        assert!(matches!(draft.push(Event::Removed { id: id.clone() })?, Applied::Refused(_)));
        Ok(())
    });
    assert_eq!(world.states(), "a:running");
}

// Rescue: what each sighting leads to.

#[test]
fn a_watched_job_is_left_alone() {
    let mut world = World::new();
    world.submit("a");
    world.sees("a", watched(3));
    assert_eq!(world.tick(), "");
    assert_eq!(world.states(), "a:running");
}

#[test]
fn a_watched_job_that_was_told_to_end_is_poked_again() {
    let mut world = World::new();
    world.submit("a");
    world.cancel("a");
    world.sees("a", watched(3));
    assert_eq!(world.tick(), "poke a");
}

#[test]
fn a_claim_that_nobody_served_is_launched_in_the_same_attempt() {
    let mut world = World::new();
    world.submit("a");
    world.sees("a", Sighting::NotStarted);
    assert_eq!(world.tick(), "launch a");
    assert_eq!((world.states().as_str(), world.job("a").attempt), ("a:running", 1));
}

#[test]
fn an_orphaned_job_gets_a_watcher_and_stays_running() {
    let mut world = World::new();
    world.submit("a");
    world.sees("a", Sighting::Orphaned);
    assert_eq!(world.tick(), "launch a");
    assert_eq!(world.states(), "a:running");
}

#[test]
fn a_vanished_job_has_failed_and_its_outcome_is_unknown() {
    let mut world = World::new().slots(1);
    world.submit("a b");
    world.sees("a", Sighting::Vanished);
    assert_eq!(world.tick(), "launch b", "its slot is free in the same pass");
    assert_eq!(world.states(), "a:failed b:running");
    assert!(world.summary("a").starts_with("outcome unknown: "), "{}", world.summary("a"));
    let exit = world.job("a").end().unwrap().outcome.clone().unwrap().exit;
    assert!(matches!(exit, Exit::Unknown { .. }), "no exit code is guessed: {exit:?}");
}

#[test]
fn a_recorded_outcome_is_carried_over_as_it_stands() {
    let mut world = World::new();
    world.submit("a");
    let outcome = Outcome { notes: vec!["note".into()], ..Outcome::bare(Exit::Code(7), world.now) };
    world.after(90);
    world.sees("a", Sighting::Ended { outcome: outcome.clone(), ending: None });
    world.tick();
    assert_eq!(world.job("a").end().unwrap().outcome, Some(outcome));
    assert_eq!(world.summary("a"), "exit code 7; note");
}

#[test]
fn a_reboot_ends_what_ran_before_it() {
    let mut world = World::new().slots(1);
    world.runs_elsewhere("a", Some(site("here", "boot-1")));
    world.submit("b");
    assert_eq!(world.states(), "a:running b:running", "the job of the earlier boot holds no slot");
    world.sees("a", Sighting::Rebooted);
    world.tick();
    assert_eq!(world.states(), "a:failed b:running");
    assert!(world.summary("a").contains("started again"), "{}", world.summary("a"));
}

#[test]
fn what_was_told_to_end_and_then_vanished_is_cancelled() {
    for lost in [Sighting::Vanished, Sighting::Rebooted] {
        let mut world = World::new();
        world.submit("a");
        world.cancel("a");
        world.sees("a", lost);
        world.tick();
        assert_eq!(world.states(), "a:cancelled");
    }
}

#[test]
fn a_claim_of_the_dry_run_executor_that_went_away_is_given_back_and_taken_anew() {
    let mut world = World::new();
    world.submit("a");
    world.sees("a", Sighting::NeverExecuted);
    assert_eq!(world.tick(), "launch a");
    assert_eq!((world.states().as_str(), world.job("a").attempt), ("a:running", 1));
}

#[test]
fn a_job_that_is_not_in_the_census_is_not_judged() {
    let mut world = World::new();
    world.submit("a");
    world.after(30 * DAY);
    assert_eq!(world.tick(), "");
    assert_eq!(world.states(), "a:running");
}

#[test]
fn a_pass_for_slots_alone_judges_nobody() {
    let mut world = World::new();
    world.submit("a");
    world.sees("a", Sighting::Vanished);
    world.submit("b");
    assert_eq!(world.states(), "a:running b:running");
}

#[test]
fn a_slot_that_is_given_back_is_no_attempt() {
    let mut world = World::new();
    world.config.slots = 1;
    world.submit("a");
    world.config.slots = 0;
    assert_eq!(world.change("a", Change::GiveBack), Applied::Yes);
    assert_eq!((world.states().as_str(), world.job("a").attempt), ("a:queued", 0));
}

#[test]
fn a_slot_that_is_given_back_after_any_intent_ends_the_job() {
    for (why, state) in [
        (Why::Cancel, "a:cancelled"),
        (Why::Stale, "a:cancelled"),
        (Why::Replace, "a:cancelled"),
        (Why::Dependency, "a:cancelled"),
        (Why::Timeout, "a:failed"),
    ] {
        let mut world = World::new();
        world.submit("a");
        world.tell("a", why, None);
        assert_eq!(world.change("a", Change::GiveBack), Applied::Yes, "{why:?}");
        assert_eq!(world.states(), state);
    }
}

// Expiry.

#[test]
fn the_time_that_is_left_counts_down_to_nothing_and_stays_there() {
    let limits = Limits { timeout: limit(60), ..Limits::default() };
    assert_eq!(
        [0, 59, 60, 61, u64::MAX].map(|ran| seconds_left(&limits, ran)),
        [Some(60), Some(1), Some(0), Some(0), Some(0)]
    );
    let none = Limits { timeout: Limit { seconds: None, source: Source::Flag }, ..limits };
    assert_eq!(seconds_left(&none, u64::MAX), None);
    assert_eq!(seconds_left(&Limits::default(), 0), Some(1_800));
}

#[test]
fn a_watcher_that_is_silent_for_an_hour_is_evicted_and_the_job_told_to_end() {
    let mut world = World::new();
    world.submit("a");
    world.sees("a", watched(3_599));
    assert_eq!(world.tick(), "");
    world.sees("a", watched(3_600));
    assert_eq!(world.tick(), "evict a");
    assert_eq!(world.states(), "a:running", "its processes live until the new watcher has ended them");
    world.ends("a", Exit::Signal(15));
    assert_eq!(world.states(), "a:cancelled");
    assert_eq!(world.summary("a"), "stale: no sign of life for 1h; killed by SIGTERM");
}

#[test]
fn a_watcher_that_stays_silent_is_evicted_again() {
    let mut world = World::new();
    world.submit("a");
    world.sees("a", watched(3_600));
    world.tick();
    assert_eq!(world.tick(), "poke a, evict a");
}

#[test]
fn a_silent_watcher_of_a_cancelled_job_is_evicted_and_the_job_stays_the_persons() {
    let mut world = World::new();
    world.submit("a");
    world.cancel("a");
    world.sees("a", watched(3_600));
    assert_eq!(world.tick(), "poke a, evict a");
    world.ends("a", Exit::Signal(9));
    assert_eq!(world.summary("a"), "cancelled; killed by SIGKILL");
}

#[test]
fn an_unseen_job_goes_stale_after_its_last_sign_of_life() {
    let mut world = World::new();
    world.runs_elsewhere("a", Some(site("there", "boot-9")));
    let last_sign = world.now + TimeDelta::seconds(100);
    world.sees("a", Sighting::Unseen { last_sign });
    world.after(100 + HOUR - 1);
    world.tick();
    assert_eq!(world.states(), "a:running");
    world.after(1);
    world.tick();
    assert_eq!(world.states(), "a:cancelled");
    assert_eq!(
        world.summary("a"),
        "stale: no sign of life for 1h; outcome unknown: it may still run on there"
    );
}

#[test]
fn a_running_entry_that_nobody_claimed_goes_stale_and_frees_its_slot() {
    let mut world = World::new().slots(1);
    world.runs_elsewhere("hand-made", None);
    world.submit("b");
    let last_sign = world.now;
    world.sees("hand-made", Sighting::Unseen { last_sign });
    world.after(HOUR);
    assert_eq!(world.tick(), "launch b");
    assert!(world.summary("hand-made").ends_with("nobody claimed it"), "{}", world.summary("hand-made"));
}

#[test]
fn a_sign_of_life_from_the_future_is_no_silence() {
    let mut world = World::new();
    world.runs_elsewhere("a", Some(site("there", "boot-9")));
    let last_sign = world.now + TimeDelta::days(1);
    world.sees("a", Sighting::Unseen { last_sign });
    world.tick();
    assert_eq!(world.states(), "a:running");
}

#[test]
fn an_unseen_job_that_was_cancelled_ends_as_cancelled_by_the_person() {
    let mut world = World::new();
    world.runs_elsewhere("a", Some(site("there", "boot-9")));
    world.cancel("a");
    let last_sign = world.now;
    world.sees("a", Sighting::Unseen { last_sign });
    world.after(HOUR);
    world.tick();
    assert_eq!(world.states(), "a:cancelled");
    assert!(world.summary("a").starts_with("cancelled; outcome unknown"), "{}", world.summary("a"));
}

#[test]
fn the_stale_guard_of_a_job_is_its_own_and_can_be_switched_off() {
    let mut world = World::new();
    world.submit_with("quick", |job| job.spec.limits.stale_after = limit(60));
    world.submit_with("never", |job| {
        job.spec.limits.stale_after = Limit { seconds: None, source: Source::Flag };
    });
    world.sees("quick", watched(60));
    world.sees("never", watched(u64::MAX));
    assert_eq!(world.tick(), "evict quick");
}

#[test]
fn adoption_comes_before_stale() {
    let mut world = World::new();
    world.submit("a");
    world.after(30 * DAY);
    world.sees("a", Sighting::Orphaned);
    assert_eq!(world.tick(), "launch a");
    assert_eq!(world.job("a").run().unwrap().ending, None);
}

// Retention.

#[test]
fn ended_jobs_go_after_fourteen_days() {
    let mut world = World::new();
    world.ended("old", Some(14 * DAY));
    world.ended("younger", Some(14 * DAY - 1));
    assert_eq!(world.prune(), "old");
    assert_eq!(world.states(), "younger:completed");
}

#[test]
fn beyond_two_hundred_ended_jobs_the_oldest_end_goes_first() {
    let mut world = World::new();
    // Submitted in another order than they ended.
    world.ended("newest", Some(HOUR));
    world.ended("oldest", Some(5 * HOUR));
    world.ended("second", Some(4 * HOUR));
    for number in 0..199 {
        world.ended(&format!("n{number}"), Some(2 * HOUR));
    }
    assert_eq!(world.prune(), "oldest second");
    assert_eq!(world.jobs().len(), 200);
}

#[test]
fn the_age_goes_first_and_the_count_is_of_what_then_remains() {
    let mut world = World::new();
    world.config.retention.jobs_max = 2;
    world.ended("ancient", Some(20 * DAY));
    world.ended("a", Some(4 * HOUR));
    world.ended("b", Some(3 * HOUR));
    assert_eq!(world.prune(), "ancient");
    world.ended("c", Some(2 * HOUR));
    assert_eq!(world.prune(), "a");
}

#[test]
fn nothing_goes_within_an_hour_of_its_end() {
    let mut world = World::new();
    world.config.retention.jobs_max = 0;
    world.ended("old", Some(HOUR));
    world.ended("fresh", Some(HOUR - 1));
    assert_eq!(world.prune(), "old");
    world.after(1);
    assert_eq!(world.prune(), "fresh");
}

#[test]
fn what_ended_in_the_same_millisecond_goes_in_the_order_of_submission() {
    let mut world = World::new();
    world.config.retention.jobs_max = 1;
    for name in ["c", "a", "b"] {
        world.ended(name, Some(2 * HOUR));
    }
    assert_eq!(world.prune(), "c a");
}

fn waiting() -> State {
    let on = bgctl::model::approval::On::Local;
    let hash = String::new();
    let at = "2026-02-13T10:00:00Z".parse().unwrap();
    let request = bgctl::model::approval::Request { on, at, ttl_seconds: None, reason: None, hash };
    State::WaitingApproval(Box::new(bgctl::model::approval::Waiting::new(request, at, None)))
}

#[test]
fn a_job_that_has_not_ended_never_goes() {
    let mut world = World::new().slots(1);
    world.config.retention.jobs_max = 0;
    world.submit("running queued");
    world.submit_with("waiting", |job| job.state = waiting());
    world.after(400 * DAY);
    assert_eq!(world.prune(), "");
}

#[test]
fn an_end_that_nobody_wrote_down_has_no_age_and_is_the_oldest_of_the_count() {
    let mut world = World::new();
    world.ended("dated", Some(2 * HOUR));
    world.ended("undated", None);
    world.after(DAY);
    assert_eq!(world.prune(), "");
    world.config.retention.jobs_max = 1;
    assert_eq!(world.prune(), "undated");
}

#[test]
fn a_limit_of_none_keeps_ended_jobs_of_any_age() {
    let mut world = World::new();
    world.config.retention.age_seconds_max = None;
    world.ended("old", Some(4_000 * DAY));
    assert_eq!(world.prune(), "");
}

// Executors keep to their own.

struct Now(Timestamp);

impl Clock for Now {
    fn now(&self) -> Timestamp {
        self.0
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// A whole pass of the dry-run executor over a store in memory with one running job of that claim.
fn dry_run_over(claim: Option<Claim>) -> String {
    let world = World::new();
    let store = MemoryStore::default();
    let mut given = job("a", 1, world.now);
    given.state = State::Running(Run {
        started_at: world.now,
        claim,
        ending: None,
        asked: None,
        paused_at: None,
        stdin_closed_at: None,
    });
    store
        .transact(world.now, &mut |draft| admit::admit(draft, given.clone(), given.created_at).map(drop))
        .unwrap();
    let clock = Now(world.now);
    let executor = DryRun { site: &site("here", "boot-2"), clock: &clock };
    let pass = Pass {
        store: &store,
        executor: &executor,
        clock: &clock,
        config: &world.config,
        definitions: None,
        polled_at: None,
    };
    pass.advance(Scope::Whole, &mut |_| Ok(())).unwrap();
    let job = store.read().unwrap().job(&given.id).unwrap().unwrap();
    job.status().to_string()
}

#[test]
fn a_dry_run_leaves_alone_what_really_runs() {
    let local = Claim { site: site("here", "boot-2"), executor: ExecutorName::Local };
    assert_eq!(dry_run_over(Some(local)), "running");
    assert_eq!(dry_run_over(None), "running");
}

#[test]
fn a_dry_run_completes_what_an_earlier_one_left() {
    let left = Claim { site: site("here", "boot-2"), executor: ExecutorName::DryRun };
    assert_eq!(dry_run_over(Some(left)), "completed");
}

#[test]
fn an_intent_without_words_and_one_with_words_are_both_told() {
    let mut world = World::new();
    world.submit("a b");
    world.cancel("a");
    let ending =
        Ending { why: Why::Replace, at: world.now, signal: None, note: Some("replaced by b2".into()) };
    world.change("b", Change::Decide { ending });
    world.ends("a", Exit::Signal(15));
    world.ends("b", Exit::Signal(15));
    assert_eq!(world.summary("a"), "cancelled; killed by SIGTERM");
    assert_eq!(world.summary("b"), "replaced by b2; killed by SIGTERM");
}
