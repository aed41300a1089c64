//! Crashes and faults at every point, with strace's fault injection (`strace(1)`, `inject`).
//!
//! A sweep runs one scene again and again, each time with another system call hit: the process is killed as it
//! enters the call, or the call fails. After each hit the aftermath is looked at: what [`aftermath`] lists must be
//! true whatever was hit.
//!
//! strace counts `when=K` for each system call by itself, not over the set that is given, so `inject=all` with
//! `when=2` hits only the first call that is made a second time. A sweep therefore goes over names and ordinals:
//! every name that an undisturbed run has in its log, and for each its first, second, … call until a run ends unhit.
//!
//! The quick form takes some of the ordinals of each name, from an offset that changes from run to run; the long form
//! (`tests/run --long`) takes all of them, but of a name that is called more than 100 times as many that are spread over
//! all. `BG_TEST_OFFSET=N` repeats a quick form.
//!
//! A process that is stopped is continued once a list was printed, and a tick has ended or waits for the lock that the
//! stopped one holds.
//!
//! Faults that were planted by hand in the program while this was written, and what was reported. Whoever changes a
//! sweep should plant one of them again:
//!
//! | planted | caught by | as |
//! |---|---|---|
//! | `ops/start.rs` prints the id before the commit | all sweeps of the submitter | "was printed and is not in the index", 124 points |
//! | `os/gate.rs` leaves out the line `started` | kill sweep of the watcher | "attempt … ran 2 times", 33 points |
//! | `os/folder.rs` writes the index in place | kill sweep of the submitter, budget | "the index does not parse", 3 points |
//! | `store/json.rs` takes a failed fsync of the folder for a refusal | fault sweep of the submitter | "was refused, and its job is in the index" |
//! | `exec/local/start.rs` opens the gate before it records the process | fault sweep of the watcher | "is said to have never begun, and ran" |
//! | `ops/cancel.rs` does not wait for the end | kill and fault sweep of the cancel | "what was cancelled is", "it said that it is done", undisturbed |
//! | `plan/rescue.rs` does not tell a watcher what it missed | kill sweep of the resume | "it still stands still" |
//! | `ops/approval/decide.rs` takes a failed write for an answer | fault sweep of the approval | "it said that it is done, and the job still waits", 8 points |
//! | `pass/mod.rs` removes entries before their files | kill and fault sweep of the prune | "is left", 12 points |
//! | `store/lock.rs` does not wait for the lock | stop sweep of starts and batches | "the events are not in order", "its environment", 7 points |

mod aftermath;
mod budget;
mod checker;
mod exec;
mod fault;
mod kill;
mod leaving;
mod scene;
mod scenes;
mod stop;
pub mod strace;
mod sweep;

pub use strace::can_trace;

/// The names of all proofs that the sweeps tell.
pub fn proofs() -> Vec<String> {
    let all = [("fault", fault::SCENES), ("kill", kill::SCENES), ("stop", stop::SCENES)];
    let named =
        all.into_iter().flat_map(|(blow, scenes)| scenes.iter().map(move |scene| format!("{blow}: {scene}")));
    named.chain(exec::SCENES.iter().map(|scene| format!("fault: {scene} (execve)"))).collect()
}
