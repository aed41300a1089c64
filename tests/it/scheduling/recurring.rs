//! What recurs: due times, overlaps, missed times, restarts, and what is built in, with the time as an argument.

use super::world::{World, limit};
use bgctl::model::{
    calendar::{Calendar, Rhythm},
    config::Config,
    event::Event,
    health::RunResult,
    key::Key,
    outcome::Exit,
    schedule::{DefinedBy, Definition, Missed, Overlap, ScheduleChange, Task},
};
use bgctl::plan::{Scope, census::Sighting, recur::Definitions};

fn failing_restarts(world: &mut World, name: &str, times: usize) -> Vec<i64> {
    let mut waits = Vec::new();
    for _ in 0..times {
        world.ends(name, Exit::Code(1));
        waits.push(world.next_in(name).unwrap());
        world.after(waits[waits.len() - 1] + 1);
        world.tick();
    }
    waits
}

fn exactly(mut config: Config) -> Config {
    config.recurring.restart_jitter_percent = 0;
    config
}

#[test]
fn a_run_is_submitted_at_each_time_of_its_rhythm_and_is_a_job_like_any_other() {
    let mut world = World::new();
    world.schedule("hourly", 3_600, |_| {});
    assert_eq!((world.states().as_str(), world.next_in("hourly")), ("", Some(3_600)));
    world.after(3_599);
    assert_eq!(world.tick(), "wake in 1 s");
    world.after(1);
    assert_eq!(world.tick(), "launch hourly");
    let job = world.job("hourly");
    assert_eq!(job.spec.schedule.as_deref(), Some("hourly"));
    world.ends("hourly", Exit::Code(0));
    world.after(3_600);
    world.tick();
    assert_eq!(world.states(), "hourly:completed hourly:running");
}

#[test]
fn every_two_seconds_means_every_two_seconds_however_late_a_pass_comes() {
    let mut world = World::new();
    world.schedule("often", 2, |_| {});
    let mut runs = 0;
    world.wakes_for(60, |world| {
        if world.states().contains("running") {
            world.ends("often", Exit::Code(0));
            runs += 1;
        }
    });
    assert_eq!(runs, 30);
    world.after(3);
    world.tick();
    assert_eq!(world.next_in("often"), Some(1), "the rhythm is that of its beginning");
}

#[test]
fn a_due_run_enters_a_queue_that_takes_no_submission() {
    let mut world = World::new().slots(1);
    world.config.queue.jobs_max = 1;
    world.submit("a b c");
    assert!(world.room().is_err());
    world.schedule("s", 10, |_| {});
    world.after(10);
    world.tick();
    assert!(world.states().ends_with("s:queued"));
}

#[test]
fn a_run_that_is_due_while_the_one_before_it_goes_on_is_left_out_and_counted() {
    let mut world = World::new();
    world.schedule("s", 10, |_| {});
    for _ in 0..3 {
        world.after(10);
        world.tick();
    }
    assert_eq!(world.states(), "s:running");
    assert_eq!(world.scheduled("s").health.overlapped, 2);
    world.ends("s", Exit::Code(0));
    assert_eq!(world.next_in("s"), Some(10));
}

#[test]
fn queue_lets_one_run_wait_for_the_end_of_the_one_before_it() {
    let mut world = World::new();
    world.schedule("s", 10, |definition| definition.overlap = Overlap::Queue);
    for _ in 0..3 {
        world.after(10);
        world.tick();
    }
    assert_eq!(world.states(), "s:running s:queued", "there are slots, and only one waits");
    world.ends("s", Exit::Code(1));
    assert_eq!(world.states(), "s:failed s:running", "however that one ends");
}

#[test]
fn replace_ends_the_run_before_it_and_starts_once_that_is_gone() {
    let mut world = World::new();
    world.schedule("s", 10, |definition| definition.overlap = Overlap::Replace);
    world.after(10);
    world.tick();
    world.after(10);
    assert_eq!(world.tick(), "poke s, wake in 10 s");
    assert_eq!(world.states(), "s:running s:queued");
    world.ends("s", Exit::Signal(15));
    assert_eq!(world.states(), "s:cancelled s:running");
    assert_eq!(world.scheduled("s").health.failures_in_row, 0, "a run that was replaced has not failed");
}

#[test]
fn after_a_long_sleep_one_run_makes_up_for_all_or_none_does() {
    for (missed, states, counted) in [(Missed::Once, "s:running", 9), (Missed::None, "", 10)] {
        let mut world = World::new();
        world.schedule("s", 3_600, |definition| definition.missed = missed);
        world.after(10 * 3_600 + 300);
        world.tick();
        assert_eq!((world.states().as_str(), world.scheduled("s").health.missed), (states, counted));
        assert_eq!(world.next_in("s"), Some(3_300), "{missed:?}");
    }
}

#[test]
fn a_pass_that_comes_with_the_next_minute_is_not_late() {
    let mut world = World::new();
    world.schedule("s", 3_600, |definition| definition.missed = Missed::None);
    world.after(3_600 + 59);
    world.tick();
    assert_eq!(world.states(), "s:running");
    assert_eq!(world.scheduled("s").health.missed, 0);
}

#[test]
fn jitter_puts_each_run_off_by_its_own_wait_and_never_beyond_the_longest() {
    let mut world = World::new();
    world.schedule("s", 600, |definition| definition.jitter_seconds = 120);
    let mut waits = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let wait = world.next_in("s").unwrap();
        let nominal = (world.scheduled("s").next_at.unwrap() - world.now).num_seconds();
        assert!((0..=120).contains(&(wait - nominal)), "{wait} of {nominal}");
        waits.insert(wait - nominal);
        world.after(wait + 1);
        world.tick();
        world.ends("s", Exit::Code(0));
    }
    assert!(waits.len() > 10, "{waits:?}");
    assert_eq!(world.scheduled("s").health.missed, 0);
}

#[test]
fn a_run_that_chance_puts_off_until_its_next_time_is_not_late() {
    let runs = |missed: Missed| {
        let mut world = World::new();
        world.schedule("s", 60, |definition| {
            definition.jitter_seconds = 59;
            definition.missed = missed;
        });
        for _ in 0..1_000 {
            world.after(7);
            world.tick();
            if world.states().contains("running") {
                world.ends("s", Exit::Code(0));
            }
        }
        world.scheduled("s").health.runs
    };
    assert_eq!(runs(Missed::None), runs(Missed::Once), "somebody looked all the time");
}

#[test]
fn a_run_that_failed_is_tried_again_after_waits_that_grow_to_the_longest() {
    let mut world = World::new();
    world.config = exactly(world.config);
    world.config.recurring.restart_seconds_max = 60;
    world.schedule("daily", 86_400, |_| {});
    world.after(86_400);
    world.tick();
    assert_eq!(failing_restarts(&mut world, "daily", 5), [10, 20, 40, 60, 60]);
    assert_eq!(world.scheduled("daily").health.failures_in_row, 5);
    world.ends("daily", Exit::Code(0));
    let back = world.next_in("daily").unwrap();
    assert!((86_000..86_400).contains(&back), "back to its rhythm: {back}");
    assert_eq!(world.scheduled("daily").health.missed, 0);
}

#[test]
fn a_failing_run_of_seconds_comes_more_rarely_than_its_rhythm_says() {
    let mut world = World::new();
    world.config = exactly(world.config);
    world.schedule("often", 2, |_| {});
    world.after(2);
    world.tick();
    assert_eq!(failing_restarts(&mut world, "often", 3), [10, 20, 40]);
    world.ends("often", Exit::Code(0));
    assert!(world.next_in("often").unwrap() <= 2);
}

#[test]
fn waits_before_restarts_are_moved_by_chance_as_far_as_the_settings_say() {
    let mut waits = std::collections::BTreeSet::new();
    for name in ["a", "b", "c", "d", "e", "f"] {
        let mut world = World::new();
        world.config.recurring.restart_seconds = 1_000;
        world.schedule(name, 3_600, |_| {});
        world.after(3_600);
        world.tick();
        world.ends(name, Exit::Code(1));
        let wait = world.next_in(name).unwrap();
        assert!((899..=1_100).contains(&wait), "{wait}");
        waits.insert(wait);
    }
    assert!(waits.len() > 3, "{waits:?}");
}

#[test]
fn a_schedule_without_restarts_waits_for_its_next_time_after_a_failure_too() {
    let mut world = World::new();
    world.schedule("s", 3_600, |definition| definition.restarts = false);
    world.after(3_600);
    world.tick();
    world.ends("s", Exit::Code(1));
    assert_eq!(world.next_in("s"), Some(3_600));
}

#[test]
fn attempts_of_a_run_come_before_its_restart() {
    let mut world = World::new();
    world.config = exactly(world.config);
    world.schedule("s", 3_600, |definition| {
        let Task::Run(spec) = &mut definition.task else { unreachable!() };
        spec.retry.attempts_max = 2;
    });
    world.after(3_600);
    world.tick();
    world.ends("s", Exit::Code(1));
    assert_eq!(world.states(), "s:queued", "it is tried again");
    assert_eq!(world.scheduled("s").health.failures_in_row, 0);
    world.after(60);
    world.tick();
    world.ends("s", Exit::Code(1));
    assert_eq!(world.states(), "s:failed");
    assert_eq!((world.scheduled("s").health.failures_in_row, world.next_in("s")), (1, Some(10)));
}

#[test]
fn one_that_always_fails_delays_no_other() {
    let mut world = World::new();
    world.schedule("bad", 2, |_| {});
    world.schedule("good", 2, |_| {});
    let mut runs = 0;
    world.wakes_for(40, |world| {
        let running: Vec<String> =
            world.facts.running().filter_map(|job| job.spec.schedule.clone()).collect();
        for name in running {
            runs += usize::from(name == "good");
            world.ends(&name, Exit::Code(i32::from(name == "bad")));
        }
    });
    assert_eq!(runs, 20);
}

#[test]
fn one_that_hangs_takes_its_slot_and_nothing_else() {
    let mut world = World::new().slots(2);
    world.schedule("hangs", 2, |_| {});
    world.schedule("good", 2, |_| {});
    let mut runs = 0;
    world.wakes_for(40, |world| {
        if world.facts.running().any(|job| job.spec.schedule.as_deref() == Some("good")) {
            runs += 1;
            world.ends("good", Exit::Code(0));
        }
    });
    assert_eq!(runs, 20);
}

#[test]
fn a_paused_schedule_runs_nothing_and_its_times_are_not_missed() {
    let mut world = World::new();
    world.schedule("s", 60, |_| {});
    let at = world.now;
    world.change_schedule("s", &ScheduleChange::Pause { at });
    world.after(3_600);
    world.tick();
    assert_eq!((world.states().as_str(), world.next_in("s")), ("", None));
    let next_at = Some(world.now + chrono::TimeDelta::seconds(30));
    world.change_schedule("s", &ScheduleChange::Resume { next_at });
    world.after(30);
    world.tick();
    assert_eq!(world.states(), "s:running");
    assert_eq!(world.scheduled("s").health.missed, 0);
}

#[test]
fn a_clock_that_is_set_moves_the_next_time_and_starts_nothing_twice() {
    let mut world = World::new();
    world.schedule("s", 60, |_| {});
    world.after(60);
    world.tick();
    world.ends("s", Exit::Code(0));
    world.after(-86_400);
    world.tick();
    assert!(world.next_in("s").unwrap() <= 60, "a day back");
    assert_eq!(world.states(), "s:completed");
    world.after(2 * 86_400);
    world.tick();
    world.tick();
    assert_eq!(world.states(), "s:completed s:running", "two days on: one run for all that passed");
}

#[test]
fn a_pass_whose_clock_is_a_little_behind_runs_no_time_again() {
    for every_seconds in [2, 60, 3_600] {
        let mut world = World::new();
        world.schedule("s", every_seconds, |_| {});
        world.after(i64::try_from(every_seconds).unwrap());
        world.tick();
        world.ends("s", Exit::Code(0));
        let next_at = world.scheduled("s").next_at;
        world.after(-1);
        world.tick();
        assert_eq!(world.scheduled("s").next_at, next_at, "every {every_seconds} s");
        world.after(1);
        world.tick();
        assert_eq!(world.states(), "s:completed", "every {every_seconds} s");
    }
}

#[test]
fn a_schedule_that_was_added_by_a_clock_a_little_ahead_keeps_its_times() {
    let mut world = World::new();
    world.schedule("s", 3_600, |_| {});
    let next_at = world.scheduled("s").next_at;
    world.after(-1);
    world.tick();
    assert_eq!(world.scheduled("s").next_at, next_at);
}

#[test]
fn a_restart_that_a_clock_put_into_the_future_is_brought_near() {
    let mut world = World::new();
    world.config = exactly(world.config);
    world.schedule("s", 60, |_| {});
    world.after(60);
    world.tick();
    world.ends("s", Exit::Code(1));
    world.after(-86_400);
    world.tick();
    assert_eq!(world.next_in("s"), Some(10));
}

#[test]
fn a_vanished_run_has_failed_and_is_followed_by_another() {
    let mut world = World::new();
    world.config = exactly(world.config);
    world.schedule("s", 60, |_| {});
    world.after(60);
    world.tick();
    world.sees("s", Sighting::Vanished);
    world.tick();
    assert_eq!(world.states(), "s:failed");
    assert_eq!(world.next_in("s"), Some(10));
}

#[test]
fn a_cancelled_run_is_no_failure_and_its_schedule_keeps_its_rhythm() {
    let mut world = World::new();
    world.schedule("s", 60, |_| {});
    world.after(60);
    world.tick();
    world.cancel("s");
    world.ends("s", Exit::Signal(15));
    assert_eq!(world.states(), "s:cancelled");
    assert_eq!((world.scheduled("s").health.failures_in_row, world.next_in("s")), (0, Some(60)));
}

#[test]
fn a_run_whose_key_another_job_has_is_left_out() {
    let mut world = World::new();
    let key = Key { text: "k".into(), ttl_seconds: 0 };
    world.submit_with("other", |job| job.spec.key = Some(key.clone()));
    world.schedule("s", 60, |definition| {
        let Task::Run(spec) = &mut definition.task else { unreachable!() };
        spec.key = Some(key.clone());
    });
    world.after(60);
    world.tick();
    assert_eq!(world.states(), "other:running");
    assert_eq!(world.next_in("s"), Some(60));
}

#[test]
fn the_calendar_of_a_zone_says_when() {
    let mut world = World::new();
    world.now = "2026-10-24T12:00:00Z".parse().unwrap();
    world.schedule("nightly", 1, |definition| {
        definition.rhythm = Rhythm::Cron(Calendar::parse("30 2 * * *", "Europe/Berlin").unwrap());
    });
    let mut times = Vec::new();
    for _ in 0..2 {
        world.after(world.next_in("nightly").unwrap());
        world.tick();
        times.push(world.job("nightly").created_at.to_rfc3339());
        world.ends("nightly", Exit::Code(0));
    }
    assert_eq!(times, ["2026-10-25T00:30:00+00:00", "2026-10-26T01:30:00+00:00"]);
}

fn from_file(world: &World, definition: &Definition) -> Definitions {
    let definition = Definition { source: DefinedBy::File, ..definition.clone() };
    let mut definitions = world.definitions.clone().unwrap_or_default();
    definitions.good.insert("s".into(), definition);
    definitions
}

#[test]
fn what_the_settings_define_wins_over_what_was_added_and_goes_with_its_section() {
    let mut world = World::new();
    world.schedule("s", 60, |_| {});
    let mut definition = world.scheduled("s").definition.clone();
    definition.rhythm = Rhythm::Every { seconds: 600 };
    world.definitions = Some(from_file(&world, &definition));
    world.tick();
    assert_eq!((world.scheduled("s").definition.source, world.next_in("s")), (DefinedBy::File, Some(600)));
    world.after(300);
    world.tick();
    assert_eq!(world.next_in("s"), Some(300), "a pass that finds it as it was changes nothing");
    let mut definitions = Definitions::default();
    definitions.broken.insert("s".into());
    world.definitions = Some(definitions);
    world.tick();
    assert_eq!(world.next_in("s"), Some(300), "a mistake in its section leaves it as it was");
    world.definitions = None;
    world.tick();
    assert_eq!(world.next_in("s"), Some(300), "so does a file that nobody could read");
    world.definitions = Some(Definitions::default());
    world.tick();
    assert!(world.facts.schedules().is_empty());
}

#[test]
fn a_definition_that_changes_keeps_the_past_and_the_times_of_the_same_rhythm() {
    let mut world = World::new();
    world.schedule("s", 60, |_| {});
    world.after(60);
    world.tick();
    world.ends("s", Exit::Code(0));
    world.after(10);
    world.schedule("s", 60, |definition| definition.restarts = false);
    assert_eq!((world.next_in("s"), world.scheduled("s").health.runs), (Some(50), 1));
    world.schedule("s", 30, |definition| definition.restarts = false);
    assert_eq!((world.next_in("s"), world.scheduled("s").health.runs), (Some(30), 1));
}

#[test]
fn expired_keys_are_forgotten_each_hour_and_live_ones_stay() {
    let mut world = World::new();
    for (name, ttl_seconds) in [("short", 60), ("long", 86_400)] {
        world.submit_with(name, |job| job.spec.key = Some(Key { text: name.into(), ttl_seconds }));
        world.ends(name, Exit::Code(0));
    }
    world.submit_with("runs", |job| job.spec.key = Some(Key { text: "runs".into(), ttl_seconds: 0 }));
    let note =
        |world: &World| world.scheduled("idempotency_cleanup").health.last.clone().unwrap().note.unwrap();
    world.decide(Scope::Tick, |_| Ok(()));
    assert!(world.facts.schedules().is_empty(), "there is nothing to do");
    world.after(60);
    world.decide(Scope::Whole, |_| Ok(()));
    assert!(world.job("short").spec.key.is_some(), "not in a pass that is no tick");
    world.decide(Scope::Tick, |_| Ok(()));
    assert_eq!(note(&world), "1 expired key deleted, 2 live keys kept");
    assert!(world.job("short").spec.key.is_none());
    assert!(world.job("long").spec.key.is_some() && world.job("runs").spec.key.is_some());
    world.after(10);
    world.ends("runs", Exit::Code(0));
    world.decide(Scope::Tick, |_| Ok(()));
    assert!(world.job("runs").spec.key.is_some(), "not before an hour is over");
    world.after(3_590);
    world.decide(Scope::Tick, |_| Ok(()));
    assert_eq!(note(&world), "1 expired key deleted, 1 live key kept");
    assert_eq!(world.scheduled("idempotency_cleanup").health.runs, 2);
}

#[test]
fn retention_is_asked_for_each_hour_where_something_goes() {
    let mut world = World::new();
    let asks = |world: &mut World| {
        world.decide(Scope::Tick, |_| Ok(()));
        world.actions_text().contains("retain")
    };
    world.submit("a");
    assert!(!asks(&mut world), "nothing goes");
    world.ended("old", Some(15 * 86_400));
    assert!(asks(&mut world));
    assert!(!asks(&mut world), "an hour is not over");
    world.after(3_600);
    assert!(asks(&mut world));
    world.prune();
    world.after(3_600);
    assert!(!asks(&mut world));
    world.after(10 * 3_600);
    world.ended("older", Some(15 * 86_400));
    assert!(asks(&mut world));
    assert_eq!(world.scheduled("retention").health.missed, 0, "there was nothing to do");
}

#[test]
fn of_the_runs_of_a_schedule_the_newest_stay_and_others_are_not_driven_out() {
    let mut world = World::new();
    world.config.recurring.runs_kept = 3;
    world.config.retention.jobs_max = 5;
    world.ended("old", Some(7_200));
    world.schedule("s", 1, |_| {});
    for _ in 0..10 {
        world.after(1);
        world.tick();
        world.ends("s", Exit::Code(0));
    }
    assert_eq!(world.prune(), "s s s s s s s");
    assert_eq!(world.states(), "old:completed s:completed s:completed s:completed");
}

#[test]
fn how_named_jobs_have_gone_is_known_after_they_are_gone() {
    let mut world = World::new();
    for code in [0, 1, 1] {
        world.submit("build");
        world.after(10);
        world.ends("build", Exit::Code(code));
    }
    world.after(20 * 86_400);
    world.prune();
    assert_eq!(world.states(), "");
    let health = &world.facts.tables().names["build"];
    assert_eq!((health.runs, health.failed, health.failures_in_row), (3, 2, 2));
    assert_eq!(health.last.as_ref().unwrap().result, RunResult::Failed);
    assert_eq!((health.mean_ms(), health.p95_ms()), (Some(10_000), Some(10_000)));
    let totals = &world.facts.tables().totals;
    assert_eq!((totals.processed(), totals.succeeded, totals.failed), (3, 1, 2));
}

#[test]
fn names_without_end_do_not_make_the_index_grow_without_end() {
    let mut world = World::new();
    for number in 0..150 {
        let name = format!("n{number}");
        world.submit(&name);
        world.after(1);
        world.ends(&name, Exit::Code(0));
    }
    let names = &world.facts.tables().names;
    assert_eq!(names.len(), bgctl::model::tables::NAMES_MAX);
    assert!(names.contains_key("n149") && !names.contains_key("n49"), "the oldest went");
}

#[test]
fn a_damaged_entry_stops_one_policy_and_is_told_of() {
    let mut world = World::new().slots(1);
    world.submit("a b");
    world.schedule("s", 60, |_| {});
    let text = world.facts.to_text(world.now);
    let whole = text.lines().find(|line| line.contains("\"b\"")).unwrap();
    let broken = text.replace(whole, &whole.replace("\"timeout_seconds\":1800", "\"timeout_seconds\":\"x\""));
    assert_ne!(text, broken);
    let facts = bgctl::model::facts::Facts::parse(broken).unwrap();
    let mut draft = bgctl::model::facts::Draft::new(facts);
    let applied = draft.push(Event::Removed { id: world.job("b").id });
    assert!(applied.is_err(), "the entry cannot be read whole");
    world.after(60);
    world.tick();
    assert!(world.warnings.is_empty() && world.states().ends_with("s:queued"));
}

#[test]
fn a_run_has_the_limits_of_its_schedule() {
    let mut world = World::new();
    world.schedule("s", 60, |definition| {
        let Task::Run(spec) = &mut definition.task else { unreachable!() };
        spec.limits.timeout = limit(7);
        spec.name = Some("called".into());
    });
    world.after(60);
    world.tick();
    assert_eq!(world.job("called").spec.limits.timeout.seconds, Some(7));
}

#[test]
fn a_run_that_times_out_and_is_replaced_meanwhile_is_not_tried_again() {
    let mut world = World::new();
    world.schedule("s", 10, |definition| {
        definition.overlap = Overlap::Replace;
        let Task::Run(spec) = &mut definition.task else { unreachable!() };
        spec.retry.attempts_max = 3;
    });
    world.after(10);
    world.tick();
    world.tell("s", bgctl::model::outcome::Why::Timeout, None);
    world.after(10);
    world.tick();
    world.ends("s", Exit::Signal(15));
    assert_eq!(world.states(), "s:cancelled s:running");
}

#[test]
fn a_run_by_hand_that_succeeds_while_it_fails_leads_back_to_the_rhythm() {
    let mut world = World::new();
    world.config = exactly(world.config);
    world.schedule("s", 60, |_| {});
    world.after(60);
    world.tick();
    failing_restarts(&mut world, "s", 4);
    world.ends("s", Exit::Code(1));
    world.after(100);
    world.submit_with("s", |job| job.spec.schedule = Some("s".into()));
    world.ends("s", Exit::Code(0));
    assert!(world.next_in("s").is_some_and(|seconds| (1..=60).contains(&seconds)));
    assert_eq!((world.scheduled("s").restart_at, world.scheduled("s").health.missed), (None, 0));
}
