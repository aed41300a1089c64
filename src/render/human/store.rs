//! The index as a file, and what came of making it anew.

use super::measure::count_of;
use super::words::{end_status, jobs, moment, title};
use crate::model::{Timestamp, config::StoreType};
use crate::ops::store::{
    Shown,
    migrate::Migrated,
    rebuild::{Lost, Rebuilt},
};
use crate::render::safe;
use std::path::Path;

/// Most lost jobs that are named one by one.
const LOST_MAX: usize = 20;

/// How the index stands.
pub fn store_shown(shown: &Shown, now: Timestamp) -> String {
    let path = path(&shown.path);
    let Some(bytes) = shown.bytes else { return format!("index     {path} (not there yet)\n") };
    let mut text = format!("index     {path}\nform      {}\nsize      {bytes} bytes\n", form(shown.form));
    if let Some(at) = shown.modified_at {
        text.push_str(&format!("written   {}\n", moment(at, now)));
    }
    let counts: Vec<String> = shown
        .counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(status, count)| format!("{count} {status}"))
        .collect();
    let counts = if counts.is_empty() { "none".to_owned() } else { counts.join(", ") };
    text.push_str(&format!(
        "jobs      {counts}\nschedules {}\nevents    {}\n",
        shown.schedules, shown.last_event
    ));
    for kept in &shown.kept {
        text.push_str(&format!("kept      {}\n", safe::line(kept)));
    }
    text
}

fn form(form: StoreType) -> &'static str {
    match form {
        StoreType::Json => "JSON, version 1, a job a line",
        StoreType::Lines => "lines of JSON, version 1, to which changes add",
    }
}

/// What came of giving it another form.
pub fn migrated(migrated: &Migrated) -> String {
    let (path, to) = (path(&migrated.path), form(migrated.to));
    if migrated.from == migrated.to {
        return format!("{path} has that form already: {to}\n");
    }
    format!("{path}: {to}; {}\n", jobs(migrated.jobs))
}

/// What came of making it anew.
pub fn rebuilt(rebuilt: &Rebuilt) -> String {
    let would = if rebuilt.dry_run { "would be " } else { "" };
    let mut text = format!("{}: {}\n", path(&rebuilt.path), safe::line(&rebuilt.was));
    text.push_str(&format!("{} {would}taken as they stood\n", jobs(rebuilt.salvaged)));
    if !rebuilt.from_files.is_empty() {
        text.push_str(&format!("{} {would}made anew from run files:\n", jobs(rebuilt.from_files.len())));
        for job in &rebuilt.from_files {
            text.push_str(&format!("  {} {}: {}\n", job.id, end_status(job), title(job)));
        }
    }
    if !rebuilt.torn_tables.is_empty() {
        text.push_str(&format!("not all of these could be read: {}\n", rebuilt.torn_tables.join(", ")));
    }
    if !rebuilt.lost.is_empty() {
        text.push_str(&format!("{} {would}lost:\n", jobs(rebuilt.lost.len())));
        for lost in rebuilt.lost.iter().take(LOST_MAX) {
            text.push_str(&format!("  {}\n", lost_words(lost)));
        }
        if rebuilt.lost.len() > LOST_MAX {
            text.push_str(&format!("  and {} more\n", rebuilt.lost.len() - LOST_MAX));
        }
    }
    if !rebuilt.lost_schedules.is_empty() {
        let names: Vec<String> = rebuilt.lost_schedules.iter().map(|name| safe::line(name)).collect();
        let count = count_of(names.len(), "schedule", "schedules");
        text.push_str(&format!("{count} {would}lost: {}\n", names.join(", ")));
    }
    if let Some(kept) = &rebuilt.kept {
        text.push_str(&format!("the damaged one is kept: {}\n", path(kept)));
    }
    if rebuilt.dry_run {
        text.push_str("nothing was written\n");
    }
    text
}

fn lost_words(lost: &Lost) -> String {
    let status = lost.status.map_or_else(String::new, |status| format!(" (it was {status})"));
    let name = lost.name.as_ref().map_or_else(String::new, |name| format!(" {}", safe::line(name)));
    format!("{}{name}{status}", lost.id)
}

fn path(path: &Path) -> String {
    safe::line(&path.display().to_string())
}
