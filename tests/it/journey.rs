//! What a person does on the first day, end to end.

use crate::support::User;

#[test]
fn a_script_starts_twenty_jobs_and_waits_for_them() {
    let user = User::new();
    let script =
        "for i in $(seq 20); do ids=\"$ids $($BGCTL start -- sh -c \"echo $i >> done\")\"; done 2>/dev/null
        $BGCTL wait $ids && wc -l < done";
    let output =
        user.command("sh").args(["-c", script]).env("BGCTL", crate::support::BGCTL).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "20",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    user.all_gone();
}
