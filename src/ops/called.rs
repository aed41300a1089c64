//! How jobs are called where a sentence has to be short.

use crate::model::{
    facts::{Facts, Head},
    id::JobId,
};

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
    let call = |id: &JobId| Called {
        name: facts.heads().find(|head| head.id == *id).and_then(|head| head.name.clone()),
        short: short(facts, id),
    };
    ids.iter().map(call).collect()
}

/// The shortest beginning that names only this job, and is no other's name; else the whole id.
fn short(facts: &Facts, id: &JobId) -> String {
    let random = id.random_part();
    let could_be = |head: &Head, text: &str| {
        head.id.random_part().starts_with(text) || head.name.as_deref() == Some(text)
    };
    (PREFIX_CHARS_MIN..=random.len())
        .map(|chars| &random[..chars])
        .find(|text| !facts.heads().any(|head| head.id != *id && could_be(head, text)))
        .unwrap_or(id.as_str())
        .to_owned()
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
