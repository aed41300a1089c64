//! What is asked of GitHub, and what its answers come to, with a server on this machine.

mod answers;
mod broken;
mod requests;

use bgctl::github::{Cache, Client, Limits, Refusal, Token, find};
use bgctl::model::{Timestamp, approval::Repository, config::GitHub};
use bgctl::os::clock::Clock;
use mockito::{Matcher, Mock, Server, ServerGuard};
use serde_json::{Value, json};
use std::time::Duration;

const SECRET: &str = "ghp_0123456789abcdef";
const ISSUE: &str = "/repos/o/r/issues/5";

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        at("2026-02-13T10:00:00Z")
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn repository() -> Repository {
    Repository { owner: "o".to_owned(), name: "r".to_owned() }
}

fn token(secret: &str) -> Token {
    find(&settings("https://api.github.com"), |name| (name == "GH_TOKEN").then(|| secret.into())).unwrap()
}

fn settings(api_url: &str) -> GitHub {
    GitHub { api_url: api_url.to_owned(), token_file: None, token_command: None }
}

fn client(api_url: &str) -> Client<'static> {
    client_with(api_url, SECRET, Cache::default())
}

fn client_with(api_url: &str, secret: &str, cache: Cache) -> Client<'static> {
    Client::new(&settings(api_url), token(secret), cache, &Still)
}

/// One that waits shortly and reads little.
fn short_client(api_url: &str, limits: Limits) -> Client<'static> {
    Client::with_limits(&settings(api_url), token(SECRET), Cache::default(), &Still, limits)
}

/// An issue as GitHub shows it.
fn issue(number: u64) -> Value {
    json!({
        "number": number, "title": "Run it?", "body": "text", "user": {"login": "ann"}, "state": "open",
        "state_reason": null, "locked": false, "labels": [{"name": "bg:approval"}],
        "created_at": "2026-02-13T10:00:00Z", "updated_at": "2026-02-13T11:00:00Z",
    })
}

/// GitHub for one test.
struct Hub {
    server: ServerGuard,
}

impl Hub {
    fn new() -> Self {
        Self { server: Server::new() }
    }

    fn url(&self) -> String {
        self.server.url()
    }

    /// What it answers to this path, whatever is asked of it.
    fn on(&mut self, method: &str, path: &str) -> Mock {
        self.server.mock(method, path).match_query(Matcher::Any)
    }

    /// Its answer to a look at issue 5.
    fn issue(&mut self) -> Mock {
        self.on("GET", ISSUE).with_body(issue(5).to_string())
    }
}

/// What became of a look at issue 5.
#[track_caller]
fn refused(client: &mut Client<'_>) -> Refusal {
    let refusal = client.issue(&repository(), 5).unwrap_err();
    assert_secret_is_hidden(client, &refusal);
    refusal
}

#[track_caller]
fn assert_secret_is_hidden(client: &Client<'_>, refusal: &Refusal) {
    let shown = format!("{refusal} {refusal:?} {client:?} {:?}", client.cache);
    assert!(!shown.contains(SECRET), "{shown}");
}
