//! What others can put in the way, and what must not come out. `docs/security.md` says what is protected from whom; each of
//! its claims names a test of this folder, or of the command that it is about.
//!
//! Faults that these harnesses caught: some were planted by hand in the program while they were written, the others were there
//! and have been mended. Whoever changes a harness should plant one of them again:
//!
//! | fault | planted | caught by | as |
//! |---|---|---|---|
//! | `os/folder.rs` opens files without `O_NOFOLLOW` | yes | `links` | "prints the victim", "new: was None, is …" |
//! | `os/folder.rs` removes by path instead of by the folder's handle | yes | `swaps` | "runs/….log: was … VICTIM, is None", every point of `prune` and `tick` |
//! | `os/folder.rs` gives a new folder its mode by name | no | `swaps` | the victim's mode is another |
//! | `os/folder.rs` does not look at the owner of a file | no | `owners` | another user's hooks run, his index starts jobs |
//! | `store/json.rs` keeps environments that nobody needs | yes | `secrets` | "once no job can run with it: it is in env/…" |
//! | `store/json.rs` reads an index of any size | yes | `hostile` | "memory allocation of 1073741825 bytes failed" |
//! | `store/stream.rs` reads events of any length | no | `hostile_files` | "memory allocation of 1258291200 bytes failed" |
//! | `model/config` counts the lines anew for each key | no | `hostile_files` | commands of more than 100 s, with 30,000 sections |
//! | `cli/complete.rs` looks through all candidates for each | no | `hostile` | "slowest 52.0 s (completion, …)" in the remark, with 25,000 jobs |
//! | `exec/local/cut.rs` believes every number | no | `hostile_files` | "attempt to add with overflow", code 101 |
//! | `render/human/status.rs` prints the name of a schedule as it is | no | `escapes` | "'\u{1b}' before …" |

mod escapes;
mod hostile;
mod hostile_files;
mod links;
mod measured;
mod owners;
mod secrets;
mod swaps;
mod terminal;
mod victim;

/// Whether a code is one that a command of ours can end with: neither a panic's nor, as -1, a signal.
fn is_an_answer(code: i32) -> bool {
    code >= 0 && code != 101
}
