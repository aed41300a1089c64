//! What a dry run of a submission says of the queue: it refuses what the submission would refuse.

use super::Held;
use crate::support::User;
use serde_json::{Value, json};

/// One slot, which is held, and as many waiting jobs as the queue takes and one more.
fn full() -> (User, Held) {
    let user = User::new();
    user.make_root();
    std::fs::write(user.root().join("config.toml"), "[queue]\nmax_concurrent = 1\nmax_size = 1\n").unwrap();
    let held = Held::start(&user, "it");
    user.start(["true"]);
    (user, held)
}

#[test]
fn a_dry_run_refuses_a_group_that_is_not_there() {
    let user = User::new();
    for more in [&["--", "true"][..], &["--array", "1-2", "--", "true"]] {
        let ran = user.run(["start", "--dry-run", "--group", "nope"].iter().chain(more));
        assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{}", ran.err);
        assert!(ran.err.contains("there is no group \"nope\""), "{}", ran.err);
    }
    let shown = user.ok(["start", "--dry-run", "--group", "nope", "--create-group", "--", "true"]);
    assert!(shown.contains("  in group nope, which would be made with one slot\n"), "{shown}");
    let unknown = user.run(["start", "--dry-run", "--after", "bg_20260213_zzzzzz", "--", "true"]);
    assert_eq!(unknown.code, 3, "{}", unknown.err);
    assert!(!user.root().exists());
}

#[test]
fn a_dry_run_tells_who_has_the_key() {
    let user = User::new();
    let id = user.start(["--key", "k", "--key-ttl", "1h", "--", "true"]);
    user.wait(&id);
    let asked = ["start", "--dry-run", "--key", "k", "--", "false"];
    assert_eq!(
        user.ok(asked),
        format!("{id} has the key and has completed, with another command; nothing would be started\n")
    );
    let told = user.run(["start", "--dry-run", "--json", "--key", "k", "--", "true"]).json();
    assert_eq!((&told["existing"], &told["job"]["id"]), (&json!(id), &Value::Null));
    let free = user.run(["start", "--dry-run", "--json", "--key", "other", "--", "true"]).json();
    assert_eq!(free["existing"], Value::Null);
    std::fs::write(user.path("batch"), "{\"argv\":[\"echo\",\"a\"],\"key\":\"k\"}\necho b\n").unwrap();
    let shown = user.ok(["start", "--dry-run", "--batch", "batch"]);
    assert_eq!(shown, "would start 1 job:\n  echo b\n1 job is there already, by key\n");
    let told = user.run(["start", "--dry-run", "--json", "--batch", "batch"]).json();
    assert_eq!(told["existing"], json!([id, null]));
}

#[test]
fn a_dry_run_is_refused_by_a_full_queue_or_says_that_it_would_wait() {
    let (user, held) = full();
    for more in [&["--", "true"][..], &["--array", "1-2", "--", "true"]] {
        let ran = user.run(["start", "--dry-run"].iter().chain(more));
        assert_eq!((ran.code, ran.out.as_str()), (75, ""), "{}", ran.err);
        let ran = user.run(["start", "--dry-run", "--when-full", "wait"].iter().chain(more));
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(
            ran.out.ends_with("it would wait for room first: 1 wait, and it goes on when 0 do\n"),
            "{}",
            ran.out
        );
        let told = user.run(["start", "--dry-run", "--json", "--when-full", "wait"].iter().chain(more));
        assert_eq!(told.json()["waits_for_room"], true);
    }
    assert_eq!(user.run(["start", "--dry-run", "--service", "--", "true"]).code, 0);
    held.let_go(0);
}

#[test]
fn a_dry_run_shows_what_is_asked_of_the_queue() {
    let user = User::new();
    let first = user.start(["--name", "build", "--", "true"]);
    user.wait(&first);
    let short = &first[first.len() - 6..][..3];
    let flags =
        ["--priority", "high", "--attempts", "4", "--retry-delay", "3", "--retry-on", "7", "--key", "k"];
    let more = ["--key-ttl", "1h", "--after", &first, "--delay", "2h"];
    let shown = user.ok(["start", "--dry-run"].iter().chain(&flags).chain(&more).chain(&["--", "true"]));
    for line in [
        "  priority high",
        "  up to 4 attempts, 3s after the first, doubling up to 15m, after exit codes 7",
        "  key k (kept 1h after the end)",
        &format!("  after the completion of build {short}"),
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
    }
    assert!(shown.contains("  not before 20") && shown.contains(", in 2h\n"), "{shown}");
    let shown = user.ok(["start", "--dry-run", "--priority", "low", "--array", "1-2", "--", "true"]);
    assert!(shown.ends_with("each of them: priority low\n"), "{shown}");
}
