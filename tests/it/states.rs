//! The transition function, cell by cell of the table in `docs/states.md`, and the data that each state carries.

use bgctl::model::{
    Timestamp,
    approval::{Asked, On, Request, Waiting},
    claim::{Claim, ExecutorName, Site},
    outcome::{Ending, Exit, Outcome, Why},
    state::{Change, Decision, End, Run, State, Status, Verdict, queued},
};
use std::collections::BTreeMap;

const KILL: i32 = 9;
const TERM: i32 = 15;

fn at(minute: u32) -> Timestamp {
    format!("2026-02-13T10:{minute:02}:00Z").parse().unwrap()
}

fn claim() -> Claim {
    let site = Site { host: "here".into(), machine: "m".into(), boot: "b".into(), pid_namespace: 1 };
    Claim { site, executor: ExecutorName::Local }
}

fn ending(why: Why, signal: Option<i32>) -> Ending {
    Ending { why, at: at(5), signal, note: None }
}

fn run() -> Run {
    Run {
        started_at: at(1),
        claim: Some(claim()),
        ending: None,
        asked: None,
        paused_at: None,
        stdin_closed_at: None,
    }
}

fn end(exit: Exit, retry_at: Option<Timestamp>) -> Change {
    Change::End {
        outcome: Outcome::bare(exit, at(9)),
        retry_at,
        summary: Some("so it went".into()),
        dead_letter: false,
    }
}

fn decide(why: Why, signal: Option<i32>) -> Change {
    Change::Decide { ending: ending(why, signal) }
}

fn enrich(ended_at: Option<Timestamp>, summary: Option<&str>) -> Change {
    Change::Enrich { ended_at, summary: summary.map(str::to_owned) }
}

/// Every reason of an intent. The match makes a new one a compile error here.
fn every_why() -> Vec<Why> {
    let all = vec![Why::Cancel, Why::Timeout, Why::Stale, Why::Replace, Why::Dependency];
    for why in &all {
        match why {
            Why::Cancel | Why::Timeout | Why::Stale | Why::Replace | Why::Dependency => {}
        }
    }
    all
}

/// The kinds of change. The match makes a new one a compile error here, and the test wants a row for each.
const KINDS: [&str; 17] = [
    "claim",
    "give back",
    "decide",
    "end",
    "ask approval",
    "approve",
    "decline",
    "expire",
    "enrich",
    "pause",
    "resume",
    "clear dead letter",
    "close input",
    "reschedule",
    "ask",
    "hinder",
    "warn of expiry",
];

fn kind(change: &Change) -> &'static str {
    match change {
        Change::Claim { .. } => KINDS[0],
        Change::GiveBack => KINDS[1],
        Change::Decide { .. } => KINDS[2],
        Change::End { .. } => KINDS[3],
        Change::AskApproval { .. } => KINDS[4],
        Change::Approve { .. } => KINDS[5],
        Change::Decline { .. } => KINDS[6],
        Change::Expire { .. } => KINDS[7],
        Change::Enrich { .. } => KINDS[8],
        Change::Pause { .. } => KINDS[9],
        Change::Resume => KINDS[10],
        Change::ClearDeadLetter => KINDS[11],
        Change::CloseInput { .. } => KINDS[12],
        Change::Reschedule { .. } => KINDS[13],
        Change::Ask { .. } => KINDS[14],
        Change::Hinder { .. } => KINDS[15],
        Change::WarnExpiry { .. } => KINDS[16],
    }
}

/// Ends other than with exit 0: the same to the table.
fn other_exits() -> Vec<Exit> {
    vec![
        Exit::Code(1),
        Exit::Code(255),
        Exit::Signal(TERM),
        Exit::NotStarted { reason: "gone".into(), code: 127 },
        Exit::Unknown { reason: "unseen".into() },
    ]
}

fn every_exit() -> Vec<Exit> {
    [other_exits(), vec![Exit::Code(0), Exit::NotExecuted]].concat()
}

/// A row of the table: the changes it speaks of, and the running jobs to which it applies them.
struct Row {
    name: &'static str,
    paused: bool,
    /// Whether the failed jobs are dead letters.
    dead: bool,
    /// Whether it was said to waiting jobs that their time is nearly over.
    warned: bool,
    runs: Vec<Run>,
    changes: Vec<Change>,
}

fn row(
    name: &'static str,
    runs: impl IntoIterator<Item = Run>,
    changes: impl IntoIterator<Item = Change>,
) -> Row {
    Row {
        name,
        paused: false,
        dead: false,
        warned: false,
        runs: runs.into_iter().collect(),
        changes: changes.into_iter().collect(),
    }
}

/// The same for jobs that are paused.
fn paused_row(name: &'static str, changes: impl IntoIterator<Item = Change>) -> Row {
    let runs = plain().into_iter().map(|run| Run { paused_at: Some(at(3)), ..run });
    Row { paused: true, ..row(name, runs, changes) }
}

/// A running job without an intent, whether or not it asked for approval.
fn plain() -> Vec<Run> {
    vec![run(), asked()]
}

fn asked() -> Run {
    Run { asked: Some(Box::new(request())), ..run() }
}

fn request() -> Request {
    Request { on: On::Local, at: at(2), ttl_seconds: Some(600), reason: None, hash: "h".into() }
}

fn waiting() -> Waiting {
    Waiting::new(request(), at(4), Some(at(45)))
}

fn ask_approval() -> Change {
    Change::AskApproval { request: Box::new(request()) }
}

fn approve() -> Change {
    Change::Approve { at: at(7), by: "ann".into(), said_at: None, note: None }
}

fn decline() -> Change {
    Change::Decline { at: at(7), by: "ann".into(), said_at: None, note: Some("no".into()) }
}

fn warn_expiry() -> Change {
    Change::WarnExpiry { at: at(6), expires_at: at(14) }
}

fn told(why: Why, signal: Option<i32>) -> Vec<Run> {
    plain().into_iter().map(|run| Run { ending: Some(ending(why, signal)), ..run }).collect()
}

fn told_one_of(whys: &[Why], signal: Option<i32>) -> Vec<Run> {
    whys.iter().flat_map(|why| told(*why, signal)).collect()
}

fn rows() -> Vec<Row> {
    let cancelling = [Why::Cancel, Why::Stale, Why::Replace, Why::Dependency];
    let any_why = every_why();
    let softly: Vec<Run> = [told_one_of(&cancelling, None), told_one_of(&cancelling, Some(TERM))]
        .into_iter()
        .flatten()
        .collect();
    let decisions = |whys: &[Why]| -> Vec<Change> {
        whys.iter()
            .flat_map(|why| [None, Some(TERM), Some(KILL)].map(|signal| decide(*why, signal)))
            .collect()
    };
    let ends = |exits: Vec<Exit>, retry_at: Option<Timestamp>| -> Vec<Change> {
        exits.into_iter().map(|exit| end(exit, retry_at)).collect()
    };
    let retry = Some(at(30));
    vec![
        row("claim", plain(), [Change::Claim { at: at(2), claim: claim() }]),
        paused_row("claim while it is paused", [Change::Claim { at: at(2), claim: claim() }]),
        row("give back", plain(), [Change::GiveBack]),
        row(
            "give back after cancel, stale, replace or dependency",
            told_one_of(&cancelling, None),
            [Change::GiveBack],
        ),
        row("give back after timeout", told(Why::Timeout, None), [Change::GiveBack]),
        row(
            "decide cancel, replace or dependency",
            plain(),
            decisions(&[Why::Cancel, Why::Replace, Why::Dependency]),
        ),
        row("decide timeout or stale", plain(), decisions(&[Why::Timeout, Why::Stale])),
        row(
            "decide cancel after an intent other than timeout",
            [softly.clone(), told_one_of(&cancelling, Some(KILL))].concat(),
            [decide(Why::Cancel, None), decide(Why::Cancel, Some(TERM))],
        ),
        row(
            "decide cancel, replace or dependency after timeout",
            [told(Why::Timeout, None), told(Why::Timeout, Some(KILL))].concat(),
            decisions(&[Why::Cancel, Why::Replace, Why::Dependency]),
        ),
        row(
            "decide cancel with KILL after an intent other than timeout",
            softly,
            [decide(Why::Cancel, Some(KILL))],
        ),
        row(
            "decide cancel with KILL after an intent with KILL other than timeout",
            told_one_of(&cancelling, Some(KILL)),
            [decide(Why::Cancel, Some(KILL))],
        ),
        row("end with exit 0", [run()], [end(Exit::Code(0), None), end(Exit::Code(0), retry)]),
        row(
            "end with exit 0 after asking for approval",
            [asked()],
            [end(Exit::Code(0), None), end(Exit::Code(0), retry)],
        ),
        row("end with nothing executed", plain(), [end(Exit::NotExecuted, None)]),
        row("end otherwise, attempts left", plain(), ends(other_exits(), retry)),
        row("end otherwise, none left", plain(), ends(other_exits(), None)),
        row(
            "end after cancel, stale, replace or dependency",
            told_one_of(&cancelling, None),
            [ends(every_exit(), None), ends(every_exit(), retry)].concat(),
        ),
        row("end after timeout, attempts left", told(Why::Timeout, None), ends(every_exit(), retry)),
        row("end after timeout, none left", told(Why::Timeout, None), ends(every_exit(), None)),
        row("pause", plain(), [Change::Pause { at: at(6) }]),
        paused_row("pause while it is paused", [Change::Pause { at: at(6) }]),
        row("pause after an intent", told_one_of(&any_why, None), [Change::Pause { at: at(6) }]),
        row("resume", plain(), [Change::Resume]),
        paused_row("resume while it is paused", [Change::Resume]),
        row("resume after an intent", told_one_of(&any_why, None), [Change::Resume]),
        row("close input", plain(), [Change::CloseInput { at: at(6) }]),
        paused_row("close input while it is paused", [Change::CloseInput { at: at(6) }]),
        row("close input after an intent", told_one_of(&any_why, None), [Change::CloseInput { at: at(6) }]),
        row(
            "close input after it was closed",
            [Run { stdin_closed_at: Some(at(4)), ..run() }],
            [Change::CloseInput { at: at(6) }],
        ),
        row("reschedule", plain(), [Change::Reschedule { not_before: Some(at(50)) }]),
        paused_row("reschedule while it is paused", [Change::Reschedule { not_before: Some(at(50)) }]),
        row("ask approval", [run()], [ask_approval()]),
        row("ask approval after asking for approval", [asked()], [ask_approval()]),
        row("ask approval after an intent", told_one_of(&any_why, None), [ask_approval()]),
        row("ask", plain(), [Change::Ask { asked: Asked::Begun { at: at(5) } }]),
        row("ask with nothing new", plain(), [Change::Ask { asked: Asked::NotYet }]),
        row("hinder", plain(), [Change::Hinder { trouble: Some("no network".into()) }]),
        row("hinder with nothing new", plain(), [Change::Hinder { trouble: None }]),
        row("warn of expiry", plain(), [warn_expiry()]),
        Row { warned: true, ..row("warn of expiry after that was said", plain(), [warn_expiry()]) },
        row("approve", plain(), [approve()]),
        row("decline", plain(), [decline()]),
        row("expire", plain(), [Change::Expire { at: at(7) }]),
        row(
            "enrich with something new",
            plain(),
            [enrich(Some(at(20)), Some("news")), enrich(None, Some("news"))],
        ),
        Row { dead: true, ..row("clear dead letter", plain(), [Change::ClearDeadLetter]) },
        row("clear dead letter where there is none", plain(), [Change::ClearDeadLetter]),
        row("enrich with nothing new", plain(), [enrich(None, None), enrich(Some(at(20)), None)]),
    ]
}

fn ended(verdict: Verdict) -> End {
    End {
        verdict,
        at: Some(at(4)),
        started_at: Some(at(1)),
        claim: Some(claim()),
        outcome: Some(Outcome::bare(Exit::Code(3), at(4))),
        ending: None,
        summary: Some("as it was".into()),
        dead_letter: false,
    }
}

/// The states that a column speaks of.
fn states(status: Status, row: &Row) -> Vec<State> {
    let paused_at = row.paused.then(|| at(3));
    let ended = |verdict| {
        let unrun = End { started_at: None, claim: None, outcome: None, ..ended(verdict) };
        vec![State::Ended(ended(verdict)), State::Ended(unrun)]
    };
    match status {
        Status::Queued => {
            [None, Some(at(40))].map(|not_before| State::Queued { not_before, paused_at }).into()
        }
        Status::Running => row.runs.iter().cloned().map(State::Running).collect(),
        Status::WaitingApproval => {
            let warned_at = row.warned.then(|| at(5));
            vec![State::WaitingApproval(Box::new(Waiting { warned_at, ..waiting() }))]
        }
        Status::Completed => ended(Verdict::Completed),
        Status::Failed => {
            let dead = |state| match state {
                State::Ended(end) => State::Ended(End { dead_letter: row.dead, ..end }),
                other => other,
            };
            ended(Verdict::Failed).into_iter().map(dead).collect()
        }
        Status::Cancelled => ended(Verdict::Cancelled),
    }
}

fn said(decision: &Decision) -> String {
    match decision {
        Decision::To(state) => format!("→ {}", state.status()),
        Decision::NoOp(_) => "no-op".to_owned(),
        Decision::Refused(_) => "refused".to_owned(),
    }
}

/// The table of the page: by row, by column, what a cell says.
fn table() -> (Vec<String>, BTreeMap<String, Vec<String>>) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/states.md");
    let page = std::fs::read_to_string(path).unwrap();
    let cells = |line: &str| -> Vec<String> {
        line.trim().trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut lines = page.lines().skip_while(|line| !line.starts_with("| change "));
    let columns = cells(lines.next().expect("the page has the table")).split_off(1);
    let mut rows = BTreeMap::new();
    for line in lines.skip(1).take_while(|line| line.starts_with('|')) {
        let mut row = cells(line);
        let values = row.split_off(1);
        assert_eq!(values.len(), columns.len(), "{line}");
        assert!(rows.insert(row.remove(0), values).is_none(), "twice: {line}");
    }
    (columns, rows)
}

#[test]
fn the_page_has_every_state_and_every_change() {
    let (columns, written) = table();
    assert_eq!(columns, Status::ALL.map(|status| status.to_string()));
    let rows = rows();
    let mut names: Vec<&str> = rows.iter().map(|row| row.name).collect();
    names.sort_unstable();
    assert_eq!(written.keys().map(String::as_str).collect::<Vec<_>>(), names);
    for wanted in KINDS {
        let of_kind = |row: &&Row| row.changes.iter().any(|change| kind(change) == wanted);
        let row = rows.iter().find(of_kind).unwrap_or_else(|| panic!("no row for {wanted}"));
        assert!(row.name.starts_with(wanted), "{} is about {wanted}", row.name);
    }
    for why in every_why() {
        let decides = |change: &Change| matches!(change, Change::Decide { ending } if ending.why == why);
        assert!(rows.iter().any(|row| row.changes.iter().any(decides)), "no row decides {why:?}");
    }
}

#[test]
fn every_cell_of_the_page_is_what_the_transition_function_does() {
    let (columns, written) = table();
    let mut tried = 0;
    for row in rows() {
        for status in Status::ALL {
            let column = columns.iter().position(|column| column == status.as_str()).expect("a column each");
            let cell = &written[row.name][column];
            for state in states(status, &row) {
                for change in &row.changes {
                    let decision = state.next(change);
                    assert_eq!(&said(&decision), cell, "{} / {status}: {state:?} {change:?}", row.name);
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 500, "the test tries them: {tried}");
}

#[track_caller]
fn to(state: &State, change: &Change) -> State {
    match state.next(change) {
        Decision::To(state) => state,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn to_end(state: &State, change: &Change) -> End {
    match to(state, change) {
        State::Ended(end) => end,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_claim_says_when_and_where() {
    let state = queued(Some(at(1)));
    let change = Change::Claim { at: at(2), claim: claim() };
    assert_eq!(to(&state, &change), State::Running(Run { started_at: at(2), ..run() }));
}

#[test]
fn a_slot_that_is_given_back_leaves_no_waiting_time() {
    assert_eq!(to(&State::Running(run()), &Change::GiveBack), queued(None));
}

#[test]
fn a_job_that_is_queued_again_while_it_is_paused_stays_paused() {
    let paused = State::Running(Run { paused_at: Some(at(3)), ..run() });
    let held = |not_before| State::Queued { not_before, paused_at: Some(at(3)) };
    assert_eq!(to(&paused, &Change::GiveBack), held(None));
    assert_eq!(to(&paused, &end(Exit::Code(1), Some(at(30)))), held(Some(at(30))));
}

#[test]
fn a_pause_says_since_when_and_keeps_the_time_before_which_nothing_starts() {
    let held = to(&queued(Some(at(40))), &Change::Pause { at: at(6) });
    assert_eq!(held, State::Queued { not_before: Some(at(40)), paused_at: Some(at(6)) });
    assert_eq!(to(&held, &Change::Resume), queued(Some(at(40))));
}

#[test]
fn the_end_of_the_input_says_since_when_and_the_next_attempt_has_one_of_its_own() {
    let closed = to(&State::Running(run()), &Change::CloseInput { at: at(6) });
    assert_eq!(closed, State::Running(Run { stdin_closed_at: Some(at(6)), ..run() }));
    let again = to(&closed, &end(Exit::Code(1), Some(at(30))));
    let change = Change::Claim { at: at(1), claim: claim() };
    assert_eq!(to(&again, &change), State::Running(run()));
}

#[test]
fn an_intent_that_was_committed_before_a_slot_is_given_back_is_carried_out() {
    for why in every_why() {
        let state = State::Running(Run { ending: Some(ending(why, None)), ..run() });
        let end = to_end(&state, &Change::GiveBack);
        assert_eq!(end.ending, Some(ending(why, None)));
        assert_eq!((end.at, end.started_at, end.outcome), (Some(at(5)), None, None));
        assert!(end.summary.is_some());
    }
}

#[test]
fn the_first_intent_stands_and_only_its_signal_is_sharpened() {
    let first = Ending { note: Some("stale: silent".into()), ..ending(Why::Stale, Some(TERM)) };
    let state = State::Running(Run { ending: Some(first.clone()), ..run() });
    let second = Ending { note: Some("me".into()), at: at(8), ..ending(Why::Cancel, Some(KILL)) };
    let State::Running(sharpened) = to(&state, &Change::Decide { ending: second }) else { panic!() };
    assert_eq!(sharpened.ending, Some(Ending { signal: Some(KILL), ..first }));
}

#[test]
fn an_intent_keeps_the_real_exit_code_and_is_never_retried() {
    for exit in every_exit() {
        let state = State::Running(Run { ending: Some(ending(Why::Cancel, None)), ..run() });
        let end = to_end(&state, &end(exit.clone(), Some(at(30))));
        assert_eq!(end.verdict, Verdict::Cancelled);
        assert_eq!(end.outcome.map(|outcome| outcome.exit), Some(exit));
    }
}

#[test]
fn an_end_carries_what_was_true_of_the_run() {
    let end = to_end(&State::Running(run()), &end(Exit::Code(7), None));
    let outcome = Outcome::bare(Exit::Code(7), at(9));
    assert_eq!(
        end,
        End {
            verdict: Verdict::Failed,
            at: Some(at(9)),
            started_at: Some(at(1)),
            claim: Some(claim()),
            outcome: Some(outcome),
            ending: None,
            summary: Some("so it went".into()),
            dead_letter: false,
        }
    );
}

#[test]
fn a_failure_with_attempts_left_waits_for_the_instant_it_was_given() {
    let state = to(&State::Running(run()), &end(Exit::Code(1), Some(at(30))));
    assert_eq!(state, queued(Some(at(30))));
}

#[test]
fn an_approved_job_may_start_when_it_was_to_and_a_declined_one_has_ended() {
    let waiting = State::WaitingApproval(Box::new(waiting()));
    assert_eq!(to(&waiting, &approve()), queued(Some(at(45))));
    let declined = to_end(&waiting, &decline());
    assert_eq!((declined.at, declined.summary.as_deref()), (Some(at(7)), Some("declined")));
    assert!(to_end(&waiting, &Change::Expire { at: at(7) }).summary.is_some());
}

#[test]
fn what_asked_and_exited_with_0_waits_from_its_end_for_what_it_asked() {
    let asked = to(&State::Running(run()), &ask_approval());
    assert_eq!(asked, State::Running(self::asked()));
    let waiting = to(&asked, &end(Exit::Code(0), Some(at(30))));
    assert_eq!(waiting, State::WaitingApproval(Box::new(Waiting::new(request(), at(9), None))));
}

#[test]
fn a_job_that_goes_on_after_it_was_approved_has_not_asked() {
    let asked = State::Running(Run { paused_at: Some(at(3)), stdin_closed_at: Some(at(3)), ..asked() });
    let waiting = to(&asked, &end(Exit::Code(0), None));
    let approved = to(&waiting, &approve());
    assert_eq!(approved, queued(None));
    assert_eq!(to(&approved, &Change::Claim { at: at(1), claim: claim() }), State::Running(run()));
}

#[test]
fn what_is_learnt_while_a_job_waits_changes_that_and_nothing_else() {
    let state = State::WaitingApproval(Box::new(waiting()));
    let asked = Asked::Begun { at: at(5) };
    for (change, expected) in [
        (Change::Ask { asked: asked.clone() }, Waiting { asked, ..waiting() }),
        (
            Change::Hinder { trouble: Some("no network".into()) },
            Waiting { trouble: Some("no network".into()), ..waiting() },
        ),
        (warn_expiry(), Waiting { warned_at: Some(at(6)), ..waiting() }),
    ] {
        assert_eq!(to(&state, &change), State::WaitingApproval(Box::new(expected)));
    }
}

#[test]
fn what_is_cancelled_before_it_ran_keeps_the_reason() {
    for state in [queued(None), State::WaitingApproval(Box::new(waiting()))] {
        let ending =
            Ending { note: Some("bg_20260213_abc234 failed".into()), ..ending(Why::Dependency, None) };
        let end = to_end(&state, &Change::Decide { ending: ending.clone() });
        assert_eq!((end.at, end.started_at, end.outcome.is_some()), (Some(at(5)), None, false));
        assert_eq!((end.summary, end.ending), (ending.note.clone(), Some(ending)));
    }
}

#[test]
fn an_ended_job_changes_only_where_its_end_was_not_known_and_in_its_sentence() {
    for verdict in [Verdict::Completed, Verdict::Failed, Verdict::Cancelled] {
        let known = ended(verdict);
        let news = to_end(&State::Ended(known.clone()), &enrich(Some(at(20)), Some("news")));
        assert_eq!(news, End { summary: Some("news".into()), ..known.clone() }, "the end is not moved");
        let unknown = End { at: None, ..known.clone() };
        let dated = to_end(&State::Ended(unknown), &enrich(Some(at(20)), None));
        assert_eq!(dated, End { at: Some(at(20)), ..known });
    }
}
