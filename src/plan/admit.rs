//! Admission: what may enter the queue, and what is there already under its key.

use crate::model::{
    Timestamp,
    config::Queue,
    event::{Applied, Event},
    facts::{Damage, Draft, Facts, Head},
    id::JobId,
    job::Job,
    state::Status,
};
use std::collections::{HashMap, HashSet, hash_map::Entry};

/// What became of one submitted job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is queued.
    Admitted,
    /// A job of its key is there already: this one.
    Existing(JobId),
    /// Its id is taken, and the submitter draws another.
    Taken,
}

/// The queue is too full for another submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// How many entries wait.
    pub waiting: usize,
    /// Beyond how many nothing is taken.
    pub threshold: usize,
    /// The size of the queue.
    pub jobs_max: usize,
    /// Whether they wait for approval.
    pub for_approval: bool,
}

/// Adds a submitted job behind all others, unless its key is taken.
pub fn admit(draft: &mut Draft, job: Job, now: Timestamp) -> Result<Admission, Damage> {
    if let Some(holder) = Holders::of(draft.facts(), now).give(&job) {
        return Ok(Admission::Existing(holder));
    }
    enter(draft, job)
}

/// Adds a submitted job whose key is its own.
pub fn enter(draft: &mut Draft, job: Job) -> Result<Admission, Damage> {
    let applied = draft.push(Event::Submitted { job: Box::new(job) })?;
    Ok(if applied == Applied::Yes { Admission::Admitted } else { Admission::Taken })
}

/// The job that holds a key.
pub fn holder_of_key<'a>(facts: &'a Facts, key: &str, now: Timestamp) -> Option<&'a Head> {
    Holders::of(facts, now).of_key(key).and_then(|id| facts.head(id))
}

/// The jobs that hold keys, by key: one that has not ended before one that has, and of these the newest.
#[derive(Debug)]
pub struct Holders(HashMap<String, Holder>);

#[derive(Debug)]
struct Holder {
    id: JobId,
    has_ended: bool,
}

impl Holders {
    /// Who holds keys at `now`.
    pub fn of(facts: &Facts, now: Timestamp) -> Self {
        let mut holders: HashMap<String, Holder> = HashMap::new();
        for head in facts.heads().filter(|head| head.holds_key(now)) {
            let Some(key) = &head.key else { continue };
            let has_ended = head.status.has_ended();
            if !has_ended || holders.get(&key.text).is_none_or(|holder| holder.has_ended) {
                holders.insert(key.text.clone(), Holder { id: head.id.clone(), has_ended });
            }
        }
        Self(holders)
    }

    /// Who holds a key.
    pub fn of_key(&self, key: &str) -> Option<&JobId> {
        self.0.get(key).map(|holder| &holder.id)
    }

    /// Gives a job its key, where it has one; `Some`: that one has it already.
    ///
    /// One that repeats an ended job takes the key over: that its key is still kept for some time after its end is no
    /// reason not to repeat it. A job of that key that has not ended is one.
    pub fn give(&mut self, job: &Job) -> Option<JobId> {
        let key = job.spec.key.as_ref()?;
        let its_own = Holder { id: job.id.clone(), has_ended: false };
        match self.0.entry(key.text.clone()) {
            Entry::Occupied(mut held) if job.spec.retry_of.is_some() && held.get().has_ended => {
                held.insert(its_own);
                None
            }
            Entry::Occupied(held) => Some(held.get().id.clone()),
            Entry::Vacant(free) => {
                free.insert(its_own);
                None
            }
        }
    }
}

/// Whether the queue takes another submission: a job, or a batch, which counts as one.
///
/// Services never wait for a slot, so that they neither count nor are refused; what is in the queue already always
/// comes back to it.
pub fn room(facts: &Facts, queue: &Queue) -> Result<(), Full> {
    bounded(waiting(facts), queue, false)
}

/// Whether another submission may wait for approval: as many as may wait for a slot, and counted apart from these, so that
/// what nobody answers keeps nothing else out. What is approved comes to the queue whatever waits there.
pub fn room_for_approval(facts: &Facts, queue: &Queue) -> Result<(), Full> {
    let waiting = facts.heads().filter(|head| head.status == Status::WaitingApproval);
    bounded(entries(waiting), queue, true)
}

fn bounded(waiting: usize, queue: &Queue, for_approval: bool) -> Result<(), Full> {
    let (threshold, jobs_max) = (queue.threshold(), queue.jobs_max);
    if waiting > threshold { Err(Full { waiting, threshold, jobs_max, for_approval }) } else { Ok(()) }
}

/// How many entries wait: queued jobs, those of one batch as one.
pub fn waiting(facts: &Facts) -> usize {
    entries(facts.heads().filter(|head| head.status == Status::Queued && !head.belongs.service))
}

/// How many submissions these jobs are.
fn entries<'a>(jobs: impl Iterator<Item = &'a Head>) -> usize {
    let mut batches: HashSet<&JobId> = HashSet::new();
    // Those of one batch mostly stand together.
    let mut last = None;
    jobs.filter(|head| match &head.belongs.batch {
        None => true,
        batch if *batch == last => false,
        Some(batch) => {
            last = Some(batch.clone());
            batches.insert(batch)
        }
    })
    .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        bytes::Bytes,
        key::Key,
        spec::{Command, JobSpec},
        state::{End, State, Verdict},
    };

    fn now() -> Timestamp {
        "2026-02-13T10:00:00Z".parse().unwrap()
    }

    /// A queued job with the key.
    fn keyed(random: &str, retry_of: Option<&Job>) -> Job {
        let mut spec = JobSpec::new(Command::Line("true".into()), Bytes::try_from("/").unwrap());
        spec.key = Some(Key { text: "k".into(), ttl_seconds: 3_600 });
        spec.retry_of = retry_of.map(|job| job.id.clone());
        Job::new(JobId::parse(&format!("bg_20260213_{random}")).unwrap(), spec, now())
    }

    #[test]
    fn a_repetition_takes_over_a_key_that_is_only_kept_and_waits_for_nobody_who_has_it() {
        let mut ended = keyed("ended2", None);
        ended.state = State::Ended(End {
            verdict: Verdict::Failed,
            at: Some(now()),
            started_at: None,
            claim: None,
            outcome: None,
            ending: None,
            summary: None,
            dead_letter: true,
        });
        let again = keyed("again2", Some(&ended));
        let in_place = |facts: &Facts, job: &Job| {
            Holders::of(facts, now()).give(job).map(|id| id.random_part().to_owned())
        };
        let facts = Facts::of([ended.clone()]);
        assert_eq!(in_place(&facts, &keyed("other2", None)).as_deref(), Some("ended2"));
        assert_eq!(in_place(&facts, &again), None);
        let facts = Facts::of([ended, keyed("other2", None)]);
        assert_eq!(in_place(&facts, &again).as_deref(), Some("other2"));
    }
}
