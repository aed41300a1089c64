//! The same of an index of lines (`store.type = "jsonl"`): what [`hostile`](super::hostile) has in one piece comes as lines, in the first
//! change or in a later one, and so does what only lines can be.

use super::hostile::{AT, COMMANDS, Tried, job, large, scene, small};
use crate::proof::is_long;
use crate::support::User;
use serde_json::json;
use std::fmt::Write as _;

/// What `jobs.json` says beside an index of lines.
const MOVED: &str = "{\"version\":1,\n\"requires\":[\"jsonl\"],\n\"jobs\":[\n]}\n";

/// A change that is whole and says nothing.
const BEGINNING: &str = "{\"version\":1}\n{\"commit\":1}\n";

/// An index of one piece as lines, all in the first change.
fn at_first(text: &str) -> String {
    match split(text) {
        Some((head, jobs)) => format!("{head}}}\n{jobs}\n{{\"commit\":1}}\n"),
        None => format!("{text}\n{{\"commit\":1}}\n"),
    }
}

/// The same with what it has in a later one.
fn later(text: &str) -> String {
    let begun = format!("{{\"version\":1,\"updated_at\":\"{AT}\"");
    match split(text).and_then(|(head, jobs)| Some((head.strip_prefix(&begun)?, jobs))) {
        Some((more, jobs)) => {
            let tables = more.strip_prefix(',').map_or(String::new(), |tables| format!("{{{tables}}}\n"));
            format!("{BEGINNING}{tables}{jobs}\n{{\"commit\":2}}\n")
        }
        None => format!("{BEGINNING}{text}\n{{\"commit\":2}}\n"),
    }
}

/// What is before the jobs, and a line for each job.
fn split(text: &str) -> Option<(&str, String)> {
    let (head, jobs) = text.split_once(",\"jobs\":[\n")?;
    Some((head, jobs.strip_suffix("\n]}\n")?.replace(",\n", "\n")))
}

/// What has a meaning in lines alone, each with a name for messages.
fn of_lines(outside: &str, count: usize) -> Vec<(String, String)> {
    let one = job("aaaaaa", "queued", &json!({}));
    let id = "bg_20260213_aaaaaa";
    let mut found: Vec<(String, String)> = Vec::new();
    let mut add = |name: String, lines: String| found.push((name, format!("{BEGINNING}{lines}")));
    for number in
        ["-1", "0", "1", "1e999", "18446744073709551615", "18446744073709551616", "\"2\"", "null", "[]", "{}"]
    {
        add(format!("a commit {number}"), format!("{one}\n{{\"commit\":{number}}}\n"));
        add(format!("one removed {number}"), format!("{one}\n{{\"removed\":{number}}}\n{{\"commit\":2}}\n"));
        add(
            format!("an id {number}"),
            format!("{{\"id\":{number},\"status\":\"queued\"}}\n{{\"commit\":2}}\n"),
        );
    }
    for path in [outside, "../../victim/file", "", ".", "bg_20260213_aaa/aa", "bg_20260213_zzzzzz"] {
        let removed = json!({ "removed": path });
        add(format!("{path:?} removed"), format!("{one}\n{removed}\n{{\"commit\":2}}\n"));
        for table in ["groups", "schedules", "names"] {
            for what in [json!({}), json!(null), json!(1)] {
                let table = json!({ table: { path: what } });
                add(format!("a line {table}"), format!("{one}\n{table}\n{{\"commit\":2}}\n"));
            }
        }
    }
    add(
        "removed twice".into(),
        format!("{one}\n{}\n{{\"commit\":2}}\n", format!("{{\"removed\":\"{id}\"}}\n").repeat(2)),
    );
    add(
        "removed and there again".into(),
        format!("{one}\n{{\"removed\":\"{id}\"}}\n{one}\n{{\"commit\":2}}\n"),
    );
    add("a wrong checksum".into(), format!("{one}\n{{\"commit\":2,\"checksum\":\"0000000000000000\"}}\n"));
    add("a checksum that is none".into(), format!("{one}\n{{\"commit\":2,\"checksum\":[[[]]]}}\n"));
    add("another version".into(), format!("{{\"version\":2}}\n{one}\n{{\"commit\":2}}\n"));
    add("something unknown required".into(), format!("{one}\n{{\"commit\":2,\"requires\":[\"unheard\"]}}\n"));
    add("no commit".into(), format!("{one}\n"));
    add("a line cut short".into(), format!("{one}\n{{\"comm"));
    add("no line at all".into(), "\n\n\n{\"commit\":2}\n".into());
    add("NULs".into(), "\0".repeat(100_000));
    add("NULs, and a commit".into(), format!("{}\n{{\"commit\":2}}\n", "\0".repeat(100_000)));
    add("bytes that are no text".into(), "\u{feff}\u{fffd}\n{\"commit\":2}\n".into());
    for (name, line) in [("brackets", "[".repeat(100_000)), ("braces", "{\"id\":".repeat(100_000))] {
        add(format!("{name} that are deep"), format!("{line}\n{{\"commit\":2}}\n"));
    }
    let mut commits = String::new();
    let mut states = String::new();
    for number in 2..count + 2 {
        let _ = writeln!(commits, "{{\"commit\":{number}}}");
        let _ = write!(states, "{one}\n{{\"commit\":{number}}}\n");
    }
    add(format!("{count} commits"), commits.clone());
    add(format!("{count} changes of one job"), states);
    add(
        format!("{count} commits in the wrong order"),
        commits.lines().rev().fold(String::new(), |all, line| all + line + "\n"),
    );
    add(format!("{count} lines without a commit"), format!("{one}\n").repeat(count));
    found.push(("nothing".into(), String::new()));
    found.push(("a commit alone".into(), "{\"commit\":1}\n".into()));
    found
}

/// A user with an index of lines.
fn scene_of_lines(text: &str) -> (User, super::victim::Victim) {
    let (user, victim) = scene(MOVED);
    std::fs::write(user.root().join("jobs.jsonl"), text).unwrap();
    (user, victim)
}

#[test]
fn an_index_of_lines_made_to_harm_is_answered_in_bounded_time_and_memory() {
    let seed = crate::proof::seed();
    let start = usize::try_from(seed % 1_000_000).unwrap();
    let place = User::new();
    let outside = place.path("victim/file");
    let outside = outside.to_str().unwrap();
    let (entries, jobs) = if is_long() { (100_000, 10_000) } else { (1_000, 1_000) };
    let own = of_lines(outside, jobs);
    let small = small(outside);
    let sample = |all: &[(String, String)], quick: usize, as_lines: &dyn Fn(usize, &str) -> String| {
        let count = crate::proof::cases(quick, usize::MAX).min(all.len());
        let chosen = (0..count).map(|number| &all[(start + number * all.len() / count) % all.len()]);
        chosen
            .enumerate()
            .map(|(number, (name, text))| (name.clone(), as_lines(number + start, text)))
            .collect::<Vec<_>>()
    };
    let in_turns =
        |number: usize, text: &str| if number.is_multiple_of(2) { at_first(text) } else { later(text) };
    let mut all = sample(&own, 30, &|_, text| text.to_owned());
    all.extend(sample(&small, 30, &in_turns));
    all.extend(sample(&large(entries, jobs), 9, &in_turns));

    let mut tried = Tried::new();
    for (number, (name, text)) in all.iter().enumerate() {
        let (user, victim) = scene_of_lines(text);
        // The quick form takes a third of the commands for each.
        let commands: Vec<&[&str]> = COMMANDS
            .into_iter()
            .enumerate()
            .filter(|(place, _)| is_long() || place % 3 == (number + start) % 3)
            .map(|(_, command)| command)
            .collect();
        tried.look(name, &user, &victim, &commands);
    }
    let (user, victim) = scene_of_lines(BEGINNING);
    std::fs::File::options()
        .write(true)
        .open(user.root().join("jobs.jsonl"))
        .unwrap()
        .set_len(1 << 30)
        .unwrap();
    tried.look("a file of 1 GiB", &user, &victim, &COMMANDS);
    let more = format!("large ones of {entries} entries or {jobs} jobs; seed {seed}");
    tried.tell("security.hostile_lines", &more);
}
