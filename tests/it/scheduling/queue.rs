//! The policies of the queue: order, keys, room, retries, dependencies, groups.

use super::world::World;
use bgctl::model::{
    config::Config,
    dependency::{Dependency, Until},
    edit::Edit,
    event::{Applied, Event},
    facts::Draft,
    group::GroupChange,
    id::JobId,
    key::Key,
    outcome::{Ending, Exit, Why},
    priority::Priority,
    retry::{Codes, Retry},
    state::{Change, queued},
};
use bgctl::plan::{
    admit::{Admission, Full},
    census::Sighting,
    pick::Waits,
};
use chrono::TimeDelta;

impl World {
    fn submit_at(&mut self, name: &str, priority: Priority) {
        self.submit_with(name, |job| job.spec.priority = priority);
    }

    fn submit_in(&mut self, name: &str, group: &str) {
        self.submit_with(name, |job| job.spec.group = Some(group.to_owned()));
    }

    /// A job that waits for others: `a` for a completion, `a?` for any end.
    fn submit_after(&mut self, name: &str, others: &str) {
        let after = self.dependencies(others);
        self.submit_with(name, |job| job.spec.after = after);
    }

    fn dependencies(&self, others: &str) -> Vec<Dependency> {
        let dependency = |other: &str| match other.strip_suffix('?') {
            Some(other) => Dependency { id: self.job(other).id, until: Until::Ended },
            None => Dependency { id: self.job(other).id, until: Until::Completed },
        };
        others.split_whitespace().map(dependency).collect()
    }

    fn submit_tried(&mut self, name: &str, attempts_max: u32) {
        self.submit_with(name, |job| job.spec.retry.attempts_max = attempts_max);
    }

    fn holds_up(&self, name: &str) -> (usize, usize) {
        match self.waits(name) {
            Some(Waits::ForSlot { held_by, ahead }) => (held_by.len(), ahead.len()),
            other => panic!("{name}: {other:?}"),
        }
    }
}

fn keyed(text: &str, ttl_seconds: u64) -> Key {
    Key { text: text.to_owned(), ttl_seconds }
}

// Priorities.

#[test]
fn the_more_urgent_job_goes_first_and_among_equals_the_one_that_was_submitted_first() {
    let mut world = World::new().slots(1);
    world.submit("running");
    world.submit_at("low1", Priority::Low);
    world.submit_at("normal1", Priority::Normal);
    world.submit_at("critical", Priority::Critical);
    world.submit_at("normal2", Priority::Normal);
    world.submit_at("high", Priority::High);
    let mut order = Vec::new();
    let mut last = "running".to_owned();
    while world.states().contains(":queued") {
        world.ends(&last, Exit::Code(0));
        last = world.facts.running().next().unwrap().spec.name.clone().unwrap();
        order.push(last.clone());
    }
    assert_eq!(order, ["critical", "high", "normal1", "normal2", "low1"]);
}

#[test]
fn a_waiting_job_says_what_is_ahead_of_it() {
    let mut world = World::new().slots(1);
    world.submit("running");
    world.submit_at("low", Priority::Low);
    world.submit_at("high", Priority::High);
    world.submit("normal");
    assert_eq!(world.holds_up("high"), (1, 0));
    assert_eq!(world.holds_up("normal"), (1, 1));
    assert_eq!(world.holds_up("low"), (1, 2));
}

// Keys.

#[test]
fn while_a_job_of_a_key_has_not_ended_another_is_not_admitted() {
    let mut world = World::new().slots(1);
    world.submit_with("a", |job| job.spec.key = Some(keyed("k", 0)));
    let first = world.job("a").id;
    assert_eq!(
        world.admit("b", |job| job.spec.key = Some(keyed("k", 0))),
        Admission::Existing(first.clone())
    );
    assert_eq!(world.admit("c", |job| job.spec.key = Some(keyed("other", 0))), Admission::Admitted);
    assert_eq!(world.states(), "a:running c:queued");
    world.ends("a", Exit::Code(0));
    assert_eq!(world.admit("d", |job| job.spec.key = Some(keyed("k", 0))), Admission::Admitted);
}

#[test]
fn a_key_is_kept_for_its_time_after_the_end_and_not_longer() {
    let mut world = World::new();
    world.submit_with("a", |job| job.spec.key = Some(keyed("k", 60)));
    let first = world.job("a").id;
    world.after(1_000);
    world.ends("a", Exit::Code(1));
    world.after(59);
    assert_eq!(world.admit("b", |job| job.spec.key = Some(keyed("k", 60))), Admission::Existing(first));
    world.after(1);
    assert_eq!(world.admit("c", |job| job.spec.key = Some(keyed("k", 60))), Admission::Admitted);
}

#[test]
fn a_job_with_a_key_that_waits_to_be_tried_again_still_has_it() {
    let mut world = World::new();
    world.submit_with("a", |job| {
        job.spec.key = Some(keyed("k", 0));
        job.spec.retry.attempts_max = 2;
    });
    world.ends("a", Exit::Code(1));
    let first = world.job("a").id;
    assert_eq!(world.admit("b", |job| job.spec.key = Some(keyed("k", 0))), Admission::Existing(first));
}

#[test]
fn retention_keeps_a_job_whose_key_is_taken() {
    let mut world = World::new();
    world.config.retention.jobs_max = 0;
    world.submit_with("a", |job| job.spec.key = Some(keyed("k", 100 * 86_400)));
    world.ends("a", Exit::Code(0));
    world.after(99 * 86_400);
    assert_eq!(world.prune(), "");
    world.after(86_400);
    assert_eq!(world.prune(), "a");
}

// Room.

#[test]
fn once_more_than_the_threshold_wait_nothing_more_is_taken() {
    let mut world = World::new().slots(1);
    world.submit("running");
    for number in 0..80 {
        world.submit(&format!("j{number}"));
    }
    assert_eq!(world.room(), Ok(()), "80 wait");
    world.submit("one-more");
    assert_eq!(world.room(), Err(Full { waiting: 81, threshold: 80, jobs_max: 100, for_approval: false }));
    world.ends("running", Exit::Code(0));
    assert_eq!(world.room(), Ok(()), "one of them runs");
}

#[test]
fn a_batch_counts_as_one_and_services_count_not_at_all() {
    let mut world = World::new().slots(1);
    world.config.queue.jobs_max = 10;
    world.submit("running first");
    let batch = world.job("first").id;
    for number in 0..50 {
        world.submit_with(&format!("b{number}"), |job| job.spec.batch = Some(batch.clone()));
        world.submit_with(&format!("s{number}"), |job| {
            job.spec.service = true;
            job.state = queued(Some(job.created_at + TimeDelta::hours(1)));
        });
    }
    assert_eq!(world.waiting(), 2);
    assert_eq!(world.room(), Ok(()));
}

#[test]
fn a_job_that_is_tried_again_comes_back_to_a_full_queue() {
    let mut world = World::new().slots(1);
    world.config.queue.jobs_max = 1;
    world.submit_tried("a", 2);
    world.submit("b c");
    assert!(world.room().is_err());
    world.ends("a", Exit::Code(1));
    assert_eq!(world.states(), "a:queued b:running c:queued");
}

// Retries.

#[test]
fn a_failed_attempt_waits_for_its_time_while_its_slot_goes_to_another() {
    let mut world = World::new().slots(1);
    world.submit_tried("a", 3);
    world.submit("b");
    world.ends("a", Exit::Code(7));
    assert_eq!(world.states(), "a:queued b:running");
    assert_eq!(world.summary("a"), "attempt 1 of 3: exit code 7");
    let Some(Waits::ForRetry { at, attempt, attempts_max }) = world.waits("a") else { panic!() };
    assert_eq!((attempt, attempts_max), (2, 3));
    let wait = (at - world.now).num_milliseconds();
    assert!((4_500..=5_500).contains(&wait), "{wait}");
    world.ends("b", Exit::Code(0));
    world.after(6);
    assert_eq!(world.tick(), "launch a");
    assert_eq!(world.job("a").attempt, 2);
}

#[test]
fn somebody_is_seen_to_who_starts_what_is_due_within_ninety_seconds() {
    let mut world = World::new();
    for (name, seconds) in [("near", 90), ("far", 91)] {
        let at = world.now + TimeDelta::seconds(seconds);
        world.submit_with(name, |job| job.state = queued(Some(at)));
        if name == "near" {
            assert_eq!(world.tick(), "wake in 90 s");
            world.cancel("near");
        }
    }
    assert_eq!(world.tick(), "", "91 s are left to cron");
    world.after(1);
    assert_eq!(world.tick(), "wake in 90 s");
}

#[test]
fn used_up_attempts_make_a_dead_letter_and_a_single_one_does_not() {
    let mut world = World::new();
    world.submit_tried("a", 2);
    world.submit("b");
    world.ends("b", Exit::Code(1));
    world.ends("a", Exit::Code(1));
    world.after(10);
    world.tick();
    world.ends("a", Exit::Signal(9));
    assert_eq!(world.states(), "a:failed b:failed");
    assert!(world.job("a").end().unwrap().dead_letter);
    assert!(!world.job("b").end().unwrap().dead_letter);
    assert_eq!(world.summary("a"), "killed by SIGKILL; that was the last of 2 attempts");
}

#[test]
fn a_success_after_a_failure_is_a_success_and_no_dead_letter() {
    let mut world = World::new();
    world.submit_tried("a", 2);
    world.ends("a", Exit::Code(1));
    world.after(10);
    world.tick();
    world.ends("a", Exit::Code(0));
    let job = world.job("a");
    assert_eq!((job.summary(), job.end().unwrap().dead_letter), (None, false));
}

#[test]
fn a_cancelled_job_is_not_tried_again_and_one_that_waits_for_its_retry_is_cancelled_at_once() {
    let mut world = World::new();
    world.submit_tried("a", 3);
    world.submit_tried("b", 3);
    world.cancel("a");
    world.ends("a", Exit::Signal(15));
    world.ends("b", Exit::Code(1));
    world.cancel("b");
    assert_eq!(world.states(), "a:cancelled b:cancelled");
}

#[test]
fn a_job_that_vanished_or_was_interrupted_by_a_reboot_is_tried_again() {
    for sighting in [Sighting::Vanished, Sighting::Rebooted] {
        let mut world = World::new();
        world.submit_tried("a", 2);
        world.sees("a", sighting);
        world.tick();
        assert_eq!(world.states(), "a:queued");
        assert!(world.summary("a").starts_with("attempt 1 of 2: outcome unknown"), "{}", world.summary("a"));
    }
}

#[test]
fn a_code_that_is_not_worth_a_retry_is_final() {
    let mut world = World::new();
    world.submit_with("a", |job| {
        let codes = Some(Codes::parse("75").unwrap());
        job.spec.retry = Retry { attempts_max: 3, codes, ..Retry::default() };
    });
    world.ends("a", Exit::Code(1));
    assert_eq!(world.states(), "a:failed");
    assert_eq!(world.summary("a"), "exit code 1; that was attempt 1 of 3");
    assert!(world.job("a").end().unwrap().dead_letter);
}

#[test]
fn a_paused_job_that_fails_stays_paused_until_its_retry_is_wanted() {
    let mut world = World::new();
    world.submit_tried("a", 2);
    let at = world.now;
    world.change("a", Change::Pause { at });
    world.ends("a", Exit::Code(1));
    world.after(60);
    assert_eq!(world.tick(), "", "nor is anybody woken for it");
    world.change("a", Change::Resume);
    assert_eq!(world.states(), "a:running");
}

#[test]
fn a_dead_letter_is_kept_for_its_own_time_and_number_whatever_others_are() {
    let mut world = World::new();
    world.config.retention.jobs_max = 0;
    for name in ["a", "b", "c"] {
        world.submit_with(name, |job| {
            job.spec.retry =
                Retry { attempts_max: 2, codes: Some(Codes::parse("75").unwrap()), ..Retry::default() };
        });
        world.ends(name, Exit::Code(1));
        world.after(1);
    }
    world.after(29 * 86_400);
    assert_eq!(world.prune(), "");
    world.config.dead_letters.jobs_max = 2;
    assert_eq!(world.prune(), "a", "the oldest beyond their number");
    world.change("b", Change::ClearDeadLetter);
    assert_eq!(world.prune(), "b", "one that was dealt with is as any other");
    world.after(86_400);
    assert_eq!(world.prune(), "c", "after 30 days");
}

// Dependencies.

#[test]
fn a_job_waits_for_the_completion_of_all_that_it_names() {
    let mut world = World::new().slots(9);
    world.submit("a b");
    world.submit_after("c", "a b");
    let Some(Waits::ForJobs(open)) = world.waits("c") else { panic!() };
    assert_eq!(open.len(), 2);
    world.ends("a", Exit::Code(0));
    assert_eq!(world.states(), "a:completed b:running c:queued");
    world.ends("b", Exit::Code(0));
    assert_eq!(world.states(), "a:completed b:completed c:running");
}

#[test]
fn a_job_waits_in_vain_until_the_next_pass_where_none_followed_on_what_another_came_to() {
    let mut world = World::new().slots(1);
    world.submit("holder a c");
    world.submit_after("b", "a");
    let mut draft = Draft::new(world.facts.clone());
    let ending = Ending { why: Why::Cancel, at: world.now, signal: None, note: None };
    let change = Change::Decide { ending };
    assert_eq!(draft.push(Event::Changed { id: world.job("a").id, change }).unwrap(), Applied::Yes);
    world.facts = draft.into_parts().0;
    assert_eq!(world.states(), "holder:running a:cancelled c:queued b:queued");
    assert_eq!(world.waits("b"), Some(Waits::InVain));
    world.tick();
    assert_eq!(world.states(), "holder:running a:cancelled c:queued b:cancelled");
}

#[test]
fn a_failure_cancels_what_waits_for_it_through_chains_with_the_reason() {
    let mut world = World::new().slots(1);
    world.submit("a");
    world.submit_after("b", "a");
    world.submit_after("c", "b");
    world.submit_after("d", "b?");
    world.ends("a", Exit::Code(1));
    assert_eq!(world.states(), "a:failed b:cancelled c:cancelled d:running");
    assert!(world.summary("b").ends_with(", which it waited for, failed"), "{}", world.summary("b"));
    assert!(world.summary("c").ends_with(", which it waited for, was cancelled"), "{}", world.summary("c"));
}

#[test]
fn any_end_is_enough_where_any_end_is_waited_for() {
    for exit in [Exit::Code(0), Exit::Code(1), Exit::Signal(9)] {
        let mut world = World::new();
        world.submit("a");
        world.submit_after("b", "a?");
        world.ends("a", exit);
        assert!(world.states().ends_with("b:running"));
    }
}

#[test]
fn a_retry_of_what_is_waited_for_is_waited_for_too() {
    let mut world = World::new();
    world.submit_tried("a", 2);
    world.submit_after("b", "a");
    world.ends("a", Exit::Code(1));
    assert_eq!(world.states(), "a:queued b:queued");
    world.after(10);
    world.tick();
    world.ends("a", Exit::Code(0));
    assert_eq!(world.states(), "a:completed b:running");
}

#[test]
fn what_had_failed_before_cancels_at_once() {
    let mut world = World::new();
    world.submit("a");
    world.ends("a", Exit::Code(1));
    world.submit_after("b", "a");
    assert_eq!(world.states(), "a:failed b:cancelled");
}

#[test]
fn who_waits_for_what_is_gone_or_for_itself_waits_in_vain_and_is_told_so() {
    let mut world = World::new().slots(1);
    let gone = JobId::parse("bg_20260213_gggggg").unwrap();
    let until = |until, id: &JobId| vec![Dependency { id: id.clone(), until }];
    world.submit_with("completed", |job| job.spec.after = until(Until::Completed, &gone));
    world.submit_with("itself", |job| job.spec.after = until(Until::Ended, &job.id));
    world.submit_with("ended", |job| job.spec.after = until(Until::Ended, &gone));
    assert_eq!(world.states(), "completed:cancelled itself:cancelled ended:running");
    let nobody_knows = format!("{gone}, which it waited for, is gone, and nobody knows how it ended");
    assert_eq!(world.summary("completed"), nobody_knows);
    assert_eq!(world.summary("itself"), "it was to wait for itself");
}

#[test]
fn retention_keeps_what_a_waiting_job_names() {
    let mut world = World::new().slots(1);
    world.config.retention.jobs_max = 0;
    world.submit("a running");
    world.ends("a", Exit::Code(0));
    world.submit_after("b", "a");
    world.after(86_400);
    assert_eq!(world.prune(), "");
    world.cancel("b");
    world.after(86_400);
    assert_eq!(world.prune(), "a b");
}

#[test]
fn who_would_wait_for_himself_is_told_the_way_round() {
    use bgctl::plan::depend::circle;
    let mut world = World::new().slots(1);
    world.submit("running a");
    world.submit_after("b", "a");
    world.submit_after("c", "b?");
    let id = |name: &str| world.job(name).id;
    assert_eq!(circle(&world.facts, &id("a"), &world.dependencies("a")), Some(vec![id("a"), id("a")]));
    assert_eq!(
        circle(&world.facts, &id("a"), &world.dependencies("running c")),
        Some(vec![id("a"), id("c"), id("b"), id("a")])
    );
    assert_eq!(circle(&world.facts, &id("c"), &world.dependencies("a b running")), None);
}

#[test]
fn a_long_chain_is_cancelled_in_one_pass() {
    let mut world = World::new().slots(1);
    world.submit("j0");
    for number in 1..200 {
        world.submit_after(&format!("j{number}"), &format!("j{}", number - 1));
    }
    // The last one waits for one that was submitted after it.
    world.submit("late");
    let after = world.dependencies("j199");
    world.submit_after("last", "late");
    world.edit("late", Edit { after: Some(after), ..Edit::default() });
    world.ends("j0", Exit::Code(1));
    assert_eq!(world.states().matches(":cancelled").count(), 201);
}

// Groups.

#[test]
fn each_group_has_slots_of_its_own() {
    let mut world = World::new().slots(1);
    world.config = Config { groups: [("gpu".to_owned(), 2)].into(), ..world.config };
    world.submit("a b");
    for name in ["g1", "g2", "g3"] {
        world.submit_in(name, "gpu");
    }
    assert_eq!(world.states(), "a:running b:queued g1:running g2:running g3:queued");
    assert_eq!(world.holds_up("g3"), (2, 0));
    assert_eq!(world.holds_up("b"), (1, 0));
    world.ends("g1", Exit::Code(0));
    assert_eq!(world.states(), "a:running b:queued g1:completed g2:running g3:running");
}

#[test]
fn the_settings_win_over_the_index_and_a_group_that_is_gone_is_named() {
    let mut world = World::new();
    world.group("gpu", &GroupChange::Slots { slots: 1 });
    world.submit_in("g1", "gpu");
    world.submit_in("g2", "gpu");
    assert_eq!(world.states(), "g1:running g2:queued");
    world.config.groups.insert("gpu".to_owned(), 2);
    world.tick();
    assert_eq!(world.states(), "g1:running g2:running");
    world.group("gpu", &GroupChange::Remove);
    world.config.groups.clear();
    world.submit_in("g3", "gpu");
    assert_eq!(world.waits("g3"), Some(Waits::ForGroup("gpu".to_owned())));
}

#[test]
fn a_paused_group_starts_nothing_and_others_go_on() {
    let mut world = World::new();
    world.group("gpu", &GroupChange::Slots { slots: 1 });
    let since = world.now;
    world.group("gpu", &GroupChange::Pause { at: since });
    world.submit_in("g", "gpu");
    world.submit("a");
    assert_eq!(world.states(), "g:queued a:running");
    assert_eq!(world.waits("g"), Some(Waits::GroupPaused { group: "gpu".to_owned(), since }));
    world.group("gpu", &GroupChange::Resume);
    assert_eq!(world.states(), "g:running a:running");
}

#[test]
fn a_paused_default_group_holds_services_back_too_and_other_groups_go_on() {
    let mut world = World::new();
    world.group("gpu", &GroupChange::Slots { slots: 1 });
    world.group("default", &GroupChange::Pause { at: world.now });
    world.submit("a");
    world.submit_with("service", |job| job.spec.service = true);
    world.submit_in("g", "gpu");
    assert_eq!(world.states(), "a:queued service:queued g:running");
    world.group("default", &GroupChange::Resume);
    assert_eq!(world.states(), "a:running service:running g:running");
}

#[test]
fn what_stands_still_of_a_group_keeps_its_slot() {
    let mut world = World::new();
    world.group("gpu", &GroupChange::Slots { slots: 1 });
    world.submit_in("g1", "gpu");
    world.submit_in("g2", "gpu");
    world.change("g1", Change::Pause { at: world.now });
    world.tick();
    assert_eq!(world.states(), "g1:running g2:queued");
}

#[test]
fn jobs_of_a_group_that_is_gone_run_on_and_those_that_wait_start_when_it_is_there_again() {
    let mut world = World::new();
    world.config.groups.insert("gpu".to_owned(), 1);
    world.submit_in("g1", "gpu");
    world.submit_in("g2", "gpu");
    world.config.groups.clear();
    world.ends("g1", Exit::Code(0));
    world.tick();
    assert_eq!(world.states(), "g1:completed g2:queued");
    assert_eq!(world.waits("g2"), Some(Waits::ForGroup("gpu".to_owned())));
    world.group("gpu", &GroupChange::Slots { slots: 1 });
    assert_eq!(world.states(), "g1:completed g2:running");
}
