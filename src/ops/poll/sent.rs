//! What is sent to GitHub: the request itself, and the warning before its time is over. Each at most once.

use super::{ASKED_MAX, Asking, Found, Looked, Round, SECOND, push, words};
use crate::github::Refusal;
use crate::model::{
    Timestamp,
    approval::{Asked, Issue, Place, Repository, Waiting},
    job::Job,
    state::Change,
};
use crate::plan::approve::{is_over, warns_at};
use crate::store::Store;
use chrono::TimeDelta;

/// The clocks of this machine and of GitHub differ by less.
const CLOCKS_DIFFER_MAX: TimeDelta = TimeDelta::days(1);

impl Round<'_> {
    /// The issue on which a job is asked for; it is asked for now where that was not done yet.
    pub(super) fn asked(&mut self, place: &Place, job: &Job, waiting: &Waiting) -> Asking {
        if let Asked::On(issue) = &waiting.asked {
            return Ok(Some(issue.clone()));
        }
        if is_over(waiting, self.now) {
            return Ok(None);
        }
        // What is refused there is refused for all.
        if let Some(refusal) = self.closed.get(place) {
            return Err(refusal.clone());
        }
        if self.asked >= ASKED_MAX {
            return Ok(None);
        }
        self.goes_on()?;
        self.asked += 1;
        let asking = self.ask_now(&place.repository, job, waiting);
        self.heed(&asking);
        if let Err(
            refusal @ (Refusal::NotFound(_) | Refusal::Gone(_) | Refusal::Moved(_) | Refusal::Forbidden(_)),
        ) = &asking
        {
            self.closed.insert(place.clone(), refusal.clone());
        }
        asking
    }

    fn ask_now(&mut self, repository: &Repository, job: &Job, waiting: &Waiting) -> Asking {
        let begun = if let Asked::Begun { at } = &waiting.asked { Some(*at) } else { None };
        // It may have been answered, or cancelled, since the index was read.
        if !self.note(job, Asked::Begun { at: begun.unwrap_or(self.now) })? {
            return Ok(None);
        }
        let found = begun.map(|at| self.find(repository, job, waiting, at)).transpose()?.flatten();
        let issue = match found {
            Some(issue) => issue,
            None => self.ask(repository, job, waiting)?,
        };
        self.note(job, Asked::On(issue.clone()))?;
        Ok(Some(issue))
    }

    /// Commits how far the asking has come, before and after something is sent. Gives whether the job still waits for it.
    fn note(&self, job: &Job, asked: Asked) -> Result<bool, Refusal> {
        let found = Found::of(job, vec![Change::Ask { asked }]);
        let mut still = false;
        let noted = self.home.store().transact(self.now, &mut |draft| {
            still = push(draft, &found)?;
            Ok(())
        });
        noted.map(|_| still).map_err(|error| Refusal::Unwritten(error.to_string()))
    }

    /// Sends the request.
    fn ask(&mut self, repository: &Repository, job: &Job, waiting: &Waiting) -> Result<Issue, Refusal> {
        let labels = &self.home.config.approval.labels;
        let body = words::request(job, waiting, &self.home.config.approval, &self.home.site.host);
        let number = waiting.request.on.github().and_then(|place| place.issue);
        let Some(number) = number else {
            let title = words::title(job, &self.home.site.host);
            let made = self.client.make_issue(repository, &title, &body, &labels.waiting)?;
            if !made.has_label {
                self.label(repository, made.number);
            }
            return Ok(Issue {
                number: made.number,
                asked_at: made.at,
                asked_by: made.by,
                content: made.content,
                edited_at: None,
            });
        };
        // Looked at before it is asked: one that is edited while that happens is edited after it.
        let seen = self.client.issue(repository, number)?;
        let made = self.client.comment(repository, number, &body)?;
        self.label(repository, number);
        Ok(Issue { number, asked_at: made.at, asked_by: made.by, content: seen.content, edited_at: None })
    }

    /// Gives an issue the label by which one request finds all. One that does not get it, as without the right to do so, is
    /// looked at alone.
    fn label(&mut self, repository: &Repository, number: u64) {
        let label = &self.home.config.approval.labels.waiting;
        let labelled = self.client.add_label(repository, number, label);
        self.heed(&labelled);
    }

    /// The request that may have been sent before a crash.
    fn find(
        &mut self,
        repository: &Repository,
        job: &Job,
        waiting: &Waiting,
        at: Timestamp,
    ) -> Result<Option<Issue>, Refusal> {
        let mark = words::request_mark(job, waiting);
        let is_ours = |found: &Option<String>| found.as_deref() == Some(mark.as_str());
        let since = at - CLOCKS_DIFFER_MAX;
        let Some(number) = waiting.request.on.github().and_then(|place| place.issue) else {
            // The oldest with the mark: who copies it can only come later.
            let own = self.client.own_issues(repository, since)?.into_iter();
            return Ok(own.filter(|issue| is_ours(&issue.mark)).find_map(|issue| {
                Some(Issue {
                    number: issue.number,
                    asked_at: issue.created_at,
                    asked_by: issue.by?,
                    content: issue.content,
                    edited_at: None,
                })
            }));
        };
        let comments = self.client.comments(repository, number, since)?.into_iter();
        let Some(comment) = comments.filter(|one| one.by.is_some()).find(|one| is_ours(&one.mark)) else {
            return Ok(None);
        };
        let seen = self.client.issue(repository, number)?;
        self.label(repository, number);
        let asked_by = comment.by.unwrap_or_default();
        Ok(Some(Issue { number, asked_at: comment.at, asked_by, content: seen.content, edited_at: None }))
    }

    /// Warns on the issue where the time is nearly over, unless a warning is there already. The warning counts as given
    /// whatever comes of that: it is an event, too.
    pub(super) fn warn(&mut self, repository: &Repository, one: &mut Looked<'_>) -> Result<(), Refusal> {
        let is_due = warns_at(one.waiting, &self.home.config.approval).is_some_and(|at| at <= self.now);
        let Some(expires_at) = one.waiting.expires_at().filter(|at| is_due && *at > self.now) else {
            return Ok(());
        };
        one.changes.push(Change::WarnExpiry { at: self.now, expires_at });
        self.goes_on()?;
        let mark = words::warning_mark(one.job, one.waiting);
        let comments = self.client.comments(repository, one.issue.number, one.issue.asked_at - SECOND)?;
        if comments.iter().any(|comment| comment.mark.as_deref() == Some(mark.as_str())) {
            return Ok(());
        }
        let labels = &self.home.config.approval.labels;
        let body = words::warning(one.job, one.waiting, labels, expires_at);
        self.client.comment(repository, one.issue.number, &body).map(drop)
    }
}
