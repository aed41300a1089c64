//! What goes: docs/queue.md, 7 and 8.

use super::whole::Model;
use super::{Job, Ms, settings};
use std::collections::BTreeSet;

/// By which rule jobs go.
struct Rule {
    age_max: Ms,
    jobs_max: usize,
    /// None beyond the number goes within this time of its end.
    age_min: Ms,
}

impl Model {
    /// The ended jobs that may go now, by the settings or because somebody wants all of them gone.
    pub(super) fn old(&self, all: bool) -> BTreeSet<usize> {
        let active = self.index.jobs.values().filter(|job| !job.has_ended());
        let awaited: BTreeSet<usize> =
            active.flat_map(|job| &job.asked.after).map(|(other, _)| *other).collect();
        let is_kept = |job: &Job| awaited.contains(&job.number) || self.holds_key(job);
        let ended = || self.index.jobs.values().filter(|job| job.has_ended() && !is_kept(job));
        let mut free: Vec<&Job> = ended().filter(|job| !job.is_dead_letter).collect();
        let mut gone = BTreeSet::new();
        for name in free.iter().filter_map(|job| job.schedule.clone()).collect::<BTreeSet<_>>() {
            let runs = free.iter().copied().filter(|job| job.schedule.as_ref() == Some(&name));
            gone.extend(beyond(runs.collect(), settings::RUNS_KEPT));
        }
        free.retain(|job| !gone.contains(&job.number));
        let (jobs_max, age_min) = if all { (0, 0) } else { (settings::JOBS_KEPT, settings::AGE_MIN) };
        gone.extend(self.by_rule(free, &Rule { age_max: settings::AGE_MAX, jobs_max, age_min }));
        let dead = Rule {
            age_max: settings::DEAD_AGE_MAX,
            jobs_max: settings::DEAD_KEPT,
            age_min: settings::AGE_MIN,
        };
        gone.extend(self.by_rule(ended().filter(|job| job.is_dead_letter).collect(), &dead));
        gone
    }

    fn by_rule(&self, ended: Vec<&Job>, rule: &Rule) -> Vec<usize> {
        let age = |job: &Job| self.now - job.ended_at.expect("it has ended");
        let (old, rest): (Vec<&Job>, Vec<&Job>) = ended.into_iter().partition(|job| age(job) >= rule.age_max);
        let is_young = |number: &usize| age(&self.index.jobs[number]) < rule.age_min;
        let surplus = beyond(rest, rule.jobs_max).into_iter().filter(|number| !is_young(number));
        old.into_iter().map(|job| job.number).chain(surplus).collect()
    }

    /// Removes what may go by the settings. Gives whether that is written.
    pub(super) fn remove_what_is_old(&mut self) -> bool {
        self.remove(false)
    }

    pub(super) fn remove(&mut self, all: bool) -> bool {
        for number in self.old(all) {
            self.mark("a job that went");
            self.index.jobs.remove(&number);
        }
        self.write()
    }
}

/// Those whose ends are the oldest, beyond so many.
fn beyond(mut ended: Vec<&Job>, kept: usize) -> Vec<usize> {
    ended.sort_by_key(|job| (job.ended_at, job.number));
    ended.truncate(ended.len().saturating_sub(kept));
    ended.into_iter().map(|job| job.number).collect()
}
