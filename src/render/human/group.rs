//! Groups: how they stand, and what became of them.

use super::measure::count_of;
use super::screen::{HEADING, Screen, columns, pad};
use super::words::{age, jobs};
use crate::model::{Timestamp, group};
use crate::ops::{
    group::{GroupResult, Standing},
    pause::{GroupPaused, Wanted},
};
use crate::render::safe;

/// A line a group.
pub fn groups(standings: &[Standing], now: Timestamp, screen: Screen) -> String {
    let heading = ["GROUP", "SLOTS", "FROM", "HELD", "QUEUED", "STATE"].map(str::to_owned);
    let row = |one: &Standing| {
        let slots = one.slots.map_or_else(|| "-".to_owned(), |slots| slots.to_string());
        [
            safe::line(&one.name),
            slots,
            from(one).to_owned(),
            one.held.to_string(),
            one.queued.to_string(),
            state(one, now),
        ]
    };
    let rows: Vec<[String; 6]> = std::iter::once(heading).chain(standings.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| columns(&row[column])).max().unwrap_or(0) + 2;
    let line = |row: &[String; 6]| -> String {
        let cells: String = (0..5).map(|column| pad(&row[column], width(column))).collect();
        format!("{cells}{}", row[5])
    };
    let lines = rows.iter().enumerate().map(|(number, row)| {
        let line = line(row);
        if number == 0 { format!("{}\n", screen.paint(HEADING, &line)) } else { format!("{line}\n") }
    });
    lines.collect()
}

/// Who says how many slots it has.
fn from(one: &Standing) -> &'static str {
    match one.slots {
        None => "-",
        Some(_) if one.name == group::DEFAULT => "queue.max_concurrent",
        Some(_) if one.by_settings => "settings",
        Some(_) => "index",
    }
}

fn state(one: &Standing, now: Timestamp) -> String {
    match (one.paused_at, one.slots) {
        (Some(at), _) => format!("paused {} ago", age(at, now)),
        (None, None) => "gone: its jobs wait".to_owned(),
        (None, Some(_)) => "open".to_owned(),
    }
}

/// A group in few words: `gpu 1 of 2 held, 3 queued, paused`.
pub fn group_brief(one: &Standing) -> String {
    let held = match one.slots {
        Some(slots) => format!("{} of {slots} held", one.held),
        None => "gone".to_owned(),
    };
    let queued = if one.queued > 0 { format!(", {} queued", one.queued) } else { String::new() };
    let paused = if one.paused_at.is_some() { ", paused" } else { "" };
    format!("{} {held}{queued}{paused}", safe::line(&one.name))
}

/// What became of a group that was added or removed.
pub fn group_changed(one: &Standing, result: GroupResult) -> String {
    let slots = count_of(one.slots.unwrap_or(0), "slot", "slots");
    let name = safe::line(&one.name);
    match result {
        GroupResult::Added => format!("group {name} added with {slots}"),
        GroupResult::Changed => format!("group {name} has {slots} now"),
        GroupResult::WasSo => format!("group {name} had {slots} already"),
        GroupResult::Removed => format!("group {name} removed"),
    }
}

/// What became of a group that was paused or resumed.
pub fn group_paused(one: &GroupPaused, wanted: Wanted) -> String {
    let name = safe::line(&one.name);
    match (wanted, one.changed) {
        (Wanted::Paused, true) if one.queued > 0 => {
            let verb = if one.queued == 1 { "waits" } else { "wait" };
            format!("group {name} paused: none of its jobs starts, and {} {verb}", jobs(one.queued))
        }
        (Wanted::Paused, true) => format!("group {name} paused: none of its jobs starts"),
        (Wanted::Paused, false) => format!("group {name} was paused already"),
        (Wanted::Resumed, true) => format!("group {name} resumed"),
        (Wanted::Resumed, false) => format!("group {name} was not paused"),
    }
}
