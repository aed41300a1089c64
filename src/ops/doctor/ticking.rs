//! Whether something calls `bgctl tick`: what is due in more than a moment starts by that alone.

use super::{Finding, Grade, Ground, count};
use crate::exec::local::{alarm, present};
use crate::model::{facts::Facts, limit::format_seconds, schedule::DefinedBy};
use crate::ops::home::Home;
use crate::os::{answer::said, clock::Clock};
use crate::store::root::{LAST_TICK, LOOP_LOCK};
use std::path::PathBuf;

const CHECK: &str = "ticking";

/// A tick that is no older than this is one of a row.
const RECENT_SECONDS: u64 = 5 * 60;

const MEND: &str = "bgctl init cron --install has cron call it every minute; bgctl init systemd and bgctl tick --loop are other ways";

/// Looks for whatever may call it, and for its trace.
pub fn check(ground: &Ground) -> Vec<Finding> {
    let callers = callers();
    let age = ground.home.as_ref().and_then(age_of_last_tick);
    let last = age.map_or_else(
        || "nothing has ticked yet".to_owned(),
        |age| format!("the last tick was {} ago", format_seconds(age)),
    );
    if ground
        .home
        .as_ref()
        .is_some_and(|home| present::is_held(home.root.folder(), LOOP_LOCK).unwrap_or(false))
    {
        return vec![Finding::new(CHECK, Grade::Fine, "bgctl tick --loop runs")];
    }
    if age.is_some_and(|age| age <= RECENT_SECONDS) {
        let by = if callers.is_empty() { String::new() } else { format!("; {}", callers.join(", ")) };
        return vec![Finding::new(CHECK, Grade::Fine, format!("{last}{by}"))];
    }
    if !callers.is_empty() {
        let text = format!("{}, but {last}", callers.join(", "));
        return vec![
            Finding::new(CHECK, Grade::Warning, text)
                .mend("see whether cron, or the user's systemd, runs, and what the line or unit says"),
        ];
    }
    let recurring = ground.facts().map_or(0, schedules);
    let alarm = ground.home.as_ref().is_some_and(|home| alarm::is_there(home.root.folder()).unwrap_or(false));
    let soon = if alarm { "; what is due within the next moments is waited for" } else { "" };
    if recurring > 0 {
        let need = if recurring == 1 { "needs" } else { "need" };
        let text = format!("{last}, and {} {need} it{soon}", count(recurring, "schedule"));
        return vec![Finding::new(CHECK, Grade::Problem, text).mend(MEND)];
    }
    let text = format!(
        "{last}{soon}; without it nothing starts that is due later, or after a restart of the machine"
    );
    vec![Finding::new(CHECK, Grade::Note, text).mend(MEND)]
}

fn schedules(facts: &Facts) -> usize {
    let wanted = |source| source != DefinedBy::BuiltIn;
    facts.schedules().values().filter(|one| wanted(one.definition.source) && one.paused_at.is_none()).count()
}

fn age_of_last_tick(home: &Home) -> Option<u64> {
    let at = home.root.folder().modified(LAST_TICK).ok()??;
    let age = home.clock.now() - crate::model::Timestamp::from(at);
    Some(u64::try_from(age.num_seconds()).unwrap_or(0))
}

/// Who would call it.
fn callers() -> Vec<String> {
    let mut callers = Vec::new();
    let crontab = said("crontab", &["-l"]).unwrap_or_default();
    if crontab.lines().any(calls_tick) {
        callers.push("your crontab has a line for it".to_owned());
    }
    let unit = units().into_iter().find(|unit| {
        std::fs::read_to_string(unit)
            .is_ok_and(|text| text.lines().any(|line| line.starts_with("ExecStart") && calls_tick(line)))
    });
    if let Some(unit) = unit {
        callers.push(format!("{} calls it", unit.display()));
    }
    callers
}

fn calls_tick(line: &str) -> bool {
    let line = line.trim_start();
    !line.starts_with('#') && line.contains("bg") && line.split_whitespace().any(|word| word == "tick")
}

/// The user's own units.
fn units() -> Vec<PathBuf> {
    let config = std::env::var_os("XDG_CONFIG_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = config.or_else(|| std::env::home_dir().map(|home| home.join(".config")));
    let Some(folder) = config.map(|config| config.join("systemd/user")) else { return Vec::new() };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|kind| kind == "service")).collect()
}
