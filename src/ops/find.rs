//! Which job is meant: a full id, a prefix of its random part, or an exact name.

use super::{
    fault::{Code, Fault},
    home::{BrokenConfig, Home},
};
use crate::model::{
    facts::{Facts, Head},
    id::JobId,
};

/// Shortest prefix that names a job.
const PREFIX_CHARS_MIN: usize = 2;

/// Most candidates that a message lists.
const CANDIDATES_MAX: usize = 8;

/// The job that `text` names: its full id, else the newest of exactly that name, else the one whose id has a random
/// part that begins so.
pub fn find(facts: &Facts, text: &str) -> Result<JobId, Fault> {
    if let Some(head) = facts.heads().find(|head| head.id.as_str() == text) {
        return Ok(head.id.clone());
    }
    if let Some(head) = facts.heads().rev().find(|head| head.name.as_deref() == Some(text)) {
        return Ok(head.id.clone());
    }
    let matches: Vec<&Head> = facts.heads().filter(|head| begins_so(&head.id, text)).collect();
    match matches[..] {
        [only] => Ok(only.id.clone()),
        [] => Err(no_such_job(text)),
        _ => {
            let mut named: Vec<String> =
                matches.iter().take(CANDIDATES_MAX).map(|head| head.id.to_string()).collect();
            if matches.len() > CANDIDATES_MAX {
                named.push(format!("and {} more", matches.len() - CANDIDATES_MAX));
            }
            Err(Fault::new(
                Code::NotFound,
                format!("{text:?} could be any of {}: {}", matches.len(), named.join(", ")),
            )
            .hint("give more of the id"))
        }
    }
}

/// Nothing is called that.
pub fn no_such_job(text: &str) -> Fault {
    Fault::new(Code::NotFound, format!("there is no job {text:?}"))
        .hint("bgctl list --all shows the jobs there are")
}

/// Opens the root for jobs that must be there. Where there is no root, there is no such job, and none is made.
pub fn home_of(jobs: &[String]) -> Result<Home, Fault> {
    let named = jobs.first().map(String::as_str).unwrap_or_default();
    Home::open_existing(BrokenConfig::Warns)?.ok_or_else(|| no_such_job(named))
}

fn begins_so(id: &JobId, text: &str) -> bool {
    let is_prefix = |whole: &str, text: &str| text.len() >= PREFIX_CHARS_MIN && whole.starts_with(text);
    is_prefix(id.random_part(), text)
        || (text.starts_with("bg_") && text.len() > 12 && id.as_str().starts_with(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        job::Job,
        spec::{Command, JobSpec},
    };

    fn facts(jobs: &[(&str, Option<&str>)]) -> Facts {
        Facts::of(jobs.iter().map(|(random, name)| {
            let mut spec = JobSpec::new(
                Command::Line("true".into()),
                crate::model::bytes::Bytes::try_from("/").unwrap(),
            );
            spec.name = name.map(str::to_owned);
            let at = "2026-02-13T10:00:00Z".parse().unwrap();
            Job::new(JobId::parse(&format!("bg_20260213_{random}")).unwrap(), spec, at)
        }))
    }

    #[test]
    fn a_job_is_named_by_id_prefix_or_name() {
        let facts = facts(&[("abc234", Some("build")), ("abd234", Some("build")), ("xyz234", Some("abc2"))]);
        let find = |text: &str| {
            find(&facts, text).map(|id| id.random_part().to_owned()).map_err(|fault| fault.message)
        };
        assert_eq!(find("bg_20260213_abc234").unwrap(), "abc234");
        assert_eq!(find("xy").unwrap(), "xyz234");
        assert_eq!(
            find("bg_20260213_ab").unwrap_err(),
            "\"bg_20260213_ab\" could be any of 2: bg_20260213_abc234, bg_20260213_abd234"
        );
        assert_eq!(find("build").unwrap(), "abd234", "the newest of that name");
        assert_eq!(find("abc2").unwrap(), "xyz234", "an exact name before a prefix");
        assert_eq!(find("a").unwrap_err(), "there is no job \"a\"");
        assert_eq!(find("").unwrap_err(), "there is no job \"\"");
    }
}
