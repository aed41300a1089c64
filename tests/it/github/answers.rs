//! What is kept of answers, and what those come to that are refusals.

use super::{Hub, ISSUE, SECRET, at, client, client_with, issue, refused, repository};
use bgctl::github::{Cache, Refusal};
use mockito::Matcher;
use serde_json::json;

const SINCE: &str = "2026-02-13T10:00:00Z";

#[test]
fn all_pages_are_read() {
    let mut hub = Hub::new();
    let list = "/repos/o/r/issues";
    let next = |page: u8| {
        format!("<{0}{list}?page={page}>; rel=\"next\", <{0}{list}?page=3>; rel=\"last\"", hub.url())
    };
    let (second, third) = (next(2), next(3));
    let mut page = |query: &str, number: u64| {
        hub.on("GET", list)
            .match_query(Matcher::Regex(query.to_owned()))
            .with_body(json!([issue(number)]).to_string())
    };
    let _first = page("labels=", 1).with_header("link", &second).create();
    let _second = page("page=2", 2).with_header("link", &third).create();
    let _third = page("page=3", 3).create();
    let mut client = client(&hub.url());
    let issues = client.issues(&repository(), "bg:approval", at(SINCE)).unwrap();
    assert_eq!(issues.iter().map(|issue| issue.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(client.sent, 3);
}

#[test]
fn pages_without_end_are_not_followed_for_ever() {
    let mut hub = Hub::new();
    let next = format!("<{}/repos/o/r/issues?page=x>; rel=\"next\"", hub.url());
    let page = hub.on("GET", "/repos/o/r/issues").with_header("link", &next).with_body("[]");
    let page = page.expect(50).create();
    let mut client = client(&hub.url());
    let refusal = client.issues(&repository(), "x", at(SINCE)).unwrap_err();
    assert_eq!(refusal, Refusal::Odd("repository o/r has more than 50 pages".to_owned()));
    page.assert();
}

#[test]
fn a_next_page_elsewhere_is_refused_and_nothing_is_sent_there() {
    let (mut hub, mut other) = (Hub::new(), Hub::new());
    let elsewhere = other.on("GET", "/page").expect(0).create();
    let https = hub.url().replace("http:", "https:");
    for url in [format!("{}/page", other.url()), format!("{https}/page"), "/page".to_owned()] {
        let link = format!("<{url}>; rel=\"next\"");
        let _first = hub.on("GET", "/repos/o/r/issues").with_header("link", &link).with_body("[]").create();
        let mut client = client(&hub.url());
        let refusal = client.issues(&repository(), "x", at(SINCE)).unwrap_err();
        assert_eq!(refusal, Refusal::Odd("its next page is on another host".to_owned()), "{url}");
        assert_eq!(client.sent, 1);
    }
    elsewhere.assert();
}

#[test]
fn a_redirect_is_not_followed() {
    let (mut hub, mut other) = (Hub::new(), Hub::new());
    let elsewhere = other.on("GET", ISSUE).expect(0).create();
    let elsewhere_made = other.on("POST", &format!("{ISSUE}/comments")).expect(0).create();
    let location = format!("{}{ISSUE}", other.url());
    for status in [301, 302, 307, 308] {
        let _moved = hub.on("GET", ISSUE).with_status(status).with_header("location", &location).create();
        let mut client = client(&hub.url());
        assert_eq!(refused(&mut client), Refusal::Moved("issue o/r#5".to_owned()), "{status}");
        assert_eq!(client.sent, 1);
        let path = format!("{ISSUE}/comments");
        let _moved = hub.on("POST", &path).with_status(status).with_header("location", &location).create();
        let refusal = client.comment(&repository(), 5, "b").unwrap_err();
        assert_eq!(refusal, Refusal::Moved("issue o/r#5".to_owned()), "{status}");
    }
    let _nowhere = hub.on("GET", ISSUE).with_status(301).create();
    assert_eq!(refused(&mut client(&hub.url())), Refusal::Moved("issue o/r#5".to_owned()));
    elsewhere.assert();
    elsewhere_made.assert();
}

#[test]
fn what_is_still_the_same_is_taken_from_what_is_kept() {
    let mut hub = Hub::new();
    let list = "/repos/o/r/issues";
    let next = format!("<{}{list}?page=2>; rel=\"next\"", hub.url());
    let body = |number: u64| json!([issue(number)]).to_string();
    let page = |hub: &mut Hub, query: &str| hub.on("GET", list).match_query(Matcher::Regex(query.to_owned()));
    let first = page(&mut hub, "labels=").match_header("if-none-match", Matcher::Missing).expect(1);
    let first = first.with_header("etag", "W/\"1\"").with_header("link", &next).with_body(body(1)).create();
    let second = page(&mut hub, "page=2").match_header("if-none-match", Matcher::Missing).expect(1);
    let second = second.with_header("etag", "\"2\"").with_body(body(2)).create();
    let same = page(&mut hub, "labels=")
        .match_header("if-none-match", "W/\"1\"")
        .with_status(304)
        .expect(1)
        .create();
    let other = page(&mut hub, "page=2").match_header("if-none-match", "\"2\"").expect(1);
    let other = other.with_header("etag", "\"3\"").with_body(body(3)).create();

    let mut before = client(&hub.url());
    let numbers = |client: &mut bgctl::github::Client<'_>| -> Vec<u64> {
        let issues = client.issues(&repository(), "x", at(SINCE)).unwrap();
        issues.into_iter().map(|issue| issue.number).collect()
    };
    assert_eq!(numbers(&mut before), [1, 2]);
    let written = serde_json::to_string(&before.cache).unwrap();
    assert!(!written.contains("Run it?"), "only what is of use is kept: {written}");
    let mut after = client_with(&hub.url(), SECRET, serde_json::from_str(&written).unwrap());
    assert_eq!(numbers(&mut after), [1, 3]);
    assert_eq!(after.sent, 2);
    for mock in [first, second, same, other] {
        mock.assert();
    }
}

#[test]
fn a_last_page_that_is_full_is_not_kept_because_what_comes_next_does_not_change_it() {
    let mut hub = Hub::new();
    let page = |numbers: std::ops::Range<u64>| json!(numbers.map(issue).collect::<Vec<_>>()).to_string();
    let mut kept_of = |length: u64| {
        let list = hub.on("GET", "/repos/o/r/issues").with_header("etag", "\"1\"");
        let _list = list.with_body(page(0..length)).create();
        let mut client = client(&hub.url());
        assert_eq!(client.issues(&repository(), "x", at(SINCE)).unwrap().len() as u64, length);
        client.cache.answers.len()
    };
    assert_eq!([kept_of(99), kept_of(100)], [1, 0]);
}

#[test]
fn an_answer_without_a_mark_is_not_kept() {
    let mut hub = Hub::new();
    let _issue = hub.issue().create();
    let mut client = client(&hub.url());
    client.issue(&repository(), 5).unwrap();
    assert!(client.cache.answers.is_empty());
}

#[test]
fn comments_are_never_kept() {
    let mut hub = Hub::new();
    let comments =
        hub.on("GET", &format!("{ISSUE}/comments")).match_header("if-none-match", Matcher::Missing);
    let comments = comments.with_header("etag", "\"1\"").with_body("[]").expect(2).create();
    let mut client = client(&hub.url());
    for _ in 0..2 {
        client.comments(&repository(), 5, at(SINCE)).unwrap();
    }
    assert!(client.cache.answers.is_empty());
    comments.assert();
}

/// What is kept after a look at issue 5.
fn kept(hub: &mut Hub) -> Cache {
    let _issue = hub.issue().with_header("etag", "\"1\"").create();
    let mut client = client(&hub.url());
    client.issue(&repository(), 5).unwrap();
    client.cache
}

#[test]
fn another_token_forgets_what_was_kept() {
    let mut hub = Hub::new();
    let cache = kept(&mut hub);
    assert_eq!(cache.answers.len(), 1);
    assert_eq!(cache.token.len(), 16);
    let unconditional = hub.issue().match_header("if-none-match", Matcher::Missing).expect(1).create();
    let mut client = client_with(&hub.url(), "ghp_another", cache.clone());
    assert!(client.cache.answers.is_empty());
    assert_ne!(client.cache.token, cache.token);
    client.issue(&repository(), 5).unwrap();
    unconditional.assert();
}

#[test]
fn what_is_kept_in_a_form_that_is_not_known_is_asked_for_anew() {
    let mut hub = Hub::new();
    let mut cache = kept(&mut hub);
    cache.answers.values_mut().for_each(|answer| answer.said = json!({"another": "form"}));
    let unconditional = hub.issue().match_header("if-none-match", Matcher::Missing).expect(1).create();
    client_with(&hub.url(), SECRET, cache).issue(&repository(), 5).unwrap();
    unconditional.assert();
}

#[test]
fn a_mark_that_fits_no_header_is_not_sent() {
    let mut hub = Hub::new();
    let mut cache = kept(&mut hub);
    cache.answers.values_mut().for_each(|answer| "a\r\nx: y".clone_into(&mut answer.etag));
    let unconditional = hub.issue().match_header("if-none-match", Matcher::Missing).expect(1).create();
    client_with(&hub.url(), SECRET, cache).issue(&repository(), 5).unwrap();
    unconditional.assert();
}

#[test]
fn nothing_has_changed_where_nothing_is_known_is_odd() {
    let mut hub = Hub::new();
    let _same = hub.on("GET", ISSUE).with_status(304).create();
    assert_eq!(refused(&mut client(&hub.url())), Refusal::Odd("status 304".to_owned()));
}

#[test]
fn what_was_not_asked_for_can_be_forgotten() {
    let mut hub = Hub::new();
    let mut cache = kept(&mut hub);
    let (_, answer) = cache.answers.first_key_value().unwrap();
    let answer = answer.clone();
    cache.answers.insert(format!("{}/repos/o/r/issues/6", hub.url()), answer);
    let _same = hub.on("GET", ISSUE).with_status(304).create();
    let mut client = client_with(&hub.url(), SECRET, cache);
    client.issue(&repository(), 5).unwrap();
    assert_eq!(client.cache.answers.len(), 2);
    client.forget_unused();
    assert!(client.cache.answers.keys().all(|address| address.ends_with("/5")));
    assert_eq!(client.cache.answers.len(), 1);
}

#[test]
fn no_more_answers_are_kept_than_may_be() {
    let mut hub = Hub::new();
    let mut cache = kept(&mut hub);
    let answer = cache.answers.values().next().unwrap().clone();
    for number in 0..2_000 {
        cache.answers.insert(format!("{}/old/{number}", hub.url()), answer.clone());
    }
    cache.answers.retain(|address, _| address.contains("/old/"));
    let _issue = hub.issue().with_header("etag", "\"1\"").create();
    let mut client = client_with(&hub.url(), SECRET, cache);
    client.issue(&repository(), 5).unwrap();
    assert_eq!(client.cache.answers.len(), 1, "what was not asked for makes room");
}

#[test]
fn a_token_that_is_not_accepted_is_told() {
    let mut hub = Hub::new();
    let _refused =
        hub.on("GET", ISSUE).with_status(401).with_body(r#"{"message": "Bad credentials"}"#).create();
    let refusal = refused(&mut client(&hub.url()));
    assert_eq!(refusal, Refusal::BadToken);
}

#[test]
fn a_missing_right_is_told_by_what_was_wanted() {
    let mut hub = Hub::new();
    let body = r#"{"message": "Resource not accessible by personal access token"}"#;
    let _read = hub.on("GET", ISSUE).with_status(403).with_body(body).create();
    let _write = hub.on("POST", "/repos/o/r/issues").with_status(403).with_body(body).create();
    let _label = hub.on("POST", &format!("{ISSUE}/labels")).with_status(403).with_body(body).create();
    let mut client = client(&hub.url());
    assert_eq!(refused(&mut client), Refusal::Forbidden("read issues"));
    let made = client.make_issue(&repository(), "t", "b", "l");
    assert_eq!(made.unwrap_err(), Refusal::Forbidden("write issues and set labels"));
    let _comment = hub.on("POST", &format!("{ISSUE}/comments")).with_status(403).with_body(body).create();
    let made = client.comment(&repository(), 5, "b");
    assert_eq!(made.unwrap_err(), Refusal::Forbidden("write issues"));
    assert_eq!(client.add_label(&repository(), 5, "l"), Err(Refusal::Forbidden("set labels")));
}

#[test]
fn a_limit_is_told_with_its_end() {
    let reset = (at("2026-02-13T10:20:00Z").timestamp()).to_string();
    let used_up = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset.as_str())];
    let secondary = r#"{"message": "You have exceeded a secondary rate limit. Please wait."}"#;
    for status in [403, 429] {
        for (headers, body, until) in [
            (&[("retry-after", "30")][..], "{}", "2026-02-13T10:00:30Z"),
            (&used_up[..], "{}", "2026-02-13T10:20:00Z"),
            (&[("x-ratelimit-remaining", "0")][..], "{}", "2026-02-13T10:01:00Z"),
            (&[][..], secondary, "2026-02-13T10:01:00Z"),
            (&[("retry-after", "999999")][..], "{}", "2026-02-14T10:00:00Z"),
        ] {
            let mut hub = Hub::new();
            let mut mock = hub.on("GET", ISSUE).with_status(status).with_body(body);
            for (name, value) in headers {
                mock = mock.with_header(*name, value);
            }
            let _mock = mock.create();
            let expected = Refusal::Limited { until: at(until) };
            assert_eq!(refused(&mut client(&hub.url())), expected, "{status} {headers:?}");
        }
    }
    let mut hub = Hub::new();
    let _many = hub.on("GET", ISSUE).with_status(429).create();
    let expected = Refusal::Limited { until: at("2026-02-13T10:01:00Z") };
    assert_eq!(refused(&mut client(&hub.url())), expected);
}

#[test]
fn what_is_not_there_or_no_more_is_told_by_name() {
    let mut hub = Hub::new();
    let _issue = hub.on("GET", ISSUE).with_status(404).create();
    let _list = hub.on("GET", "/repos/o/r/issues").with_status(404).create();
    let _gone = hub.on("GET", "/repos/o/r/issues/6").with_status(410).create();
    let mut client = client(&hub.url());
    assert_eq!(refused(&mut client), Refusal::NotFound("issue o/r#5".to_owned()));
    let list = client.issues(&repository(), "x", at(SINCE)).unwrap_err();
    assert_eq!(list, Refusal::NotFound("repository o/r".to_owned()));
    let gone = client.issue(&repository(), 6).unwrap_err();
    assert_eq!(gone, Refusal::Gone("issue o/r#6".to_owned()));
}

#[test]
fn an_error_of_the_server_is_told_with_its_number() {
    let mut hub = Hub::new();
    for status in [500, 502, 503] {
        let _broken = hub.on("GET", ISSUE).with_status(status).with_body("<html>").create();
        assert_eq!(refused(&mut client(&hub.url())), Refusal::Server(status.try_into().unwrap()));
    }
}

#[test]
fn a_server_that_repeats_the_token_does_not_bring_it_into_a_message() {
    let mut hub = Hub::new();
    let body = json!({ "message": format!("no {SECRET}") }).to_string();
    let _odd = hub.on("GET", ISSUE).with_status(422).with_body(body).create();
    assert_eq!(refused(&mut client(&hub.url())), Refusal::Odd("status 422: no …".to_owned()));
    let _echo = hub.on("GET", ISSUE).with_body(json!({ "number": SECRET }).to_string()).create();
    let Refusal::Odd(text) = refused(&mut client(&hub.url())) else { panic!() };
    assert!(text.contains("invalid type"), "{text}");
}
