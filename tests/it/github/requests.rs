//! What is sent.

use super::{Hub, ISSUE, SECRET, at, client, issue, repository};
use bgctl::github::Refusal;
use bgctl::plan::verdict::{Step, StepKind};
use mockito::Matcher;
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpListener;

/// Takes one request, answers it with an empty object, and gives its lines in order.
fn overhear(ask: impl FnOnce(String)) -> Vec<String> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            let mut byte = [0_u8];
            stream.read_exact(&mut byte).unwrap();
            bytes.push(byte[0]);
        }
        let head = String::from_utf8(bytes).unwrap();
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0_u8; length.unwrap_or(0)];
        stream.read_exact(&mut body).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
        let head = head.trim_end().lines().map(|line| {
            let (name, value) = line.split_once(": ").unwrap_or(("", line));
            if name.is_empty() { value.to_owned() } else { format!("{}: {value}", name.to_lowercase()) }
        });
        let mut lines: Vec<String> = head.collect();
        lines[1..].sort();
        lines.push(String::from_utf8(body).unwrap());
        lines
    });
    ask(url);
    heard.join().unwrap()
}

#[test]
fn what_is_asked_has_these_headers_and_no_others() {
    let mut host = String::new();
    let lines = overhear(|url| {
        host = url.strip_prefix("http://").unwrap().to_owned();
        client(&url).issue(&repository(), 5).unwrap_err();
    });
    let expected = [
        format!("GET {ISSUE} HTTP/1.1"),
        "accept-encoding: gzip".to_owned(),
        "accept: application/vnd.github+json".to_owned(),
        format!("authorization: Bearer {SECRET}"),
        format!("host: {host}"),
        format!("user-agent: bgctl/{}", env!("CARGO_PKG_VERSION")),
        "x-github-api-version: 2026-03-10".to_owned(),
        String::new(),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn what_is_made_has_these_headers_and_no_others() {
    let mut host = String::new();
    let lines = overhear(|url| {
        host = url.strip_prefix("http://").unwrap().to_owned();
        client(&url).comment(&repository(), 5, "so \"quoted\"\n").unwrap_err();
    });
    let body = r#"{"body":"so \"quoted\"\n"}"#;
    let expected = [
        format!("POST {ISSUE}/comments HTTP/1.1"),
        "accept-encoding: gzip".to_owned(),
        "accept: application/vnd.github+json".to_owned(),
        format!("authorization: Bearer {SECRET}"),
        format!("content-length: {}", body.len()),
        "content-type: application/json".to_owned(),
        format!("host: {host}"),
        format!("user-agent: bgctl/{}", env!("CARGO_PKG_VERSION")),
        "x-github-api-version: 2026-03-10".to_owned(),
        body.to_owned(),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn the_issues_of_a_label_are_asked_for_in_one_order_since_a_time() {
    let line = overhear(|url| {
        client(&url).issues(&repository(), "bg: wäit&x", at("2026-02-13T10:00:00.5Z")).unwrap_err();
    });
    let expected = "GET /repos/o/r/issues?labels=bg:%20w%C3%A4it%26x&state=all&since=2026-02-13T10:00:00Z\
                    &sort=created&direction=asc&per_page=100 HTTP/1.1";
    assert_eq!(line[0], expected);
}

#[test]
fn an_interface_below_a_path_is_asked_there() {
    let line = overhear(|url| {
        client(&format!("{url}/api/v3")).may_write(&repository(), "dependabot[bot]").unwrap_err();
    });
    assert_eq!(line[0], "GET /api/v3/repos/o/r/collaborators/dependabot%5Bbot%5D/permission HTTP/1.1");
}

#[test]
fn own_issues_are_those_of_the_account_which_is_asked_for_once() {
    let mut hub = Hub::new();
    let user = hub.on("GET", "/user").with_body(r#"{"login": "ann"}"#).expect(1).create();
    let list = hub
        .on("GET", "/repos/o/r/issues")
        .match_query(Matcher::UrlEncoded("creator".into(), "ann".into()))
        .with_body(json!([issue(5)]).to_string())
        .expect(2)
        .create();
    let mut client = client(&hub.url());
    for _ in 0..2 {
        assert_eq!(client.own_issues(&repository(), at("2026-02-13T10:00:00Z")).unwrap()[0].number, 5);
    }
    assert_eq!(client.sent, 3);
    user.assert();
    list.assert();
}

#[test]
fn where_the_account_is_not_told_the_issues_of_everybody_are_asked_for() {
    let mut hub = Hub::new();
    let user = hub.on("GET", "/user").with_status(403).expect(1).create();
    let query = "state=all&since=2026-02-13T10:00:00Z&sort=created&direction=asc&per_page=100";
    let list = hub.on("GET", "/repos/o/r/issues").match_query(query).with_body("[]").expect(2).create();
    let mut client = client(&hub.url());
    for _ in 0..2 {
        assert!(client.own_issues(&repository(), at("2026-02-13T10:00:00Z")).unwrap().is_empty());
    }
    user.assert();
    list.assert();
}

#[test]
fn a_limit_on_the_way_to_the_account_is_a_limit() {
    let mut hub = Hub::new();
    let _user = hub.on("GET", "/user").with_status(403).with_header("retry-after", "5").create();
    let refusal = client(&hub.url()).own_issues(&repository(), at("2026-02-13T10:00:00Z")).unwrap_err();
    assert_eq!(refusal, Refusal::Limited { until: at("2026-02-13T10:00:05Z") });
}

#[test]
fn an_issue_is_made_with_its_label() {
    let mut hub = Hub::new();
    let wanted = json!({"title": "Run it?", "body": "a\nb", "labels": ["bg:approval"]});
    let mut made = issue(7);
    made["body"] = json!("a\r\nb");
    let post = hub
        .on("POST", "/repos/o/r/issues")
        .match_body(Matcher::Json(wanted))
        .with_status(201)
        .with_body(made.to_string())
        .create();
    let made = client(&hub.url()).make_issue(&repository(), "Run it?", "a\nb", "bg:approval").unwrap();
    assert_eq!((made.number, made.by.as_str(), made.has_label), (7, "ann", true));
    assert_eq!(made.at, at("2026-02-13T10:00:00Z"));
    assert_eq!(made.content, bgctl::model::approval::text_hash("Run it?", "a\nb"));
    post.assert();
}

#[test]
fn an_issue_that_was_made_without_its_label_is_told() {
    let mut hub = Hub::new();
    let mut made = issue(7);
    made["labels"] = json!([]);
    let _post = hub.on("POST", "/repos/o/r/issues").with_status(201).with_body(made.to_string()).create();
    assert!(!client(&hub.url()).make_issue(&repository(), "t", "b", "bg:approval").unwrap().has_label);
}

#[test]
fn a_comment_is_made() {
    let mut hub = Hub::new();
    let comment = json!({"body": "b", "user": {"login": "ann"}, "created_at": "2026-02-13T10:00:00Z"});
    let path = format!("{ISSUE}/comments");
    let _post = hub.on("POST", &path).with_status(201).with_body(comment.to_string()).create();
    let made = client(&hub.url()).comment(&repository(), 5, "b").unwrap();
    assert_eq!((made.number, made.by.as_str(), made.content.as_str()), (5, "ann", ""));
}

#[test]
fn a_label_is_given_and_looked_for_in_the_answer() {
    let mut hub = Hub::new();
    let path = format!("{ISSUE}/labels");
    let wanted = Matcher::Json(json!({"labels": ["bg:approval"]}));
    let post = hub.on("POST", &path).match_body(wanted).with_body(r#"[{"name": "BG:approval"}]"#).create();
    client(&hub.url()).add_label(&repository(), 5, "bg:approval").unwrap();
    post.assert();
    let _none = hub.on("POST", &path).with_body("[]").create();
    let refusal = client(&hub.url()).add_label(&repository(), 5, "bg:approval").unwrap_err();
    assert_eq!(refusal, Refusal::Forbidden("set labels"));
}

#[test]
fn what_happened_comes_in_its_order_over_all_pages() {
    let mut hub = Hub::new();
    let path = format!("{ISSUE}/timeline");
    let step = |event: &str| {
        json!([{"event": "mentioned"},
               {"event": event, "label": {"name": "x"}, "actor": {"login": "ann"}, "created_at": "2026-02-13T10:00:00Z"}])
    };
    let next = format!("<{}{path}?page=2>; rel=\"next\"", hub.url());
    let first = hub.on("GET", &path).match_query("per_page=100").with_header("link", &next);
    let _first = first.with_body(step("labeled").to_string()).create();
    let _second = hub.on("GET", &path).match_query("page=2").with_body(step("closed").to_string()).create();
    let steps = client(&hub.url()).steps(&repository(), 5).unwrap();
    let by = || Some("ann".to_owned());
    let at = at("2026-02-13T10:00:00Z");
    let labelled = Step { kind: StepKind::Labelled("x".to_owned()), by: by(), at };
    assert_eq!(steps, [labelled, Step { kind: StepKind::Closed, by: by(), at }]);
}

#[test]
fn the_comments_since_a_time_are_told_with_their_marks() {
    let mut hub = Hub::new();
    let comment =
        json!([{"body": "x\r\n<!-- bg: 1 -->\r\n", "user": null, "created_at": "2026-02-13T10:00:00Z"}]);
    let query = "since=2026-02-13T09:00:00Z&per_page=100";
    let path = format!("{ISSUE}/comments");
    let _get = hub.on("GET", &path).match_query(query).with_body(comment.to_string()).create();
    let comments = client(&hub.url()).comments(&repository(), 5, at("2026-02-13T09:00:00Z")).unwrap();
    assert_eq!(comments.len(), 1);
    assert_eq!((comments[0].by.as_deref(), comments[0].mark.as_deref()), (None, Some("<!-- bg: 1 -->")));
}

#[test]
fn who_may_write_is_told_and_a_stranger_may_not() {
    let mut hub = Hub::new();
    let path = |who: &str| format!("/repos/o/r/collaborators/{who}/permission");
    let _ann = hub.on("GET", &path("ann")).with_body(r#"{"permission": "write"}"#).create();
    let _ben = hub.on("GET", &path("ben")).with_body(r#"{"permission": "read"}"#).create();
    let _cyd = hub.on("GET", &path("cyd")).with_status(404).create();
    let _dan = hub.on("GET", &path("dan")).with_status(403).create();
    let mut client = client(&hub.url());
    assert_eq!(client.may_write(&repository(), "ann"), Ok(true));
    assert_eq!(client.may_write(&repository(), "ben"), Ok(false));
    assert_eq!(client.may_write(&repository(), "cyd"), Ok(false));
    assert_eq!(client.may_write(&repository(), "dan"), Err(Refusal::Forbidden("see who may write")));
}
