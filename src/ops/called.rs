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
    let known = Known::of(facts);
    let call = |id: &JobId| Called {
        name: facts.head(id).and_then(|head| head.name.as_deref().map(str::to_owned)),
        short: known.short(id),
    };
    ids.iter().map(call).collect()
}

/// What could be meant by a short word: the random parts of all jobs, in order, and their names.
struct Known<'a> {
    random_parts: Vec<&'a str>,
    names: HashMap<&'a str, Vec<&'a JobId>>,
}

impl<'a> Known<'a> {
    fn of(facts: &'a Facts) -> Self {
        let mut random_parts: Vec<&str> = facts.heads().map(|head| head.id.random_part()).collect();
        random_parts.sort_unstable();
        let mut names: HashMap<&str, Vec<&JobId>> = HashMap::new();
        for (name, head) in facts.heads().filter_map(|head| Some((head.name.as_deref()?, head))) {
            names.entry(name).or_default().push(&head.id);
        }
        Self { random_parts, names }
    }

    /// The shortest beginning that names only this job, and is no other's name; else the whole id.
    fn short(&self, id: &JobId) -> String {
        let random = id.random_part();
        let is_others_name =
            |text: &str| self.names.get(text).is_some_and(|ids| ids.iter().any(|other| *other != id));
        (PREFIX_CHARS_MIN..=random.len())
            .map(|chars| &random[..chars])
            .find(|text| self.begin_so(text) <= 1 && !is_others_name(text))
            .unwrap_or(id.as_str())
            .to_owned()
    }

    /// How many random parts begin so, 2 standing for more: in their order they stand beside each other.
    fn begin_so(&self, text: &str) -> usize {
        let first = self.random_parts.partition_point(|part| *part < text);
        self.random_parts[first..].iter().take(2).take_while(|part| part.starts_with(text)).count()
    }
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
