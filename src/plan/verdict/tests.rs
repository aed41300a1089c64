//! A table of issues and what each comes to.

use super::*;
use crate::model::{
    approval::{On, Request},
    config::Config,
};

const APPROVED: &str = "bg:approved";
const DECLINED: &str = "bg:declined";
/// The account that asked.
const ASKER: &str = "robot";

/// So many minutes after it was asked.
fn at(minutes: i64) -> Timestamp {
    let asked: Timestamp = "2026-02-13T10:00:00Z".parse().unwrap();
    asked + chrono::TimeDelta::minutes(minutes)
}

/// An issue on which `robot` asked, whom to heed, and what is seen. Ann and Bob may write, Eve may not; an answer can be given
/// for an hour.
struct Scene {
    labels: Labels,
    waiting: Waiting,
    issue: Issue,
    seen: Seen,
    approvers: Vec<String>,
    self_approval: bool,
}

fn scene() -> Scene {
    let request = Request {
        on: On::parse("github:o/r").unwrap(),
        // The clock here is a day ahead of GitHub's, and does not matter.
        at: at(24 * 60),
        ttl_seconds: Some(3_600),
        reason: None,
        hash: "hash".into(),
    };
    let writers = [("ann", true), ("bob", true), (ASKER, true), ("eve", false)];
    Scene {
        labels: Config::default().approval.labels,
        waiting: Waiting::new(request, at(24 * 60), None),
        issue: Issue {
            number: 7,
            asked_at: at(0),
            asked_by: ASKER.into(),
            content: "text".into(),
            edited_at: None,
        },
        seen: Seen {
            content: "text".into(),
            labels: vec!["bg:approval".into()],
            is_rejected: false,
            is_locked: false,
            steps: Vec::new(),
            writers: writers.map(|(name, may)| (name.to_owned(), may)).into(),
        },
        approvers: Vec::new(),
        self_approval: false,
    }
}

impl Scene {
    fn step(mut self, kind: StepKind, by: &str, minutes: i64) -> Self {
        let by = Some(by.to_owned()).filter(|by| by != "nobody");
        self.seen.steps.push(Step { kind, by, at: at(minutes) });
        self
    }

    /// Somebody sets a label.
    fn set(mut self, label: &str, by: &str, minutes: i64) -> Self {
        self.seen.labels.push(label.to_owned());
        self.step(StepKind::Labelled(label.to_owned()), by, minutes)
    }

    /// Somebody takes a label away.
    fn unset(mut self, label: &str, by: &str, minutes: i64) -> Self {
        self.seen.labels.retain(|one| one != label);
        self.step(StepKind::Unlabelled(label.to_owned()), by, minutes)
    }

    /// A label is there, and nothing tells whose doing it was.
    fn bears(mut self, label: &str) -> Self {
        self.seen.labels.push(label.to_owned());
        self
    }

    /// Somebody closes it as not planned.
    fn rejected(mut self, by: &str, minutes: i64) -> Self {
        self.seen.is_rejected = true;
        self.step(StepKind::Closed, by, minutes)
    }

    fn reopened(mut self, by: &str, minutes: i64) -> Self {
        self.seen.is_rejected = false;
        self.step(StepKind::Reopened, by, minutes)
    }

    fn edited(mut self) -> Self {
        self.seen.content = "another text".into();
        self
    }

    /// It was edited at an earlier look, and reads as before by now.
    fn edited_and_put_back(mut self) -> Self {
        self.issue.edited_at = Some(at(1));
        self
    }

    fn locked(mut self) -> Self {
        self.seen.is_locked = true;
        self
    }

    /// It was there before it was asked on.
    fn on_existing(mut self) -> Self {
        self.waiting.request.on = On::parse("github:o/r#7").unwrap();
        self
    }

    fn approvers(mut self, names: &[&str]) -> Self {
        self.approvers = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    fn with_self_approval(mut self) -> Self {
        self.self_approval = true;
        self
    }

    /// Nobody could find out whether that account may write.
    fn without_knowing(mut self, name: &str) -> Self {
        self.seen.writers.remove(name);
        self
    }

    fn rules(&self) -> Rules<'_> {
        Rules { labels: &self.labels, approvers: &self.approvers, self_approval: self.self_approval }
    }

    /// What it comes to: `approved by ann`, `declined by ann by a label`, `open`, or `open: ` and what is wrong.
    fn comes_to(&self) -> String {
        match judge(&self.waiting, &self.issue, &self.seen, &self.rules()) {
            Finding::Approved { by, .. } => format!("approved by {by}"),
            Finding::Declined { by, how, .. } => format!("declined by {by} {how}"),
            Finding::Open { trouble: None } => "open".to_owned(),
            Finding::Open { trouble: Some(trouble) } => format!("open: {trouble}"),
        }
    }
}

#[track_caller]
fn assert_all(cases: impl IntoIterator<Item = (&'static str, Scene, &'static str)>) {
    for (name, scene, expected) in cases {
        assert_eq!(scene.comes_to(), expected, "{name}");
    }
}

#[test]
fn a_label_counts_within_the_time_of_the_request_by_the_clock_of_github() {
    assert_all([
        ("nothing was said", scene(), "open"),
        ("another label", scene().set("bug", "ann", 5), "open"),
        ("within", scene().set(APPROVED, "ann", 5), "approved by ann"),
        ("in the second of the request", scene().set(APPROVED, "ann", 0), "approved by ann"),
        (
            "in the second of the request, on an issue that may have got it for an earlier one",
            scene().on_existing().set(APPROVED, "ann", 0),
            "open: bg:approved was set by ann before it was asked; take it away and set it again",
        ),
        ("on such an issue later", scene().on_existing().set(APPROVED, "ann", 1), "approved by ann"),
        ("in the last second", scene().set(APPROVED, "ann", 60), "approved by ann"),
        (
            "before",
            scene().set(APPROVED, "ann", -1),
            "open: bg:approved was set by ann before it was asked; take it away and set it again",
        ),
        (
            "after",
            scene().set(APPROVED, "ann", 61),
            "open: bg:approved was set by ann after its time was over",
        ),
        (
            "declined after",
            scene().set(DECLINED, "ann", 61),
            "open: bg:declined was set by ann after its time was over",
        ),
    ]);
    let mut patient = scene().set(APPROVED, "ann", 1_000_000);
    patient.waiting.request.ttl_seconds = None;
    assert_eq!(patient.comes_to(), "approved by ann", "without an end any time is within");
}

#[test]
fn an_answer_says_when_it_was_given() {
    let scene = scene().set(APPROVED, "ann", 5);
    let found = judge(&scene.waiting, &scene.issue, &scene.seen, &scene.rules());
    assert_eq!(found, Finding::Approved { by: "ann".into(), at: at(5) });
}

#[test]
fn who_may_write_to_the_repository_may_answer_where_nobody_is_named() {
    assert_all([
        (
            "a reader",
            scene().set(APPROVED, "eve", 5),
            "open: bg:approved was set by eve, who may not write to the repository",
        ),
        (
            "nobody knows",
            scene().set(APPROVED, "ann", 5).without_knowing("ann"),
            "open: bg:approved was set by ann, and it is not known whether ann may write to the repository",
        ),
        (
            "an account that is gone",
            scene().set(APPROVED, "nobody", 5),
            "open: bg:approved was set by an account that is gone; take it away and set it again",
        ),
        (
            "a reader declines",
            scene().set(DECLINED, "eve", 5),
            "open: bg:declined was set by eve, who may not write to the repository",
        ),
    ]);
}

#[test]
fn where_accounts_are_named_they_alone_may_answer_whatever_else_they_may() {
    assert_all([
        ("one of them", scene().approvers(&["zoe", "ann"]).set(APPROVED, "ann", 5), "approved by ann"),
        ("in other letters", scene().approvers(&["Ann"]).set(APPROVED, "aNN", 5), "approved by aNN"),
        ("one who may not write", scene().approvers(&["eve"]).set(APPROVED, "eve", 5), "approved by eve"),
        (
            "one who is not named",
            scene().approvers(&["ann"]).set(APPROVED, "bob", 5),
            "open: bg:approved was set by bob, who is not among approval.approvers",
        ),
        (
            "one whose name begins so",
            scene().approvers(&["ann"]).set(APPROVED, "ann2", 5),
            "open: bg:approved was set by ann2, who is not among approval.approvers",
        ),
    ]);
}

#[test]
fn the_account_that_asked_approves_only_where_the_settings_say_so() {
    const REFUSED: &str =
        "open: bg:approved was set by robot, the account that asked; approval.self_approval would allow it";
    assert_all([
        ("without", scene().set(APPROVED, ASKER, 5), REFUSED),
        ("with", scene().with_self_approval().set(APPROVED, ASKER, 5), "approved by robot"),
        ("named", scene().approvers(&[ASKER]).set(APPROVED, ASKER, 5), REFUSED),
        ("not named either", scene().approvers(&["ann"]).set(APPROVED, ASKER, 5), REFUSED),
        (
            "named and allowed",
            scene().approvers(&[ASKER]).with_self_approval().set(APPROVED, ASKER, 5),
            "approved by robot",
        ),
        (
            "allowed and not named",
            scene().approvers(&["ann"]).with_self_approval().set(APPROVED, ASKER, 5),
            "open: bg:approved was set by robot, who is not among approval.approvers",
        ),
        ("declining", scene().set(DECLINED, ASKER, 5), "declined by robot by a label"),
    ]);
    let mut other_letters = scene().approvers(&["robot"]).set(APPROVED, "Robot", 5);
    other_letters.issue.asked_by = "ROBOT".into();
    assert!(other_letters.comes_to().contains("the account that asked"), "{}", other_letters.comes_to());
}

#[test]
fn of_a_label_that_was_set_again_the_last_time_counts() {
    assert_all([
        (
            "again by another",
            scene().set(APPROVED, "eve", 5).unset(APPROVED, "eve", 6).set(APPROVED, "ann", 7),
            "approved by ann",
        ),
        (
            "again by one who may not",
            scene().set(APPROVED, "ann", 5).unset(APPROVED, "eve", 6).set(APPROVED, "eve", 7),
            "open: bg:approved was set by eve, who may not write to the repository",
        ),
        (
            "before it was asked and again after that",
            scene().set(APPROVED, "ann", -5).unset(APPROVED, "ann", 1).set(APPROVED, "ann", 2),
            "approved by ann",
        ),
        (
            "in time and again after it",
            scene().set(APPROVED, "ann", 5).unset(APPROVED, "ann", 6).set(APPROVED, "ann", 61),
            "open: bg:approved was set by ann after its time was over",
        ),
        ("taken away", scene().set(APPROVED, "ann", 5).unset(APPROVED, "bob", 6), "open"),
        (
            "taken away while it was looked",
            scene().set(APPROVED, "ann", 5).unset(APPROVED, "bob", 6).bears(APPROVED),
            "open: bg:approved was set, and GitHub does not say by whom and when; take it away and set it again",
        ),
    ]);
}

#[test]
fn a_label_that_nobody_is_known_to_have_set_does_not_count() {
    assert_all([
        (
            "since the issue was made",
            scene().bears(APPROVED),
            "open: bg:approved was set, and GitHub does not say by whom and when; take it away and set it again",
        ),
        (
            "one of another name is none",
            scene().bears(APPROVED).step(StepKind::Labelled("bg:approval".into()), "ann", 5),
            "open: bg:approved was set, and GitHub does not say by whom and when; take it away and set it again",
        ),
    ]);
}

#[test]
fn labels_are_the_same_in_other_letters_and_can_be_called_otherwise() {
    assert_all([
        ("other letters", scene().set("BG:Approved", "ann", 5), "approved by ann"),
        ("other letters, declined", scene().set("Bg:DECLINED", "ann", 5), "declined by ann by a label"),
        ("more letters", scene().set("bg:approved!", "ann", 5), "open"),
    ]);
    let mut other = scene().set("ok to run", "ann", 5).set(DECLINED, "ann", 6);
    other.labels.approved = "OK to run".into();
    other.labels.declined = "no".into();
    assert_eq!(other.comes_to(), "approved by ann");
}

#[test]
fn declined_goes_before_approved_whatever_came_first() {
    assert_all([
        (
            "declined last",
            scene().set(APPROVED, "ann", 5).set(DECLINED, "bob", 6),
            "declined by bob by a label",
        ),
        (
            "approved last",
            scene().set(DECLINED, "bob", 5).set(APPROVED, "ann", 6),
            "declined by bob by a label",
        ),
        (
            "closed",
            scene().rejected("bob", 5).set(APPROVED, "ann", 6),
            "declined by bob by closing it as not planned",
        ),
        (
            "taken back",
            scene().set(DECLINED, "bob", 5).unset(DECLINED, "bob", 6).set(APPROVED, "ann", 7),
            "approved by ann",
        ),
    ]);
}

#[test]
fn what_is_known_not_to_count_keeps_no_other_answer_from_counting() {
    assert_all([
        ("a stranger's no", scene().set(DECLINED, "eve", 5).set(APPROVED, "ann", 6), "approved by ann"),
        ("an old no", scene().set(DECLINED, "bob", -5).set(APPROVED, "ann", 6), "approved by ann"),
        (
            "a stranger's no beside one that counts",
            scene().set(DECLINED, "eve", 5).rejected("bob", 6),
            "declined by bob by closing it as not planned",
        ),
    ]);
}

#[test]
fn nothing_is_approved_while_it_is_not_known_whether_it_was_declined() {
    assert_all([
        (
            "whether he may write",
            scene().set(DECLINED, "bob", 5).set(APPROVED, "ann", 6).without_knowing("bob"),
            "open: bg:declined was set by bob, and it is not known whether bob may write to the repository",
        ),
        (
            "who it was",
            scene().bears(DECLINED).set(APPROVED, "ann", 6),
            "open: bg:declined was set, and GitHub does not say by whom and when; take it away and set it again",
        ),
        (
            "who is gone",
            scene().rejected("nobody", 5).set(APPROVED, "ann", 6),
            "open: the issue was closed as not planned by an account that is gone; open it and close it again",
        ),
    ]);
}

#[test]
fn closing_as_not_planned_declines_and_closing_otherwise_says_nothing() {
    assert_all([
        ("closed", scene().rejected("ann", 5), "declined by ann by closing it as not planned"),
        (
            "by a stranger",
            scene().rejected("eve", 5),
            "open: the issue was closed as not planned by eve, who may not write to the repository",
        ),
        (
            "before it was asked",
            scene().rejected("ann", -5),
            "open: the issue was closed as not planned by ann before it was asked; open it and close it again",
        ),
        ("opened again", scene().rejected("ann", 5).reopened("bob", 6), "open"),
        (
            "opened while it was looked",
            Scene {
                seen: Seen { is_rejected: true, ..scene().rejected("ann", 5).reopened("bob", 6).seen },
                ..scene()
            },
            "open: the issue was closed as not planned, and GitHub does not say by whom and when; open it and close it again",
        ),
        (
            "opened and closed by another",
            scene().rejected("ann", 5).reopened("ann", 6).rejected("bob", 7),
            "declined by bob by closing it as not planned",
        ),
        ("closed as completed", scene().step(StepKind::Closed, "ann", 5), "open"),
        (
            "closed as completed and approved",
            scene().step(StepKind::Closed, "ann", 5).set(APPROVED, "ann", 6),
            "approved by ann",
        ),
    ]);
}

#[test]
fn an_issue_that_was_edited_declines_and_never_approves_again() {
    const EDITED: &str = "open: the issue was edited after it was asked, so that it can only decline now; bgctl cancel and bgctl retry ask anew";
    assert_all([
        ("edited", scene().edited(), EDITED),
        ("edited and approved", scene().edited().set(APPROVED, "ann", 5), EDITED),
        ("put back", scene().edited_and_put_back(), EDITED),
        ("put back and approved", scene().edited_and_put_back().set(APPROVED, "ann", 5), EDITED),
        ("declined", scene().edited().set(DECLINED, "ann", 5), "declined by ann by a label"),
        (
            "closed",
            scene().edited_and_put_back().rejected("ann", 5),
            "declined by ann by closing it as not planned",
        ),
    ]);
}

#[test]
fn on_a_locked_issue_no_answer_counts_and_that_is_said_once() {
    const LOCKED: &str = "open: the issue is locked, and what is said on it does not count";
    assert_all([
        ("locked", scene().locked(), LOCKED),
        ("approved", scene().locked().set(APPROVED, "ann", 5), LOCKED),
        ("declined", scene().locked().set(DECLINED, "ann", 5), LOCKED),
        (
            "all at once",
            scene().locked().set(APPROVED, "ann", 5).set(DECLINED, "ann", 5).rejected("ann", 5),
            LOCKED,
        ),
    ]);
}

#[test]
fn several_troubles_are_told_together() {
    let scene = scene().set(DECLINED, "eve", 5).rejected("eve", 6).set(APPROVED, "ann", -1);
    assert_eq!(
        scene.comes_to(),
        "open: bg:declined was set by eve, who may not write to the repository; \
         the issue was closed as not planned by eve, who may not write to the repository; \
         bg:approved was set by ann before it was asked; take it away and set it again"
    );
}

#[test]
fn it_is_asked_who_did_it_only_where_something_was_said() {
    let labels = Config::default().approval.labels;
    for (scene, says) in [
        (scene(), false),
        (scene().set("bug", "ann", 5), false),
        (scene().step(StepKind::Closed, "ann", 5), false),
        (scene().set(APPROVED, "ann", 5), true),
        (scene().set("BG:DECLINED", "ann", 5), true),
        (scene().rejected("ann", 5), true),
    ] {
        assert_eq!(says_something(&labels, &scene.seen), says, "{:?}", scene.seen);
    }
}

#[test]
fn it_is_asked_who_may_write_of_those_whose_answer_is_there_and_only_where_nobody_is_named() {
    let several = || {
        scene()
            .set(APPROVED, "zoe", 1)
            .unset(APPROVED, "zoe", 2)
            .set(APPROVED, "ann", 3)
            .set(DECLINED, "bob", 4)
            .set("bug", "eve", 5)
            .rejected("ann", 6)
    };
    let scene = several();
    assert_eq!(askers(&scene.rules(), &scene.seen), ["ann", "bob"]);
    let named = several().approvers(&["ann"]);
    assert_eq!(askers(&named.rules(), &named.seen), Vec::<&str>::new());
    let gone = self::scene().set(APPROVED, "nobody", 5);
    assert_eq!(askers(&gone.rules(), &gone.seen), Vec::<&str>::new());
}

#[test]
fn a_label_in_other_letters_is_the_same_also_beyond_ascii() {
    let mut labels = Config::default().approval.labels;
    labels.declined = "größe:ABGELEHNT".into();
    let mut seen = scene().seen;
    seen.labels = vec!["GRÖSSE:abgelehnt".into()];
    assert!(!says_something(&labels, &seen), "another word");
    seen.labels = vec!["GRÖßE:abgelehnt".into()];
    assert!(says_something(&labels, &seen));
}
