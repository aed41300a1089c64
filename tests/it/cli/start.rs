//! `bgctl start`

use crate::support::User;

#[test]
fn the_id_alone_is_printed_and_the_job_runs() {
    let user = User::new();
    let ran = user.run(["start", "--", "sh", "-c", "echo out; echo err >&2"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let id = ran.out.trim_end();
    assert!(bgctl::model::id::JobId::parse(id).is_ok(), "{id}");
    assert_eq!(user.wait(id), 0);
    assert_eq!(user.ok(["logs", id]), "out\nerr\n");
}
