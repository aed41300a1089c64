//! Whether a token for GitHub is found where answers there are waited for: cron has not the environment of a shell, and without
//! a token nobody sees an answer.

use super::{Finding, Grade, Ground};
use crate::github;
use crate::model::facts::Facts;
use crate::plan::approve;

const CHECK: &str = "github";

/// What cron gives to a command (`crontab(5)`).
const PATH_OF_CRON: &str = "/usr/bin:/bin";

const MEND: &str = "write a token into a file of yours (mode 600), and name it in config.toml: token_file = \"…\" below \
                    [approval.github]";

/// Looks for a token as a tick of cron would, where jobs or schedules need one.
pub fn check(ground: &Ground) -> Vec<Finding> {
    let (Some(home), Some(facts)) = (&ground.home, ground.facts()) else { return Vec::new() };
    let Some(who) = who_needs_it(facts) else { return Vec::new() };
    let settings = &home.config.approval.github;
    let of_cron = github::find(settings, |name| (name == "PATH").then(|| PATH_OF_CRON.into()));
    let lacking = match of_cron {
        Ok(token) => {
            return vec![Finding::new(CHECK, Grade::Fine, format!("a token comes from {}", token.from))];
        }
        Err(error) => error.to_string(),
    };
    let here = github::find(settings, |name| std::env::var_os(name));
    let text = match here {
        Ok(token) => {
            format!(
                "{who} for GitHub, and a token comes from {} of this shell, which cron has not",
                token.from
            )
        }
        Err(_) => format!("{who} for GitHub, and there is no token here: without one no answer can be seen"),
    };
    vec![Finding::new(CHECK, Grade::Warning, text).details(vec![lacking]).mend(MEND)]
}

/// The jobs that wait there, or the schedules whose runs will.
fn who_needs_it(facts: &Facts) -> Option<String> {
    let jobs = approve::on_github(facts).count();
    let is_gated = |spec: &crate::model::spec::JobSpec| {
        spec.gate.as_ref().is_some_and(|gate| gate.on.github().is_some())
    };
    let schedules = facts.schedules().values().filter(|one| one.spec().is_some_and(is_gated)).count();
    match (jobs, schedules) {
        (0, 0) => None,
        (0, 1) => Some("the runs of 1 schedule wait".to_owned()),
        (0, many) => Some(format!("the runs of {many} schedules wait")),
        (1, _) => Some("1 job waits".to_owned()),
        (many, _) => Some(format!("{many} jobs wait")),
    }
}
