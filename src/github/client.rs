//! What is asked of GitHub, in its words.

use super::{Cache, Refusal, Token};
use crate::model::{Timestamp, approval::Repository, config::GitHub};
use crate::plan::verdict::Step;
use serde::{Deserialize, Serialize};

/// An issue as it is seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueSeen {
    /// Its number.
    pub number: u64,
    /// The hash of its title and text ([`crate::model::approval::text_hash`]).
    pub content: String,
    /// The first line of its text that begins with `<!-- bg:`, by which we know our own.
    pub mark: Option<String>,
    /// The account that made it.
    pub by: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Its labels.
    pub labels: Vec<String>,
    /// Whether it is closed as not planned.
    pub is_rejected: bool,
    /// Whether nobody without special rights can write on it.
    pub is_locked: bool,
    /// Whether it is a pull request.
    pub is_pull_request: bool,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The number of the issue.
    pub number: u64,
    /// When, by GitHub's clock.
    pub at: Timestamp,
    /// The account that made it: that of the token.
    pub by: String,
    /// For an issue, the hash of its title and text; empty for a comment.
    pub content: String,
}

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// When it was made.
    pub at: Timestamp,
    /// The account that made it.
    pub by: Option<String>,
    /// See [`IssueSeen::mark`].
    pub mark: Option<String>,
}

/// Who asks GitHub, with one token.
#[derive(Debug)]
pub struct Client {
    /// What is kept of answers; to be written down when all is asked.
    pub cache: Cache,
    /// How many requests were sent.
    pub sent: usize,
    api_url: String,
    token: Token,
}

impl Client {
    /// A client. Answers that another token was given are forgotten.
    pub fn new(settings: &GitHub, token: Token, cache: Cache) -> Self {
        Self { cache, sent: 0, api_url: settings.api_url.clone(), token }
    }

    /// Forgets the answers that were not asked for since this client was made.
    pub fn forget_unused(&mut self) {}

    /// The issues of a repository that have a label and were changed since then, open or closed; all pages.
    pub fn issues(
        &mut self,
        repository: &Repository,
        label: &str,
        since: Timestamp,
    ) -> Result<Vec<IssueSeen>, Refusal> {
        let _ = (repository, label, since, &self.api_url, self.token.secret());
        Err(Refusal::NotBuilt)
    }

    /// The issues of a repository that this account made since then, open or closed; all pages.
    pub fn own_issues(
        &mut self,
        repository: &Repository,
        since: Timestamp,
    ) -> Result<Vec<IssueSeen>, Refusal> {
        let _ = (repository, since);
        Err(Refusal::NotBuilt)
    }

    /// One issue.
    pub fn issue(&mut self, repository: &Repository, number: u64) -> Result<IssueSeen, Refusal> {
        let _ = (repository, number);
        Err(Refusal::NotBuilt)
    }

    /// What happened to an issue, in order; all pages.
    pub fn steps(&mut self, repository: &Repository, number: u64) -> Result<Vec<Step>, Refusal> {
        let _ = (repository, number);
        Err(Refusal::NotBuilt)
    }

    /// The comments on an issue since then; all pages. Never from what is kept.
    pub fn comments(
        &mut self,
        repository: &Repository,
        number: u64,
        since: Timestamp,
    ) -> Result<Vec<Comment>, Refusal> {
        let _ = (repository, number, since);
        Err(Refusal::NotBuilt)
    }

    /// Whether an account may write to a repository.
    pub fn may_write(&mut self, repository: &Repository, account: &str) -> Result<bool, Refusal> {
        let _ = (repository, account);
        Err(Refusal::NotBuilt)
    }

    /// Makes an issue.
    pub fn make_issue(
        &mut self,
        repository: &Repository,
        title: &str,
        body: &str,
        label: &str,
    ) -> Result<Made, Refusal> {
        let _ = (repository, title, body, label);
        Err(Refusal::NotBuilt)
    }

    /// Makes a comment on an issue.
    pub fn comment(&mut self, repository: &Repository, number: u64, body: &str) -> Result<Made, Refusal> {
        let _ = (repository, number, body);
        Err(Refusal::NotBuilt)
    }

    /// Gives an issue a label.
    pub fn add_label(&mut self, repository: &Repository, number: u64, label: &str) -> Result<(), Refusal> {
        let _ = (repository, number, label);
        Err(Refusal::NotBuilt)
    }
}
