//! What a person meets before the first job: help, the pages made from it, and the ways to install.
//!
//! Everything that is made from the types that read the command line is committed and proved fresh here.
//! `SNAPSHOTS=overwrite cargo test --test it faces` writes it anew.

pub mod help;
mod install;
mod man;
mod recipes;
mod reference;
mod settings;
mod transcript;

use std::path::{Path, PathBuf};

/// A place in this project.
pub fn project(path: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A committed file is what would be written now. With `SNAPSHOTS=overwrite` it is written instead.
#[track_caller]
pub fn is_fresh(path: &str, text: &str) {
    let place = project(path);
    if std::env::var("SNAPSHOTS").is_ok_and(|value| value == "overwrite") {
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        if std::fs::read_to_string(&place).ok().as_deref() != Some(text) {
            std::fs::write(&place, text).unwrap();
        }
        return;
    }
    let committed = std::fs::read_to_string(&place).unwrap_or_default();
    assert!(
        committed == text,
        "{path} is out of date; SNAPSHOTS=overwrite cargo test --test it faces writes it anew\n{}",
        first_difference(&committed, text)
    );
}

fn first_difference(committed: &str, text: &str) -> String {
    let differ = committed.lines().zip(text.lines()).enumerate().find(|(_, (old, new))| old != new);
    match differ {
        Some((place, (old, new))) => format!("line {}:\n- {old}\n+ {new}", place + 1),
        None => "one of them is longer".to_owned(),
    }
}

/// Nothing is in a folder that is not made anew each time.
#[track_caller]
pub fn has_only(folder: &str, names: &[String]) {
    for entry in std::fs::read_dir(project(folder)).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(names.contains(&name), "{folder}/{name} belongs to nothing; remove it");
    }
}

/// Every subcommand with its arguments, as it is built to parse them.
pub fn built() -> clap::Command {
    let mut command = bgctl::cli::args::command();
    command.build();
    command
}

/// The words that stand for each subcommand, those of the nested ones behind the one that has them.
pub fn paths() -> Vec<Vec<String>> {
    let command = built();
    let mut paths = Vec::new();
    for (name, ..) in bgctl::cli::args::SUBCOMMANDS {
        paths.push(vec![name.to_owned()]);
        let nested = command.find_subcommand(name).unwrap().get_subcommands();
        paths.extend(nested.map(|one| vec![name.to_owned(), one.get_name().to_owned()]));
    }
    paths
}

/// The subcommand that these words stand for.
pub fn find<'a>(command: &'a clap::Command, path: &[impl AsRef<str>]) -> &'a clap::Command {
    path.iter().fold(command, |command, word| {
        let word = word.as_ref();
        command.find_subcommand(word).unwrap_or_else(|| panic!("there is no {word}"))
    })
}

/// What a subcommand's help says after its options: paragraphs, and lists that stand indented below a heading.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// A paragraph.
    Text(String),
    /// A heading and the lines below it, as they stand.
    List(String, Vec<String>),
}

/// The parts of a help's end.
pub fn parts(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut is_new = true;
    for line in text.lines() {
        match (line.strip_prefix("  "), parts.last_mut()) {
            (Some(line), Some(Part::List(_, lines))) => lines.push(line.to_owned()),
            _ if line.is_empty() => {}
            _ if line.ends_with(':') => {
                parts.push(Part::List(line.trim_end_matches(':').to_owned(), Vec::new()));
            }
            (None, Some(Part::Text(text))) if !is_new => {
                text.push(' ');
                text.push_str(line);
            }
            _ => parts.push(Part::Text(line.to_owned())),
        }
        is_new = line.is_empty();
    }
    parts
}

/// The parts of a subcommand's help.
pub fn parts_of(command: &clap::Command) -> Vec<Part> {
    parts(&command.get_after_long_help().map(ToString::to_string).unwrap_or_default())
}
