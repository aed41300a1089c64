//! How jobs are called where a sentence has to be short.

use crate::model::{facts::Facts, id::JobId};
use std::collections::HashMap;

/// Fewest characters of an id's random part: two would do today, and be ambiguous tomorrow.
const PREFIX_CHARS_MIN: usize = 3;

/// A job as a short sentence calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// A beginning of its id's random part by which no other job can be meant.
    pub short: String,
}

/// What each of these jobs is called.
pub fn called(facts: &Facts, ids: &[JobId]) -> Vec<Called> {
    let mut names: HashMap<&str, Vec<&JobId>> = HashMap::new();
    for (name, head) in facts.heads().filter_map(|head| Some((head.name.as_deref()?, head))) {
        names.entry(name).or_default().push(&head.id);
    }
    let call = |(id, shared): (&JobId, usize)| {
        let is_others_name =
            |text: &str| names.get(text).is_some_and(|ids| ids.iter().any(|other| *other != id));
        let random = id.random_part();
        // The shortest beginning that names only this job, and is no other's name; else the whole id.
        let short = (PREFIX_CHARS_MIN.max(shared + 1)..=random.len())
            .map(|chars| &random[..chars])
            .find(|text| !is_others_name(text));
        Called {
            name: facts.head(id).and_then(|head| head.name.as_deref().map(str::to_owned)),
            short: short.unwrap_or(id.as_str()).to_owned(),
        }
    };
    ids.iter().zip(shared(facts, ids)).map(call).collect()
}

/// How many characters at the beginning of each one's random part are at most those of any other job's, too.
fn shared(facts: &Facts, ids: &[JobId]) -> Vec<usize> {
    let mut shared = vec![0; ids.len()];
    let mut asked: Vec<(&str, usize)> =
        ids.iter().enumerate().map(|(place, id)| (id.random_part(), place)).collect();
    asked.sort_unstable();
    for one in facts.heads().map(|head| &head.id).chain(ids) {
        let random = one.random_part();
        // In order, those that share most stand beside it: the last before it, those that are the same, the first behind.
        let equal = asked.partition_point(|(other, _)| *other < random);
        let behind = equal + asked[equal..].iter().take_while(|(other, _)| *other == random).count();
        let near = equal.saturating_sub(1)..(behind + 1).min(asked.len());
        for (other, place) in asked[near].iter().filter(|(_, place)| ids[*place] != *one) {
            let length = random.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
            shared[*place] = length.max(shared[*place]);
        }
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        bytes::Bytes,
        job::Job,
        spec::{Command, JobSpec},
    };

    #[test]
    fn a_job_is_called_by_what_names_only_it() {
        let jobs =
            [("abc234", Some("build")), ("abd234", None), ("xyz234", Some("abd")), ("xyz234567", None)];
        let job = |(random, name): (&str, Option<&str>)| {
            let mut spec =
                JobSpec::new(Command::Line("true".into()), Bytes::try_from("/").unwrap_or_default());
            spec.name = name.map(str::to_owned);
            let at = "2026-02-13T10:00:00Z".parse().unwrap();
            Job::new(JobId::parse(&format!("bg_20260213_{random}")).unwrap(), spec, at)
        };
        let facts = Facts::of(jobs.map(job));
        let ids: Vec<JobId> = facts.heads().map(|head| head.id.clone()).collect();
        let called = called(&facts, &ids);
        let shorts: Vec<&str> = called.iter().map(|one| one.short.as_str()).collect();
        assert_eq!(shorts, ["abc", "abd2", "bg_20260213_xyz234", "xyz2345"]);
        assert_eq!(called[0].name.as_deref(), Some("build"));
    }
}
