//! What is no answer, or a broken one.

use super::{Hub, ISSUE, client, issue, refused, repository, short_client};
use bgctl::github::{Limits, Refusal};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_mins(1);

/// A server that takes one connection, reads a request, and does this with it. It holds it until the client has gone.
fn server(answer: impl FnOnce(&mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        let mut byte = [0_u8];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        answer(&mut stream);
    });
    url
}

/// One that says this and hangs up.
fn saying(text: impl Into<Vec<u8>>) -> String {
    let text = text.into();
    server(move |stream| stream.write_all(&text).unwrap())
}

fn limits(answer: Duration) -> Limits {
    Limits { answer, ..Limits::default() }
}

#[track_caller]
fn unreachable(url: &str) -> String {
    match refused(&mut client(url)) {
        Refusal::Unreachable(text) => text,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn odd(url: &str) -> String {
    match refused(&mut client(url)) {
        Refusal::Odd(text) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_does_not_answer_in_time_is_not_waited_for() {
    let began = Instant::now();
    let url = server(|stream| drop(stream.read(&mut [0])));
    let refusal = refused(&mut short_client(&url, limits(Duration::from_millis(100))));
    assert_eq!(refusal, Refusal::Unreachable("no answer within 100ms (127.0.0.1)".to_owned()));
    assert!(began.elapsed() < LONG);
}

#[test]
fn who_does_not_end_in_time_is_not_waited_for() {
    let url = server(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{").unwrap();
        let _ = stream.read(&mut [0]);
    });
    let refusal = refused(&mut short_client(&url, limits(Duration::from_millis(100))));
    assert_eq!(refusal, Refusal::Unreachable("no answer within 100ms (127.0.0.1)".to_owned()));
}

#[test]
fn a_drip_is_no_reason_to_wait_longer() {
    let url = server(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n").unwrap();
        // Until the client has gone.
        while stream.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let refusal = refused(&mut short_client(&url, limits(Duration::from_millis(100))));
    assert_eq!(refusal, Refusal::Unreachable("no answer within 100ms (127.0.0.1)".to_owned()));
}

#[test]
fn where_nobody_listens_that_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(unreachable(&url), "nobody takes connections there (127.0.0.1)");
}

#[test]
fn a_host_that_is_not_there_is_told() {
    let text = unreachable("http://no-such-host.invalid");
    assert!(text.contains("no-such-host.invalid"), "{text}");
}

#[test]
fn a_connection_that_is_cut_is_told() {
    let cut = "the connection was cut (127.0.0.1)";
    assert_eq!(unreachable(&saying("")), cut);
    assert_eq!(unreachable(&saying("HTTP/1.1 200 OK\r\nContent-")), cut);
    assert_eq!(unreachable(&saying("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"number\": 5")), cut);
    assert_eq!(unreachable(&saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"num")), cut);
}

#[test]
fn what_is_no_http_is_odd() {
    for text in ["SSH-2.0-OpenSSH_9.9\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"]
    {
        assert_eq!(odd(&saying(text)), "it is not as HTTP has to be");
    }
}

#[test]
fn headers_without_end_are_odd() {
    let text = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let url = server(move |stream| drop(stream.write_all(text.as_bytes())));
    assert_eq!(odd(&url), "its headers are too long");
}

#[test]
fn what_is_no_json_or_lacks_something_is_odd() {
    let mut hub = Hub::new();
    let whole = issue(5);
    let mut without = whole.clone();
    without.as_object_mut().unwrap().remove("labels");
    for (body, text) in [
        (String::new(), "EOF"),
        ("<html>".to_owned(), "expected value"),
        ("[]".to_owned(), "invalid length"),
        (without.to_string(), "missing field `labels`"),
        (format!("{whole} {whole}"), "trailing characters"),
    ] {
        let _mock = hub.on("GET", ISSUE).with_body(&body).create();
        let said = odd(&hub.url());
        assert!(said.contains(text), "{said}");
    }
}

#[test]
fn a_body_that_is_too_long_is_odd() {
    let mut hub = Hub::new();
    let body = issue(5).to_string();
    let _mock = hub.on("GET", ISSUE).with_body(&body).create();
    let length = u64::try_from(body.len()).unwrap();
    let client = |body_bytes| short_client(&hub.url(), Limits { body_bytes, ..Limits::default() });
    assert!(client(length).issue(&repository(), 5).is_ok());
    let refusal = refused(&mut client(length - 1));
    assert_eq!(refusal, Refusal::Odd(format!("it is longer than {} bytes", length - 1)));
}

/// Two megabytes of blanks in two kilobytes, by gzip.
fn packed() -> Vec<u8> {
    let mut gzip = std::process::Command::new("sh");
    gzip.args(["-c", "head -c 2000000 /dev/zero | tr '\\0' ' ' | gzip -c"]).output().unwrap().stdout
}

fn saying_packed(packed: &[u8]) -> String {
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", packed.len());
    saying([head.as_bytes(), packed].concat())
}

#[test]
fn a_packed_body_is_as_long_as_it_is_unpacked() {
    let packed = packed();
    assert!(packed.len() < 10_000);
    let limits = Limits { body_bytes: 100_000, ..Limits::default() };
    let refusal = refused(&mut short_client(&saying_packed(&packed), limits));
    assert_eq!(refusal, Refusal::Odd("it is longer than 100000 bytes".to_owned()));
}

#[test]
fn a_packed_body_that_is_damaged_is_odd() {
    let mut packed = packed();
    packed[100..200].fill(0xff);
    assert_eq!(odd(&saying_packed(&packed)), "its packing is damaged");
}

#[test]
fn a_server_without_encryption_where_some_is_wanted_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let plain = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = stream.read(&mut [0; 1_000]);
    });
    assert!(unreachable(&plain).starts_with("no trusted connection: "));
}
