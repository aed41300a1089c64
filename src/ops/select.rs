//! Which jobs a command is for: those that are named, or all active ones of a kind.

use super::{
    fault::Fault,
    find::{Among, find_all, home_of},
    group,
    home::{BrokenConfig, Home},
};
use crate::model::{
    facts::{Facts, Head},
    group::DEFAULT,
    id::JobId,
    job::Job,
    state::Status,
};
use crate::plan::pick::group_of;
use crate::store::Store;

/// Which jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Those that these texts name; what standard input named is among them.
    Named(Vec<String>),
    /// Every active job of this kind.
    Active(Kind),
    /// These, which were found before. Some of them may have been removed meanwhile.
    Foreseen(Vec<JobId>),
}

/// A kind of jobs: those that are all of this. Without anything, it is every job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kind {
    /// They have all these labels.
    pub labels: Vec<String>,
    /// They are in one of these states, if there are any.
    pub statuses: Vec<Status>,
    /// They are of this group.
    pub group: Option<String>,
}

impl Default for Selection {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

impl Selection {
    /// Opens the root. `None`: there is none, or nobody was named, so that there is nothing to do. Where jobs were named
    /// and there is no root, there is no such job.
    pub fn home(&self) -> Result<Option<Home>, Fault> {
        match self {
            Self::Named(texts) if texts.is_empty() => Ok(None),
            Self::Named(texts) => home_of(texts).map(Some),
            Self::Active(Kind { group: Some(name), .. }) => home_with_group(name),
            Self::Active(_) | Self::Foreseen(_) => Home::open_existing(BrokenConfig::Warns),
        }
    }

    /// The group that is meant with all that belongs to it, where it is one.
    pub fn whole_group(&self) -> Option<&str> {
        match self {
            Self::Active(Kind { labels, statuses, group }) if labels.is_empty() && statuses.is_empty() => {
                group.as_deref()
            }
            _ => None,
        }
    }

    /// The jobs, each once: named ones in the order given, looked up `among`; others in the order of submission as far as
    /// they are fit.
    pub fn ids(
        &self,
        facts: &Facts,
        among: Among<'_>,
        fit: impl Fn(&Job) -> bool,
    ) -> Result<Vec<JobId>, Fault> {
        let kind = match self {
            Self::Named(texts) => return find_all(facts, texts, among),
            Self::Foreseen(ids) => return Ok(ids.clone()),
            Self::Active(kind) => kind,
        };
        let jobs = facts.jobs(|head| !head.status.has_ended() && kind.could_have(head))?;
        Ok(jobs.into_iter().filter(|job| kind.has(job) && fit(job)).map(|job| job.id).collect())
    }
}

/// Opens the root, where there must be such a group: whoever mistyped it does not mean no job.
fn home_with_group(name: &str) -> Result<Option<Home>, Fault> {
    let home = Home::open_existing(BrokenConfig::Warns)?;
    match &home {
        Some(home) => group::check_known(&*home.store().read()?, home, name)?,
        None if name == DEFAULT => {}
        None => return Err(group::no_such_group(name, &[DEFAULT.to_owned()])),
    }
    Ok(home)
}

impl Kind {
    /// Whether a job can be of this kind, as far as that is seen without reading all of it.
    fn could_have(&self, head: &Head) -> bool {
        (self.statuses.is_empty() || self.statuses.contains(&head.status))
            && self.group.as_deref().is_none_or(|name| group_of(head.belongs.group.as_deref()) == name)
    }

    /// Whether a job that could be of this kind is.
    fn has(&self, job: &Job) -> bool {
        self.labels.iter().all(|label| job.spec.labels.contains(label))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        bytes::Bytes,
        spec::{Command, JobSpec},
    };

    /// Queued jobs by random part, with a name and labels.
    fn facts(jobs: &[(&str, &str, &[&str])]) -> Facts {
        Facts::of(jobs.iter().map(|(random, name, labels)| {
            let cwd = Bytes::try_from("/").unwrap_or_default();
            let mut spec = JobSpec::new(Command::Line("true".into()), cwd);
            spec.name = Some((*name).to_owned());
            spec.labels = labels.iter().map(ToString::to_string).collect();
            let at = "2026-02-13T10:00:00Z".parse().unwrap();
            Job::new(JobId::parse(&format!("bg_20260213_{random}")).unwrap(), spec, at)
        }))
    }

    fn chosen(selection: &Selection) -> Vec<String> {
        let facts = facts(&[
            ("ccc234", "one", &["nightly", "big"]),
            ("aaa234", "two", &["nightly"]),
            ("bbb234", "three", &[]),
            ("ddd234", "four", &["big", "odd", "nightly"]),
        ]);
        let ids = selection.ids(&facts, Among::All, |job| job.id.random_part() != "ddd234").unwrap();
        ids.iter().map(|id| id.random_part()[..3].to_owned()).collect()
    }

    #[test]
    fn those_that_were_found_before_are_meant_though_they_are_gone() {
        let gone = JobId::parse("bg_20260213_zzz234").unwrap();
        assert_eq!(chosen(&Selection::Foreseen(vec![gone])), ["zzz"]);
    }

    fn with(labels: &[&str], statuses: &[Status]) -> Selection {
        let labels = labels.iter().map(ToString::to_string).collect();
        Selection::Active(Kind { labels, statuses: statuses.to_vec(), group: None })
    }

    #[test]
    fn a_kind_is_all_that_is_asked_in_the_order_of_submission_as_far_as_it_is_fit() {
        assert_eq!(chosen(&with(&[], &[])), ["ccc", "aaa", "bbb"]);
        assert_eq!(chosen(&with(&["nightly"], &[])), ["ccc", "aaa"]);
        assert_eq!(chosen(&with(&["nightly", "big"], &[])), ["ccc"], "all labels, not one of them");
        assert_eq!(chosen(&with(&["night"], &[])), [""; 0], "a label is not its beginning");
        assert_eq!(chosen(&with(&[], &[Status::Running, Status::Queued])), ["ccc", "aaa", "bbb"]);
        assert_eq!(chosen(&with(&["nightly"], &[Status::Running])), [""; 0]);
    }

    #[test]
    fn named_jobs_come_in_the_order_given_and_each_once_be_they_fit_or_not() {
        let named =
            |texts: &[&str]| chosen(&Selection::Named(texts.iter().map(ToString::to_string).collect()));
        assert_eq!(named(&["bbb", "one", "@", "three", "ccc"]), ["bbb", "ccc", "ddd"]);
        assert_eq!(named(&[]), [""; 0], "nobody is not everybody");
    }
}
