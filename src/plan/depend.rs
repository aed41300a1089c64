//! Dependencies: which queued jobs still wait for the ends of others, and which wait in vain.

use super::Inputs;
use crate::model::{
    dependency::{Dependency, Until},
    event::Event,
    facts::{Damage, Draft, Facts, Head},
    id::JobId,
    outcome::{Ending, Why},
    state::{Change, Status},
};
use std::collections::{HashMap, HashSet};

/// What a dependency has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The end that is waited for has come.
    Met,
    /// It has yet to come.
    Open,
    /// It cannot come any more: the job ended otherwise.
    Failed(Status),
    /// Nobody knows how it ended: the index does not have it any more.
    Gone,
}

/// What a dependency has come to.
pub fn standing(facts: &Facts, dependency: &Dependency) -> Standing {
    match (facts.head(&dependency.id).map(|head| head.status), dependency.until) {
        (Some(status), _) if !status.has_ended() => Standing::Open,
        // What is gone had ended: nothing else is removed.
        (_, Until::Ended) | (Some(Status::Completed), Until::Completed) => Standing::Met,
        (Some(status), Until::Completed) => Standing::Failed(status),
        (None, Until::Completed) => Standing::Gone,
    }
}

/// Whether nothing that a job waits for is missing.
pub fn is_met(facts: &Facts, head: &Head) -> bool {
    head.after.iter().all(|dependency| standing(facts, dependency) == Standing::Met)
}

/// The dependencies of a job that are still open, in the order given.
pub fn open<'a>(facts: &Facts, after: &'a [Dependency]) -> Vec<&'a Dependency> {
    after.iter().filter(|dependency| standing(facts, dependency) == Standing::Open).collect()
}

/// Cancels the queued jobs that wait in vain, and those that wait for them, and so on.
///
/// Each job is looked at once, and once more for each job that it waits for and that goes: a chain costs as much as it is
/// long.
pub fn depend(draft: &mut Draft, inputs: &Inputs<'_>) -> Result<(), Damage> {
    let mut dependants: HashMap<JobId, Vec<JobId>> = HashMap::new();
    let mut open: Vec<JobId> = Vec::new();
    for head in draft.facts().heads().filter(|head| waits_for_others(head)) {
        for dependency in &head.after {
            dependants.entry(dependency.id.clone()).or_default().push(head.id.clone());
        }
        open.push(head.id.clone());
    }
    // The first that was submitted goes first, and its dependants right after it.
    open.reverse();
    while let Some(id) = open.pop() {
        let facts = draft.facts();
        let head = facts.head(&id).filter(|head| waits_for_others(head));
        let Some(note) = head.and_then(|head| why_in_vain(facts, head)) else { continue };
        if facts.job(&id).is_err() {
            // An entry that is damaged inside must not stop the others.
            continue;
        }
        let ending = Ending { why: Why::Dependency, at: inputs.now, signal: None, note: Some(note) };
        draft.push(Event::Changed { id: id.clone(), change: Change::Decide { ending } })?;
        open.extend(dependants.remove(&id).into_iter().flatten().rev());
    }
    Ok(())
}

fn waits_for_others(head: &Head) -> bool {
    matches!(head.status, Status::Queued | Status::WaitingApproval) && !head.after.is_empty()
}

fn why_in_vain(facts: &Facts, head: &Head) -> Option<String> {
    head.after.iter().find_map(|dependency| {
        let id = &dependency.id;
        if *id == head.id {
            return Some("it was to wait for itself".to_owned());
        }
        match standing(facts, dependency) {
            Standing::Met | Standing::Open => None,
            Standing::Failed(Status::Cancelled) => Some(format!("{id}, which it waited for, was cancelled")),
            Standing::Failed(_) => Some(format!("{id}, which it waited for, failed")),
            Standing::Gone => {
                Some(format!("{id}, which it waited for, is gone, and nobody knows how it ended"))
            }
        }
    })
}

/// The circle that a job would wait in if it waited for these: itself, then each job that waits for the next one, and
/// itself again; `None`: there is none.
pub fn circle(facts: &Facts, id: &JobId, after: &[Dependency]) -> Option<Vec<JobId>> {
    let mut seen: HashSet<&JobId> = HashSet::new();
    let mut path: Vec<(&JobId, &[Dependency])> = vec![(id, after)];
    while let Some((_, rest)) = path.last_mut() {
        let Some((first, others)) = rest.split_first() else {
            path.pop();
            continue;
        };
        *rest = others;
        if first.id == *id {
            let around = path.iter().map(|(id, _)| (*id).clone());
            return Some(around.chain([id.clone()]).collect());
        }
        let waits = facts.head(&first.id).filter(|head| !head.status.has_ended());
        if let Some(head) = waits.filter(|head| seen.insert(&head.id)) {
            path.push((&head.id, &head.after));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Timestamp,
        claim::{ExecutorName, Site},
        config::Config,
    };
    use crate::plan::{NewIds, census::Census};

    const INDEX: &str = r#"{"version":1,"updated_at":null,"jobs":[
{"id":"bg_20260213_aaaaaa","status":"failed","command":"true","cwd":"/","created_at":"2026-02-13T10:00:00Z"},
{"id":"bg_20260213_bbbbbb","status":"queued","command":"true","cwd":"/","created_at":"2026-02-13T10:00:00Z",
 "after":["bg_20260213_aaaaaa"],"timeout_seconds":-60},
{"id":"bg_20260213_cccccc","status":"queued","command":"true","cwd":"/","created_at":"2026-02-13T10:00:00Z",
 "after":["bg_20260213_aaaaaa"]}
]}"#;

    #[derive(Debug)]
    struct NoIds;

    impl NewIds for NoIds {
        fn new_id(&self, _now: Timestamp) -> JobId {
            unreachable!("nothing is submitted")
        }
    }

    #[test]
    fn a_waiting_job_that_is_damaged_inside_keeps_no_other_from_its_end() {
        let id = |random: &str| JobId::parse(&format!("bg_20260213_{random}")).unwrap();
        let mut draft = Draft::new(Facts::parse(INDEX.to_owned()).unwrap());
        assert!(draft.facts().job(&id("bbbbbb")).is_err());
        let inputs = Inputs {
            census: &Census::new(),
            now: "2026-02-13T10:00:00Z".parse().unwrap(),
            config: &Config::default(),
            site: &Site { host: "h".into(), machine: String::new(), boot: "b".into(), pid_namespace: 1 },
            executor: ExecutorName::Local,
            ids: &NoIds,
            definitions: None,
            polled_at: None,
        };
        depend(&mut draft, &inputs).unwrap();
        let status = |random: &str| draft.facts().head(&id(random)).map(|head| head.status);
        assert_eq!(status("bbbbbb"), Some(Status::Queued));
        assert_eq!(status("cccccc"), Some(Status::Cancelled));
    }
}
