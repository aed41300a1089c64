//! What was put in its place, or taken away.

use crate::ops::init::install::{Installed, Outcome};
use crate::render::safe;

/// What was done, and what is there now.
pub fn installed(installed: &Installed, dry_run: bool) -> String {
    let place = installed.path.as_ref().map(|path| safe::line(&path.display().to_string()));
    let of = |in_crontab: &str, of_file: &str| match &place {
        Some(path) => format!("{of_file} {path}"),
        None => in_crontab.to_owned(),
    };
    let mut text = match (installed.outcome, dry_run) {
        (Outcome::Added, false) => of("added to the crontab", "wrote"),
        (Outcome::Added, true) => of("would add to the crontab", "would write"),
        (Outcome::Replaced, false) => of("replaced in the crontab", "wrote anew"),
        (Outcome::Replaced, true) => of("would replace in the crontab", "would write anew"),
        (Outcome::Unchanged, _) => of("the crontab has it already", "it is there already, as it should be:"),
        (Outcome::Removed, false) => of("removed from the crontab", "removed"),
        (Outcome::Removed, true) => of("would remove from the crontab", "would remove"),
        (Outcome::WasNotThere, _) => {
            of("the crontab does not have it; nothing to do", "nothing to do: there is no")
        }
    };
    if place.is_none() && installed.outcome != Outcome::WasNotThere {
        text.push(':');
        for line in installed.text.lines() {
            text.push_str(&format!("\n  {}", safe::line(line)));
        }
    }
    text.push('\n');
    for command in &installed.commands {
        text.push_str(&format!("{} {}\n", if dry_run { "would run" } else { "ran" }, safe::line(command)));
    }
    text
}
