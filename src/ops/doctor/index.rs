//! Whether the index can be read whole, and has the jobs that run.

use super::{Finding, Grade, Ground, count};
use crate::ops::store::{Condition, rebuild, remake};
use crate::store::file::index;

const CHECK: &str = "index";

const REBUILD: &str = "bgctl store rebuild makes it anew of what can be read and of run files; with --dry-run it says what would come of it";

/// Reads it.
pub fn check(ground: &Ground) -> Vec<Finding> {
    let (Some(home), Some(condition)) = (&ground.home, &ground.condition) else { return Vec::new() };
    let path = index::path(&home.root);
    let problem = |text: String| vec![Finding::new(CHECK, Grade::Problem, text)];
    let facts = match condition {
        Err(fault) => {
            let mut findings = problem(fault.message.clone());
            findings[0].mend.clone_from(&fault.hint);
            return findings;
        }
        Ok(Condition::Damaged(damage)) => {
            let text = format!("{} is damaged: {damage}", path.display());
            return problem(text).into_iter().map(|finding| finding.mend(REBUILD)).collect();
        }
        Ok(Condition::Missing) => {
            let runs = home.root.existing_runs().ok().flatten();
            let jobs = runs.map_or(0, |runs| remake::ids(runs).len());
            if jobs == 0 {
                return vec![Finding::new(CHECK, Grade::Fine, "there are no jobs yet")];
            }
            let text =
                format!("{} is not there, and there are run files of {}", path.display(), count(jobs, "job"));
            return problem(text).into_iter().map(|finding| finding.mend(REBUILD)).collect();
        }
        Ok(Condition::Sound(facts)) => facts,
    };
    let unlisted = rebuild::watched_without_entry(home).unwrap_or_default();
    if !unlisted.is_empty() {
        let text = format!("{} that run are not in {}", count(unlisted.len(), "job"), path.display());
        let details = unlisted.iter().map(ToString::to_string).collect();
        return vec![Finding::new(CHECK, Grade::Problem, text).mend(REBUILD).details(details)];
    }
    let jobs = facts.heads().count();
    vec![Finding::new(
        CHECK,
        Grade::Fine,
        format!("{} can be read whole: {}", path.display(), count(jobs, "job")),
    )]
}
