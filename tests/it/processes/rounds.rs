//! Many jobs wait on GitHub, and something is wrong with some of them or with all: the others are asked for all the same, and
//! nobody is asked in vain again and again.

use crate::support::{User, until};
use mockito::{Matcher, Mock, Server, ServerGuard};
use serde_json::{Value, json};
use std::io::Read;
use std::net::TcpListener;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
    mpsc,
};

/// A user whose GitHub is here. After a job was submitted, it is asked at a tick only.
fn user_of(url: &str) -> User {
    let user = User::new();
    user.make_root();
    let config = format!(
        "[approval]\npoll_interval = \"10m\"\napprovers = [\"ann\"]\n[approval.github]\napi_url = \"{url}\"\n\
        token_command = [\"echo\", \"secret-token\"]\n"
    );
    std::fs::write(user.root().join("config.toml"), config).unwrap();
    user
}

/// Jobs that wait on these, submitted at once.
fn submit(user: &User, places: &[String]) {
    let line = |place: &String| json!({ "argv": ["true"], "approval": place }).to_string() + "\n";
    std::fs::write(user.path("batch"), places.iter().map(line).collect::<String>()).unwrap();
    user.ok(["start", "--quiet", "--batch", user.path("batch").to_str().unwrap()]);
}

/// Waits until GitHub was asked for what was submitted, to the end of the asking.
fn was_asked(user: &User) {
    // One that is just being executed is not seen yet.
    until("GitHub is asked", || user.root().join("last_poll").exists());
    user.all_gone();
}

/// A tick as if GitHub had been asked long ago, to the end of the asking.
fn tick(user: &User) {
    let last = std::fs::File::open(user.root().join("last_poll")).unwrap();
    last.set_modified(std::time::UNIX_EPOCH).unwrap();
    user.ok(["tick"]);
    let asks = || last.metadata().unwrap().modified().unwrap() != std::time::UNIX_EPOCH;
    until("GitHub is asked", asks);
    user.all_gone();
}

/// What stands with the job that waits on this: the number of its issue, and what is in the way.
fn asked(user: &User, place: &str) -> (Option<u64>, String) {
    let index = user.index();
    let jobs = index["jobs"].as_array().unwrap();
    let approval = &jobs.iter().find(|job| job["approval"]["on"] == place).unwrap()["approval"];
    (approval["issue"]["number"].as_u64(), approval["trouble"].as_str().unwrap_or_default().to_owned())
}

fn issue() -> Value {
    json!({
        "number": 5, "title": "Deploy", "body": "text", "user": {"login": "bot"}, "state": "open", "state_reason": null,
        "locked": false, "labels": [{ "name": "bg:approval" }], "created_at": "2026-02-13T10:00:00Z",
        "updated_at": "2026-02-13T11:00:00Z",
    })
}

/// A repository on which all is well.
fn well(server: &mut ServerGuard, repository: &str) -> [Mock; 2] {
    let path = format!("/repos/{repository}/issues");
    [
        server.mock("POST", &*path).with_status(201).with_body(issue().to_string()).create(),
        server.mock("GET", &*path).match_query(Matcher::Any).with_body(json!([issue()]).to_string()).create(),
    ]
}

#[test]
fn issues_that_are_not_there_keep_no_other_job_from_being_asked_for() {
    let mut server = Server::new();
    let _well = well(&mut server, "z/good");
    let missing = Matcher::Regex("^/repos/a/missing/".to_owned());
    let _missing = server.mock("GET", missing).with_status(404).with_body("{}").create();
    let user = user_of(&server.url());
    let mut places: Vec<String> = (1..=21).map(|number| format!("github:a/missing#{number}")).collect();
    places.push("github:z/good".to_owned());
    submit(&user, &places);
    was_asked(&user);
    tick(&user);
    assert!(asked(&user, "github:a/missing#1").1.contains("GitHub has no"), "{}", user.index());
    assert_eq!(asked(&user, "github:z/good"), (Some(5), String::new()));
}

#[test]
fn a_repository_that_is_not_there_is_asked_once_for_all_its_jobs() {
    let mut server = Server::new();
    let _well = well(&mut server, "z/good");
    let missing = server.mock("POST", "/repos/a/missing/issues").with_status(404).with_body("{}");
    let missing = missing.expect(1).create();
    let user = user_of(&server.url());
    let mut places = vec!["github:a/missing".to_owned(); 25];
    places.push("github:z/good".to_owned());
    submit(&user, &places);
    was_asked(&user);
    missing.assert();
    assert!(asked(&user, "github:a/missing").1.contains("GitHub has no"), "{}", user.index());
    assert_eq!(asked(&user, "github:z/good"), (Some(5), String::new()));
}

#[test]
fn a_token_that_is_refused_is_shown_once_for_all_jobs() {
    let mut server = Server::new();
    let any = Matcher::Regex("^/".to_owned());
    let refused = server.mock("POST", any).with_status(401).with_body("{}").expect(1).create();
    let user = user_of(&server.url());
    submit(&user, &["github:o/a", "github:o/a", "github:o/b#1", "github:o/c"].map(str::to_owned));
    was_asked(&user);
    refused.assert();
    for place in ["github:o/a", "github:o/b#1", "github:o/c"] {
        assert!(asked(&user, place).1.contains("does not accept the token"), "{}", user.index());
    }
}

#[test]
fn where_github_gives_no_answer_it_is_given_up_after_three_requests() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 1_024]);
        }
    });
    let user = user_of(&url);
    let places: Vec<String> = (1..=10).map(|number| format!("github:o/r{number}")).collect();
    submit(&user, &places);
    was_asked(&user);
    assert_eq!(requests.load(Ordering::SeqCst), 3);
    for place in &places {
        assert!(asked(&user, place).1.contains("could not be reached"), "{}", user.index());
    }
}

#[test]
fn a_job_that_is_cancelled_while_others_are_asked_for_is_not_asked_for() {
    let mut server = Server::new();
    let (came, asking) = mpsc::channel();
    let (go, goes) = mpsc::channel::<()>();
    let (came, goes) = (std::sync::Mutex::new(came), std::sync::Mutex::new(goes));
    let first = server.mock("POST", "/repos/o/a/issues").with_status(201).with_body_from_request(move |_| {
        came.lock().unwrap().send(()).unwrap();
        goes.lock().unwrap().recv().unwrap();
        issue().to_string().into_bytes()
    });
    let first = first.expect(1).create();
    let second = server.mock("POST", "/repos/o/b/issues").with_status(201).with_body(issue().to_string());
    let second = second.expect(0).create();
    let any = Matcher::Regex("^/repos/".to_owned());
    let _list = server.mock("GET", any).with_body(json!([issue()]).to_string()).create();
    let user = user_of(&server.url());
    submit(&user, &["github:o/a", "github:o/b"].map(str::to_owned));
    asking.recv().unwrap();
    let index = user.index();
    let jobs = index["jobs"].as_array().unwrap();
    let other = jobs.iter().find(|job| job["approval"]["on"] == "github:o/b").unwrap()["id"].clone();
    user.ok(["cancel", other.as_str().unwrap()]);
    go.send(()).unwrap();
    user.all_gone();
    first.assert();
    second.assert();
}

#[test]
fn what_is_edited_in_the_index_while_github_is_asked_is_not_approved() {
    let mut server = Server::new();
    let made = well(&mut server, "o/a");
    let user = user_of(&server.url());
    submit(&user, &["github:o/a".to_owned()]);
    was_asked(&user);
    made.iter().for_each(Mock::remove);
    let path = user.root().join("jobs.json");
    let mut approved = issue();
    approved["labels"] = json!([{ "name": "bg:approval" }, { "name": "bg:approved" }]);
    let _list = server
        .mock("GET", "/repos/o/a/issues")
        .match_query(Matcher::Any)
        .with_body(json!([approved]).to_string())
        .create();
    let labelled = json!([{
        "event": "labeled", "label": { "name": "bg:approved" }, "actor": { "login": "ann" },
        "created_at": "2026-02-13T10:01:00Z",
    }]);
    let _timeline = server
        .mock("GET", "/repos/o/a/issues/5/timeline")
        .match_query(Matcher::Any)
        .with_body_from_request(move |_| {
            let index = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, index.replace("\"argv\":[\"true\"]", "\"argv\":[\"false\"]")).unwrap();
            labelled.to_string().into_bytes()
        })
        .create();
    tick(&user);
    let job = &user.index()["jobs"][0];
    assert_eq!((&job["argv"], &job["status"]), (&json!(["false"]), &json!("waiting_approval")));
    tick(&user);
    assert!(asked(&user, "github:o/a").1.contains("are not those that were asked about"), "{}", user.index());
}
