//! The man pages: made from the types that read the command line, committed, fresh, and read by man without a complaint.

use super::{Part, built, find, has_only, is_fresh, parts, parts_of, paths, project};
use crate::support::User;
use bgctl::cli::args::{ALIASES, SUBCOMMANDS};
use bgctl::cli::help;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};
use std::path::Path;
use std::process::Command;

#[test]
fn faces_the_man_pages_are_fresh() {
    let pages = pages();
    for (name, text) in &pages {
        is_fresh(&format!("docs/man/{name}"), text);
    }
    has_only("docs/man", &pages.into_iter().map(|(name, _)| name).collect::<Vec<_>>());
}

/// The pages that have a text of their own; the others name the one that is shown in their place.
fn written() -> impl Iterator<Item = (String, String)> {
    pages().into_iter().filter(|(_, text)| !text.starts_with(".so "))
}

/// Name and text of each page.
fn pages() -> Vec<(String, String)> {
    let command = built();
    let mut pages = vec![
        ("bgctl.1".to_owned(), page(&command, &[])),
        // One program under two names.
        ("bg.1".to_owned(), ".so man1/bgctl.1\n".to_owned()),
    ];
    for path in paths() {
        pages.push((format!("bgctl-{}.1", path.join("-")), page(find(&command, &path), &path)));
    }
    for (alias, name) in ALIASES {
        pages.push((format!("bgctl-{alias}.1"), format!(".so man1/bgctl-{name}.1\n")));
    }
    pages
}

fn page(command: &clap::Command, path: &[String]) -> String {
    let is_root = path.is_empty();
    let title = if is_root { "BGCTL".to_owned() } else { format!("BGCTL-{}", path.join("-").to_uppercase()) };
    let man = Man::new(command.clone())
        .title(title)
        .source(concat!("bgctl ", env!("CARGO_PKG_VERSION")))
        .manual("Background jobs");
    let part = |render: fn(&Man, &mut dyn std::io::Write) -> std::io::Result<()>| {
        let mut text = Vec::new();
        render(&man, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    };
    let mut text = part(Man::render_title);
    text.push_str(&part(Man::render_name_section));
    text.push_str(&synopsis(command, path));
    text.push_str(&part(Man::render_description_section));
    text.push_str(&said(command, is_root));
    if is_root {
        text.push_str(&subcommands());
    } else if command.has_subcommands() {
        text.push_str(&nested(command, path));
    }
    text.push_str(&options(&part(Man::render_options_section)));
    text.push_str(&last_sections(command, path));
    // The program that makes the sections repeats the definitions of two strings in each.
    let preamble: Vec<&str> = text.lines().take_while(|line| !line.starts_with(".TH")).collect();
    let preamble = preamble.join("\n");
    let once = text.replacen(&preamble, "\u{0}", 1).replace(&format!("{preamble}\n"), "");
    once.replacen('\u{0}', &preamble, 1)
}

/// The usage as the help has it: with many options, a list of them all is no summary.
fn synopsis(command: &clap::Command, path: &[String]) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let name = if path.is_empty() { "bgctl".to_owned() } else { format!("bgctl {}", path.join(" ")) };
    let rest = usage.strip_prefix(&name).expect("a usage begins with the command").to_owned();
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold(name), roman(rest)]);
    roff.render()
}

/// The paragraphs that the help has beside its lists.
fn said(command: &clap::Command, is_root: bool) -> String {
    let mut roff = Roff::new();
    for part in parts_of(command) {
        if let Part::Text(text) = part {
            roff.control("PP", []);
            roff.text([roman(text)]);
        }
    }
    if is_root {
        roff.control("PP", []);
        roff.text([roman(
            "A command is started in the background under one small process that watches it and lives as long as it does. \
             All else is short commands over one index. There is no daemon.",
        )]);
        roff.control("PP", []);
        roff.text([
            roman("A job is named by its id, by the first two or more characters of the random part of its id, or by its \
                   name. The program has two names: "),
            bold("bgctl"),
            roman(" for scripts, and "),
            bold("bg"),
            roman(" for a prompt whose shell was told by "),
            bold("bgctl init"),
            roman("."),
        ]);
    }
    roff.render()
}

/// The subcommands that a subcommand has.
fn nested(command: &clap::Command, path: &[String]) -> String {
    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS"]);
    for one in command.get_subcommands() {
        roff.control("TP", []);
        roff.text([bold(format!("bgctl-{}-{}", path.join("-"), one.get_name())), roman("(1)")]);
        roff.text([roman(format!("{}.", one.get_about().unwrap()))]);
    }
    roff.render()
}

fn subcommands() -> String {
    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS"]);
    for (heading, names) in help::groups() {
        roff.control("SS", [heading]);
        for name in names {
            let about = SUBCOMMANDS.iter().find(|(known, ..)| *known == name).unwrap().1;
            roff.control("TP", []);
            roff.text([bold(format!("bgctl-{name}")), roman("(1)")]);
            roff.text([roman(about)]);
        }
    }
    roff.render()
}

/// All options in one section, with the headings of the help below it.
fn options(text: &str) -> String {
    let mut out = String::new();
    let mut has_section = false;
    for line in text.lines() {
        match line.strip_prefix(".SH ") {
            Some("OPTIONS") => has_section = true,
            Some(heading) => {
                if !has_section {
                    out.push_str(".SH OPTIONS\n");
                    has_section = true;
                }
                let (first, rest) = heading.trim_matches('"').split_at(1);
                out.push_str(&format!(".SS \"{first}{}\"\n", rest.to_lowercase()));
                continue;
            }
            None => {}
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

fn last_sections(command: &clap::Command, path: &[String]) -> String {
    let is_root = path.is_empty();
    let own = if is_root { "bgctl".to_owned() } else { format!("bgctl-{}", path.join("-")) };
    let mut roff = Roff::new();
    let defined = |roff: &mut Roff, entries: &[(&str, &str)]| {
        for (word, meaning) in entries {
            roff.control("TP", []);
            roff.text([bold(*word)]);
            roff.text([roman(*meaning)]);
        }
    };
    roff.control("SH", ["EXIT STATUS"]);
    if command.get_name() == "wait" {
        defined(&mut roff, &help::EXIT_CODES_OF_WAIT);
    } else if command.get_name() == "health" {
        defined(&mut roff, &help::EXIT_CODES_OF_HEALTH);
    } else {
        let of_start_only = |code: &&(&str, &str)| !["126", "127"].contains(&code.0);
        let is_starting =
            is_root || ["bgctl-start", "bgctl-retry", "bgctl-schedule-add"].contains(&own.as_str());
        let codes: Vec<_> =
            help::EXIT_CODES.iter().filter(|code| is_starting || of_start_only(code)).copied().collect();
        defined(&mut roff, &codes);
    }
    if is_root || ["bgctl-start", "bgctl-retry", "bgctl-schedule-run"].contains(&own.as_str()) {
        roff.control("PP", []);
        let waiting = "Where it waits for the job, the codes are those of ";
        roff.text([roman(waiting), bold("bgctl-wait"), roman("(1).")]);
    }
    roff.control("SH", ["ENVIRONMENT"]);
    defined(&mut roff, &help::ENVIRONMENT);
    roff.control("SH", ["FILES"]);
    for (name, meaning) in help::FILES {
        roff.control("TP", []);
        roff.text([italic(format!("~/.config/bg/{name}"))]);
        roff.text([roman(meaning)]);
    }
    roff.control("SH", ["EXAMPLES"]);
    let examples = format!("Examples:\n{}", help::EXAMPLES);
    let examples = if is_root { parts(&examples) } else { parts_of(command) };
    for part in examples {
        if let Part::List(heading, lines) = part
            && heading == "Examples"
        {
            roff.control("nf", []);
            for line in &lines {
                roff.text([roman(line.as_str())]);
            }
            roff.control("fi", []);
        }
    }
    roff.control("SH", ["SEE ALSO"]);
    // A nested one beside those that it stands with.
    let beside =
        paths().into_iter().filter(|other| other.len() == 1 || other[0] == *path.first().unwrap_or(&own));
    let pages: Vec<String> = std::iter::once("bgctl".to_owned())
        .chain(beside.map(|other| format!("bgctl-{}", other.join("-"))))
        .filter(|page| *page != own)
        .collect();
    let mut words = Vec::new();
    for (place, page) in pages.iter().enumerate() {
        words.push(bold(page.as_str()));
        words.push(roman(if place + 1 == pages.len() { "(1)" } else { "(1), " }));
    }
    roff.text(words);
    roff.render()
}

/// Whether one of the programs that read man pages is here, and what it says about a page.
fn complaints(program: &str, arguments: &[&str], page: &Path) -> Option<String> {
    let user = User::new();
    let mut command: Command = user.command(program);
    let output = command.args(arguments).arg(page).env("MANWIDTH", "80").output().ok()?;
    assert!(output.status.success() && !output.stdout.is_empty(), "{program} {}", page.display());
    Some(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_pages_are_shown_without_a_warning() {
    for (program, arguments) in [
        ("groff", &["-man", "-ww", "-Kutf8", "-Tutf8"][..]),
        ("man", &["--warnings=all", "-l"]),
        ("mandoc", &["-Wwarning"]),
    ] {
        for (name, _) in written() {
            match complaints(program, arguments, &project("docs/man").join(&name)) {
                Some(said) => assert_eq!(said, "", "{program} on {name}"),
                None => eprintln!("skipped: {program} is not installed"),
            }
        }
    }
}

#[test]
fn every_page_has_the_sections_that_readers_look_for() {
    for (name, text) in written() {
        let wanted =
            ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"];
        for section in wanted {
            let found = text.lines().any(|line| line.replace('"', "") == format!(".SH {section}"));
            assert!(found, "{name} has no {section}");
        }
    }
}
