//! Whether the settings file is right, schedules included.

use super::{Finding, Grade, Ground};
use crate::ops::{
    home::{WhyBad, settings},
    schedule::file,
};
use crate::store::root::CONFIG;

const CHECK: &str = "settings";

/// Reads it.
pub fn check(ground: &Ground) -> Vec<Finding> {
    let Some(home) = &ground.home else { return Vec::new() };
    let path = home.root.path().join(CONFIG);
    let mend = format!("vi {}; bgctl config check names each place", path.display());
    if let Err(bad) = settings(&home.root) {
        let text =
            "the settings file is not right: start refuses, and the built-in settings hold for the rest";
        let details = match &bad.why {
            WhyBad::Wrong(mistakes) => mistakes.all().iter().map(ToString::to_string).collect(),
            WhyBad::Unreadable(why) => vec![why.clone()],
        };
        return vec![Finding::new(CHECK, Grade::Problem, text).mend(mend).details(details)];
    }
    let mistakes = file::read(&home.config, home.root.path()).mistakes;
    if !mistakes.is_empty() {
        let text = "a schedule of the settings file is not right, and is not taken over";
        let details = mistakes.values().map(ToString::to_string).collect();
        return vec![Finding::new(CHECK, Grade::Problem, text).mend(mend).details(details)];
    }
    let text = match home.root.folder().has(CONFIG) {
        Ok(true) => format!("{} is right", path.display()),
        _ => "there is no settings file: the built-in settings hold".to_owned(),
    };
    vec![Finding::new(CHECK, Grade::Fine, text)]
}
