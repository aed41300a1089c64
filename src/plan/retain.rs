//! Retention: which ended jobs go.

use crate::model::{
    Timestamp,
    config::{Config, Retention},
    facts::{Facts, Head},
    id::JobId,
    limit::Seconds,
};
use chrono::TimeDelta;
use std::collections::{HashMap, HashSet};

/// Which ended jobs may go. Active jobs never do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Those that ended at least so long ago go; `None` lets none go for its age.
    pub age_seconds_max: Seconds,
    /// Of those that went so, none within this time of its end.
    pub aged_seconds_min: u64,
    /// Of what remains, the oldest beyond this many go; `None` lets none go for their number.
    pub jobs_max: Option<usize>,
    /// Of those that went so, none within this time of its end.
    pub counted_seconds_min: u64,
}

/// What a person asks to have removed by hand. Each wish replaces the setting of its kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// What ended at least so long ago, be it within the protected time.
    pub older_than_seconds: Seconds,
    /// The oldest beyond so many.
    pub keep: Option<usize>,
    /// Everything that has ended.
    pub all: bool,
}

impl From<&Retention> for Rule {
    fn from(retention: &Retention) -> Self {
        Self {
            age_seconds_max: retention.age_seconds_max,
            aged_seconds_min: retention.age_seconds_min,
            jobs_max: Some(retention.jobs_max),
            counted_seconds_min: retention.age_seconds_min,
        }
    }
}

impl Rule {
    /// The settings, with what was asked for in their place.
    ///
    /// Whoever says an age knows how young the jobs are that go, so that their end is no longer protected by it. What
    /// nobody asked for by name, as the setting's count beside an age that was asked for, protects as before.
    pub fn asked(retention: &Retention, wish: &Wish) -> Self {
        let rule = Self::from(retention);
        if wish.all {
            return Self { jobs_max: Some(0), counted_seconds_min: 0, ..rule };
        }
        let aged = wish.older_than_seconds.is_some();
        Self {
            age_seconds_max: wish.older_than_seconds.or(rule.age_seconds_max),
            aged_seconds_min: if aged { 0 } else { rule.aged_seconds_min },
            jobs_max: wish.keep.or(rule.jobs_max),
            counted_seconds_min: if aged && wish.keep.is_some() { 0 } else { rule.counted_seconds_min },
        }
    }
}

/// Why an ended job is kept beyond its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is a dead letter, and has a rule of its own.
    DeadLetter,
    /// Its key is taken for some time after its end: a repeated submission gets this job.
    Key,
    /// A job that has not ended waits for it, or needs to know how it ended.
    Awaited,
}

/// What keeps ended jobs beyond their time, found once for all of them.
pub struct Keeping<'a> {
    awaited: HashSet<&'a JobId>,
    now: Timestamp,
}

impl<'a> Keeping<'a> {
    /// Of these facts.
    pub fn of(facts: &'a Facts, now: Timestamp) -> Self {
        let active = facts.heads().filter(|head| !head.status.has_ended());
        let awaited = active.flat_map(|head| &head.after).map(|dependency| &dependency.id).collect();
        Self { awaited, now }
    }

    /// Why an ended job is kept; `None`: only for its time.
    pub fn why(&self, head: &Head) -> Option<Kept> {
        if self.awaited.contains(&head.id) {
            Some(Kept::Awaited)
        } else if head.holds_key(self.now) {
            Some(Kept::Key)
        } else {
            head.dead_letter.then_some(Kept::DeadLetter)
        }
    }
}

/// What goes of the jobs that somebody speaks of, and what would go if nothing kept it beyond its time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// Those that go.
    pub ids: Vec<JobId>,
    /// Those that stay although their time is over, and why.
    pub kept: Vec<(JobId, Kept)>,
}

/// What goes by hand. Only jobs that are asked for are looked at, and they are counted by themselves; what is kept
/// beyond its time is kept from a person too, who is told the way on. Dead letters go by their own rule.
pub fn by_hand(
    facts: &Facts,
    now: Timestamp,
    config: &Config,
    wish: &Wish,
    is_asked: impl Fn(&Head) -> bool,
) -> Gone {
    let keeping = Keeping::of(facts, now);
    let rule = Rule::asked(&config.retention, wish);
    let asked = || facts.heads().filter(|head| head.status.has_ended() && is_asked(head));
    let free = || asked().filter(|head| keeping.why(head).is_none());
    let surplus = surplus_runs(free(), config.recurring.runs_kept);
    let is_surplus: HashSet<&JobId> = surplus.iter().collect();
    let mut ids = go(free().filter(|head| !is_surplus.contains(&head.id)), now, &rule);
    ids.splice(0..0, surplus.iter().cloned());
    let late = late_dead_letters(asked(), &keeping, now, config);
    let would_go: HashSet<JobId> = go(asked(), now, &rule).into_iter().collect();
    let kept = asked()
        .filter(|head| would_go.contains(&head.id) && !late.contains(&head.id))
        .filter_map(|head| Some((head.id.clone(), keeping.why(head)?)))
        .collect();
    ids.extend(late);
    Gone { ids, kept }
}

/// Of the ended runs of each schedule, those beyond the newest so many, oldest end first. A run is protected by nobody's
/// wish to ask for it, and those of a schedule of seconds would soon be all that is kept.
fn surplus_runs<'a>(ended: impl Iterator<Item = &'a Head>, kept: usize) -> Vec<JobId> {
    let mut of_schedules: HashMap<&str, Vec<&Head>> = HashMap::new();
    for head in ended {
        if let Some(name) = &head.belongs.schedule {
            of_schedules.entry(name).or_default().push(head);
        }
    }
    let mut surplus: Vec<&Head> = Vec::new();
    for mut runs in of_schedules.into_values() {
        runs.sort_by_key(|head| head.ended_at);
        runs.truncate(runs.len().saturating_sub(kept));
        surplus.extend(runs);
    }
    surplus.sort_by_key(|head| (head.ended_at, &head.id));
    surplus.into_iter().map(|head| head.id.clone()).collect()
}

/// The dead letters among these ended jobs whose own time is over.
fn late_dead_letters<'a>(
    ended: impl Iterator<Item = &'a Head>,
    keeping: &Keeping<'_>,
    now: Timestamp,
    config: &Config,
) -> Vec<JobId> {
    let rule = Rule {
        age_seconds_max: config.dead_letters.age_seconds_max,
        jobs_max: Some(config.dead_letters.jobs_max),
        ..Rule::from(&config.retention)
    };
    go(ended.filter(|head| keeping.why(head) == Some(Kept::DeadLetter)), now, &rule)
}

/// The jobs that retention lets go: those whose time is over, then the dead letters whose own time is; of each the oldest
/// end first.
pub fn retain(facts: &Facts, now: Timestamp, config: &Config) -> Vec<JobId> {
    by_hand(facts, now, config, &Wish::default(), |_| true).ids
}

/// Which of these ended jobs go by a rule, oldest end first.
///
/// First the age: what ended more than the greatest age ago. Then the count: of what remains, the oldest beyond
/// the greatest count.
pub fn go<'a>(ended: impl Iterator<Item = &'a Head>, now: Timestamp, rule: &Rule) -> Vec<JobId> {
    let mut ended: Vec<&Head> = ended.collect();
    // A stable sort: what ended in the same millisecond goes in the order of submission. An end that nobody
    // wrote down counts as the oldest of the count, and has no age.
    ended.sort_by_key(|head| head.ended_at);
    let (old, rest): (Vec<&Head>, Vec<&Head>) = ended
        .into_iter()
        .partition(|head| head.ended_at.is_some() && is_older_than(head, now, rule.age_seconds_max));
    let excess = rule.jobs_max.map_or(0, |most| rest.len().saturating_sub(most));
    let aged = old.into_iter().filter(|head| is_unprotected(head, now, rule.aged_seconds_min));
    let counted = rest.into_iter().take(excess);
    aged.chain(counted.filter(|head| is_unprotected(head, now, rule.counted_seconds_min)))
        .map(|head| head.id.clone())
        .collect()
}

/// Whether its end is no longer so fresh that it stays. Without protection, an end that a wrong clock put into the
/// future is none either.
fn is_unprotected(head: &Head, now: Timestamp, seconds_min: u64) -> bool {
    seconds_min == 0 || is_older_than(head, now, Some(seconds_min))
}

/// Whether it ended at least so long ago. An end that nobody wrote down was long ago; no limit is never over.
fn is_older_than(head: &Head, now: Timestamp, seconds: Option<u64>) -> bool {
    match (head.ended_at, seconds) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(at), Some(seconds)) => {
            now - at
                >= TimeDelta::try_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
                    .unwrap_or(TimeDelta::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        bytes::Bytes,
        dependency::{Dependency, Until},
        job::Job,
        key::Key,
        spec::{Command, JobSpec},
        state::{End, State, Status, Verdict},
    };
    use std::sync::Arc;

    const HOUR: i64 = 3_600;

    fn now() -> Timestamp {
        "2026-02-13T10:00:00Z".parse().unwrap()
    }

    /// A job that ended so many seconds ago.
    fn ended(random: &str, seconds_ago: Option<i64>) -> Head {
        Head {
            id: JobId::parse(&format!("bg_20260213_{random}")).unwrap(),
            status: Status::Completed,
            name: None,
            belongs: Arc::default(),
            not_before: None,
            ended_at: seconds_ago.map(|seconds| now() - TimeDelta::seconds(seconds)),
            paused: false,
            key: None,
            after: Vec::new(),
            dead_letter: false,
            hooked: false,
            waiting: None,
            gated: false,
        }
    }

    fn gone(heads: &[Head], wish: Wish) -> Vec<String> {
        let rule = Rule::asked(&Config::default().retention, &wish);
        go(heads.iter(), now(), &rule).iter().map(|id| id.random_part().to_owned()).collect()
    }

    /// From 20 days to 1 minute ago, and one of which nobody wrote down when.
    fn heads() -> Vec<Head> {
        vec![
            ended("minute", Some(60)),
            ended("hours2", Some(2 * HOUR)),
            ended("days20", Some(20 * 24 * HOUR)),
            ended("nobody", None),
        ]
    }

    #[test]
    fn without_a_wish_the_settings_hold() {
        assert_eq!(gone(&heads(), Wish::default()), ["days20"]);
    }

    #[test]
    fn all_is_all_that_has_ended_whenever_that_was() {
        let mut heads = heads();
        heads.push(ended("future", Some(-HOUR)));
        let wish = Wish { all: true, ..Wish::default() };
        let mut all = gone(&heads, wish);
        all.sort();
        assert_eq!(all, ["days20", "future", "hours2", "minute", "nobody"]);
    }

    #[test]
    fn an_age_that_is_asked_for_replaces_the_settings_and_its_protection() {
        let older = |seconds| Wish { older_than_seconds: Some(seconds), ..Wish::default() };
        assert_eq!(gone(&heads(), older(30)), ["days20", "hours2", "minute"]);
        assert_eq!(gone(&heads(), older(3_600)), ["days20", "hours2"]);
        assert_eq!(gone(&heads(), older(30 * 24 * 3_600)), [""; 0], "longer than the setting: fewer go");
    }

    #[test]
    fn a_count_that_is_asked_for_replaces_the_settings_and_leaves_the_hour_protected() {
        let keep = |count| Wish { keep: Some(count), ..Wish::default() };
        assert_eq!(gone(&heads(), keep(2)), ["days20", "nobody"], "the age of the settings, then the count");
        assert_eq!(gone(&heads(), keep(0)), ["days20", "nobody", "hours2"]);
        assert_eq!(gone(&heads(), keep(1_000)), ["days20"]);
    }

    #[test]
    fn both_wishes_together_protect_nothing_and_one_leaves_the_other_setting_as_it_is() {
        let both = Wish { older_than_seconds: Some(24 * 3_600), keep: Some(0), all: false };
        assert_eq!(gone(&heads(), both), ["days20", "nobody", "hours2", "minute"]);
        let many: Vec<Head> = (0..210).map(|n| ended(&format!("aaa{n:03}"), Some(60 + n))).collect();
        let old = Wish { older_than_seconds: Some(24 * 3_600), ..Wish::default() };
        assert_eq!(gone(&many, old), [""; 0], "the count of the settings still protects the hour");
    }

    #[test]
    fn the_oldest_end_goes_first() {
        let heads = [
            ended("newest", Some(2 * HOUR)),
            ended("oldest", Some(4 * HOUR)),
            ended("middle", Some(3 * HOUR)),
        ];
        assert_eq!(gone(&heads, Wish { keep: Some(1), ..Wish::default() }), ["oldest", "middle"]);
    }

    /// A job of an index that failed so many seconds ago.
    fn failed(random: &str, seconds_ago: i64, change: impl FnOnce(&mut Job)) -> Job {
        let id = JobId::parse(&format!("bg_20260213_{random}")).unwrap();
        let spec = JobSpec::new(Command::Line("false".into()), Bytes::try_from("/").unwrap());
        let at = now() - TimeDelta::seconds(seconds_ago);
        let mut job = Job::new(id, spec, at);
        job.state = State::Ended(End {
            verdict: Verdict::Failed,
            at: Some(at),
            started_at: Some(at),
            claim: None,
            outcome: None,
            ending: None,
            summary: None,
            dead_letter: false,
        });
        change(&mut job);
        job
    }

    fn dead(random: &str, seconds_ago: i64) -> Job {
        failed(random, seconds_ago, |job| {
            if let State::Ended(end) = &mut job.state {
                end.dead_letter = true;
            }
        })
    }

    fn queued(random: &str, after: &Job) -> Job {
        let mut spec = after.spec.clone();
        spec.after = vec![Dependency { id: after.id.clone(), until: Until::Ended }];
        Job::new(JobId::parse(&format!("bg_20260213_{random}")).unwrap(), spec, now())
    }

    const DAY: i64 = 24 * HOUR;

    fn retained(jobs: impl IntoIterator<Item = Job>) -> Vec<String> {
        let gone = retain(&Facts::of(jobs), now(), &Config::default());
        gone.iter().map(|id| id.random_part().to_owned()).collect()
    }

    #[test]
    fn a_dead_letter_stays_for_30_days_whatever_becomes_of_others() {
        let jobs = [dead("dead29", 29 * DAY), dead("dead31", 31 * DAY), failed("days15", 15 * DAY, |_| {})];
        assert_eq!(retained(jobs), ["days15", "dead31"]);
    }

    #[test]
    fn of_dead_letters_the_latest_1000_stay_and_none_counts_among_the_200() {
        let dead = (0..1_003).map(|n| dead(&format!("d{n:05}"), 2 * DAY - n));
        let failed = (0..201).map(|n| failed(&format!("f{n:05}"), DAY - n, |_| {}));
        assert_eq!(retained(dead.chain(failed)), ["f00000", "d00000", "d00001", "d00002"]);
    }

    #[test]
    fn within_an_hour_of_the_end_nothing_goes_for_its_number() {
        let many = |at: i64| (0..1_010).map(move |n| dead(&format!("d{n:05}"), at + n));
        assert_eq!(retained(many(60)), [""; 0]);
        assert_eq!(retained(many(HOUR)).len(), 10);
    }

    #[test]
    fn a_job_stays_as_long_as_its_key_counts() {
        let keyed = |random: &str, ttl_seconds: u64| {
            failed(random, 20 * DAY, |job| job.spec.key = Some(Key { text: "k".into(), ttl_seconds }))
        };
        let days = |days: u64| days * 86_400;
        assert_eq!(
            retained([keyed("keynot", 0), keyed("key019", days(19)), keyed("key021", days(21))]),
            ["keynot", "key019"]
        );
    }

    #[test]
    fn what_another_job_waits_for_stays() {
        let awaited = failed("awaitd", 20 * DAY, |_| {});
        let waiting = queued("waitng", &awaited);
        assert_eq!(retained([awaited.clone(), waiting.clone()]), [""; 0]);
        let ended = Job { state: awaited.state.clone(), ..waiting };
        assert_eq!(retained([awaited, ended]).len(), 2, "nobody waits any more");
    }

    #[test]
    fn by_hand_goes_what_nothing_keeps_and_the_rest_is_told_with_its_reason() {
        let awaited = failed("awaitd", 2 * HOUR, |_| {});
        let keyed = failed("keykey", 60, |job| {
            job.spec.key = Some(Key { text: "k".into(), ttl_seconds: 3_600 });
        });
        let waiting = queued("waitng", &awaited);
        let facts = Facts::of([
            dead("deadol", 31 * DAY),
            dead("deadyo", DAY),
            failed("failed", 60, |_| {}),
            keyed,
            awaited,
            waiting,
        ]);
        let all = Wish { all: true, ..Wish::default() };
        let told = |wish: &Wish, is_asked: fn(&Head) -> bool| {
            let gone = by_hand(&facts, now(), &Config::default(), wish, is_asked);
            let ids: Vec<String> = gone.ids.iter().map(|id| id.random_part().to_owned()).collect();
            let kept: Vec<(String, Kept)> =
                gone.kept.iter().map(|(id, why)| (id.random_part().to_owned(), *why)).collect();
            (ids, kept)
        };
        let kept = |random: &str, why| (random.to_owned(), why);
        let (gone, stays) = told(&all, |_| true);
        assert_eq!(gone, ["failed", "deadol"]);
        assert_eq!(
            stays,
            [kept("deadyo", Kept::DeadLetter), kept("keykey", Kept::Key), kept("awaitd", Kept::Awaited)]
        );
        let old = Wish { older_than_seconds: Some(3_600), ..Wish::default() };
        assert_eq!(told(&old, |_| true).1, [kept("deadyo", Kept::DeadLetter), kept("awaitd", Kept::Awaited)]);
        assert_eq!(told(&Wish::default(), |_| true), (vec!["deadol".to_owned()], vec![]));
        assert_eq!(told(&all, |head| head.id.random_part() == "failed").0, ["failed"]);
    }
}
