//! GitHub does not answer as one would like: the job goes on waiting, `status` and `health` say why, and no more is asked than
//! GitHub wants.

use crate::support::{User, until};
use mockito::{Matcher, Mock, Server, ServerGuard};
use serde_json::{Value, json};

const ISSUE: &str = "/repos/o/r/issues/5";
const LIST: &str = "/repos/o/r/issues";

/// A user with a job that waits on issue 5, and GitHub as one test wants it. Nobody asks but at a tick.
struct Asker {
    user: User,
    server: ServerGuard,
    id: String,
}

fn issue(labels: &[&str]) -> Value {
    let labels: Vec<Value> = labels.iter().map(|name| json!({ "name": name })).collect();
    json!({
        "number": 5, "title": "Deploy", "body": "text", "user": {"login": "bot"}, "state": "open", "state_reason": null,
        "locked": false, "labels": labels, "created_at": "2026-02-13T10:00:00Z", "updated_at": "2026-02-13T11:00:00Z",
    })
}

impl Asker {
    fn new() -> Self {
        let user = User::new();
        let mut server = Server::new();
        user.make_root();
        let config = format!(
            "[approval]\npoll_interval = \"10m\"\napprovers = [\"ann\"]\n[approval.github]\napi_url = \"{}\"\n\
            token_command = [\"echo\", \"secret-token\"]\n",
            server.url()
        );
        std::fs::write(user.root().join("config.toml"), config).unwrap();
        let comment = json!({ "created_at": "2026-02-13T10:00:00Z", "user": {"login": "bot"}, "body": "" });
        let made = [
            server.mock("GET", ISSUE).with_body(issue(&[]).to_string()).create(),
            server
                .mock("POST", "/repos/o/r/issues/5/comments")
                .with_status(201)
                .with_body(comment.to_string())
                .create(),
            server
                .mock("POST", "/repos/o/r/issues/5/labels")
                .with_body(json!([{ "name": "bg:approval" }]).to_string())
                .create(),
            list(&mut server).with_body(json!([issue(&["bg:approval"])]).to_string()).create(),
        ];
        let id = user.start(["--approval", "github:o/r#5", "--", "true"]);
        user.all_gone();
        made.iter().for_each(Mock::remove);
        assert_eq!(user.index()["jobs"][0]["approval"]["issue"]["number"], 5, "{}", user.index());
        Self { user, server, id }
    }

    /// A tick as if GitHub had been asked long ago, to the end of the asking.
    fn tick(&self) {
        let last = std::fs::File::open(self.user.root().join("last_poll")).unwrap();
        last.set_modified(std::time::UNIX_EPOCH).unwrap();
        self.user.ok(["tick"]);
        // One that is just being executed is not seen yet.
        let asks = || last.metadata().unwrap().modified().unwrap() != std::time::UNIX_EPOCH;
        until("GitHub is asked", asks);
        self.user.all_gone();
    }

    fn trouble(&self) -> Option<String> {
        assert_eq!(self.user.status(&self.id), "waiting_approval");
        self.user.index()["jobs"][0]["approval"]["trouble"].as_str().map(str::to_owned)
    }
}

fn list(server: &mut ServerGuard) -> Mock {
    server.mock("GET", LIST).match_query(Matcher::Any)
}

#[test]
fn what_github_answers_instead_is_told_and_goes_when_it_is_over() {
    let mut asker = Asker::new();
    for (status, words) in [
        (401, "does not accept the token"),
        (403, "has no right to"),
        (404, "GitHub has no"),
        (410, "is gone"),
        (301, "has moved"),
        (500, "error 500"),
        (503, "error 503"),
        (418, "not understood"),
    ] {
        let elsewhere = Server::new().url();
        let answer =
            list(&mut asker.server).with_status(status).with_header("location", &elsewhere).with_body("{}");
        let mock = answer.expect(1).create();
        asker.tick();
        mock.assert();
        let trouble = asker.trouble().unwrap();
        assert!(trouble.contains(words) && !trouble.contains("secret-token"), "{status}: {trouble}");
        let status = asker.user.ok(["status", &asker.id]);
        assert!(status.contains(words), "{status}");
        let health = asker.user.run(["health"]);
        assert!(health.code == 1 && health.out.contains(words), "{}", health.out);
        mock.remove();
    }
    let _well = list(&mut asker.server).with_body(json!([issue(&["bg:approval"])]).to_string()).create();
    asker.tick();
    assert_eq!(asker.trouble(), None);
    assert_eq!(asker.user.run(["health"]).code, 0);
}

#[test]
fn an_answer_that_breaks_off_or_is_no_answer_is_told() {
    let mut asker = Asker::new();
    for (body, words) in
        [("[{\"number\": 5", "not understood"), ("<html>", "not understood"), ("[{}]", "not understood")]
    {
        let mock = list(&mut asker.server).with_body(body).create();
        asker.tick();
        let trouble = asker.trouble().unwrap();
        assert!(trouble.contains(words), "{body}: {trouble}");
        mock.remove();
    }
    // Nobody listens there any more.
    let url = asker.server.url();
    let config = asker.user.root().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace(&url, "http://127.0.0.1:9")).unwrap();
    asker.tick();
    assert!(asker.trouble().unwrap().contains("could not be reached"));
}

#[test]
fn nothing_is_asked_before_github_wants_it() {
    let mut asker = Asker::new();
    let answer = list(&mut asker.server).with_status(429).with_header("retry-after", "3600").with_body("{}");
    let limited = answer.expect(1).create();
    asker.tick();
    assert!(asker.trouble().unwrap().contains("wants no more requests before"));
    asker.tick();
    asker.tick();
    limited.assert();
}

#[test]
fn a_limit_from_a_clock_that_was_a_year_ahead_holds_nobody_up() {
    let mut asker = Asker::new();
    let path = asker.user.root().join("polled.json");
    let mut kept: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    kept["limited_until"] = json!(chrono::Utc::now() + chrono::TimeDelta::days(365));
    std::fs::write(&path, kept.to_string()).unwrap();
    let well = list(&mut asker.server).with_body(json!([issue(&["bg:approval"])]).to_string()).expect(1);
    let well = well.create();
    asker.tick();
    well.assert();
    assert_eq!(asker.trouble(), None);
}

#[test]
fn what_has_not_changed_is_asked_with_the_mark_of_its_answer() {
    let mut asker = Asker::new();
    let first = list(&mut asker.server)
        .with_header("etag", "\"one\"")
        .with_body(json!([issue(&["bg:approval"])]).to_string())
        .create();
    asker.tick();
    first.remove();
    let same =
        list(&mut asker.server).match_header("if-none-match", "\"one\"").with_status(304).expect(2).create();
    asker.tick();
    asker.tick();
    same.assert();
    assert_eq!(asker.trouble(), None);
    same.remove();
    let step = json!([{
        "event": "labeled", "label": {"name": "bg:approved"}, "actor": {"login": "Ann"},
        "created_at": "2026-02-13T10:30:00Z",
    }]);
    let _steps = asker
        .server
        .mock("GET", "/repos/o/r/issues/5/timeline")
        .match_query(Matcher::Any)
        .with_body(step.to_string())
        .create();
    let _list = list(&mut asker.server)
        .with_body(json!([issue(&["bg:approval", "bg:approved"])]).to_string())
        .create();
    asker.tick();
    until("it is approved", || asker.user.status(&asker.id) == "completed");
    assert_eq!(asker.user.job(&asker.id)["answers"][0]["by"], "Ann");
}

#[test]
fn where_it_is_not_known_who_may_write_nobody_approves() {
    let mut asker = Asker::new();
    let config = asker.user.root().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("approvers = [\"ann\"]\n", "")).unwrap();
    let step = json!([{
        "event": "labeled", "label": {"name": "bg:approved"}, "actor": {"login": "ann"},
        "created_at": "2026-02-13T10:30:00Z",
    }]);
    let timeline = "/repos/o/r/issues/5/timeline";
    let _steps =
        asker.server.mock("GET", timeline).match_query(Matcher::Any).with_body(step.to_string()).create();
    let _list = list(&mut asker.server)
        .with_body(json!([issue(&["bg:approval", "bg:approved"])]).to_string())
        .create();
    let may = "/repos/o/r/collaborators/ann/permission";
    let refused = asker.server.mock("GET", may).with_status(403).with_body("{}").create();
    asker.tick();
    let trouble = asker.trouble().unwrap();
    assert!(trouble.contains("not known whether ann may write"), "{trouble}");
    refused.remove();
    let reader = asker.server.mock("GET", may).with_body("{\"permission\":\"read\"}").create();
    asker.tick();
    assert!(asker.trouble().unwrap().contains("ann, who may not write"));
    reader.remove();
    let _writer = asker.server.mock("GET", may).with_body("{\"permission\":\"write\"}").create();
    asker.tick();
    until("it is approved", || asker.user.status(&asker.id) == "completed");
}

#[test]
fn while_github_does_not_answer_one_process_waits_for_it_and_nobody_else() {
    let user = User::new();
    user.make_root();
    // It takes connections, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = format!(
        "[approval]\npoll_interval = 1\n[approval.github]\napi_url = \"http://{}\"\ntoken_command = [\"echo\", \"t\"]\n",
        silent.local_addr().unwrap()
    );
    std::fs::write(user.root().join("config.toml"), config).unwrap();
    let waiting = user.start(["--approval", "github:o/r", "--", "true"]);
    let asked = silent.accept().unwrap();
    silent.set_nonblocking(true).unwrap();
    // The index is free, and whoever else would ask sees that somebody does.
    let id = user.start(["--", "true"]);
    assert_eq!(user.wait(&id), 0);
    for _ in 0..3 {
        user.ok(["tick"]);
    }
    assert_eq!(user.status(&waiting), "waiting_approval");
    assert_eq!(silent.accept().map(drop).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    user.ok(["cancel", &waiting]);
    drop(asked);
    drop(silent);
    user.all_gone();
}
