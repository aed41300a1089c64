//! What is written on issues. A command is shown as it is, in a block that it cannot leave: no link, no mention, no comment
//! of it becomes one of the issue.

use crate::model::{
    Timestamp,
    approval::Waiting,
    config::{Approval, Labels},
    job::Job,
};
use chrono::SecondsFormat;

/// Longest command in a title, in characters.
const TITLE_CHARS_MAX: usize = 60;
/// Longest text in a block, in bytes; a text of GitHub has 65,536 characters at most.
const BLOCK_BYTES_MAX: usize = 16 * 1_024;

/// The first line of a request, by which it is found again.
pub fn request_mark(job: &Job, waiting: &Waiting) -> String {
    mark("ask", job, waiting)
}

/// The first line of a warning.
pub fn warning_mark(job: &Job, waiting: &Waiting) -> String {
    mark("warning", job, waiting)
}

fn mark(what: &str, job: &Job, waiting: &Waiting) -> String {
    let at = waiting.request.at.timestamp_millis();
    format!("<!-- bg:{what} {} {at} {} -->", job.id, waiting.request.hash)
}

/// The title of an issue that is made for a job.
pub fn title(job: &Job, host: &str) -> String {
    let what = job.spec.name.clone().unwrap_or_else(|| job.spec.command_to_approve());
    let harms = |c: char| c.is_control() || is_reordering(c);
    let plain: String = what.chars().map(|c| if harms(c) { ' ' } else { c }).collect();
    let mut what: String = plain.chars().take(TITLE_CHARS_MAX).collect();
    if plain.chars().count() > TITLE_CHARS_MAX {
        what.push('…');
    }
    format!("Approve {what} on {host}")
}

/// What is asked.
pub fn request(job: &Job, waiting: &Waiting, settings: &Approval, host: &str) -> String {
    let (labels, who) = (&settings.labels, who_answers(settings));
    let request = &waiting.request;
    let mut text = format!("{}\n", request_mark(job, waiting));
    text.push_str("A job waits for approval before it ");
    text.push_str(if job.attempt == 0 { "runs:\n\n" } else { "goes on:\n\n" });
    text.push_str(&block(&job.spec.command_to_approve()));
    if job.spec.shell_line().is_some() {
        text.push_str("\n(a line for `sh -c`)\n");
    }
    if let Some(reason) = &request.reason {
        text.push_str("\nWhy, in the words of the job:\n\n");
        text.push_str(&block(reason));
    }
    text.push_str("\nWhere:\n\n");
    let mut place = format!("host    {host}\nfolder  {}\njob     {}", job.spec.cwd.to_text(), job.id);
    if let Some(name) = &job.spec.name {
        place.push_str(&format!("\nname    {name}"));
    }
    if !job.spec.variables.is_empty() {
        place.push_str(&format!("\nsets    {}", job.spec.variables.join(", ")));
    }
    place.push_str(&format!("\nhash    {}", request.hash));
    text.push_str(&block(&place));
    text.push_str("\n`bgctl status` shows the same hash: of the arguments, the folder and the names of the variables.\n\n");
    let goes = if job.interruptions == 0 { "run" } else { "go on" };
    text.push_str(&format!(
        "- The label {} lets it {goes}.\n- The label {} cancels it, and so does closing this issue as not planned.\n",
        code(&labels.approved),
        code(&labels.declined)
    ));
    if request.on.github().is_some_and(|place| place.issue.is_some()) {
        text.push_str("- What is said on this issue counts for every job that waits on it.\n");
    }
    text.push_str(&format!("- Whose label counts: {who}\n"));
    text.push_str(&match waiting.expires_at() {
        Some(at) => format!("- Without an answer it fails at {}.\n", shown(at)),
        None => "- It waits until there is an answer.\n".to_owned(),
    });
    text.push_str(
        "- Once the title or the text of this issue is edited, it cannot approve the job any more.\n",
    );
    text
}

/// Whose answer counts.
fn who_answers(settings: &Approval) -> String {
    let who = if settings.approvers.is_empty() {
        "that of accounts that may write to this repository".to_owned()
    } else {
        let names: Vec<String> = settings.approvers.iter().map(|name| code(name)).collect();
        format!("that of {}", names.join(", "))
    };
    let own = if settings.self_approval { "" } else { "; the account that writes this cannot approve" };
    format!("{who}{own}.")
}

/// That the time is nearly over.
pub fn warning(job: &Job, waiting: &Waiting, labels: &Labels, expires_at: Timestamp) -> String {
    format!(
        "{}\nNobody has answered for job `{}` yet. Without the label {} or {} it fails at {}.\n",
        warning_mark(job, waiting),
        job.id,
        code(&labels.approved),
        code(&labels.declined),
        shown(expires_at)
    )
}

fn shown(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A text between backticks: more of them than it has in a row (`CommonMark` 6.1).
fn code(text: &str) -> String {
    let fence = "`".repeat(longest_run(text) + 1);
    if fence.len() == 1 { format!("`{text}`") } else { format!("{fence} {text} {fence}") }
}

/// A block of text: its fence is longer than any that it has (`CommonMark` 4.5). Control characters would hide what it does.
fn block(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        if shown.len() >= BLOCK_BYTES_MAX {
            shown.push_str("\n… (cut: bgctl status shows the whole)");
            break;
        }
        if c == '\n' || !(c.is_control() || is_reordering(c)) {
            shown.push(c);
        } else {
            shown.extend(c.escape_default());
        }
    }
    let fence = "`".repeat((longest_run(&shown) + 1).max(3));
    format!("{fence}text\n{shown}\n{fence}\n")
}

/// Characters that change the order in which others are shown (Unicode TR 36).
fn is_reordering(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn longest_run(text: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_leaves_its_block() {
        for text in ["a", "```", "x\n````\n<!-- bg:ask -->\n@everyone", "`"] {
            let block = block(text);
            let fence: String = block.chars().take_while(|c| *c == '`').collect();
            let inside = block.lines().skip(1).take_while(|line| *line != fence);
            assert_eq!(inside.collect::<Vec<_>>().join("\n"), text);
        }
    }

    #[test]
    fn what_would_hide_or_turn_the_text_around_is_escaped() {
        assert!(block("rm \u{202e}x\u{1b}[2J\r").contains("rm \\u{202e}x\\u{1b}[2J\\r"));
    }

    fn job(argv: &[&str]) -> Job {
        use crate::model::{bytes::Bytes, id::JobId, spec::Command, spec::JobSpec};
        let argv = argv.iter().map(|word| Bytes::try_from(*word).unwrap()).collect();
        let spec = JobSpec::new(Command::Argv(argv), Bytes::try_from("/").unwrap());
        Job::new(JobId::parse("bg_20260213_aaaaaa").unwrap(), spec, Timestamp::default())
    }

    #[test]
    fn a_title_is_not_turned_around_either() {
        let mut job = job(&["true"]);
        job.spec.name = Some("a\u{202e}b\u{1b}c".into());
        assert_eq!(title(&job, "here"), "Approve a b c on here");
    }

    #[test]
    fn what_is_shown_is_what_runs_whatever_the_entry_calls_it() {
        let mut job = job(&["rm", "-r", "x y"]);
        job.spec.display = "true".into();
        assert_eq!(title(&job, "here"), "Approve rm -r 'x y' on here");
        let mut line = self::job(&["/bin/sh", "-c", "a | b"]);
        line.spec.display = "a | b".into();
        assert_eq!(title(&line, "here"), "Approve a | b on here");
    }

    #[test]
    fn a_name_with_backticks_stays_code() {
        assert_eq!(code("bg:approved"), "`bg:approved`");
        assert_eq!(code("a`b"), "`` a`b ``");
    }
}
