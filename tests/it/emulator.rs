//! An emulator of GitHub with a memory: `emulate` of Vercel Labs, from npm, in the version of `tests/github/package-lock.json`.
//!
//! [`Emulator::shared`] is one for all tests of the process; each makes a [repository](Emulator::repository) of its own. What
//! people do there is done here as one of the accounts of `tests/github/seed.yaml`. `tests/run` installs the emulator; where it is
//! not installed, the tests are skipped with a word.
//!
//! Where it differs from GitHub, by its source, by the tests below, and by GitHub's documentation. A client has to cope with both:
//!
//! | what | GitHub | the emulator |
//! |---|---|---|
//! | times | whole seconds | milliseconds |
//! | `since` of issues | compares times | compares texts: `…:05Z` leaves out what changed at `…:05.123Z`, as `.` is before `Z` |
//! | `since` of an issue's comments | is heeded | is not |
//! | labels given at creation | are in the timeline as `labeled` | are not |
//! | the timeline | has comments (`commented`, with `user` in place of `actor`) and `renamed` with both titles | has no comments; has `opened`, and `edited` for each change of title or text, which does not say of what |
//! | a label in the timeline | at the time at which the issue was changed | some milliseconds behind the issue's `updated_at`, sometimes |
//! | an item of the timeline | has the fields of its kind; `closed` has `state_reason` | has all fields, `null` where they mean nothing, and the whole issue as it is now; no `state_reason` |
//! | a label's name | upper and lower case are the same | are two labels |
//! | a label that the repository has not | is made, if the account may | is made, by anybody |
//! | the name of owner and repository | upper and lower case are the same | are others: 404 |
//! | who may label, close, edit, lock | who has the right to; labels of others' new issues are left out | everybody with a token, also what is locked |
//! | what an account may (`collaborators/…/permission`) | `admin`, `write`, `read`, `none`; `read` for anybody where all can see the repository; 403 where the asker has no right to push | the right by which it was invited (`push`, with the role `write`); 404 for an account that was not |
//! | a token that it does not know | 401 | is the first account's; 401 only without any, and reading needs none |
//! | a private repository of others | 404 | 403 |
//! | a repository with a new name | 301 | 404 |
//! | an issue that was deleted | 410 | issues cannot be deleted; a number that never was is 404 |
//! | `Link` of issues | has cursors (`after=…`) where there are many; asking for a late page by its number is 422 | has numbers of pages, on the host that was asked |
//! | addresses in answers | one host | `localhost`, whatever host was asked |
//! | `ETag`, `retry-after`, secondary limits | has them | has none; 5000 requests an hour for each token, then 403 |
//! | pull requests among the issues | are there, with `pull_request` | are left out |
//! | an error | `message`, `documentation_url`, `status`, often `errors` | `message`, `documentation_url` |
//! | locking without a text | is 204 | is 400; `{}` is asked for |

use crate::faces::project;
use crate::support::{EVENT_MAX, is_alive, until};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where `tests/run` installs the emulator.
const INSTALLED: &str = "target/tools/github/node_modules";
/// What is written there last: the lock file that was installed.
const MADE_FROM: &str = "made-from.json";
/// The oldest node that it runs with.
const NODE_MIN: u32 = 20;
/// Requests that a token has in an hour.
const REQUESTS_MAX: usize = 5_000;

/// An account of the seed: its name and its token.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    pub login: &'static str,
    pub token: &'static str,
}

/// The account that bgctl has.
pub const BOT: Account = Account { login: "bot", token: "bot-token" };
/// Who owns the repositories.
pub const ANN: Account = Account { login: "ann", token: "ann-token" };
/// Who has no rights.
pub const MALLORY: Account = Account { login: "mallory", token: "mallory-token" };

/// A running emulator. Dropped, it is ended; where nobody can drop it any more, it ends with its standard input.
pub struct Emulator {
    child: Child,
    /// What it says. The file has no name.
    said: File,
    port: u16,
    made: AtomicUsize,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The lines of the head.
    head: String,
    /// The body; null where there is none.
    pub body: Value,
}

impl Emulator {
    /// That of this process, which goes with it. `None`: it cannot be started here, and that was said.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Emulator> = OnceLock::new();
        can_start().then(|| SHARED.get_or_init(|| Self::begin("seed.yaml")))
    }

    /// One with a seed of `tests/github/`. `None`: it cannot be started here, and that was said.
    pub fn start(seed: &str) -> Option<Self> {
        can_start().then(|| Self::begin(seed))
    }

    fn begin(seed: &str) -> Self {
        // Between the look and the start somebody else may take the port: then it is another one.
        for _ in 0..5 {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
            let mut emulator = Self::on(free.port(), seed);
            // Its own word, because somebody else would answer on a port that was taken.
            let listens = |emulator: &Self| emulator.said().lines().any(|line| line == "listening");
            until("the emulator listens, or leaves", || {
                listens(&emulator) || emulator.child.try_wait().unwrap().is_some()
            });
            if listens(&emulator) {
                return emulator;
            }
            let said = emulator.said();
            assert!(said.contains("EADDRINUSE"), "the emulator left: {said}");
        }
        panic!("no port stays free");
    }

    fn on(port: u16, seed: &str) -> Self {
        let said = tempfile::tempfile().unwrap();
        let folder = project("tests/github");
        let child = Command::new("node")
            .arg("--require")
            .arg(folder.join("tethered.cjs"))
            .arg(project(INSTALLED).join("emulate/dist/index.js"))
            .args(["start", "--service", "github", "--port", &port.to_string(), "--seed"])
            .arg(folder.join(seed))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::piped())
            .stdout(said.try_clone().unwrap())
            .stderr(said.try_clone().unwrap())
            .spawn()
            .unwrap();
        Self { child, said, port, made: AtomicUsize::new(0) }
    }

    /// What it has said. The place in the file is its own, too, so that it must not be moved.
    fn said(&self) -> String {
        let mut text = vec![0; usize::try_from(self.said.metadata().unwrap().len()).unwrap()];
        self.said.read_exact_at(&mut text, 0).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Its address: `approval.github.api_url`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A word that no other test has.
    fn unique(&self, word: &str) -> String {
        format!("{word}{}", self.made.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// A new repository of Ann's, in which the bot may write: its full name.
    pub fn repository(&self) -> String {
        let name = self.unique("r");
        self.done(ANN, "POST", "/user/repos", &json!({ "name": name }));
        let repo = format!("{}/{name}", ANN.login);
        self.invite(&repo, BOT, "push");
        repo
    }

    /// A token of the bot's that nobody else has, so that its requests can be counted.
    pub fn own_token(&self) -> String {
        self.unique("bot-")
    }

    /// How many requests were sent with a token. This one counts from then on.
    pub fn requests(&self, token: &str) -> usize {
        let answer = self.ask(token, "GET", "/user", None);
        let left: usize = answer.header("x-ratelimit-remaining").unwrap().parse().unwrap();
        REQUESTS_MAX - left - 1
    }

    // What people do.

    /// Gives an account a right: `pull`, `triage`, `push`, `maintain` or `admin`.
    pub fn invite(&self, repo: &str, whom: Account, right: &str) {
        let path = format!("/repos/{repo}/collaborators/{}", whom.login);
        self.done(ANN, "PUT", &path, &json!({ "permission": right }));
    }

    /// Makes an issue with a text and labels; gives its number.
    pub fn make_issue(&self, repo: &str, title: &str, labels: &[&str], by: Account) -> u64 {
        let issue = json!({ "title": title, "body": "", "labels": labels });
        self.done(by, "POST", &format!("/repos/{repo}/issues"), &issue)["number"].as_u64().unwrap()
    }

    /// Gives an issue a label.
    pub fn label(&self, repo: &str, number: u64, name: &str, by: Account) {
        self.done(by, "POST", &at(repo, number, "/labels"), &json!({ "labels": [name] }));
    }

    /// Takes a label away.
    pub fn unlabel(&self, repo: &str, number: u64, name: &str, by: Account) {
        self.done(by, "DELETE", &at(repo, number, &format!("/labels/{}", escaped(name))), &Value::Null);
    }

    /// Closes an issue as done.
    pub fn close(&self, repo: &str, number: u64, by: Account) {
        self.change(repo, number, &json!({ "state": "closed", "state_reason": "completed" }), by);
    }

    /// Closes an issue as not planned.
    pub fn close_as_not_planned(&self, repo: &str, number: u64, by: Account) {
        self.change(repo, number, &json!({ "state": "closed", "state_reason": "not_planned" }), by);
    }

    /// Opens an issue again.
    pub fn reopen(&self, repo: &str, number: u64, by: Account) {
        self.change(repo, number, &json!({ "state": "open" }), by);
    }

    /// Gives an issue another text.
    pub fn edit_body(&self, repo: &str, number: u64, text: &str, by: Account) {
        self.change(repo, number, &json!({ "body": text }), by);
    }

    /// Gives an issue another title.
    pub fn edit_title(&self, repo: &str, number: u64, title: &str, by: Account) {
        self.change(repo, number, &json!({ "title": title }), by);
    }

    /// Locks an issue.
    pub fn lock(&self, repo: &str, number: u64, by: Account) {
        self.done(by, "PUT", &at(repo, number, "/lock"), &json!({}));
    }

    /// Writes a comment.
    pub fn comment(&self, repo: &str, number: u64, text: &str, by: Account) {
        self.done(by, "POST", &at(repo, number, "/comments"), &json!({ "body": text }));
    }

    fn change(&self, repo: &str, number: u64, change: &Value, by: Account) {
        self.done(by, "PATCH", &at(repo, number, ""), change);
    }

    // What they see.

    /// All issues, open and closed, the oldest first.
    pub fn issues(&self, repo: &str) -> Vec<Value> {
        self.pages(&format!("/repos/{repo}/issues?state=all&direction=asc&per_page=100"))
    }

    /// One issue.
    pub fn issue(&self, repo: &str, number: u64) -> Value {
        self.done(ANN, "GET", &at(repo, number, ""), &Value::Null)
    }

    /// The comments on an issue, the oldest first.
    pub fn comments(&self, repo: &str, number: u64) -> Vec<Value> {
        self.pages(&at(repo, number, "/comments?per_page=100"))
    }

    /// What happened to an issue, the oldest first.
    pub fn timeline(&self, repo: &str, number: u64) -> Vec<Value> {
        self.pages(&at(repo, number, "/timeline?per_page=100"))
    }

    /// What all pages of a list have.
    fn pages(&self, path: &str) -> Vec<Value> {
        let mut found = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            let answer = self.ask(ANN.token, "GET", &path, None);
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            found.extend(answer.body.as_array().unwrap().iter().cloned());
            next = answer.link("next").map(|link| link.strip_prefix(&self.url()).unwrap().to_owned());
        }
        found
    }

    // How it is asked.

    /// A request that must succeed; gives the body.
    #[track_caller]
    fn done(&self, by: Account, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.ask(by.token, method, path, Some(body).filter(|body| !body.is_null()));
        assert!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
        answer.body
    }

    /// A request, with a token or with an empty one.
    pub fn ask(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let body = body.map(Value::to_string).unwrap_or_default();
        // In the old version the answer has no chunks, and ends with the connection.
        let mut head = format!("{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{}\r\n", self.port);
        if !token.is_empty() {
            head.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        head.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len()));
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
            .unwrap_or_else(|error| panic!("the emulator is gone: {error}: {}", self.said()));
        stream.set_read_timeout(Some(EVENT_MAX)).unwrap();
        stream.write_all((head + &body).as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: serde_json::from_str(body).unwrap_or_default() }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    /// A header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    /// The address that `Link` has for a relation.
    pub fn link(&self, relation: &str) -> Option<&str> {
        let end = format!(">; rel=\"{relation}\"");
        self.header("link")?.split(", ").find_map(|link| link.strip_prefix('<')?.strip_suffix(&end))
    }
}

fn at(repo: &str, number: u64, rest: &str) -> String {
    format!("/repos/{repo}/issues/{number}{rest}")
}

/// A text as a part of a path.
fn escaped(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric();
    text.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Whether it is installed, and says what is missing where it is not.
fn can_start() -> bool {
    static LACKS: OnceLock<Option<String>> = OnceLock::new();
    let lacks = LACKS.get_or_init(|| {
        let read = |path: PathBuf| std::fs::read(path).ok();
        let lock = read(project("tests/github/package-lock.json"));
        if read(project(INSTALLED).join(MADE_FROM)) != lock {
            return Some("the emulator of GitHub is not installed; tests/run does it".to_owned());
        }
        let Ok(node) = Command::new("node").arg("--version").output() else {
            return Some("node is not installed".to_owned());
        };
        let version = String::from_utf8_lossy(&node.stdout).into_owned();
        let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
        let is_new = major.is_some_and(|major: u32| major >= NODE_MIN);
        (!is_new).then(|| format!("node is {}, and {NODE_MIN} is needed", version.trim_end()))
    });
    if let Some(lacks) = lacks {
        // Past the test runner, which keeps what print! prints.
        crate::support::skipped(lacks);
    }
    lacks.is_none()
}

fn time(value: &Value) -> chrono::DateTime<chrono::Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// What happened to an issue: the kinds, the accounts and the labels.
fn told(timeline: &[Value]) -> Vec<(&str, &str, Option<&str>)> {
    timeline
        .iter()
        .map(|item| {
            let (kind, by) = (item["event"].as_str().unwrap(), item["actor"]["login"].as_str().unwrap());
            (kind, by, item["label"]["name"].as_str())
        })
        .collect()
}

fn numbers(issues: &Value) -> Vec<u64> {
    issues.as_array().unwrap().iter().map(|issue| issue["number"].as_u64().unwrap()).collect()
}

#[test]
fn a_label_is_in_the_timeline_with_who_gave_it_and_when() {
    let Some(emulator) = Emulator::shared() else { return };
    let repo = emulator.repository();
    let number = emulator.make_issue(&repo, "deploy", &["bg:approval"], BOT);
    emulator.label(&repo, number, "bg:approved", ANN);
    emulator.unlabel(&repo, number, "bg:approved", BOT);
    emulator.label(&repo, number, "bg:approved", MALLORY);
    let timeline = emulator.timeline(&repo, number);
    let wanted = [
        // The label that it was made with is not there.
        ("opened", "bot", None),
        ("labeled", "ann", Some("bg:approved")),
        ("unlabeled", "bot", Some("bg:approved")),
        ("labeled", "mallory", Some("bg:approved")),
    ];
    assert_eq!(told(&timeline), wanted);
    let issue = emulator.issue(&repo, number);
    let names: Vec<&str> =
        issue["labels"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["bg:approval", "bg:approved"]);
    let times: Vec<_> = timeline.iter().map(|item| time(&item["created_at"])).collect();
    assert!(times.is_sorted() && times[0] >= time(&issue["created_at"]), "{times:?}");
    assert!(times[3] >= time(&issue["updated_at"]) && times[3] <= chrono::Utc::now(), "{times:?}");
}

#[test]
fn an_issue_says_why_it_was_closed_and_the_timeline_says_who_did_it() {
    let Some(emulator) = Emulator::shared() else { return };
    let repo = emulator.repository();
    let number = emulator.make_issue(&repo, "deploy", &[], BOT);
    let state = || {
        let issue = emulator.issue(&repo, number);
        ["state", "state_reason"].map(|key| issue[key].as_str().unwrap_or("-").to_owned())
    };
    assert_eq!(state(), ["open", "-"]);
    emulator.close_as_not_planned(&repo, number, ANN);
    assert_eq!(state(), ["closed", "not_planned"]);
    emulator.reopen(&repo, number, MALLORY);
    assert_eq!(state(), ["open", "reopened"]);
    emulator.close(&repo, number, BOT);
    assert_eq!(state(), ["closed", "completed"]);
    let timeline = emulator.timeline(&repo, number);
    let wanted = [("closed", "ann", None), ("reopened", "mallory", None), ("closed", "bot", None)];
    assert_eq!(told(&timeline)[1..], wanted);
    assert!(timeline[1].get("state_reason").is_none(), "{}", timeline[1]);
}

#[test]
fn edits_and_locks_are_seen_on_the_issue_and_that_they_were_made_in_the_timeline() {
    let Some(emulator) = Emulator::shared() else { return };
    let repo = emulator.repository();
    let number = emulator.make_issue(&repo, "deploy", &[], BOT);
    emulator.edit_body(&repo, number, "rm -rf /", MALLORY);
    emulator.edit_title(&repo, number, "deploy now", ANN);
    emulator.lock(&repo, number, ANN);
    let issue = emulator.issue(&repo, number);
    assert_eq!([&issue["title"], &issue["body"]], ["deploy now", "rm -rf /"]);
    assert_eq!(issue["locked"], true);
    let wanted = [("edited", "mallory", None), ("edited", "ann", None), ("locked", "ann", None)];
    assert_eq!(told(&emulator.timeline(&repo, number))[1..], wanted);
}

#[test]
fn comments_come_with_their_authors_and_whatever_since_says() {
    let Some(emulator) = Emulator::shared() else { return };
    let repo = emulator.repository();
    let number = emulator.make_issue(&repo, "deploy", &[], BOT);
    emulator.comment(&repo, number, "an hour is left", BOT);
    emulator.comment(&repo, number, "wait", ANN);
    let said: Vec<(String, String)> = emulator
        .comments(&repo, number)
        .iter()
        .map(|one| (one["user"]["login"].to_string(), one["body"].to_string()))
        .collect();
    let wanted = [("\"bot\"", "\"an hour is left\""), ("\"ann\"", "\"wait\"")];
    assert_eq!(said, wanted.map(|(by, text)| (by.to_owned(), text.to_owned())));
    let path = at(&repo, number, "/comments?since=2099-01-01T00:00:00Z");
    assert_eq!(emulator.ask(BOT.token, "GET", &path, None).body.as_array().unwrap().len(), 2);
    assert_eq!(emulator.timeline(&repo, number).len(), 1, "they are not in the timeline");
}

/// Waits until the next issue gets a later time than this one: those that were made in the same instant have no order.
fn let_its_time_pass(emulator: &Emulator, repo: &str, number: u64) {
    let made = time(&emulator.issue(repo, number)["updated_at"]);
    until("its time is over", || chrono::Utc::now() > made + chrono::TimeDelta::milliseconds(1));
}

#[test]
fn more_than_a_hundred_issues_come_in_pages_that_name_the_next_one() {
    let Some(emulator) = Emulator::shared() else { return };
    let repo = emulator.repository();
    for number in 1..=103 {
        assert_eq!(emulator.make_issue(&repo, &format!("job {number}"), &["bg:approval"], BOT), number);
        let_its_time_pass(emulator, &repo, number);
    }
    let path = format!("/repos/{repo}/issues?labels=bg%3Aapproval&state=all&per_page=100");
    let first = emulator.ask(BOT.token, "GET", &path, None);
    assert_eq!(first.body.as_array().unwrap().len(), 100);
    assert_eq!(first.body[0]["number"], 103, "the newest come first");
    let next = first.link("next").unwrap();
    assert_eq!(Some(next), first.link("last"));
    let second = emulator.ask(BOT.token, "GET", next.strip_prefix(&emulator.url()).unwrap(), None);
    assert_eq!(numbers(&second.body), [3, 2, 1]);
    assert!(second.link("next").is_none() && second.link("prev").is_some(), "{second:?}");
    let all: Vec<u64> = numbers(&Value::Array(emulator.issues(&repo)));
    assert_eq!(all, (1..=103).collect::<Vec<u64>>());
}

#[test]
fn issues_are_chosen_by_label_state_account_and_time() {
    let Some(emulator) = Emulator::shared() else { return };
    let repo = emulator.repository();
    for (labels, by) in [(&["bg:approval", "x"][..], BOT), (&["bg:approval"], ANN), (&["BG:Approval"], ANN)] {
        let number = emulator.make_issue(&repo, "deploy", labels, by);
        let_its_time_pass(emulator, &repo, number);
    }
    emulator.close(&repo, 2, ANN);
    let chosen = |query: &str| {
        let path = format!("/repos/{repo}/issues?direction=asc&{query}");
        numbers(&emulator.ask(BOT.token, "GET", &path, None).body)
    };
    assert_eq!(chosen(""), [1, 3], "only the open ones");
    assert_eq!(chosen("state=all"), [1, 2, 3]);
    assert_eq!(chosen("state=all&labels=bg%3Aapproval"), [1, 2], "its case matters");
    assert_eq!(chosen("state=all&labels=bg%3Aapproval,x"), [1], "all of them");
    assert_eq!(chosen("state=all&labels=nobody%20has%20it"), [0; 0]);
    assert_eq!(chosen("state=all&creator=bot"), [1]);
    let changed = emulator.issue(&repo, 2)["updated_at"].as_str().unwrap().to_owned();
    assert_eq!(chosen(&format!("state=all&since={changed}")), [2], "that very time counts");
    // As texts: what changed within this second is left out.
    let (second, _) = changed.split_once('.').unwrap();
    assert_eq!(chosen(&format!("state=all&since={second}Z")), [0; 0]);
    assert!(chosen(&format!("state=all&since={second}")).contains(&2));
    assert_eq!(chosen("state=all&since=2099-01-01T00:00:00Z"), [0; 0]);
}

#[test]
fn what_is_not_there_is_404_and_who_has_no_token_may_only_read() {
    let Some(emulator) = Emulator::shared() else { return };
    let repo = emulator.repository();
    emulator.make_issue(&repo, "deploy", &[], BOT);
    let asked = |token: &str, method: &str, path: &str| {
        let body = json!({ "title": "x", "body": "x", "labels": ["x"] });
        let answer = emulator.ask(token, method, path, (method != "GET").then_some(&body));
        (answer.status, answer.body["message"].as_str().unwrap_or_default().to_owned())
    };
    let not_found = (404, "Not Found".to_owned());
    for rest in ["", "/timeline", "/comments"] {
        assert_eq!(asked(BOT.token, "GET", &at(&repo, 99, rest)), not_found, "{rest}");
        assert_eq!(asked(BOT.token, "GET", &at("ann/nowhere", 1, rest)), not_found, "{rest}");
    }
    assert_eq!(asked(BOT.token, "POST", &at(&repo, 99, "/labels")), not_found);
    assert_eq!(asked(BOT.token, "POST", &at(&repo, 99, "/comments")), not_found);
    assert_eq!(asked(BOT.token, "DELETE", &at(&repo, 1, "/labels/x")), not_found);
    assert_eq!(asked("", "GET", &at(&repo, 1, "")).0, 200);
    let refused = (401, "Requires authentication".to_owned());
    assert_eq!(asked("", "POST", &format!("/repos/{repo}/issues")), refused);
    assert_eq!(asked("", "GET", "/user"), refused);
}

#[test]
fn what_an_account_may_is_known_of_the_owner_and_of_whom_was_invited() {
    let Some(emulator) = Emulator::shared() else { return };
    let repo = emulator.repository();
    let may = |who: Account| {
        let path = format!("/repos/{repo}/collaborators/{}/permission", who.login);
        let answer = emulator.ask(BOT.token, "GET", &path, None);
        let word = |key: &str| answer.body[key].as_str().unwrap_or_default().to_owned();
        (answer.status, word("permission"), word("role_name"))
    };
    let is = |status, permission: &str, role: &str| (status, permission.to_owned(), role.to_owned());
    assert_eq!(may(ANN), is(200, "admin", "admin"));
    assert_eq!(may(BOT), is(200, "push", "write"));
    assert_eq!(may(MALLORY), is(404, "", ""));
    emulator.invite(&repo, MALLORY, "triage");
    assert_eq!(may(MALLORY), is(200, "triage", "triage"));
}

#[test]
fn requests_are_counted_by_token_and_an_unknown_token_is_the_bots() {
    let Some(emulator) = Emulator::shared() else { return };
    let (one, other) = (emulator.own_token(), emulator.own_token());
    for _ in 0..3 {
        assert_eq!(emulator.ask(&one, "GET", "/user", None).body["login"], BOT.login);
    }
    assert_eq!((emulator.requests(&one), emulator.requests(&other)), (3, 0));
    assert_eq!(emulator.requests(&one), 4);
}

#[test]
fn an_emulator_ends_with_its_test_also_when_that_panics() {
    let Some(emulator) = Emulator::start("seed.yaml") else { return };
    let pid = emulator.child.id().cast_signed();
    let panicked = std::thread::spawn(move || {
        let _kept = emulator;
        std::panic::resume_unwind(Box::new("as planned"));
    });
    assert!(panicked.join().is_err());
    assert!(!is_alive(pid));
}

#[test]
fn an_emulator_ends_by_itself_when_nobody_holds_its_input() {
    let Some(mut emulator) = Emulator::start("seed.yaml") else { return };
    drop(emulator.child.stdin.take());
    until("it leaves", || emulator.child.try_wait().unwrap().is_some());
}

#[test]
fn the_emulator_is_pinned_and_its_lock_file_names_no_registry_but_npms() {
    let read = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(project("tests/github").join(name)).unwrap()).unwrap()
    };
    assert_eq!(read("package.json")["dependencies"], json!({ "emulate": "0.11.2" }));
    let lock = read("package-lock.json");
    let packages = lock["packages"].as_object().unwrap();
    assert_eq!(packages["node_modules/emulate"]["version"], "0.11.2");
    for (name, package) in packages.iter().filter(|(name, _)| !name.is_empty()) {
        let from = package["resolved"].as_str().unwrap_or("https://registry.npmjs.org/");
        assert!(from.starts_with("https://registry.npmjs.org/"), "{name}: {from}");
        assert!(package["integrity"].as_str().unwrap().starts_with("sha512-"), "{name}");
    }
}
