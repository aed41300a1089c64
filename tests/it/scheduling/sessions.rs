//! Sessions: refreshed before they run out, tried again while they are valid, and held up by nobody.

use super::world::World;
use bgctl::model::{
    calendar::Rhythm,
    config::Defined,
    group,
    outcome::Exit,
    schedule::{ScheduleChange, Task, refresh_of},
};
use chrono::TimeDelta;

const NAME: &str = "session_refresh.s";

/// A session that is renewed a minute before it runs out. Its run has begun.
fn session(world: &mut World) {
    world.config.recurring.restart_jitter_percent = 0;
    world.schedule(NAME, 60, |definition| {
        definition.rhythm = Rhythm::BeforeExpiry { seconds: 60 };
        let Task::Run(spec) = &mut definition.task else { unreachable!() };
        spec.group = Some(group::SESSIONS.into());
    });
    world.tick();
}

/// What a run writes down that renewed it.
fn renewed(world: &mut World, valid_seconds: i64) {
    let valid_until = world.now + TimeDelta::seconds(valid_seconds);
    let next_at = valid_until - TimeDelta::seconds(60);
    world.change_schedule(NAME, &ScheduleChange::Renewed { valid_until, next_at });
}

#[test]
fn a_session_of_which_nobody_knows_is_looked_after_at_once_then_in_time_before_it_runs_out() {
    let mut world = World::new();
    session(&mut world);
    assert_eq!(world.states(), "session_refresh.s:running");
    assert_eq!(world.next_in(NAME), None, "what goes on says when");
    renewed(&mut world, 3_600);
    world.ends(NAME, Exit::Code(0));
    assert_eq!(world.next_in(NAME), Some(3_540));
    world.after(3_540);
    world.tick();
    assert!(world.states().ends_with(":running"));
    assert_eq!(world.scheduled(NAME).health.missed, 0);
}

#[test]
fn while_it_is_valid_a_session_is_tried_again_before_it_runs_out_however_often_that_failed() {
    let mut world = World::new();
    session(&mut world);
    renewed(&mut world, 120);
    world.ends(NAME, Exit::Code(0));
    world.after(60);
    world.tick();
    let mut waits = Vec::new();
    while world.scheduled(NAME).valid_until.unwrap() > world.now {
        world.ends(NAME, Exit::Code(1));
        let wait = world.next_in(NAME).unwrap();
        waits.push(wait);
        world.after(wait + 1);
        world.tick();
        assert!(waits.len() < 100);
    }
    assert_eq!(waits, [10, 20, 14, 6, 3, 1], "growing, then half of what is left");
    let failures = world.scheduled(NAME).health.failures_in_row;
    world.ends(NAME, Exit::Code(1));
    assert_eq!(failures, 6);
    assert_eq!(world.next_in(NAME), Some(640), "once it has run out, the waits are those of every other job");
}

#[test]
fn a_refresh_that_was_cancelled_or_ended_without_a_word_is_followed_by_another() {
    let mut world = World::new();
    session(&mut world);
    world.cancel(NAME);
    world.ends(NAME, Exit::Signal(15));
    assert_eq!((world.scheduled(NAME).health.failures_in_row, world.next_in(NAME)), (0, Some(10)));
    world.after(10);
    world.tick();
    world.ends(NAME, Exit::Code(0));
    assert_eq!(world.next_in(NAME), Some(10), "it wrote nothing down");
}

#[test]
fn a_session_that_is_defined_otherwise_is_looked_after_at_once_also_after_failures() {
    let mut world = World::new();
    session(&mut world);
    world.ends(NAME, Exit::Code(1));
    assert_eq!(world.next_in(NAME), Some(10));
    let mut definition = world.scheduled(NAME).definition.clone();
    let Task::Run(spec) = &mut definition.task else { unreachable!() };
    spec.labels = vec!["another".into()];
    let (at, next_at) = (world.now, Some(world.now));
    world.change_schedule(NAME, &ScheduleChange::Put { at, definition: Box::new(definition), next_at });
    world.tick();
    assert!(world.states().ends_with(":running"), "{}", world.states());
    assert_eq!(world.scheduled(NAME).health.failures_in_row, 1, "its past stays");
}

#[test]
fn a_session_that_was_renewed_by_hand_after_failures_does_not_wait_as_long_as_they_said() {
    let mut world = World::new();
    world.config.recurring.restart_seconds = 3_000;
    session(&mut world);
    world.ends(NAME, Exit::Code(1));
    assert_eq!(world.next_in(NAME), Some(3_000));
    world.submit_with(NAME, |job| job.spec.schedule = Some(NAME.into()));
    renewed(&mut world, 600);
    world.ends(NAME, Exit::Code(0));
    assert_eq!(world.next_in(NAME), Some(540));
}

#[test]
fn a_paused_session_is_left_alone_and_goes_on_where_it_was() {
    let mut world = World::new();
    session(&mut world);
    renewed(&mut world, 3_600);
    world.ends(NAME, Exit::Code(0));
    let at = world.now;
    world.change_schedule(NAME, &ScheduleChange::Pause { at });
    world.after(10_000);
    world.tick();
    assert_eq!((world.states().as_str(), world.next_in(NAME)), ("session_refresh.s:completed", None));
    let next_at = world.scheduled(NAME).next_at;
    world.change_schedule(NAME, &ScheduleChange::Resume { next_at });
    world.tick();
    assert!(world.states().ends_with(":running"));
}

#[test]
fn neither_long_jobs_nor_other_sessions_hold_a_refresh_up() {
    let mut world = World::new().slots(1);
    world.submit("a b");
    for name in ["one", "two"] {
        world.config.sessions.insert(name.into(), Defined::default());
        world.schedule(&refresh_of(name), 60, |definition| {
            definition.rhythm = Rhythm::BeforeExpiry { seconds: 60 };
            let Task::Run(spec) = &mut definition.task else { unreachable!() };
            spec.group = Some(group::SESSIONS.into());
        });
    }
    world.tick();
    assert_eq!(world.states(), "a:running b:queued session_refresh.one:running session_refresh.two:running");
}
