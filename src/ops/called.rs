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
    let mut asked: Vec<(&[u8], &JobId, usize)> = ids.iter().map(|id| (id.random_bytes(), id, 0)).collect();
    asked.sort_unstable();
    asked.dedup();
    // Most share nothing with any of them.
    let first = |random: &[u8]| random.first().copied().map(usize::from);
    let mut firsts = [false; 256];
    asked.iter().filter_map(|(random, ..)| first(random)).for_each(|byte| firsts[byte] = true);
    for one in facts.heads().map(|head| &head.id).chain(ids) {
        let random = one.random_bytes();
        if first(random).is_some_and(|byte| !firsts[byte]) {
            continue;
        }
        // In order, those that share most stand beside it: the last before it, those that are the same, the first behind. Of
        // several that are the same, each finds another.
        let equal = asked.partition_point(|(other, ..)| *other < random);
        let behind = equal + asked[equal..].iter().take_while(|(other, ..)| *other == random).count();
        let near = equal.saturating_sub(1)..(behind + 1).min(asked.len());
        for (other, _, shared) in asked[near].iter_mut().filter(|(_, id, _)| *id != one) {
            let length = random.iter().zip(*other).take_while(|(one, other)| one == other).count();
            *shared = length.max(*shared);
        }
    }
    let of = |id: &JobId| asked.binary_search_by_key(&(id.random_bytes(), id), |(part, id, _)| (*part, *id));
    ids.iter().map(|id| of(id).map_or(0, |place| asked[place].2)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        bytes::Bytes,
        job::Job,
        spec::{Command, JobSpec},
    };
    use proptest::prelude::*;
    use std::collections::BTreeSet;

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

    proptest! {
        #[test]
        fn the_shortest_beginning_is_that_of_nobody_else_however_often_and_in_which_order_is_asked(
            randoms in proptest::collection::vec(("[ab]{6,8}", 1..3_u8), 1..12),
            asked in proptest::collection::vec(0..12_usize, 1..8),
        ) {
            let ids: BTreeSet<JobId> = randoms
                .iter()
                .map(|(random, day)| JobId::parse(&format!("bg_2026021{day}_{random}")).unwrap())
                .collect();
            let at = "2026-02-13T10:00:00Z".parse().unwrap();
            let spec = JobSpec::new(Command::Line("true".into()), Bytes::try_from("/").unwrap());
            let facts = Facts::of(ids.iter().map(|id| Job::new(id.clone(), spec.clone(), at)));
            let ids: Vec<JobId> = ids.into_iter().collect();
            let asked: Vec<JobId> = asked.into_iter().map(|place| ids[place % ids.len()].clone()).collect();
            for (id, called) in asked.iter().zip(called(&facts, &asked)) {
                let is_only_its = |text: &&str| {
                    ids.iter().filter(|other| other.random_part().starts_with(*text)).count() == 1
                };
                let random = id.random_part();
                let shortest = (PREFIX_CHARS_MIN..=random.len()).map(|chars| &random[..chars]).find(is_only_its);
                prop_assert_eq!(called.short.as_str(), shortest.unwrap_or(id.as_str()));
            }
        }
    }
}
