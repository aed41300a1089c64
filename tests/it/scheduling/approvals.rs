//! Jobs that wait for a person: before they run, and after they asked while they ran.

use super::world::{World, answers_of, asked_on_issue, gate, job};
use super::{DAY, HOUR};
use bgctl::model::{
    approval::{ANSWERS_MAX, Asked, Issue},
    dependency::{Dependency, Until},
    edit::Edit,
    event::Applied,
    group::GroupChange,
    key::Key,
    outcome::{Exit, Why},
    schedule::{Overlap, Task},
    state::{Change, State, queued},
};
use bgctl::plan::{
    Scope,
    admit::{self, Admission, Full},
    approve, recur,
};
use chrono::TimeDelta;

/// Nothing that was asked for is urgent any more.
fn no_network() -> Change {
    Change::Hinder { trouble: Some("GitHub cannot be reached".into()) }
}

/// A yes on the issue, given so many seconds ago.
fn approved(world: &World, seconds_ago: i64) -> Change {
    let said_at = Some(world.now - TimeDelta::seconds(seconds_ago));
    Change::Approve { at: world.now, by: "ann".into(), said_at, note: None }
}

// Before a job runs.

#[test]
fn a_gated_job_waits_and_holds_no_slot() {
    let mut world = World::new().slots(1);
    world.submit_gated("a", "local");
    world.submit("b");
    world.tick();
    assert_eq!(world.states(), "a:waiting_approval b:running");
    assert_eq!((world.job("a").attempt, world.job("a").started_at()), (0, None));
    assert_eq!((world.waits("a"), world.waiting()), (None, 0), "it is not in the queue");
    assert_eq!(world.waiting_of("a").since, world.now);
}

#[test]
fn an_approved_job_stands_in_the_queue_where_it_was_submitted_and_runs() {
    let mut world = World::new().slots(1);
    world.submit_gated("a", "local");
    world.submit("b c");
    assert_eq!(world.approves("a"), Applied::Yes);
    assert_eq!(world.states(), "a:queued b:running c:queued");
    world.ends("b", Exit::Code(0));
    assert_eq!(world.states(), "a:running b:completed c:queued");
    world.ends("a", Exit::Code(0));
    assert_eq!(world.states(), "a:completed b:completed c:running");
    assert_eq!(answers_of(&world.job("a")), ["approved by ann on local"]);
}

#[test]
fn where_a_slot_is_free_an_approved_job_runs_in_the_same_decision() {
    let mut world = World::new();
    world.submit_gated("a", "local");
    world.approves("a");
    assert_eq!((world.states().as_str(), world.actions_text().as_str()), ("a:running", "launch a"));
}

#[test]
fn a_job_knows_that_it_was_approved_in_each_attempt_from_then_on() {
    let mut world = World::new();
    world.submit_with("a", |job| {
        job.spec.retry.attempts_max = 3;
        gate(job, "local", None);
    });
    assert!(!world.job("a").was_approved());
    world.approves("a");
    for attempt in 1..=3 {
        let job = world.job("a");
        assert_eq!((job.attempt, job.was_approved(), job.run().is_some()), (attempt, true, true));
        world.ends("a", Exit::Code(1));
        world.after(HOUR);
        world.tick();
    }
    assert_eq!(world.states(), "a:failed");
    world.submit("b");
    assert!(!world.job("b").was_approved());
}

#[test]
fn a_delay_runs_on_while_a_job_waits() {
    let mut world = World::new();
    let due = world.now + TimeDelta::seconds(60);
    for name in ["early", "late"] {
        world.submit_with(name, |job| {
            job.state = queued(Some(due));
            gate(job, "local", Some(86_400));
        });
    }
    world.approves("early");
    assert_eq!(world.states(), "early:queued late:waiting_approval");
    assert_eq!(world.due_in(), Some(60));
    world.after(60);
    world.tick();
    assert_eq!(world.states(), "early:running late:waiting_approval", "its time alone lets nothing run");
    world.approves("late");
    assert_eq!(world.states(), "early:running late:running");
}

#[test]
fn an_approved_job_still_waits_for_the_jobs_that_it_is_to_follow() {
    let mut world = World::new();
    world.submit("first");
    let first = world.job("first").id;
    world.submit_with("second", |job| {
        job.spec.after.push(Dependency { id: first, until: Until::Completed });
        gate(job, "local", None);
    });
    world.approves("second");
    assert_eq!(world.states(), "first:running second:queued");
    world.ends("first", Exit::Code(0));
    assert_eq!(world.states(), "first:completed second:running");
}

#[test]
fn what_waits_in_vain_for_another_is_cancelled_while_nobody_has_answered_and_so_is_what_waits_for_it() {
    let mut world = World::new();
    world.submit("first");
    for (name, before) in [("second", "first"), ("third", "second")] {
        let id = world.job(before).id;
        world.submit_with(name, |job| {
            job.spec.after.push(Dependency { id, until: Until::Completed });
            gate(job, "local", None);
        });
    }
    world.ends("first", Exit::Code(1));
    assert_eq!(world.states(), "first:failed second:cancelled third:cancelled");
    let first = world.job("first").id;
    assert_eq!(world.summary("second"), format!("{first}, which it waited for, failed"));
}

#[test]
fn what_follows_a_job_that_waits_for_approval_waits_too() {
    let mut world = World::new();
    world.submit_gated("gated", "local");
    let gated = world.job("gated").id;
    world.submit_with("next", |job| job.spec.after.push(Dependency { id: gated, until: Until::Ended }));
    assert_eq!(world.states(), "gated:waiting_approval next:queued");
    world.declines("gated", None);
    assert_eq!(world.states(), "gated:cancelled next:running");
}

#[test]
fn a_declined_job_is_cancelled_and_says_by_whom_and_why() {
    let mut world = World::new();
    world.submit_gated("a", "local");
    assert_eq!(world.declines("a", Some("not on a Friday")), Applied::Yes);
    assert_eq!(world.states(), "a:cancelled");
    assert_eq!(world.summary("a"), "declined by ann: not on a Friday");
    let answers = world.job("a").answers;
    assert_eq!((answers[0].note.as_deref(), answers[0].at), (Some("not on a Friday"), world.now));
    assert_eq!(world.job("a").ended_at(), Some(world.now));
}

#[test]
fn an_answer_on_github_says_on_which_issue_and_when_it_was_given_there() {
    let mut world = World::new();
    world.submit_gated("a", "github:o/r");
    world.polls_for(world.now, &[("a", asked_on_issue(world.now))]);
    world.after(90);
    let said = approved(&world, 20);
    world.polls_for(world.now, &[("a", said)]);
    assert_eq!(world.states(), "a:running");
    assert_eq!(answers_of(&world.job("a")), ["approved by ann on github:o/r#7"]);
    assert_eq!(world.job("a").answers[0].at, world.now - TimeDelta::seconds(20));
}

#[test]
fn a_job_that_nobody_answers_for_fails_and_is_no_dead_letter_although_it_has_attempts_left() {
    let mut world = World::new();
    world.submit_with("a", |job| {
        job.spec.retry.attempts_max = 3;
        gate(job, "local", Some(86_400));
    });
    world.after(DAY - 1);
    world.tick();
    assert_eq!(world.states(), "a:waiting_approval");
    world.after(1);
    world.tick();
    assert_eq!(world.states(), "a:failed");
    assert_eq!(world.summary("a"), "nobody approved it within 1d");
    assert!(!world.job("a").end().unwrap().dead_letter);
    assert_eq!(answers_of(&world.job("a")), ["expired on local"]);
    world.after(DAY);
    assert_eq!(world.tick(), "", "and nothing follows");
}

#[test]
fn what_kept_an_answer_from_being_seen_is_said_when_its_time_is_over() {
    let mut world = World::new();
    world.submit_gated("a", "github:o/r");
    world.after(DAY);
    world.polls_for(world.now, &[("a", no_network())]);
    assert_eq!(world.summary("a"), "nobody approved it within 1d; GitHub cannot be reached");
}

#[test]
fn a_job_without_an_end_of_its_time_waits_for_ever() {
    let mut world = World::new();
    world.submit_with("a", |job| gate(job, "local", None));
    assert_eq!(world.due_in(), None);
    world.after(4_000 * DAY);
    assert_eq!(world.tick(), "");
    assert_eq!(world.states(), "a:waiting_approval");
    world.approves("a");
    assert_eq!(world.states(), "a:running");
}

#[test]
fn a_second_answer_is_refused_whatever_it_is() {
    let mut world = World::new().slots(0);
    world.submit_gated("yes", "local");
    world.submit_gated("no", "local");
    world.approves("yes");
    world.declines("no", None);
    for name in ["yes", "no"] {
        assert!(matches!(world.approves(name), Applied::Refused(_)), "{name}");
        assert!(matches!(world.declines(name, None), Applied::Refused(_)), "{name}");
    }
    assert_eq!(world.states(), "yes:queued no:cancelled");
    assert_eq!((answers_of(&world.job("yes")).len(), answers_of(&world.job("no")).len()), (1, 1));
}

#[test]
fn an_answer_that_comes_too_late_is_refused_also_where_no_pass_has_looked_since() {
    for looks in [true, false] {
        let mut world = World::new();
        world.submit_gated("a", "local");
        world.submit_gated("b", "local");
        world.after(DAY);
        if looks {
            world.tick();
        }
        assert!(matches!(world.approves("a"), Applied::Refused(_)));
        assert!(matches!(world.declines("b", None), Applied::Refused(_)));
        assert_eq!(world.states(), "a:failed b:failed");
        assert_eq!(answers_of(&world.job("a")), ["expired on local"]);
    }
}

#[test]
fn a_job_that_waits_on_github_can_be_declined_here_at_any_time_before_github_was_asked() {
    let mut world = World::new();
    world.submit_gated("a", "github:o/r");
    world.after(DAY);
    assert_eq!(world.declines("a", None), Applied::Yes);
    assert_eq!(world.states(), "a:cancelled");
}

#[test]
fn a_job_that_is_cancelled_while_it_waits_never_runs_and_has_no_answer() {
    let mut world = World::new();
    world.submit_gated("a", "local");
    assert_eq!(world.cancel("a"), Applied::Yes);
    assert_eq!(world.states(), "a:cancelled");
    assert_eq!(world.summary("a"), "cancelled while it waited for approval");
    assert!(matches!(world.approves("a"), Applied::Refused(_)));
    assert!(world.job("a").answers.is_empty());
}

#[test]
fn what_waits_for_a_person_is_not_paused_or_put_off() {
    let mut world = World::new();
    world.submit_gated("a", "local");
    let at = world.now;
    assert!(matches!(world.change("a", Change::Pause { at }), Applied::Refused(_)));
    assert!(matches!(world.change("a", Change::Resume), Applied::NoOp(_)));
    assert!(matches!(world.change("a", Change::Reschedule { not_before: Some(at) }), Applied::Refused(_)));
    assert!(matches!(world.tell("a", Why::Timeout, None), Applied::Refused(_)));
    assert!(matches!(world.tell("a", Why::Stale, None), Applied::Refused(_)));
}

#[test]
fn an_approved_job_of_a_paused_group_waits_for_the_group() {
    let mut world = World::new();
    world.group("g", &GroupChange::Slots { slots: 1 });
    world.submit_with("a", |job| {
        job.spec.group = Some("g".into());
        gate(job, "local", None);
    });
    let at = world.now;
    world.group("g", &GroupChange::Pause { at });
    world.approves("a");
    assert_eq!(world.states(), "a:queued");
    world.group("g", &GroupChange::Resume);
    assert_eq!(world.states(), "a:running");
}

#[test]
fn what_was_asked_of_a_waiting_job_can_be_changed() {
    let mut world = World::new();
    world.group("g", &GroupChange::Slots { slots: 1 });
    world.submit_gated("a", "local");
    world.edit("a", Edit { group: Some(Some("g".into())), ..Edit::default() });
    assert_eq!(world.states(), "a:waiting_approval");
    assert_eq!(world.job("a").spec.group.as_deref(), Some("g"));
    assert_eq!(world.waiting_of("a").request.hash, "hash", "what would run is the same");
}

// After a job asked while it ran.

#[test]
fn a_job_that_asked_and_exits_with_0_waits_and_its_slot_is_free() {
    let mut world = World::new().slots(1);
    world.submit("a b");
    assert_eq!(world.asks("a", "local", Some(60)), Applied::Yes);
    assert_eq!(world.states(), "a:running b:queued", "asking frees no slot");
    world.after(10);
    world.ends("a", Exit::Code(0));
    assert_eq!(world.states(), "a:waiting_approval b:running");
    let waiting = world.waiting_of("a");
    assert_eq!(waiting.since, world.now);
    assert_eq!(waiting.expires_at(), Some(world.now + TimeDelta::seconds(60)), "from when it waits");
    assert_eq!(waiting.request.at, world.now - TimeDelta::seconds(10));
}

#[test]
fn after_approval_it_goes_on_in_the_same_attempt_as_another_execution() {
    let mut world = World::new();
    world.submit("a");
    let numbers = |world: &World| {
        let job = world.job("a");
        (job.attempt, job.interruptions, job.execution())
    };
    assert_eq!(numbers(&world), (1, 0, 1));
    world.asks_and_exits("a");
    assert_eq!(numbers(&world), (1, 0, 1), "it is still the attempt that asked");
    world.approves("a");
    assert_eq!((world.states().as_str(), numbers(&world)), ("a:running", (1, 1, 2)));
    assert!(world.job("a").was_approved());
    assert!(world.job("a").run().unwrap().asked.is_none(), "it has to ask again");
    world.ends("a", Exit::Code(0));
    assert_eq!((world.states().as_str(), numbers(&world)), ("a:completed", (1, 1, 2)));
}

#[test]
fn asking_uses_up_no_attempt_and_no_execution_has_the_number_of_another() {
    let mut world = World::new();
    world.submit_with("a", |job| job.spec.retry.attempts_max = 2);
    let mut executions = vec![world.job("a").execution()];
    world.asks_and_exits("a");
    world.approves("a");
    executions.push(world.job("a").execution());
    world.ends("a", Exit::Code(1));
    assert_eq!(world.states(), "a:queued", "its first attempt failed, and there is another");
    world.after(HOUR);
    world.tick();
    executions.push(world.job("a").execution());
    world.asks_and_exits("a");
    world.approves("a");
    executions.push(world.job("a").execution());
    assert_eq!((executions, world.job("a").attempt), (vec![1, 2, 3, 4], 2));
    world.ends("a", Exit::Code(1));
    assert_eq!(world.states(), "a:failed");
    assert!(world.job("a").end().unwrap().dead_letter);
    assert!(world.summary("a").ends_with("that was the last of 2 attempts"), "{}", world.summary("a"));
}

#[test]
fn a_slot_that_is_given_back_after_approval_changes_no_number() {
    let mut world = World::new();
    world.submit("a");
    world.asks_and_exits("a");
    world.approves("a");
    world.config.slots = 0;
    world.change("a", Change::GiveBack);
    assert_eq!((world.states().as_str(), world.job("a").execution()), ("a:queued", 1));
    world.config.slots = 1;
    world.tick();
    assert_eq!((world.job("a").attempt, world.job("a").execution()), (1, 2));
}

#[test]
fn a_job_that_asked_and_exits_otherwise_fails_as_usual_and_its_request_is_gone() {
    for exit in [Exit::Code(1), Exit::Signal(9), Exit::Unknown { reason: "unseen".into() }] {
        let mut world = World::new();
        world.submit_with("a", |job| job.spec.retry.attempts_max = 2);
        world.asks("a", "local", None);
        world.ends("a", exit.clone());
        assert_eq!(world.states(), "a:queued", "{exit:?}");
        assert_eq!((world.job("a").attempt, world.job("a").interruptions), (1, 0));
        world.after(HOUR);
        world.tick();
        assert!(world.job("a").run().unwrap().asked.is_none());
        world.ends("a", Exit::Code(0));
        assert_eq!(world.states(), "a:completed", "nobody is asked");
    }
}

#[test]
fn what_timed_out_or_was_cancelled_after_it_asked_does_not_wait() {
    let mut world = World::new();
    world.submit("late gone");
    for (name, why) in [("late", Why::Timeout), ("gone", Why::Cancel)] {
        world.asks(name, "local", None);
        world.tell(name, why, None);
        world.ends(name, Exit::Code(0));
    }
    assert_eq!(world.states(), "late:failed gone:cancelled");
}

#[test]
fn what_is_being_ended_cannot_ask() {
    let mut world = World::new();
    world.submit("a");
    world.cancel("a");
    assert!(matches!(world.asks("a", "local", None), Applied::Refused(_)));
}

#[test]
fn the_first_request_of_a_run_stands() {
    let mut world = World::new();
    world.submit("a");
    world.asks("a", "local", Some(60));
    assert!(matches!(world.asks("a", "github:o/r", None), Applied::NoOp(_)));
    world.ends("a", Exit::Code(0));
    assert_eq!(world.waiting_of("a").request.ttl_seconds, Some(60));
    assert!(matches!(world.asks("a", "local", None), Applied::NoOp(_)), "it waits already");
}

#[test]
fn a_job_asks_again_after_it_was_approved_and_each_answer_stays() {
    let mut world = World::new();
    world.submit_gated("a", "local");
    world.approves("a");
    world.asks_and_exits("a");
    world.approves("a");
    world.asks_and_exits("a");
    world.declines("a", None);
    assert_eq!(world.states(), "a:cancelled");
    assert_eq!(
        answers_of(&world.job("a")),
        ["approved by ann on local", "approved by ann on local", "declined by ann on local"]
    );
}

#[test]
fn a_job_that_asks_without_end_keeps_the_latest_answers() {
    let mut world = World::new();
    world.submit("a");
    for _ in 0..ANSWERS_MAX + 5 {
        world.after(1);
        world.asks_and_exits("a");
        world.approves("a");
    }
    let job = world.job("a");
    assert_eq!((job.answers.len(), job.interruptions as usize), (ANSWERS_MAX, ANSWERS_MAX + 5));
    assert_eq!(job.answers.last().unwrap().at, world.now);
    assert!(job.was_approved());
}

#[test]
fn a_job_that_asked_and_got_no_answer_has_failed_without_a_further_attempt() {
    let mut world = World::new();
    world.submit_with("a", |job| job.spec.retry.attempts_max = 3);
    world.asks("a", "local", Some(60));
    world.ends("a", Exit::Code(0));
    world.after(60);
    world.tick();
    assert_eq!(
        (world.states().as_str(), world.summary("a").as_str()),
        ("a:failed", "nobody approved it within 1m")
    );
    assert!(!world.job("a").end().unwrap().dead_letter);
}

#[test]
fn a_job_that_is_cancelled_between_its_executions_says_so() {
    let mut world = World::new();
    world.submit("waits goes-on");
    world.asks_and_exits("waits");
    world.asks_and_exits("goes-on");
    world.config.slots = 0;
    world.approves("goes-on");
    world.cancel("waits");
    world.cancel("goes-on");
    assert_eq!(world.summary("waits"), "cancelled while it waited for approval");
    assert_eq!(world.summary("goes-on"), "cancelled before it went on");
}

#[test]
fn a_pause_ends_with_the_run_that_asked() {
    let mut world = World::new();
    world.submit("a");
    world.asks("a", "local", None);
    let at = world.now;
    world.change("a", Change::Pause { at });
    world.ends("a", Exit::Code(0));
    assert_eq!((world.states().as_str(), world.job("a").paused_at()), ("a:waiting_approval", None));
    world.approves("a");
    assert_eq!(world.states(), "a:running");
}

// What surrounds them.

#[test]
fn each_run_of_a_gated_schedule_waits_and_one_that_waits_is_active() {
    let schedule = |overlap| {
        let mut world = World::new();
        world.schedule("s", 100, |definition| {
            definition.overlap = overlap;
            if let Task::Run(spec) = &mut definition.task {
                let mut job = job("s", 1, "2026-02-13T10:00:00Z".parse().unwrap());
                gate(&mut job, "local", Some(86_400));
                spec.gate = job.spec.gate;
            }
        });
        for _ in 0..2 {
            world.after(100);
            world.tick();
        }
        world
    };
    let mut skips = schedule(Overlap::Skip);
    assert_eq!((skips.states().as_str(), skips.scheduled("s").health.overlapped), ("s:waiting_approval", 1));
    skips.approves("s");
    assert_eq!(skips.states(), "s:running");
    skips.ends("s", Exit::Code(0));
    skips.after(100);
    skips.tick();
    assert_eq!(skips.states(), "s:completed s:waiting_approval", "one approval is for one run");
    assert_eq!(schedule(Overlap::Queue).states(), "s:waiting_approval s:waiting_approval");
    assert_eq!(schedule(Overlap::Replace).states(), "s:cancelled s:waiting_approval");
}

#[test]
fn while_a_job_waits_its_key_gives_that_job() {
    let mut world = World::new();
    let keyed = |job: &mut bgctl::model::job::Job| {
        job.spec.key = Some(Key { text: "k".into(), ttl_seconds: 60 });
        gate(job, "local", Some(86_400));
    };
    world.submit_with("a", keyed);
    world.after(HOUR);
    assert_eq!(world.admit("again", keyed), Admission::Existing(world.job("a").id));
    world.declines("a", None);
    assert_eq!(world.admit("kept", keyed), Admission::Existing(world.job("a").id));
    world.after(61);
    assert_eq!(world.admit("free", keyed), Admission::Admitted);
}

#[test]
fn what_waits_for_approval_is_counted_apart_from_the_queue() {
    let mut world = World::new().slots(1);
    world.config.queue.jobs_max = 2;
    let (threshold, room_for) =
        (1, |world: &World| admit::room_for_approval(&world.facts, &world.config.queue));
    world.submit("running");
    world.submit_gated("a", "local");
    assert_eq!((room_for(&world), world.room()), (Ok(()), Ok(())));
    world.submit_gated("b", "local");
    let full = Full { waiting: 2, threshold, jobs_max: 2, for_approval: true };
    assert_eq!((room_for(&world), world.room()), (Err(full), Ok(())), "they keep nothing else out");
    world.submit("c d");
    assert!(world.room().is_err());
    world.approves("a");
    world.approves("b");
    assert_eq!((room_for(&world), world.waiting()), (Ok(()), 4), "what is approved comes to a full queue");
}

#[test]
fn a_batch_that_waits_for_approval_is_one_submission() {
    let mut world = World::new();
    world.config.queue.jobs_max = 2;
    world.submit_gated("first", "local");
    let batch = world.job("first").id;
    for number in 0..20 {
        world.submit_with(&format!("b{number}"), |job| {
            job.spec.batch = Some(batch.clone());
            gate(job, "local", None);
        });
    }
    world.decide(Scope::Slots, |_| Ok(()));
    let full = admit::room_for_approval(&world.facts, &world.config.queue).unwrap_err();
    assert_eq!(full.waiting, 2, "the first one that names no batch, and the batch");
}

#[test]
fn retention_never_lets_go_of_what_waits_and_of_what_it_follows() {
    let mut world = World::new();
    world.config.retention.jobs_max = 0;
    world.ended("first", Some(2 * HOUR));
    world.ended("other", Some(2 * HOUR));
    let first = world.job("first").id;
    world.submit_with("gated", |job| {
        job.spec.after.push(Dependency { id: first, until: Until::Completed });
        gate(job, "local", None);
    });
    world.after(400 * DAY);
    assert_eq!(world.prune(), "other");
    assert_eq!(world.states(), "first:completed gated:waiting_approval");
}

#[test]
fn the_index_requires_approvals_as_long_as_something_may_wait_for_one() {
    let mut world = World::new();
    let requires = |world: &World| world.requires().contains(&"approvals".to_owned());
    world.submit("plain");
    assert!(!requires(&world));
    world.asks("plain", "local", None);
    assert!(requires(&world), "it has asked");
    world.ends("plain", Exit::Code(0));
    assert!(requires(&world), "it waits");
    world.approves("plain");
    assert!(requires(&world), "its executions are counted otherwise");
    world.ends("plain", Exit::Code(0));
    assert!(!requires(&world));
    world.submit_gated("gated", "local");
    assert!(requires(&world));
    world.approves("gated");
    assert!(requires(&world), "its environment says that it was approved");
    world.ends("gated", Exit::Code(0));
    assert!(!requires(&world));
    world.schedule("s", 100, |definition| {
        let Task::Run(spec) = &mut definition.task else { return };
        let mut job = job("s", 1, "2026-02-13T10:00:00Z".parse().unwrap());
        gate(&mut job, "local", None);
        spec.gate = job.spec.gate;
    });
    assert!(requires(&world), "its runs will wait");
    assert!(!world.facts.to_text(world.now).contains("\"approval\":"), "and none does yet");
}

#[test]
fn a_hand_made_entry_that_waits_is_known_to_wait() {
    let mut world = World::new();
    world.submit_gated("a", "local");
    let text = world.facts.to_text(world.now);
    let entry = serde_json::to_value(world.job("a")).unwrap();
    let bare: serde_json::Map<String, serde_json::Value> = entry
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| !["gate", "approval"].contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let line = text.lines().find(|line| line.contains("waiting_approval")).unwrap();
    let hand_made = text.replace(line, &serde_json::to_string(&bare).unwrap());
    world.facts = bgctl::model::facts::Facts::parse(hand_made).unwrap();
    let head = world.facts.heads().next().unwrap().clone();
    let (of_head, of_job) =
        (head.waiting.unwrap().request, world.job("a").waiting().unwrap().request.clone());
    assert_eq!((of_head.on, of_head.ttl_seconds), (of_job.on, of_job.ttl_seconds));
    assert!(head.gated);
    world.after(4_000 * DAY);
    world.tick();
    assert_eq!(world.states(), "a:waiting_approval", "its time has no end");
    world.declines("a", None);
    assert_eq!(world.states(), "a:cancelled");
}

// Time.

#[test]
fn a_warning_is_given_once_an_hour_before_the_end() {
    let mut world = World::new();
    world.submit_gated("a", "local");
    assert_eq!(world.due_in(), Some(DAY - HOUR));
    world.after(DAY - HOUR - 1);
    world.tick();
    assert_eq!(world.waiting_of("a").warned_at, None);
    world.after(1);
    world.tick();
    let warned_at = Some(world.now);
    assert_eq!(world.waiting_of("a").warned_at, warned_at);
    assert_eq!(world.due_in(), Some(HOUR));
    world.after(60);
    world.tick();
    assert_eq!(world.waiting_of("a").warned_at, warned_at, "once");
}

#[test]
fn nobody_is_warned_where_the_whole_time_is_no_longer_than_the_warning_or_there_is_none() {
    for (ttl, warning) in [(Some(3_600), Some(3_600)), (Some(60), Some(3_600)), (Some(86_400), None)] {
        let mut world = World::new();
        world.config.approval.warning_seconds = warning;
        world.submit_with("a", |job| gate(job, "local", ttl));
        let ttl = i64::try_from(ttl.unwrap()).unwrap();
        assert_eq!(world.due_in(), Some(ttl));
        world.after(ttl - 1);
        world.tick();
        assert_eq!(world.waiting_of("a").warned_at, None);
        world.after(1);
        world.tick();
        assert_eq!(world.states(), "a:failed");
    }
}

#[test]
fn who_looks_only_after_the_end_warns_no_more() {
    let mut world = World::new();
    world.submit_gated("a", "local");
    world.after(2 * DAY);
    let id = world.job("a").id;
    world.decide(Scope::Tick, |_| Ok(()));
    assert_eq!(world.states(), "a:failed");
    assert!(world.facts.job(&id).unwrap().unwrap().waiting().is_none());
}

#[test]
fn only_a_pass_that_looks_at_everything_lets_a_wait_expire() {
    let mut world = World::new();
    world.submit_gated("a", "local");
    world.after(DAY);
    world.submit("b");
    assert_eq!(world.states(), "a:waiting_approval b:running");
    assert!(approve::is_any_due(&world.facts, &world.config.approval, world.now));
    world.tick();
    assert_eq!(world.states(), "a:failed b:running");
    assert!(!approve::is_any_due(&world.facts, &world.config.approval, world.now));
}

#[test]
fn a_wait_on_github_expires_only_once_github_was_asked_after_its_end() {
    let mut world = World::new();
    world.submit_gated("a", "github:o/r");
    world.polls();
    world.after(DAY);
    assert_eq!(world.tick(), "ask GitHub, wake in 30 s");
    assert_eq!(world.states(), "a:waiting_approval");
    let before = world.now - TimeDelta::seconds(1);
    world.polls_for(before, &[]);
    assert_eq!(world.states(), "a:waiting_approval", "what was said in the last second is not known yet");
    assert_eq!(world.poll_in(), Some(0));
    world.polls();
    assert_eq!(world.states(), "a:failed");
}

#[test]
fn what_was_approved_in_time_counts_however_late_it_is_seen() {
    let mut world = World::new();
    world.submit_gated("a", "github:o/r");
    world.polls_for(world.now, &[("a", asked_on_issue(world.now))]);
    world.after(3 * DAY);
    world.tick();
    let said = approved(&world, 2 * DAY + 1);
    world.polls_for(world.now, &[("a", said)]);
    assert_eq!(world.states(), "a:running");
}

#[test]
fn a_warning_of_a_wait_on_github_is_given_when_github_is_asked() {
    let mut world = World::new();
    world.submit_gated("a", "github:o/r");
    world.polls_for(world.now, &[("a", asked_on_issue(world.now))]);
    world.after(DAY - HOUR);
    assert_eq!(world.tick(), "ask GitHub, wake in 30 s");
    assert_eq!(world.waiting_of("a").warned_at, None);
    world.polls();
    assert_eq!(world.waiting_of("a").warned_at, Some(world.now));
    assert_eq!(world.poll_in(), Some(30));
}

#[test]
fn the_next_time_is_that_of_the_warning_the_end_or_the_next_question() {
    let mut world = World::new();
    world.submit_gated("here", "local");
    assert_eq!(world.due_in(), Some(DAY - HOUR));
    world.after(DAY - HOUR);
    world.tick();
    assert_eq!(world.due_in(), Some(HOUR));
    world.submit_gated("there", "github:o/r");
    assert_eq!(world.due_in(), Some(30), "it is asked now, and again after that");
    world.polls_for(world.now, &[("there", asked_on_issue(world.now))]);
    world.after(10);
    assert_eq!(world.due_in(), Some(20));
    world.config.approval.poll_seconds = 2 * 3_600;
    assert_eq!(world.due_in(), Some(HOUR - 10));
}

#[test]
fn github_is_asked_at_once_for_a_new_job_and_then_every_poll_interval() {
    let mut world = World::new();
    assert_eq!(world.poll_in(), None);
    world.submit_gated("local", "local");
    assert_eq!(world.poll_in(), None, "nobody waits for GitHub");
    world.submit_gated("a", "github:o/r");
    assert_eq!(world.poll_in(), Some(0));
    world.polls_for(world.now, &[("a", asked_on_issue(world.now))]);
    assert_eq!(world.poll_in(), Some(30));
    world.after(12);
    assert_eq!(world.poll_in(), Some(18));
    world.submit_gated("b", "github:o/r");
    assert_eq!(world.poll_in(), Some(0), "one that was not asked for yet");
    world.after(60);
    assert_eq!(world.poll_in(), Some(0));
}

#[test]
fn what_could_not_be_asked_for_is_not_urgent_and_neither_is_what_may_have_been() {
    let mut world = World::new();
    world.submit_gated("a", "github:o/r");
    world.polls_for(world.now, &[("a", no_network())]);
    assert_eq!((world.waiting_of("a").asked, world.poll_in()), (Asked::NotYet, Some(30)));
    let at = world.now;
    let begun = Change::Ask { asked: Asked::Begun { at } };
    world.polls_for(world.now, &[("a", Change::Hinder { trouble: None }), ("a", begun)]);
    assert_eq!(world.poll_in(), Some(30));
}

#[test]
fn whoever_begins_to_wait_for_github_has_it_asked_and_nobody_else() {
    let mut world = World::new();
    world.submit_gated("a", "github:o/r");
    assert_eq!(world.actions_text(), "ask GitHub, wake in 30 s");
    world.polls_for(world.now, &[("a", asked_on_issue(world.now))]);
    assert_eq!(world.actions_text(), "wake in 30 s", "who asked does not ask again");
    world.submit_gated("here", "local");
    assert_eq!(world.actions_text(), "wake in 30 s", "one that waits for somebody here");
    world.submit("b");
    assert_eq!(world.actions_text(), "launch b, wake in 30 s");
    world.asks("b", "github:o/r", None);
    assert_eq!(world.actions_text(), "wake in 30 s", "it runs still");
    world.ends("b", Exit::Code(0));
    assert_eq!(world.actions_text(), "ask GitHub, wake in 30 s");
    world.submit("c");
    world.asks("c", "local", None);
    world.ends("c", Exit::Code(0));
    assert_eq!(world.actions_text(), "wake in 30 s");
}

#[test]
fn a_run_of_a_schedule_that_waits_for_github_is_asked_for_in_the_pass_that_submits_it() {
    for scope in [Scope::Slots, Scope::Whole, Scope::Tick] {
        let mut world = World::new();
        world.schedule("s", 1_000, |definition| {
            let Task::Run(spec) = &mut definition.task else { return };
            let mut job = job("s", 1, "2026-02-13T10:00:00Z".parse().unwrap());
            gate(&mut job, "github:o/r", None);
            spec.gate = job.spec.gate;
        });
        world.after(1_000);
        assert!(recur::is_any_due(&world.facts, world.now));
        world.decide(scope, |_| Ok(()));
        assert_eq!(
            (world.states().as_str(), world.actions_text().as_str()),
            ("s:waiting_approval", "ask GitHub, wake in 30 s"),
            "{scope:?}"
        );
    }
}

#[test]
fn what_is_near_its_next_question_has_somebody_woken_and_what_is_far_waits_for_a_tick() {
    let mut world = World::new();
    world.config.approval.poll_seconds = 3_600;
    world.submit_gated("a", "github:o/r");
    assert_eq!(world.actions_text(), "ask GitHub");
    world.polls_for(world.now, &[("a", asked_on_issue(world.now))]);
    world.after(HOUR - 60);
    assert_eq!(world.tick(), "wake in 60 s");
    world.after(60);
    assert_eq!(world.tick(), "ask GitHub");
}

// Clocks that are set.

#[test]
fn a_clock_that_is_set_back_lets_nothing_expire_early_and_warns_no_second_time() {
    let mut world = World::new();
    world.submit_gated("a", "local");
    world.after(DAY - HOUR);
    world.tick();
    let warned_at = world.waiting_of("a").warned_at;
    world.after(-2 * DAY);
    assert_eq!(world.tick(), "");
    assert_eq!((world.states().as_str(), world.waiting_of("a").warned_at), ("a:waiting_approval", warned_at));
    world.approves("a");
    assert_eq!(world.states(), "a:running");
    assert_eq!(world.job("a").answers[0].at, world.now);
}

#[test]
fn a_clock_that_is_set_forward_past_the_end_approves_nothing() {
    let mut world = World::new();
    world.submit_gated("a", "local");
    world.after(4_000 * DAY);
    assert!(matches!(world.approves("a"), Applied::Refused(_)));
    assert_eq!(world.states(), "a:failed");
}

#[test]
fn a_question_of_the_future_was_asked_by_a_clock_that_was_set_back_since_and_is_asked_at_once() {
    let mut world = World::new();
    world.submit_gated("a", "github:o/r");
    world.polls_for(world.now, &[("a", asked_on_issue(world.now))]);
    world.after(-HOUR);
    assert_eq!(world.poll_in(), Some(0));
    assert_eq!(world.tick(), "ask GitHub, wake in 30 s");
    world.polls();
    assert_eq!((world.states().as_str(), world.poll_in()), ("a:waiting_approval", Some(30)));
}

#[test]
fn a_clock_that_is_set_back_while_github_is_asked_lets_nothing_expire_early() {
    let mut world = World::new();
    world.submit_gated("a", "github:o/r");
    world.polls_for(world.now + TimeDelta::seconds(2 * DAY), &[]);
    assert_eq!(world.states(), "a:waiting_approval");
}

// What was asked on GitHub.

#[test]
fn how_far_the_asking_has_come_stays_with_the_job_and_ends_with_the_wait() {
    let mut world = World::new();
    world.submit_gated("a", "github:o/r");
    let begun = Change::Ask { asked: Asked::Begun { at: world.now } };
    world.polls_for(world.now, &[("a", begun), ("a", asked_on_issue(world.now)), ("a", no_network())]);
    let waiting = world.waiting_of("a");
    assert_eq!((waiting.on().to_string().as_str(), waiting.trouble.is_some()), ("github:o/r#7", true));
    let Asked::On(issue) = waiting.asked.clone() else { panic!() };
    let edited = Asked::On(Issue { edited_at: Some(world.now), ..issue });
    world.polls_for(
        world.now,
        &[("a", Change::Ask { asked: edited.clone() }), ("a", Change::Hinder { trouble: None })],
    );
    assert_eq!((world.waiting_of("a").asked, world.waiting_of("a").trouble), (edited, None));
    let said = approved(&world, 0);
    world.polls_for(world.now, &[("a", said)]);
    world.asks("a", "github:o/r", None);
    world.ends("a", Exit::Code(0));
    let again = world.waiting_of("a");
    assert_eq!(
        (again.asked, again.trouble, again.warned_at),
        (Asked::NotYet, None, None),
        "it is asked anew"
    );
    assert!(matches!(world.job("a").state, State::WaitingApproval(_)));
}
