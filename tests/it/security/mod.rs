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
mod hostile_lines;
mod links;
mod measured;
mod owners;
mod secrets;
mod swaps;
mod terminal;
mod victim;

/// The exit codes of every command (`docs/cli.md`).
const CODES: [i32; 8] = [0, 1, 2, 3, 4, 5, 75, 78];

/// Those of a command that cannot be executed, or is not found: of what starts one.
const NOT_EXECUTED: [i32; 2] = [126, 127];

/// Those of a wait, beside the job's own.
const OF_WAITS: [i32; 5] = [121, 122, 124, 125, 130];

/// Whether a code is one that this command is documented to end with: neither a panic's nor, as -1, a signal.
fn is_an_answer(arguments: &[&str], code: i32) -> bool {
    let words = || arguments.iter().take_while(|word| **word != "--");
    let verb = words().next().copied();
    let waits = verb == Some("wait") || words().any(|word| ["--wait", "--follow"].contains(word));
    let starts = waits || matches!(verb, Some("start" | "retry"));
    CODES.contains(&code) || (starts && NOT_EXECUTED.contains(&code)) || (waits && OF_WAITS.contains(&code))
}

#[test]
fn only_documented_codes_are_answers() {
    for (arguments, answers, others) in [
        (["list"].as_slice(), [0, 5].as_slice(), [-1, 6, 101, 121, 127].as_slice()),
        (&["start", "--", "wait", "--wait"], &[2, 127], &[-1, 101, 121]),
        (&["start", "--wait", "--", "true"], &[0, 125, 127], &[-1, 101, 134]),
        (&["wait", "ID"], &[0, 121, 122], &[-1, 101, 134]),
    ] {
        assert!(answers.iter().all(|code| is_an_answer(arguments, *code)), "{arguments:?}");
        assert!(!others.iter().any(|code| is_an_answer(arguments, *code)), "{arguments:?}");
    }
}
