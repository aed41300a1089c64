//! Verdict: what the facts of an issue come to for a job that waits on it.
//!
//! Fails closed. An approval counts only where everything about it is known and right; whatever else is seen, the job goes on
//! waiting, and what stands in the way is said. Declining is the safe answer, so an edited text does not keep it from counting.

use crate::model::{
    Timestamp,
    approval::{Issue, Waiting, later},
    config::Labels,
};
use std::collections::BTreeMap;

/// Whose answer counts, and what an answer is.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The labels.
    pub labels: &'a Labels,
    /// The accounts that may answer; where there is none, those that may write to the repository.
    pub approvers: &'a [String],
    /// Whether the account that asked may approve.
    pub self_approval: bool,
}

/// What is seen of an issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The hash of its title and text.
    pub content: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// Whether it is closed as not planned.
    pub is_rejected: bool,
    /// Whether nobody without special rights can write on it.
    pub is_locked: bool,
    /// What happened to it, in order.
    pub steps: Vec<Step>,
    /// The accounts of which it is known whether they may write to the repository.
    pub writers: BTreeMap<String, bool>,
}

/// One thing that happened to an issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What.
    pub kind: StepKind,
    /// Whose doing it was; none where the account is gone.
    pub by: Option<String>,
    /// When, by GitHub's clock.
    pub at: Timestamp,
}

/// What can happen to an issue, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// It got a label.
    Labelled(String),
    /// It lost a label.
    Unlabelled(String),
    /// It was closed.
    Closed,
    /// It was opened again.
    Reopened,
}

/// What it comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The job may run.
    Approved {
        /// Whose answer it is.
        by: String,
        /// When it was given.
        at: Timestamp,
    },
    /// The job may not run.
    Declined {
        /// Whose answer it is.
        by: String,
        /// When it was given.
        at: Timestamp,
        /// How.
        how: &'static str,
    },
    /// Nobody has answered, or nobody whose answer counts.
    Open {
        /// Why what was answered does not count.
        trouble: Option<String>,
    },
}

/// Whether an issue says anything, so that it is worth asking who said it.
pub fn says_something(labels: &Labels, seen: &Seen) -> bool {
    has(seen, &labels.approved) || has(seen, &labels.declined) || seen.is_rejected
}

/// The accounts whose answer is there, and of which it has to be known whether they may write.
pub fn askers<'a>(rules: &Rules<'_>, seen: &'a Seen) -> Vec<&'a str> {
    if !rules.approvers.is_empty() {
        return Vec::new();
    }
    let approved = has(seen, &rules.labels.approved).then(|| labelled(seen, &rules.labels.approved));
    let declined = has(seen, &rules.labels.declined).then(|| labelled(seen, &rules.labels.declined));
    let closed = seen.is_rejected.then(|| closed(seen));
    let mut names: Vec<&str> = [approved, declined, closed]
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|step| step.by.as_deref())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What the facts of an issue come to. Declined goes before approved, and so does a declining of which it is not known whether
/// it counts.
pub fn judge(waiting: &Waiting, issue: &Issue, seen: &Seen, rules: &Rules<'_>) -> Finding {
    let Labels { approved, declined, .. } = rules.labels;
    let mut troubles: Vec<String> = Vec::new();
    let mut is_contested = false;
    let answers = [
        (has(seen, declined), labelled(seen, declined), Given::Label(declined)),
        (seen.is_rejected, closed(seen), Given::Closing),
    ];
    for (_, step, given) in answers.into_iter().filter(|(is_there, _, _)| *is_there) {
        match counted(waiting, issue, seen, rules, step, given) {
            Ok((by, at)) => return Finding::Declined { by, at, how: given.how() },
            Err(doubt) => {
                is_contested |= doubt.may_count;
                troubles.push(doubt.why);
            }
        }
    }
    if has(seen, approved) {
        let given = Given::Label(approved);
        let step = labelled(seen, approved);
        let answer = not_own(issue, rules, step, given)
            .and_then(|()| counted(waiting, issue, seen, rules, step, given))
            .and_then(|(by, at)| {
                if is_edited(issue, seen) { Err(Doubt::none(EDITED.to_owned())) } else { Ok((by, at)) }
            });
        match answer {
            Ok((by, at)) if !is_contested => return Finding::Approved { by, at },
            Ok(_) => {}
            Err(doubt) => troubles.push(doubt.why),
        }
    }
    if troubles.is_empty() {
        troubles.extend(standing_trouble(issue, seen));
    }
    // What keeps several answers from counting is said once.
    troubles.dedup();
    Finding::Open { trouble: (!troubles.is_empty()).then(|| troubles.join("; ")) }
}

/// How an answer is given.
#[derive(Clone, Copy, Debug)]
enum Given<'a> {
    /// By this label.
    Label(&'a str),
    /// By closing the issue as not planned.
    Closing,
}

impl Given<'_> {
    /// What was done, in words.
    fn what(self) -> String {
        match self {
            Self::Label(label) => format!("{label} was set"),
            Self::Closing => "the issue was closed as not planned".to_owned(),
        }
    }

    fn how(self) -> &'static str {
        match self {
            Self::Label(_) => "by a label",
            Self::Closing => "by closing it as not planned",
        }
    }

    /// What has to be done for it to count.
    fn again(self) -> &'static str {
        match self {
            Self::Label(_) => "take it away and set it again",
            Self::Closing => "open it and close it again",
        }
    }
}

/// Why an answer does not count.
#[derive(Debug)]
struct Doubt {
    why: String,
    /// Whether it might count, if more were known.
    may_count: bool,
}

impl Doubt {
    /// It does not count.
    fn none(why: String) -> Self {
        Self { why, may_count: false }
    }

    /// Nobody knows.
    fn open(why: String) -> Self {
        Self { why, may_count: true }
    }
}

/// What keeps an issue from approving anything, although nobody has answered yet.
fn standing_trouble(issue: &Issue, seen: &Seen) -> Option<String> {
    if is_edited(issue, seen) {
        return Some(EDITED.to_owned());
    }
    seen.is_locked.then(|| LOCKED.to_owned())
}

const EDITED: &str = "the issue was edited after it was asked, so that it can only decline now; bgctl cancel and bgctl retry ask anew";
const LOCKED: &str = "the issue is locked, and what is said on it does not count";

/// Whether its title or text is another than when it was asked, now or at an earlier look.
pub fn is_edited(issue: &Issue, seen: &Seen) -> bool {
    issue.edited_at.is_some() || issue.content != seen.content
}

/// Whose answer it is, if it counts; else why not.
fn counted(
    waiting: &Waiting,
    issue: &Issue,
    seen: &Seen,
    rules: &Rules<'_>,
    step: Option<&Step>,
    given: Given<'_>,
) -> Result<(String, Timestamp), Doubt> {
    let (what, again) = (given.what(), given.again());
    if seen.is_locked {
        return Err(Doubt::none(LOCKED.to_owned()));
    }
    let Some(step) = step else {
        return Err(Doubt::open(format!("{what}, and GitHub does not say by whom and when; {again}")));
    };
    let Some(by) = &step.by else {
        return Err(Doubt::open(format!("{what} by an account that is gone; {again}")));
    };
    // GitHub tells whole seconds. What is said on an issue that was there before, in the second of the request, may have been
    // said of an earlier one; on one that was made for it, nothing can be older.
    let was_there = waiting.request.on.github().is_some_and(|place| place.issue.is_some());
    if step.at < issue.asked_at || (was_there && step.at == issue.asked_at) {
        return Err(Doubt::none(format!("{what} by {by} before it was asked; {again}")));
    }
    if later(issue.asked_at, waiting.request.ttl_seconds).is_some_and(|until| step.at > until) {
        return Err(Doubt::none(format!("{what} by {by} after its time was over")));
    }
    if !rules.approvers.is_empty() {
        return if is_among(rules.approvers, by) {
            Ok((by.clone(), step.at))
        } else {
            Err(Doubt::none(format!("{what} by {by}, who is not among approval.approvers")))
        };
    }
    match seen.writers.get(by) {
        Some(true) => Ok((by.clone(), step.at)),
        Some(false) => Err(Doubt::none(format!("{what} by {by}, who may not write to the repository"))),
        None => Err(Doubt::open(format!(
            "{what} by {by}, and it is not known whether {by} may write to the repository"
        ))),
    }
}

/// Who asked cannot approve, unless the settings say so. That is said first: whether he may write matters to nobody then.
fn not_own(issue: &Issue, rules: &Rules<'_>, step: Option<&Step>, given: Given<'_>) -> Result<(), Doubt> {
    let by = step.and_then(|step| step.by.as_ref()).filter(|by| by.eq_ignore_ascii_case(&issue.asked_by));
    match by {
        Some(by) if !rules.self_approval => {
            let what = given.what();
            let why =
                format!("{what} by {by}, the account that asked; approval.self_approval would allow it");
            Err(Doubt::none(why))
        }
        _ => Ok(()),
    }
}

fn is_among(names: &[String], name: &str) -> bool {
    names.iter().any(|one| one.eq_ignore_ascii_case(name))
}

/// GitHub does not tell labels apart by case.
fn is_same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn has(seen: &Seen, label: &str) -> bool {
    seen.labels.iter().any(|one| is_same(one, label))
}

/// The step that gave the issue a label which it still has.
fn labelled<'a>(seen: &'a Seen, label: &str) -> Option<&'a Step> {
    let last = seen.steps.iter().rev().find(|step| match &step.kind {
        StepKind::Labelled(name) | StepKind::Unlabelled(name) => is_same(name, label),
        _ => false,
    })?;
    matches!(last.kind, StepKind::Labelled(_)).then_some(last)
}

/// The step that closed an issue which is closed.
fn closed(seen: &Seen) -> Option<&Step> {
    let last =
        seen.steps.iter().rev().find(|step| matches!(step.kind, StepKind::Closed | StepKind::Reopened))?;
    (last.kind == StepKind::Closed).then_some(last)
}

#[cfg(test)]
mod tests;
