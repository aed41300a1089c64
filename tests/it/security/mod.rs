//! What others can put in the way, and what must not come out. `docs/security.md` says what is protected from whom; each of
//! its claims names a test of this folder, or of the command that it is about.
//!
//! Faults that were planted by hand in the program while this was written, and what was reported. Whoever changes a harness
//! should plant one of them again:
//!
//! | planted | caught by | as |
//! |---|---|---|
//! | `os/folder.rs` removes by path instead of by the folder's handle | `swaps` | "runs/….log: was … VICTIM, is None", every point of `prune` and `tick` |
//! | `os/folder.rs` gives a new folder its mode by name | `swaps` | the victim's mode is another |
//! | `os/folder.rs` does not look at the owner of a file | `owners` | another user's hooks run, his index starts jobs |
//! | `render/human/status.rs` prints the name of a schedule as it is | `escapes` | "'\u{1b}' before …" |

mod escapes;
mod owners;
mod swaps;
mod terminal;
mod victim;

/// Whether a code is one that a command of ours can end with: neither a panic's nor, as -1, a signal.
fn is_an_answer(code: i32) -> bool {
    code >= 0 && code != 101
}
