//! Health: each reason comes and goes, and the figures, with the time as an argument.

use super::world::{World, name_of, site};
use bgctl::model::{
    config::{Config, Defined},
    event::Event,
    health::HealthStatus,
    id::JobId,
    outcome::{Ending, Exit, Outcome, Why},
    schedule::{DefinedBy, ScheduleChange},
    state::{Change, End, State, Status, Verdict},
};
use bgctl::plan::{
    Scope,
    census::Sighting,
    health::{Kind, Reason},
};
use chrono::TimeDelta;
use std::collections::BTreeSet;

fn watched(silent_seconds: u64) -> Sighting {
    Sighting::Watched { silent_seconds, over: false, pausing: false }
}

fn over(silent_seconds: u64) -> Sighting {
    Sighting::Watched { silent_seconds, over: true, pausing: false }
}

/// A world in which somebody ticked just now.
fn ticked() -> World {
    let mut world = World::new();
    world.beside.last_tick = Some(world.now);
    world
}

/// A world with one slot, which a job called `it` holds that is as it should be.
fn busy() -> World {
    let mut world = ticked().slots(1);
    world.submit("it");
    world.sees("it", watched(0));
    world
}

fn dead_letter(world: &mut World, name: &str) {
    let at = world.now;
    world.submit_with(name, |job| {
        job.state = State::Ended(End {
            verdict: Verdict::Failed,
            at: Some(at),
            started_at: Some(at),
            claim: None,
            outcome: Some(Outcome::bare(Exit::Code(1), at)),
            ending: None,
            summary: None,
            dead_letter: true,
        });
    });
}

/// Lets the jobs of a name run and fail, one after the other.
fn fails(world: &mut World, name: &str, times: usize) {
    for _ in 0..times {
        world.submit(name);
        world.ends(name, Exit::Code(1));
    }
}

/// Lets the runs of a schedule fail, one after the other.
fn runs_fail(world: &mut World, name: &str, times: usize) {
    for _ in 0..times {
        let due_in = world.next_in(name).unwrap();
        world.after(due_in + 1);
        world.tick();
        world.ends(name, Exit::Code(1));
    }
    world.beside.last_tick = Some(world.now);
}

fn ids(names: &[&str], world: &World) -> Vec<JobId> {
    names.iter().map(|name| world.job(name).id).collect()
}

#[test]
fn nothing_at_all_is_well() {
    let world = World::new();
    assert_eq!(world.health(), "ok");
    let report = world.report();
    assert_eq!((report.queue.waiting, report.queue.jobs_max, report.queue.threshold), (0, 100, 80));
    assert_eq!((report.totals.processed(), report.schedules, report.last_tick), (0, 0, None));
    assert!(report.amiss.is_empty() && report.going.is_empty() && report.sessions.is_empty());
}

#[test]
fn a_job_that_runs_and_one_that_waits_for_its_slot_are_well() {
    let mut world = busy();
    world.submit("next");
    world.after(3_600);
    assert_eq!(world.health(), "ok", "nobody needs to tick while nothing is due");
    let count = |status| world.report().counts.iter().find(|(one, _)| *one == status).unwrap().1;
    assert_eq!((count(Status::Running), count(Status::Queued), count(Status::Failed)), (1, 1, 0));
}

#[test]
fn more_than_ten_dead_letters_are_a_reason_until_one_of_them_is_dealt_with() {
    let mut world = ticked();
    for number in 0..10 {
        dead_letter(&mut world, &format!("d{number}"));
    }
    assert_eq!(world.health(), "ok");
    dead_letter(&mut world, "last");
    assert_eq!(world.health(), "degraded: dead_letters");
    assert_eq!(world.report().queue.dead_letters, 11);
    world.change("last", Change::ClearDeadLetter);
    assert_eq!(world.health(), "ok");
}

#[test]
fn more_than_ninety_percent_of_the_queue_is_a_reason_until_fewer_wait() {
    let mut world = busy();
    world.config.queue.jobs_max = 10;
    world.config.queue.threshold_percent = 100;
    world.submit("a b c d e f g h i");
    assert!((world.report().queue.utilisation() - 0.9).abs() < 1e-9);
    assert_eq!(world.health(), "ok", "90 % are not more than 90 %");
    world.submit("j");
    assert!((world.report().queue.utilisation() - 1.0).abs() < 1e-9);
    assert_eq!(world.health(), "degraded: utilisation");
    world.cancel("j");
    assert_eq!(world.health(), "ok");
}

#[test]
fn backpressure_is_a_reason_exactly_as_long_as_submissions_are_refused() {
    let mut world = busy();
    world.config.queue.jobs_max = 10;
    world.submit("a b c d e f g h");
    assert!(world.room().is_ok());
    assert_eq!(world.health(), "ok");
    world.submit("i");
    assert!(world.room().is_err());
    assert!(world.report().queue.has_backpressure);
    assert_eq!(world.health(), "degraded: backpressure");
    world.submit("j");
    assert_eq!(world.health(), "degraded: utilisation, backpressure");
    world.cancel("i");
    world.cancel("j");
    assert_eq!(world.health(), "ok");
}

#[test]
fn a_batch_counts_as_one_and_services_do_not_count() {
    let mut world = busy();
    world.config.queue.jobs_max = 2;
    world.submit_with("first", |job| job.spec.batch = Some(job.id.clone()));
    let first = world.job("first").id;
    for name in ["second", "third"] {
        world.submit_with(name, |job| job.spec.batch = Some(first.clone()));
    }
    world.submit_with("service", |job| job.spec.service = true);
    world.sees("service", watched(0));
    assert_eq!((world.report().queue.waiting, world.health().as_str()), (1, "ok"));
    world.submit("other");
    assert_eq!(world.health(), "degraded: utilisation, backpressure");
}

#[test]
fn a_watcher_that_is_gone_is_a_reason_until_the_job_has_another() {
    let mut world = busy();
    let ended = Sighting::Ended { outcome: Outcome::bare(Exit::Code(0), world.now), ending: None };
    for lost in [Sighting::Orphaned, Sighting::Vanished, Sighting::Rebooted, ended] {
        world.sees("it", lost);
        assert_eq!(world.health(), "degraded: watchers_lost");
        assert_eq!(world.verdict().reasons[0].jobs(), ids(&["it"], &world));
        assert_eq!(world.report().amiss.lost, ids(&["it"], &world));
        world.sees("it", watched(0));
        assert_eq!(world.health(), "ok");
    }
}

#[test]
fn a_claim_whose_watcher_is_about_to_begin_is_lost_only_after_a_while() {
    let mut world = busy();
    for starting in [Sighting::NotStarted, Sighting::NeverExecuted] {
        world.sees("it", starting);
        assert_eq!(world.health(), "ok");
    }
    world.after(14);
    assert_eq!(world.health(), "ok");
    world.after(1);
    assert_eq!(world.health(), "degraded: watchers_lost");
}

#[test]
fn what_cannot_be_looked_at_is_unclear_and_another_machines_jobs_are_not_ours_to_judge() {
    let mut world = ticked();
    let now = world.now;
    world.runs_elsewhere("there", Some(site("there", "boot-9")));
    world.runs_elsewhere("nobodys", None);
    for name in ["there", "nobodys"] {
        world.sees(name, Sighting::Unseen { last_sign: now });
    }
    assert_eq!(world.health(), "ok");
    world.submit("here");
    assert_eq!(world.health(), "degraded: unclear", "nobody could look at it");
    world.sees("here", Sighting::Unseen { last_sign: now });
    assert_eq!(world.health(), "degraded: unclear", "its record is gone");
    world.sees("here", watched(0));
    assert_eq!(world.health(), "ok");
}

#[test]
fn an_end_that_cannot_be_written_is_failing_after_a_while_and_at_once_where_the_disk_is_full() {
    let mut world = busy();
    world.sees("it", over(14));
    assert_eq!(world.health(), "ok", "its watcher may just be waiting for the lock");
    world.sees("it", over(15));
    assert_eq!(world.health(), "failing: ends_unwritten");
    let words = world.verdict().reasons[0].words(world.now);
    assert!(words.starts_with("the end of ") && !words.contains("disk"), "{words}");
    world.sees("it", over(0));
    world.beside.is_disk_full = true;
    assert_eq!(world.health(), "failing: disk_full, ends_unwritten");
    let Reason::EndsUnwritten { jobs, is_disk_full } = &world.verdict().reasons[1] else { panic!() };
    assert_eq!((jobs, is_disk_full), (&ids(&["it"], &world), &true));
    assert!(world.verdict().reasons[1].words(world.now).starts_with("the disk is full: the end of "));
    world.beside.is_disk_full = false;
    world.ends("it", Exit::Code(0));
    assert_eq!(world.health(), "ok");
}

#[test]
fn three_failures_in_a_row_of_a_schedule_are_a_reason_until_it_succeeds() {
    let mut world = ticked();
    world.schedule("s", 60, |_| {});
    runs_fail(&mut world, "s", 2);
    assert_eq!(world.health(), "ok");
    runs_fail(&mut world, "s", 1);
    assert_eq!(world.health(), "degraded: failures_in_row s");
    let Reason::FailuresInRow { kind, count, last, .. } = &world.verdict().reasons[0] else { panic!() };
    assert_eq!((kind, count, last), (&Kind::Schedule, &3, &Some(world.job("s").id)));
    runs_fail(&mut world, "s", 1);
    assert_eq!(world.health(), "degraded: failures_in_row s");
    let due_in = world.next_in("s").unwrap();
    world.after(due_in + 1);
    world.tick();
    world.ends("s", Exit::Code(0));
    world.beside.last_tick = Some(world.now);
    assert_eq!(world.health(), "ok");
}

#[test]
fn who_holds_a_schedule_back_that_fails_knows_of_it() {
    let mut world = ticked();
    world.schedule("s", 60, |_| {});
    runs_fail(&mut world, "s", 3);
    let at = world.now;
    world.change_schedule("s", &ScheduleChange::Pause { at });
    assert_eq!(world.health(), "ok");
    assert_eq!(world.report().schedules_paused, 1);
}

#[test]
fn three_failures_in_a_row_of_a_name_are_a_reason_until_one_succeeds_or_the_last_of_them_is_removed() {
    let mut world = ticked();
    fails(&mut world, "it", 2);
    assert_eq!(world.health(), "ok");
    fails(&mut world, "it", 1);
    assert_eq!(world.health(), "degraded: failures_in_row it");
    let mut other = ticked();
    fails(&mut other, "it", 3);
    other.submit("it");
    other.ends("it", Exit::Code(0));
    assert_eq!(other.health(), "ok");
    let last = world.job("it").id;
    world.decide(Scope::Slots, |draft| draft.push(Event::Removed { id: last.clone() }).map(drop));
    assert_eq!(world.health(), "ok");
}

#[test]
fn no_tick_for_five_minutes_is_failing_only_while_something_is_due() {
    let mut world = ticked();
    world.schedule("s", 3_600, |_| {});
    world.after(3_599);
    assert_eq!(world.health(), "ok", "nothing is due yet");
    world.after(1);
    assert_eq!(world.health(), "failing: nothing_ticks");
    let Reason::NothingTicks { what, due_at, last_tick } = &world.verdict().reasons[0] else { panic!() };
    assert_eq!((what.as_str(), *due_at, *last_tick), ("s", world.now, world.beside.last_tick));
    world.beside.last_tick = Some(world.now - TimeDelta::seconds(300));
    assert_eq!(world.health(), "ok");
    world.after(1);
    assert_eq!(world.health(), "failing: nothing_ticks");
    world.beside.has_alarm = true;
    assert_eq!(world.health(), "ok", "somebody is there who looks");
    world.beside.has_alarm = false;
    world.tick();
    world.sees("s", watched(0));
    assert_eq!(world.health(), "ok");
}

#[test]
fn a_job_that_nothing_holds_is_due_and_one_that_is_held_is_not() {
    let mut world = World::new().slots(1);
    world.submit("it");
    world.sees("it", watched(0));
    let at = world.now + TimeDelta::seconds(60);
    world.submit_with("later", |job| job.state = State::Queued { not_before: Some(at), paused_at: None });
    world.after(61);
    assert_eq!(world.health(), "ok", "it waits for the slot");
    world.config.slots = 2;
    assert_eq!(world.health(), "failing: nothing_ticks");
    let Reason::NothingTicks { what, due_at, last_tick } = &world.verdict().reasons[0] else { panic!() };
    assert_eq!((what, *due_at, *last_tick), (&world.job("later").id.to_string(), at, None));
    let words = world.verdict().reasons[0].words(world.now);
    assert!(words.ends_with("is due since 1s, and there never was a tick"), "{words}");
    let paused_at = world.now;
    world.change("later", Change::Pause { at: paused_at });
    assert_eq!(world.health(), "ok");
}

#[test]
fn a_clock_that_was_set_back_is_no_missing_tick() {
    let mut world = ticked();
    world.schedule("s", 60, |_| {});
    world.after(60);
    world.beside.last_tick = Some(world.now + TimeDelta::hours(5));
    assert_eq!(world.health(), "ok");
}

#[test]
fn a_schedule_that_is_late_although_somebody_ticks_is_a_reason_and_what_is_built_in_is_none() {
    let mut world = ticked();
    world.schedule("s", 60, |_| {});
    world.schedule("builtin", 60, |definition| {
        definition.task = bgctl::model::schedule::Task::IdempotencyCleanup;
        definition.source = DefinedBy::BuiltIn;
    });
    world.after(360);
    world.beside.last_tick = Some(world.now);
    assert_eq!(world.health(), "ok", "it is late after five minutes");
    assert_eq!(world.report().late.len(), 1, "what is built in is due at once");
    world.after(1);
    world.beside.last_tick = Some(world.now);
    assert_eq!(world.health(), "degraded: schedule_late s");
    let late: Vec<(String, bool)> =
        world.report().late.into_iter().map(|late| (late.name, late.is_built_in)).collect();
    assert_eq!(late, [("builtin".to_owned(), true), ("s".to_owned(), false)]);
    world.beside.last_tick = None;
    assert_eq!(world.health(), "failing: nothing_ticks", "that is why");
    world.tick();
    world.sees("s", watched(0));
    assert_eq!(world.health(), "ok");
}

#[test]
fn what_is_wrong_with_the_settings_is_a_reason() {
    let mut world = ticked();
    world.beside.settings = Some("line 3: no such setting".to_owned());
    world.beside.mistakes.insert("s".to_owned(), "5: schedules.s.every: expected a duration".to_owned());
    assert_eq!(world.health(), "degraded: settings, schedule_mistake s");
    let going = world.report().going;
    assert_eq!((going.len(), going[0].name.as_str()), (1, "s"), "it is there, although it never was right");
    assert!(going[0].mistake.is_some());
    assert_eq!(world.verdict().without_settings().reasons.len(), 1);
}

#[test]
fn a_session_that_ran_out_is_failing_until_it_is_renewed() {
    let mut world = ticked();
    let defined = |keys: &[&str]| {
        let mut defined = Defined::default();
        for key in keys {
            defined.fields.insert((*key).to_owned(), "x".into());
        }
        defined
    };
    world.config.sessions.insert("krb".to_owned(), defined(&["refresh", "ttl"]));
    world.config.sessions.insert("vpn".to_owned(), defined(&["ttl"]));
    world.schedule("session_refresh.krb", 600, |_| {});
    let renewed = |world: &World| ScheduleChange::Renewed {
        valid_until: world.now + TimeDelta::seconds(100),
        next_at: world.now + TimeDelta::seconds(90),
    };
    let change = renewed(&world);
    world.change_schedule("session_refresh.krb", &change);
    assert_eq!(world.health(), "ok");
    let sessions = world.report().sessions;
    let told: Vec<(&str, bool, bool)> =
        sessions.iter().map(|one| (one.name.as_str(), one.is_renewable, one.has_expired)).collect();
    assert_eq!(told, [("krb", true, false), ("vpn", false, false)]);
    assert_eq!(sessions[0].next_at, Some(world.now + TimeDelta::seconds(90)));
    world.after(100);
    world.beside.last_tick = Some(world.now);
    assert_eq!(world.health(), "failing: session_expired krb");
    assert!(world.report().sessions[0].has_expired);
    let change = renewed(&world);
    world.change_schedule("session_refresh.krb", &change);
    assert_eq!(world.health(), "ok");
}

#[test]
fn the_worst_reason_comes_first_and_decides() {
    let mut world = busy();
    world.sees("it", Sighting::Orphaned);
    world.beside.settings = Some("wrong".to_owned());
    assert_eq!(world.verdict().status, HealthStatus::Degraded);
    world.beside.is_disk_full = true;
    assert_eq!(world.health(), "failing: disk_full, watchers_lost, settings");
}

#[test]
fn a_verdict_on_one_name_leaves_out_what_is_not_about_it() {
    let mut world = ticked();
    fails(&mut world, "a", 3);
    fails(&mut world, "b", 2);
    world.beside.is_disk_full = true;
    let about = |name| world.verdict().about(&BTreeSet::from([name]));
    assert_eq!((about("a").status, about("a").reasons.len()), (HealthStatus::Degraded, 1));
    assert_eq!(about("b"), bgctl::plan::health::Verdict::default());
}

#[test]
fn every_number_is_a_setting() {
    let mut world = busy();
    let text = "[health]\ndead_letters_max = 0\nutilisation_percent = 1\nfailures_in_row = 1\ntick_within = \"1m\"\n";
    world.config = Config { slots: 1, ..Config::parse(text).unwrap() };
    assert_eq!(world.health(), "ok");
    world.submit("a b");
    assert_eq!(world.health(), "degraded: utilisation");
    dead_letter(&mut world, "d");
    world.ends("it", Exit::Code(1));
    world.sees("a", watched(0));
    world.submit("c");
    assert_eq!(world.health(), "degraded: dead_letters, utilisation, failures_in_row it");
    world.schedule("s", 30, |_| {});
    world.after(61);
    assert!(world.health().starts_with("failing: nothing_ticks, "), "{}", world.health());
    for wrong in
        ["utilisation_percent = 0", "tick_within = \"5s\"", "failures_in_row = 0", "dead_letter_max = 1"]
    {
        assert!(Config::parse(&format!("[health]\n{wrong}\n")).is_err(), "{wrong}");
    }
}

#[test]
fn the_oldest_is_the_job_that_could_run_for_longest_not_the_one_that_was_submitted_first() {
    let mut world = busy();
    let at = world.now + TimeDelta::seconds(50);
    world.submit_with("delayed", |job| job.state = State::Queued { not_before: Some(at), paused_at: None });
    let paused_at = Some(world.now);
    world.submit_with("paused", |job| job.state = State::Queued { not_before: None, paused_at });
    world.after(20);
    world.submit("waits");
    let oldest = |world: &World| {
        let oldest = world.report().queue.oldest?;
        let name = world.jobs().iter().find(|job| job.id == oldest.id).map(name_of)?;
        Some((name, (world.now - oldest.since).num_seconds()))
    };
    assert_eq!(oldest(&world), Some(("waits".to_owned(), 0)));
    world.after(100);
    assert_eq!(oldest(&world), Some(("waits".to_owned(), 100)));
    world.cancel("waits");
    assert_eq!(oldest(&world), Some(("delayed".to_owned(), 70)));
    world.cancel("delayed");
    assert_eq!(oldest(&world), None, "who is paused waits for somebody, not for a slot");
}

#[test]
fn how_a_schedule_and_a_name_have_gone_is_told_with_what_comes_next() {
    let mut world = ticked();
    world.schedule("s", 60, |_| {});
    for (took, exit) in [(5, 0), (15, 0), (10, 1)] {
        let due_in = world.next_in("s").unwrap();
        world.after(due_in);
        world.tick();
        world.after(took);
        world.ends("s", Exit::Code(exit));
    }
    fails(&mut world, "n", 1);
    let going = world.report().going;
    let names: Vec<(Kind, &str)> = going.iter().map(|one| (one.kind, one.name.as_str())).collect();
    assert_eq!(names, [(Kind::Schedule, "s"), (Kind::Name, "n")]);
    let health = &going[0].health;
    assert_eq!((health.runs, health.failed, health.failures_in_row, health.missed), (3, 1, 1, 0));
    assert_eq!((health.mean_ms(), health.p95_ms()), (Some(10_000), Some(15_000)));
    assert_eq!(health.last_success_at, Some(world.now - TimeDelta::seconds(55)));
    assert_eq!(going[0].next_at, world.scheduled("s").restart_at);
    assert_eq!((going[1].next_at, going[1].health.runs), (None, 1));
    let totals = world.report().totals;
    assert_eq!((totals.processed(), totals.succeeded, totals.failed), (4, 2, 2));
}

#[test]
fn a_reason_is_another_one_by_its_kind_and_its_subject_not_by_its_numbers() {
    let late = |seconds| Reason::ScheduleLate {
        name: "s".to_owned(),
        due_at: World::new().now - TimeDelta::seconds(seconds),
    };
    assert_ne!(late(1), late(2));
    assert_eq!((late(1).key(), late(2).key()), ("schedule_late s".to_owned(), "schedule_late s".to_owned()));
    let letters = |count| Reason::DeadLetters { count, most: 10 };
    assert_eq!(letters(11).key(), letters(12).key());
}

#[test]
fn a_cancelled_run_is_no_failure() {
    let mut world = ticked();
    fails(&mut world, "it", 2);
    world.submit("it");
    let at = world.now;
    world.change("it", Change::Decide { ending: Ending { why: Why::Cancel, at, signal: None, note: None } });
    world.ends("it", Exit::Signal(15));
    assert_eq!(world.health(), "ok");
    fails(&mut world, "it", 1);
    assert_eq!(world.health(), "degraded: failures_in_row it");
}
