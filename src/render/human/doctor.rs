//! What a look at the installation found.

use super::screen::{HEADING, LABEL, Screen, WARNING, colour_of, pad};
use crate::model::state::Status;
use crate::ops::doctor::{Examined, Finding, Grade};
use crate::render::safe;
use anstyle::Style;

/// Most things that are named one by one.
const DETAILS_MAX: usize = 20;

/// A line a finding, what mends it below, and a last line that says how it stands.
pub fn examined(examined: &Examined, screen: Screen) -> String {
    let width = examined.findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let mut text = String::new();
    for one in &examined.findings {
        text.push_str(&finding(one, width, screen));
    }
    text.push_str(&format!("\n{}\n", screen.paint(HEADING, &verdict(&examined.findings))));
    text
}

fn finding(one: &Finding, width: usize, screen: Screen) -> String {
    const INDENT: &str = "         ";
    let grade = screen.paint(style(one.grade), &format!("{:<7}", one.grade.as_str()));
    let mut text = format!("{grade}  {}  {}\n", pad(one.check, width), safe::line(&one.found));
    if one.grade != Grade::Fine {
        for detail in one.details.iter().take(DETAILS_MAX) {
            text.push_str(&format!("{INDENT}  {}\n", safe::line(detail)));
        }
        if one.details.len() > DETAILS_MAX {
            text.push_str(&format!("{INDENT}  and {} more\n", one.details.len() - DETAILS_MAX));
        }
    }
    match (&one.mended, &one.mend) {
        (Some(done), _) => {
            let word = screen.paint(style(Grade::Fine), "done:");
            text.push_str(&format!("{INDENT}{word} {}\n", safe::line(done)));
        }
        (None, Some(mend)) => {
            let word = screen.paint(LABEL, "mend:");
            text.push_str(&format!("{INDENT}{word} {}\n", safe::line(mend)));
        }
        (None, None) => {}
    }
    text
}

fn style(grade: Grade) -> Style {
    match grade {
        Grade::Fine => colour_of(Status::Completed),
        Grade::Note => LABEL,
        Grade::Warning => WARNING,
        Grade::Problem => colour_of(Status::Failed),
    }
}

fn verdict(findings: &[Finding]) -> String {
    let open = |grade| findings.iter().filter(|one| one.grade == grade && one.mended.is_none()).count();
    let mended = findings.iter().filter(|one| one.mended.is_some()).count();
    let counted = |count: usize, one: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        many => Some(format!("{many} {one}s")),
    };
    let wrong: Vec<String> = [(open(Grade::Problem), "problem"), (open(Grade::Warning), "warning")]
        .into_iter()
        .filter_map(|(count, word)| counted(count, word))
        .collect();
    let mut verdict = if wrong.is_empty() { "all is well".to_owned() } else { wrong.join(", ") };
    if let Some(notes) = counted(open(Grade::Note), "note") {
        verdict.push_str(&format!(", {notes}"));
    }
    if mended > 0 {
        verdict.push_str(&format!("; {mended} mended"));
    }
    verdict
}
