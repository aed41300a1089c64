//! Settings, batches and files of variables: what people write by hand.

use super::{Target, mutate::Corpus};
use crate::proof;
use bgctl::model::config::{self, Config, Loaded, Mistakes, SECTIONS};
use bgctl::ops::{
    schedule::file,
    start::{
        Request,
        batch::{self, BadBatch},
        variables::Variables,
    },
};
use std::path::Path;

#[test]
fn settings_print_as_what_reads_back_the_same_and_mistakes_have_a_place() {
    let corpus = Corpus::of_files("config");
    Target { name: "fuzz.config", corpus: &corpus, cases: proof::cases(2_000, 25_000) }.run(|bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return false };
        match config::read(text) {
            Err(mistakes) => {
                are_in(&mistakes, text);
                false
            }
            Ok(loaded) => {
                holds(&loaded, text);
                true
            }
        }
    });
}

#[test]
fn the_settings_to_begin_with_are_right_ones() {
    let seeds = Corpus::of_files("config").seeds;
    let defined = seeds.iter().map(|seed| {
        let config = Config::parse(std::str::from_utf8(seed).unwrap()).unwrap();
        let from_file = file::read(&config, Path::new("/nowhere"));
        assert!(from_file.mistakes.is_empty(), "{:?}", from_file.mistakes);
        from_file.good.len()
    });
    assert!(defined.sum::<usize>() >= 4);
}

/// Each mistake is in the text, in the order of its lines, and says what is wrong.
fn are_in(mistakes: &Mistakes, text: &str) {
    let lines: Vec<&str> = text.split('\n').collect();
    assert!(!mistakes.all().is_empty());
    for mistake in mistakes.all() {
        assert!((1..=lines.len()).contains(&mistake.line), "{mistake}: of {} lines", lines.len());
        assert!((1..=lines[mistake.line - 1].chars().count() + 1).contains(&mistake.column), "{mistake}");
        assert!(!mistake.problem.trim().is_empty(), "{mistake:?}");
    }
    assert!(mistakes.all().is_sorted_by_key(|one| (one.line, one.column)));
    assert!(mistakes.to_string().starts_with(&mistakes.all()[0].to_string()));
}

/// What `config show` prints means the same, and what is defined is right or named with its line.
fn holds(Loaded { config, lines }: &Loaded, text: &str) {
    let count = text.split('\n').count();
    assert!(lines.values().all(|line| (1..=count).contains(line)), "{lines:?}");
    let printed = printed(config);
    let again = Config::parse(&printed).unwrap_or_else(|error| panic!("{error} in\n{printed}"));
    for setting in SECTIONS.iter().flat_map(|section| section.settings) {
        assert_eq!((setting.get)(config), (setting.get)(&again), "{} in\n{printed}", setting.name);
    }
    assert_eq!(config.groups, again.groups);
    let from_file = file::read(config, Path::new("/nowhere"));
    for (name, mistake) in &from_file.mistakes {
        assert!(!from_file.good.contains_key(name));
        assert!((1..=count).contains(&mistake.line) && !mistake.problem.is_empty(), "{name}: {mistake}");
    }
    for (definition, inherited) in from_file.good.values() {
        let text = serde_json::to_string(definition).unwrap();
        assert_eq!(serde_json::from_str::<bgctl::model::schedule::Definition>(&text).unwrap(), *definition);
        assert!(inherited.get("PATH").is_some());
    }
}

fn printed(config: &Config) -> String {
    let mut text = String::new();
    for section in &SECTIONS {
        text.push_str(&format!("[{}]\n", section.name));
        for setting in section.settings {
            text.push_str(&format!("{} = {}\n", setting.name, (setting.get)(config).to_toml()));
        }
    }
    for (name, slots) in &config.groups {
        text.push_str(&format!("[groups.\"{name}\"]\nslots = {slots}\n"));
    }
    text
}

/// Lines that are taken in one batch.
const LINES_MAX: usize = 4;

#[test]
fn each_line_of_a_batch_is_one_job_or_none_and_the_first_wrong_one_is_named() {
    let corpus = Corpus::of_files("batch");
    let target = Target { name: "fuzz.batch", corpus: &corpus, cases: proof::cases(4_000, 50_000) };
    target.run(|bytes| {
        let flags = Request { name: Some("all".into()), ..Request::default() };
        let lines: Vec<&[u8]> = lines_of(bytes);
        let mut told = Vec::new();
        let read = batch::read(bytes, &flags, LINES_MAX, &mut |number, bytes| told.push((number, bytes)));
        assert!(told.iter().enumerate().all(|(place, (number, _))| *number == place as u64 + 1), "{told:?}");
        assert!(told.is_sorted_by_key(|(_, bytes)| *bytes));
        // Each line by itself says the same.
        let alone = |place: usize| {
            let text = lines[place];
            // What stands before the first line is no part of it, and is of the others.
            let text = if place > 0 && text.starts_with(b"\xef\xbb\xbf") {
                [b" ", text].concat()
            } else {
                text.to_vec()
            };
            batch::read(&text[..], &flags, 1, &mut |_, _| {})
        };
        match read {
            Ok(jobs) => {
                assert!(jobs.len() <= LINES_MAX.min(lines.len()));
                assert!(
                    jobs.is_sorted_by(|one, other| one.number < other.number),
                    "nothing twice, and in order"
                );
                assert_eq!(told.len(), lines.len());
                assert_eq!(told.last().map_or(0, |(_, bytes)| *bytes), bytes.len() as u64);
                for place in 0..lines.len() {
                    let is_job = jobs.iter().any(|job| job.number == place as u64 + 1);
                    assert_eq!(alone(place).unwrap().len(), usize::from(is_job), "line {}", place + 1);
                }
                for job in &jobs {
                    let request = job.request(&flags);
                    assert!(request.argv.is_empty() != request.shell.is_none(), "one command: {request:?}");
                    is_line(&request, lines[usize::try_from(job.number).unwrap() - 1]);
                }
                true
            }
            Err(BadBatch::Line { line, why }) => {
                let line = usize::try_from(line).unwrap();
                assert!(
                    (1..=lines.len()).contains(&line) && !why.to_string().is_empty(),
                    "line {line}: {why}"
                );
                assert!(alone(line - 1).is_err());
                assert!((0..line - 1).all(|place| alone(place).is_ok()), "an earlier one is wrong");
                false
            }
            Err(BadBatch::TooMany(most)) => {
                let jobs: usize =
                    (0..lines.len()).filter_map(|place| alone(place).ok()).map(|jobs| jobs.len()).sum();
                assert!(jobs > most);
                false
            }
            Err(BadBatch::System(error)) => panic!("{error}"),
        }
    });
}

fn lines_of(bytes: &[u8]) -> Vec<&[u8]> {
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\n").unwrap_or(line))
        .collect()
}

/// A command line is the text of its line; what a line does not say is as the flags say.
fn is_line(request: &Request, line: &[u8]) {
    use std::os::unix::ffi::OsStrExt;
    let is_object = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii_start().starts_with(b"{");
    if let (Some(shell), false) = (&request.shell, is_object) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        assert!(line.ends_with(shell.as_bytes()) && line.len() - shell.len() <= 3);
        assert_eq!(request.name.as_deref(), Some("all"));
    }
}

#[test]
fn variables_of_a_file_have_names_and_lines_and_a_bad_line_shows_no_value() {
    let corpus = Corpus::of_files("variables");
    let target = Target { name: "fuzz.variables", corpus: &corpus, cases: proof::cases(4_000, 50_000) };
    target.run(|bytes| {
        let count = bytes.split(|byte| *byte == b'\n').count();
        let mut line_before = 0;
        for variable in Variables::read(bytes).unwrap() {
            match variable {
                Ok((line, name, _)) => {
                    assert!((line_before..=count).contains(&line) && line > 0, "{line} of {count}");
                    assert!(!name.is_empty() && !name.contains(['=', '\0', '\n']), "{name:?}");
                    line_before = line;
                }
                Err(bad) => {
                    assert!((1..=count).contains(&bad.line), "{bad:?} of {count}");
                    return false;
                }
            }
        }
        true
    });
}
