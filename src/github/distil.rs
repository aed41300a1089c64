//! What is kept of what GitHub says, and what it is read from.
//!
//! Only what is used has to be there and of its kind, so that GitHub can add to its answers. What is used and missing makes the
//! whole answer one that is not understood.

use super::address::PAGE_ITEMS_MAX;
use crate::model::{Timestamp, approval::text_hash};
use crate::plan::verdict::{Step, StepKind};
use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use serde_json::{Error, Result, Value};

/// What a line begins with by which we know our own issues and comments.
const MARK: &str = "<!-- bg:";

/// An issue as it is seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueSeen {
    /// Its number.
    pub number: u64,
    /// The hash of its title and text ([`crate::model::approval::text_hash`]), with line ends as in Unix.
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
    /// For an issue, whether it got its label: where the token may not set any, GitHub leaves it out and says nothing.
    pub has_label: bool,
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

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct List<T> {
    /// What is of use.
    pub items: Vec<T>,
    /// Whether no more fits on the page, so that what comes next is on another.
    pub is_full: bool,
}

impl<T> List<T> {
    fn of<R>(all: Vec<R>, distil: impl Fn(R) -> Result<Option<T>>) -> Result<Self> {
        let is_full = all.len() >= PAGE_ITEMS_MAX;
        let items: Result<_> = all.into_iter().filter_map(|one| distil(one).transpose()).collect();
        Ok(Self { items: items?, is_full })
    }
}

/// A step in the form in which it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptStep {
    what: What,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    by: Option<String>,
    at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Labeled,
    Unlabeled,
    Closed,
    Reopened,
}

impl From<KeptStep> for Step {
    fn from(KeptStep { what, label, by, at }: KeptStep) -> Self {
        let kind = match what {
            What::Labeled => StepKind::Labelled(label.unwrap_or_default()),
            What::Unlabeled => StepKind::Unlabelled(label.unwrap_or_default()),
            What::Closed => StepKind::Closed,
            What::Reopened => StepKind::Reopened,
        };
        Self { kind, by, at }
    }
}

#[derive(Deserialize)]
struct Account {
    login: String,
}

/// Both forms are documented.
#[derive(Deserialize)]
#[serde(untagged)]
enum Label {
    Whole { name: String },
    Name(String),
}

impl Label {
    fn name(self) -> String {
        match self {
            Self::Whole { name } | Self::Name(name) => name,
        }
    }
}

#[derive(Deserialize)]
struct Issue {
    number: u64,
    title: Option<String>,
    body: Option<String>,
    user: Option<Account>,
    created_at: Timestamp,
    updated_at: Timestamp,
    labels: Vec<Label>,
    state: String,
    state_reason: Option<String>,
    #[serde(default)]
    locked: bool,
}

#[derive(Deserialize)]
struct MadeIssue {
    number: u64,
    title: Option<String>,
    body: Option<String>,
    user: Account,
    created_at: Timestamp,
    #[serde(default)]
    labels: Vec<Label>,
}

#[derive(Deserialize)]
struct Written {
    body: Option<String>,
    user: Option<Account>,
    created_at: Timestamp,
}

#[derive(Deserialize)]
struct Happened {
    label: Option<Label>,
    actor: Option<Account>,
    created_at: Timestamp,
}

#[derive(Deserialize)]
struct Permission {
    permission: String,
    role_name: Option<String>,
}

impl From<Issue> for IssueSeen {
    fn from(issue: Issue) -> Self {
        let (title, body) = texts(issue.title, issue.body);
        Self {
            number: issue.number,
            content: text_hash(&title, &body),
            mark: mark(&body),
            by: issue.user.map(|account| account.login),
            created_at: issue.created_at,
            updated_at: issue.updated_at,
            labels: issue.labels.into_iter().map(Label::name).collect(),
            is_rejected: issue.state == "closed" && issue.state_reason.as_deref() == Some("not_planned"),
            is_locked: issue.locked,
        }
    }
}

/// One issue.
pub(super) fn issue(body: &[u8]) -> Result<IssueSeen> {
    serde_json::from_slice::<Issue>(body).map(IssueSeen::from)
}

/// A page of issues.
pub(super) fn issues(body: &[u8]) -> Result<List<IssueSeen>> {
    List::of(serde_json::from_slice::<Vec<Issue>>(body)?, |issue| Ok(Some(issue.into())))
}

/// A page of what happened to an issue. Of what does not matter, nothing has to be understood.
pub(super) fn steps(body: &[u8]) -> Result<List<KeptStep>> {
    List::of(serde_json::from_slice(body)?, step)
}

fn step(event: Value) -> Result<Option<KeptStep>> {
    let what = match event.get("event").and_then(Value::as_str) {
        Some("labeled") => What::Labeled,
        Some("unlabeled") => What::Unlabeled,
        Some("closed") => What::Closed,
        Some("reopened") => What::Reopened,
        _ => return Ok(None),
    };
    let Happened { label, actor, created_at } = serde_json::from_value(event)?;
    let label = label.map(Label::name);
    if label.is_none() && matches!(what, What::Labeled | What::Unlabeled) {
        return Err(Error::missing_field("label"));
    }
    Ok(Some(KeptStep { what, label, by: actor.map(|account| account.login), at: created_at }))
}

/// A page of comments.
pub(super) fn comments(body: &[u8]) -> Result<List<Comment>> {
    let comment = |written: Written| Comment {
        at: written.created_at,
        by: written.user.map(|account| account.login),
        mark: mark(&with_unix_ends(written.body)),
    };
    List::of(serde_json::from_slice(body)?, |written| Ok(Some(comment(written))))
}

/// Whether an account may write, as its permission says.
pub(super) fn may_write(body: &[u8]) -> Result<bool> {
    let Permission { permission, role_name } = serde_json::from_slice(body)?;
    let role = role_name.unwrap_or_default();
    Ok([permission, role].iter().any(|right| matches!(right.as_str(), "admin" | "maintain" | "write")))
}

/// The name of an account.
pub(super) fn login(body: &[u8]) -> Result<String> {
    serde_json::from_slice::<Account>(body).map(|account| account.login)
}

/// An issue that was made, and whether it has the label.
pub(super) fn made_issue(body: &[u8], label: &str) -> Result<Made> {
    let issue: MadeIssue = serde_json::from_slice(body)?;
    let (title, text) = texts(issue.title, issue.body);
    Ok(Made {
        number: issue.number,
        at: issue.created_at,
        by: issue.user.login,
        content: text_hash(&title, &text),
        has_label: is_among(label, issue.labels),
    })
}

/// A comment that was made on an issue.
pub(super) fn made_comment(body: &[u8], number: u64) -> Result<Made> {
    let Written { user, created_at, .. } = serde_json::from_slice(body)?;
    let by = user.ok_or_else(|| Error::missing_field("user"))?.login;
    Ok(Made { number, at: created_at, by, content: String::new(), has_label: false })
}

/// Whether a label is among those that an issue has now.
pub(super) fn has_label(body: &[u8], label: &str) -> Result<bool> {
    serde_json::from_slice(body).map(|labels| is_among(label, labels))
}

/// GitHub knows a label whatever the case of its letters.
fn is_among(label: &str, labels: Vec<Label>) -> bool {
    let wanted = label.to_lowercase();
    labels.into_iter().any(|one| one.name().to_lowercase() == wanted)
}

fn texts(title: Option<String>, body: Option<String>) -> (String, String) {
    (with_unix_ends(title), with_unix_ends(body))
}

/// The line ends of a text depend on where it was edited; that alone changes nothing.
fn with_unix_ends(text: Option<String>) -> String {
    text.unwrap_or_default().replace("\r\n", "\n")
}

fn mark(body: &str) -> Option<String> {
    body.lines().find(|line| line.starts_with(MARK)).map(|line| line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn issue_with(changes: &Value) -> Value {
        let mut issue = json!({
            "number": 5, "title": "Run it?", "body": "text", "user": {"login": "ann"}, "state": "open",
            "state_reason": null, "locked": false, "labels": [{"name": "bg:approval"}, "plain"],
            "created_at": "2026-02-13T10:00:00Z", "updated_at": "2026-02-13T11:00:00Z",
        });
        for (name, value) in changes.as_object().unwrap() {
            issue[name] = value.clone();
        }
        issue
    }

    fn seen(changes: &Value) -> IssueSeen {
        issue(issue_with(changes).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn an_issue_is_what_matters_of_it() {
        let issue = seen(&json!({}));
        assert_eq!((issue.number, issue.by.as_deref()), (5, Some("ann")));
        assert_eq!(issue.labels, ["bg:approval", "plain"]);
        assert_eq!(issue.content, text_hash("Run it?", "text"));
        assert_eq!(issue.updated_at, "2026-02-13T11:00:00Z".parse::<Timestamp>().unwrap());
        assert!(!issue.is_rejected && !issue.is_locked);
    }

    #[test]
    fn an_issue_without_text_or_account_has_none() {
        let issue = seen(&json!({"title": null, "body": null, "user": null}));
        assert_eq!((issue.by, issue.content, issue.mark), (None, text_hash("", ""), None));
    }

    #[test]
    fn line_ends_do_not_change_the_content() {
        let unix = seen(&json!({"body": "a\n<!-- bg: x -->\nb"}));
        assert_eq!(unix, seen(&json!({"body": "a\r\n<!-- bg: x -->\r\nb"})));
        assert_eq!(unix.mark.as_deref(), Some("<!-- bg: x -->"));
        assert_ne!(unix.content, seen(&json!({"body": "a\n<!-- bg: x --> \nb"})).content);
    }

    #[test]
    fn the_first_mark_at_the_beginning_of_a_line_counts() {
        let body = "see <!-- bg: no -->\n<!-- bg: 1 -->\n<!-- bg: 2 -->";
        assert_eq!(seen(&json!({"body": body})).mark.as_deref(), Some("<!-- bg: 1 -->"));
        assert_eq!(seen(&json!({"body": " <!-- bg: 1 -->"})).mark, None);
    }

    #[test]
    fn only_closed_as_not_planned_is_a_rejection() {
        for (state, reason, is_rejected) in [
            ("closed", json!("not_planned"), true),
            ("closed", json!("completed"), false),
            ("closed", json!("duplicate"), false),
            ("closed", json!(null), false),
            ("open", json!("not_planned"), false),
        ] {
            assert_eq!(seen(&json!({"state": state, "state_reason": reason})).is_rejected, is_rejected);
        }
    }

    #[test]
    fn a_locked_one_is_told_and_a_pull_request_is_an_issue() {
        assert!(seen(&json!({"locked": true})).is_locked);
        assert_eq!(seen(&json!({"pull_request": {"url": "x"}})), seen(&json!({})));
    }

    #[test]
    fn an_issue_without_what_is_needed_is_not_understood() {
        for name in ["number", "created_at", "updated_at", "labels", "state"] {
            let mut value = issue_with(&json!({}));
            value.as_object_mut().unwrap().remove(name);
            let error = issue(value.to_string().as_bytes()).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn of_what_happened_only_the_four_kinds_matter() {
        let at = "2026-02-13T10:00:00Z";
        let events = json!([
            {"event": "labeled", "label": {"name": "a"}, "actor": {"login": "ann"}, "created_at": at},
            {"event": "committed", "author": {"name": "x"}, "label": 7},
            {"event": "unlabeled", "label": {"name": "a"}, "actor": null, "created_at": at},
            {"no": "event"},
            {"event": "closed", "actor": {"login": "ben"}, "created_at": at},
            {"event": "reopened", "actor": {"login": "ben"}, "created_at": at},
        ]);
        let kept = steps(events.to_string().as_bytes()).unwrap();
        let back: List<KeptStep> = serde_json::from_value(serde_json::to_value(&kept).unwrap()).unwrap();
        assert_eq!(kept, back);
        let steps: Vec<Step> = kept.items.into_iter().map(Step::from).collect();
        let by = |name: &str| Some(name.to_owned());
        let at = at.parse().unwrap();
        assert_eq!(
            steps,
            [
                Step { kind: StepKind::Labelled("a".to_owned()), by: by("ann"), at },
                Step { kind: StepKind::Unlabelled("a".to_owned()), by: None, at },
                Step { kind: StepKind::Closed, by: by("ben"), at },
                Step { kind: StepKind::Reopened, by: by("ben"), at },
            ]
        );
    }

    #[test]
    fn a_page_is_full_whatever_of_it_is_of_use() {
        let page = |length| vec![json!({"event": "mentioned"}); length];
        let is_full = |length| steps(json!(page(length)).to_string().as_bytes()).unwrap().is_full;
        assert_eq!([is_full(0), is_full(99), is_full(100)], [false, false, true]);
    }

    #[test]
    fn a_label_of_which_something_is_missing_is_not_understood() {
        let at = "2026-02-13T10:00:00Z";
        for event in [
            json!({"event": "labeled", "actor": null, "created_at": at}),
            json!({"event": "labeled", "label": {}, "actor": null, "created_at": at}),
            json!({"event": "unlabeled", "label": {"name": "a"}, "actor": null}),
            json!({"event": "closed", "actor": {}, "created_at": at}),
        ] {
            assert!(steps(json!([event]).to_string().as_bytes()).is_err(), "{event}");
        }
    }

    #[test]
    fn who_may_write_is_who_may_push() {
        for (permission, role, may) in [
            ("admin", json!("admin"), true),
            ("write", json!("write"), true),
            ("write", json!(null), true),
            ("read", json!("maintain"), true),
            ("read", json!("triage"), false),
            ("none", json!("none"), false),
        ] {
            let body = json!({"permission": permission, "role_name": role}).to_string();
            assert_eq!(may_write(body.as_bytes()).unwrap(), may, "{body}");
        }
        assert!(may_write(b"{\"role_name\": \"maintain\"}").is_err());
    }

    #[test]
    fn a_label_that_was_left_out_is_told() {
        let made = |labels: Value| {
            let issue = issue_with(&json!({ "labels": labels }));
            made_issue(issue.to_string().as_bytes(), "bg:approval").unwrap()
        };
        assert!(made(json!([{"name": "BG:approval"}])).has_label);
        assert!(!made(json!([])).has_label);
        assert!(!made(json!([{"name": "bug"}])).has_label);
    }
}
