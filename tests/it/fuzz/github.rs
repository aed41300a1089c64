//! Answers of GitHub: nothing of them approves that does not say, whole and clearly, who approved what and when.
//!
//! A server on this machine gives the answers, so that they go through all that reads them: the protocol, the list's pages, the
//! objects, the verdict. What may approve is looked up in the answers themselves, by rules that are written down here a second
//! time and more simply.

use super::{Target, mutate::Corpus};
use crate::proof;
use bgctl::github::{Cache, Client, Limits, Token, find};
use bgctl::model::{
    Timestamp,
    approval::{Asked, Issue, On, Place, Repository, Request, Waiting, text_hash},
    config::{Config, GitHub},
};
use bgctl::os::clock::Clock;
use bgctl::plan::verdict::{Finding, Rules, Seen, judge};
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SECRET: &str = "ghp_0123456789abcdef";
/// Who asked, and what the issue said then.
const ASKER: &str = "ann";
const TITLE: &str = "Run it?";
const BODY: &str = "<!-- bg:bg_20260213_abc234 -->\ntext";

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        asked_at()
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

fn asked_at() -> Timestamp {
    "2026-02-13T10:00:00Z".parse().unwrap()
}

fn repository() -> Repository {
    Repository { owner: "o".to_owned(), name: "r".to_owned() }
}

/// Whole answers by the path that is asked for, the first that fits; in bytes as they go over the line.
type Answers = Arc<Mutex<Vec<(&'static str, Vec<u8>)>>>;

/// What becomes of a connection after an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The next request comes over it.
    Stays,
    /// It ends, so that nobody waits for what an answer only promises.
    Ends,
}

/// Answers until nobody asks any more.
fn serve(answers: &Answers, then: Then) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers = Arc::clone(answers);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answers = Arc::clone(&answers);
            std::thread::spawn(move || answer(&stream, &answers, then));
        }
    });
    url
}

/// Answers what comes over one connection.
fn answer(stream: &TcpStream, answers: &Answers, then: Then) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut lines = BufReader::new(stream).lines();
    loop {
        let request = lines.next()?.ok()?;
        while !lines.next()?.ok()?.is_empty() {}
        let answer = {
            let answers = answers.lock().unwrap();
            let fits = answers.iter().find(|(path, _)| request.contains(path));
            fits.map(|(_, answer)| answer.clone())?
        };
        (&*stream).write_all(&answer).ok()?;
        if then == Then::Ends {
            return None;
        }
    }
}

fn ok(body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

fn client(url: String) -> Client<'static> {
    let settings = GitHub { api_url: url, token_file: None, token_command: None };
    let token: Token = find(&settings, |name| (name == "GH_TOKEN").then(|| SECRET.into())).unwrap();
    let limits = Limits { answer: Duration::from_secs(20), ..Limits::default() };
    Client::with_limits(&settings, token, Cache::default(), &Still, limits)
}

/// What waits, and the issue on which it was asked.
fn waiting() -> (Waiting, Issue) {
    let on = On::GitHub(Place { repository: repository(), issue: None });
    let request = Request { on, at: asked_at(), ttl_seconds: Some(3_600), reason: None, hash: String::new() };
    let issue = Issue {
        number: 5,
        asked_at: asked_at(),
        asked_by: ASKER.to_owned(),
        content: text_hash(TITLE, BODY),
        edited_at: None,
    };
    let mut waiting = Waiting::new(request, asked_at(), None);
    waiting.asked = Asked::On(issue.clone());
    (waiting, issue)
}

#[test]
fn nothing_approves_that_does_not_say_by_whom_and_when() {
    let corpus = Corpus::of_files("asked");
    let answers = Answers::default();
    let client = RefCell::new(client(serve(&answers, Then::Stays)));
    let (waiting, issue) = waiting();
    let config = Config::default();
    let rules = Rules { labels: &config.approval.labels, approvers: &[], self_approval: false };
    let approvals = Cell::new(0);
    let target = Target { name: "fuzz.github", corpus: &corpus, cases: proof::cases(1_000, 12_000) };
    target.run(|bytes| {
        let mut lines = bytes.splitn(3, |byte| *byte == b'\n');
        let [said, steps, permission] = [(); 3].map(|()| lines.next().unwrap_or_default());
        *answers.lock().unwrap() = vec![
            ("/issues/5/", ok(steps)),
            ("/issues/5", ok(said)),
            ("/permission", ok(permission)),
            ("/issues", ok(steps)),
        ];
        let mut client = client.borrow_mut();
        client.cache = Cache { token: client.cache.token.clone(), ..Cache::default() };
        let (seen, happened) = (client.issue(&repository(), 5), client.steps(&repository(), 5));
        let (Ok(seen), Ok(happened)) = (seen, happened) else { return false };
        let mut seen = Seen {
            content: seen.content,
            labels: seen.labels,
            is_rejected: seen.is_rejected,
            is_locked: seen.is_locked,
            steps: happened,
            writers: std::collections::BTreeMap::new(),
        };
        for name in bgctl::plan::verdict::askers(&rules, &seen.clone()) {
            if let Ok(may_write) = client.may_write(&repository(), name) {
                seen.writers.insert(name.to_owned(), may_write);
            }
        }
        if let Finding::Approved { by, at } = judge(&waiting, &issue, &seen, &rules) {
            approvals.set(approvals.get() + 1);
            says_so(said, steps, permission, &by, at);
        }
        true
    });
    let enough = target.cases / 100;
    assert!(approvals.get() >= enough, "{} approvals: hardly anything was tested", approvals.get());
}

/// The answers say that this account approved then, and may.
fn says_so(said: &[u8], steps: &[u8], permission: &[u8], by: &str, at: Timestamp) {
    let read = [said, steps, permission].map(serde_json::from_slice::<Value>);
    let [Ok(said), Ok(steps), Ok(permission)] = read else {
        // A number that is too large, where nobody looks: only the words can be looked for.
        let steps = String::from_utf8_lossy(steps);
        assert!(steps.contains(by) && steps.contains("labeled"));
        return;
    };
    let name = |label: &Value| label.as_str().or_else(|| label["name"].as_str()).map(str::to_lowercase);
    let is_approval = |label: &Value| name(label).as_deref() == Some("bg:approved");
    assert!(said["labels"].as_array().unwrap().iter().any(is_approval), "the label is there");
    assert_eq!(said["title"].as_str().unwrap(), TITLE);
    assert_eq!(said["body"].as_str().unwrap().replace("\r\n", "\n"), BODY);
    assert!(said["locked"] != true);
    let steps = steps.as_array().unwrap();
    let labelled = |step: &&Value| {
        matches!(step["event"].as_str(), Some("labeled" | "unlabeled")) && is_approval(&step["label"])
    };
    let last = steps.iter().rev().find(labelled).unwrap();
    assert_eq!(last["event"], "labeled");
    assert_eq!(last["actor"]["login"], by);
    assert!(!by.eq_ignore_ascii_case(ASKER), "who asked does not approve");
    assert_eq!(last["created_at"].as_str().unwrap().parse::<Timestamp>().unwrap(), at);
    assert!(at >= asked_at());
    let rights = [&permission["permission"], &permission["role_name"]];
    assert!(
        rights
            .iter()
            .any(|right| ["admin", "maintain", "write"].contains(&right.as_str().unwrap_or_default()))
    );
}

#[test]
fn whatever_comes_over_the_line_is_an_answer_or_a_refusal_and_the_token_is_in_neither() {
    let corpus = Corpus::of_files("http");
    let answers = Answers::default();
    let url = serve(&answers, Then::Ends);
    let target = Target { name: "fuzz.http", corpus: &corpus, cases: proof::cases(300, 4_000) };
    target.run(|bytes| {
        *answers.lock().unwrap() = vec![("/", bytes.to_vec())];
        let mut client = client(url.clone());
        let issue = client.issue(&repository(), 5);
        let issues = client.issues(&repository(), "bg:approval", asked_at());
        let shown = format!("{issue:?} {issues:?} {:?}", client.cache);
        assert!(!shown.contains(SECRET), "{shown}");
        assert!(client.sent <= 60, "{} requests", client.sent);
        issue.is_ok() || issues.is_ok()
    });
}
