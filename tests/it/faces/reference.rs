//! `docs/cli.md`: an introduction written by hand, and a reference made from the long help.

use super::{Part, built, is_fresh, parts_of, project};
use bgctl::cli::args::SUBCOMMANDS;
use bgctl::cli::help;
use clap::{Arg, Command};

/// What is above this line is written by hand.
const BOUNDARY: &str =
    "<!-- From here on, the text is made from the help: SNAPSHOTS=overwrite cargo test --test it faces -->\n";

#[test]
fn faces_the_reference_is_fresh() {
    let text = std::fs::read_to_string(project("docs/cli.md")).unwrap();
    let (by_hand, _) = text.split_once(BOUNDARY).expect("docs/cli.md has its boundary");
    is_fresh("docs/cli.md", &format!("{by_hand}{BOUNDARY}{}", reference()));
}

fn reference() -> String {
    let mut text = String::new();
    let command = built();
    for (heading, names) in help::groups() {
        text.push_str(&format!("\n## {heading}\n"));
        for name in names {
            let (_, about, _) = SUBCOMMANDS.iter().find(|(known, ..)| *known == name).unwrap();
            text.push_str(&format!("\n### `bgctl {name}`\n\n{about}.\n"));
            let found = command.find_subcommand(name).unwrap();
            text.push_str(&described(found));
            for nested in found.get_subcommands() {
                let about = nested.get_about().unwrap();
                text.push_str(&format!("\n#### `bgctl {name} {}`\n\n{about}.\n", nested.get_name()));
                text.push_str(&described(nested));
            }
        }
    }
    text
}

fn described(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let mut text = format!("\n```text\n{}\n```\n", usage.trim_start_matches("Usage: "));
    for part in parts_of(command) {
        if let Part::Text(paragraph) = part {
            text.push_str(&format!("\n{paragraph}\n"));
        }
    }
    let shown = |arg: &&Arg| !arg.is_hide_set() && arg.get_id() != "help";
    let is_plain = |arg: &&Arg| shown(arg) && !arg.is_positional() && arg.get_help_heading().is_none();
    let plain = command.get_arguments().filter(is_plain);
    text.push_str(&listed("", command.get_positionals().filter(shown).chain(plain)));
    let mut headings: Vec<Option<&str>> = vec![None];
    for arg in command.get_arguments().filter(|arg| shown(arg) && !arg.is_positional()) {
        if !headings.contains(&arg.get_help_heading()) {
            headings.push(arg.get_help_heading());
        }
    }
    // The same three stand last everywhere.
    headings.sort_by_key(|heading| *heading == Some("Output"));
    for heading in headings.into_iter().flatten() {
        let under =
            |arg: &&Arg| shown(arg) && !arg.is_positional() && arg.get_help_heading() == Some(heading);
        text.push_str(&listed(heading, command.get_arguments().filter(under)));
    }
    for part in parts_of(command) {
        if let Part::List(heading, lines) = part {
            let kind = if heading.starts_with("Examples") { "sh" } else { "text" };
            text.push_str(&format!("\n{heading}:\n\n```{kind}\n{}\n```\n", lines.join("\n")));
        }
    }
    text
}

fn listed<'a>(heading: &str, args: impl Iterator<Item = &'a Arg>) -> String {
    let mut lines = String::new();
    for arg in args {
        let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
        let paragraphs: Vec<String> = help
            .split("\n\n")
            .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
            .map(|paragraph| paragraph.trim_end_matches('.').to_owned())
            .collect();
        let help = paragraphs.join(". ");
        lines.push_str(&format!("- `{}`: {}", called(arg), help.trim_end_matches('.')));
        let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        if arg.get_num_args().is_some_and(|count| count.takes_values()) {
            let values = arg.get_possible_values();
            let values: Vec<_> = values.iter().filter(|value| !value.is_hide_set()).collect();
            for (place, value) in values.iter().enumerate() {
                let before = if place == 0 { ";" } else { "," };
                lines.push_str(&format!("{before} `{}`", value.get_name()));
                if let Some(help) = value.get_help() {
                    lines.push_str(&format!(" ({help})"));
                }
            }
            if !defaults.is_empty() {
                lines.push_str(&format!("; `{}` unless given", defaults.join(" ")));
            }
        }
        lines.push('\n');
    }
    match (lines.is_empty(), heading) {
        (true, _) => lines,
        (false, "") => format!("\n{lines}"),
        (false, heading) => format!("\n{heading}:\n\n{lines}"),
    }
}

/// An argument as it is typed.
fn called(arg: &Arg) -> String {
    let value = arg.to_string();
    match arg.get_short() {
        Some(short) if !arg.is_positional() => format!("-{short}, {value}"),
        _ => value,
    }
}
