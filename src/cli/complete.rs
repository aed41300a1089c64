//! What may come next on a command line: the program's side of the shells' completion.
//!
//! The shells' side is in `ops/init/complete`: it calls `BGCTL_COMPLETE=SHELL bgctl INDEX WORD…`, with the words of the
//! line from the program's name on and the place of the one to complete, counted from 0. The answer is one candidate a
//! line. On any error it is empty, and nothing is ever written, neither to the terminal nor to the root.

use super::args;
use crate::model::{
    approval::{Gate, On},
    config::{section, setting},
    facts::Head,
    job::Job,
    schedule::DefinedBy,
    state::Status,
};
use crate::ops::{self, group::Standing, known::known, schedule};
use crate::os::session;
use crate::render::{
    human::{group_brief, screen::fit, words::title},
    safe,
};
use clap::{Arg, Command};
use clap_complete::engine::{self, ArgValueCompleter, CompletionCandidate};
use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};

/// The variable that asks for candidates and names the shell.
pub const VARIABLE: &str = "BGCTL_COMPLETE";

/// Longest description of a job.
const DESCRIPTION_CHARS_MAX: usize = 60;

/// How a shell wants its candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Words that it takes as they are, so that those which would need quotes are left out.
    Bare,
    /// Words, which it quotes itself, and descriptions, separated by a tabulator.
    Described,
    /// Words and descriptions, separated by a tabulator; words that would need quotes are left out.
    BareDescribed,
    /// Words and descriptions for zsh's `_describe`, separated by a colon.
    Zsh,
}

impl Form {
    fn of(shell: &OsStr) -> Option<Self> {
        Some(match shell.to_str()? {
            "bash" => Self::Bare,
            "elvish" | "fish" => Self::Described,
            "powershell" => Self::BareDescribed,
            "zsh" => Self::Zsh,
            _ => return None,
        })
    }
}

/// Answers a shell that asks what may come next. `None`: this is no such question, but a command to run.
pub fn answer(shell: &OsStr, arguments: &[OsString]) -> Option<()> {
    let form = Form::of(shell)?;
    let index: usize = arguments.get(1)?.to_str()?.parse().ok()?;
    let text: String = candidates(arguments[2..].to_vec(), index, form)
        .iter()
        .filter_map(|candidate| line(candidate, form))
        .collect();
    let _ = io::stdout().write_all(text.as_bytes());
    Some(())
}

fn candidates(mut words: Vec<OsString>, mut index: usize, form: Form) -> Vec<CompletionCandidate> {
    // fish gives the variables that are set for this one command too.
    while words.len() > 1 && words[0].as_encoded_bytes().contains(&b'=') && index > 0 {
        words.remove(0);
        index -= 1;
    }
    // Some shells cannot give an empty word to a program.
    words.truncate(index + 1);
    words.resize(index + 1, OsString::new());
    let current = words[index].clone();
    let given: Vec<OsString> = words[..index].to_vec();
    if index > 1 && !is_subcommand(&words[1]) {
        return Vec::new();
    }
    let here = std::env::current_dir().ok();
    let mut found = engine::complete(&mut command(), words, index, here.as_deref()).unwrap_or_default();
    // Behind a job, which may be one of several, the library knows of nothing but more jobs.
    let is_named = given.iter().skip(2).any(|word| !word.as_encoded_bytes().starts_with(b"-"));
    if is_named && given[1] == "signal" {
        found.splice(0..0, signals(&current));
    }
    // Who writes 'bgctl cancel a b' does not want to be offered a again.
    found.retain(|one| is_option(one) || !given.iter().any(|word| word == one.get_value()));
    if current.is_empty() && found.iter().any(|one| !is_option(one)) {
        found.retain(|one| !is_option(one));
    }
    if matches!(form, Form::Bare | Form::BareDescribed) {
        found.retain(|one| one.get_value().to_str().is_some_and(is_bare));
    }
    found
}

/// Whether the second word of a line can be followed by one of ours: with `bg`, it may be a job of the shell.
fn is_subcommand(word: &OsStr) -> bool {
    args::subcommand_words().any(|name| word == name)
}

fn is_option(candidate: &CompletionCandidate) -> bool {
    candidate.get_value().as_encoded_bytes().starts_with(b"-")
}

/// Whether every shell reads that as one plain word.
fn is_bare(text: &str) -> bool {
    let plain = |one: char| one.is_alphanumeric() || "@%+=:,./_-".contains(one);
    text.chars().all(plain)
}

/// A candidate as the shell reads it. What a terminal would obey cannot be written so, and is left
/// out.
fn line(candidate: &CompletionCandidate, form: Form) -> Option<String> {
    let value = candidate.get_value().to_str().filter(|value| !value.contains(safe::is_harmful))?;
    let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
    let help = safe::line(help.lines().next().unwrap_or_default());
    Some(match form {
        Form::Described | Form::BareDescribed if !help.is_empty() => format!("{value}\t{help}\n"),
        Form::Bare | Form::Described | Form::BareDescribed => format!("{value}\n"),
        Form::Zsh => {
            let value = value.replace('\\', r"\\").replace(':', r"\:");
            if help.is_empty() { format!("{value}\n") } else { format!("{value}:{help}\n") }
        }
    })
}

/// The command line with all its subcommands, each argument knowing what its values can be.
fn command() -> Command {
    let mut command = args::command();
    command.build();
    let names: Vec<String> = command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    for name in names {
        command = command.mut_subcommand(&name, |one| knowing(&name, one));
    }
    command
}

/// A subcommand whose arguments, and those of its own subcommands, know what their values can be.
fn knowing(name: &str, mut command: Command) -> Command {
    let nested: Vec<String> = command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    for one in nested {
        command = command.mut_subcommand(&one, |command| knowing(&format!("{name} {one}"), command));
    }
    command.mut_args(|arg| with_values(name, arg))
}

/// Adds what an argument's values can be, by how the help calls them: each such word means the same everywhere.
fn with_values(subcommand: &str, arg: Arg) -> Arg {
    let actable = actable(subcommand);
    // Any job can be looked at by its name, and active ones by what they have in common.
    let labelled = match subcommand {
        "wait" | "logs" => is_active,
        // There, a label chooses among dead letters.
        "retry" => self::actable("dead"),
        _ => actable,
    };
    let wanted = chosen(subcommand);
    let changes = CHANGING.contains(&subcommand);
    let called = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    let long = arg.get_long().unwrap_or_default();
    match called.as_deref() {
        Some("JOB" | "ID") => {
            arg.add(ArgValueCompleter::new(move |word: &OsStr| jobs(word, actable, changes)))
        }
        Some("LABEL") => arg.add(ArgValueCompleter::new(move |word: &OsStr| labels(word, labelled))),
        Some("STATE") => arg.add(ArgValueCompleter::new(move |word: &OsStr| states(word, wanted))),
        Some("GROUP") => arg.add(ArgValueCompleter::new(groups)),
        Some("NAME") if long == "group" => arg.add(ArgValueCompleter::new(groups)),
        // Elsewhere, --key gives a new one, or says what to sort by.
        Some("KEY") if subcommand == "status" => arg.add(ArgValueCompleter::new(keys)),
        // Elsewhere, a name is new, or that of something else.
        Some("NAME") if subcommand == "health" => arg.add(ArgValueCompleter::new(recurring)),
        Some("SCHEDULE") => {
            let wanted = schedulable(subcommand);
            arg.add(ArgValueCompleter::new(move |word: &OsStr| schedules(word, wanted)))
        }
        // A name that is there is one to change.
        Some("NAME") if long.is_empty() && subcommand == "schedule add" => {
            arg.add(ArgValueCompleter::new(move |word: &OsStr| schedules(word, is_added)))
        }
        Some("WHERE") => arg.add(ArgValueCompleter::new(answered_on)),
        Some("ZONE") => arg.add(ArgValueCompleter::new(zones)),
        Some("SETTING") => arg.add(ArgValueCompleter::new(settings)),
        Some("SIGNAL") => arg.add(ArgValueCompleter::new(signals)),
        // Elsewhere, --name gives a new one.
        Some("NAME") if long == "name" && subcommand == "list" => {
            arg.add(ArgValueCompleter::new(move |word: &OsStr| names(word, actable)))
        }
        _ => arg,
    }
}

/// The subcommands that change a job: they take names only of their own terminal's jobs (`ops::find`).
const CHANGING: [&str; 10] =
    ["cancel", "set", "send", "signal", "pause", "resume", "retry", "dead", "approve", "decline"];

/// Which jobs a subcommand can act on.
fn actable(subcommand: &str) -> fn(&Head) -> bool {
    match subcommand {
        "cancel" | "set" => is_active,
        "send" | "signal" => |head| head.status == Status::Running,
        "pause" => |head| !head.status.has_ended() && !head.paused,
        "resume" => |head| !head.status.has_ended() && head.paused,
        "prune" | "retry" => |head| head.status.has_ended(),
        "dead" => |head| head.dead_letter,
        "approve" => {
            |head| head.waiting.as_ref().is_some_and(|waiting| waiting.request.on.github().is_none())
        }
        "decline" => |head| head.waiting.is_some(),
        _ => |_| true,
    }
}

fn is_active(head: &Head) -> bool {
    !head.status.has_ended()
}

/// Which states a subcommand can choose jobs by.
fn chosen(subcommand: &str) -> fn(Status) -> bool {
    match subcommand {
        "cancel" | "wait" | "logs" | "pause" | "resume" => |status| !status.has_ended(),
        "prune" => Status::has_ended,
        _ => |_| true,
    }
}

fn begins(value: &str, word: &OsStr) -> bool {
    word.to_str().is_some_and(|word| value.starts_with(word))
}

/// A job by its id and its name; by the random part of its id once somebody has begun to type that.
///
/// `changes`: the subcommand changes it, and knows the names of its own terminal's jobs only.
fn jobs(word: &OsStr, wanted: fn(&Head) -> bool, changes: bool) -> Vec<CompletionCandidate> {
    let mut found: Vec<CompletionCandidate> = Vec::new();
    let mut offered: HashSet<String> = HashSet::new();
    let session = changes.then(session::terminal);
    for job in known(wanted) {
        let random = Some(job.id.random_part()).filter(|_| !word.is_empty());
        let is_called = session.as_ref().is_none_or(|session| *session == job.spec.session);
        let ways = [job.spec.name.as_deref().filter(|_| is_called), Some(job.id.as_str()), random];
        for way in ways.into_iter().flatten().filter(|way| begins(way, word)) {
            // A name means the newest of that name, which was offered first.
            if offered.insert(way.to_owned()) {
                found.push(CompletionCandidate::new(way).help(Some(description(&job, way).into())));
            }
        }
    }
    found
}

/// State and command, and the name where the job is offered by its id.
fn description(job: &Job, way: &str) -> String {
    let what = if job.spec.name.as_deref() == Some(way) { safe::line(&job.spec.display) } else { title(job) };
    let paused = if job.paused_at().is_some() { ", paused" } else { "" };
    fit(&format!("{}{paused}  {what}", job.status()), DESCRIPTION_CHARS_MAX)
}

fn names(word: &OsStr, wanted: fn(&Head) -> bool) -> Vec<CompletionCandidate> {
    let mut found: Vec<CompletionCandidate> = Vec::new();
    let mut offered: HashSet<String> = HashSet::new();
    for job in known(wanted) {
        let Some(name) = job.spec.name.as_deref().filter(|name| begins(name, word)) else { continue };
        if offered.insert(name.to_owned()) {
            found.push(CompletionCandidate::new(name).help(Some(description(&job, name).into())));
        }
    }
    found
}

/// Keys, the one used last first.
fn keys(word: &OsStr) -> Vec<CompletionCandidate> {
    let mut found: Vec<CompletionCandidate> = Vec::new();
    let mut offered: HashSet<String> = HashSet::new();
    for job in known(|head| head.key.is_some()) {
        let Some(key) = job.spec.key.as_ref().map(|key| key.text.as_str()) else { continue };
        if begins(key, word) && offered.insert(key.to_owned()) {
            found.push(CompletionCandidate::new(key).help(Some(description(&job, key).into())));
        }
    }
    found
}

fn labels(word: &OsStr, wanted: fn(&Head) -> bool) -> Vec<CompletionCandidate> {
    let mut counted: Vec<(String, usize)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for label in known(wanted).into_iter().flat_map(|job| job.spec.labels) {
        match places.get(&label) {
            Some(place) => counted[*place].1 += 1,
            None if begins(&label, word) => {
                places.insert(label.clone(), counted.len());
                counted.push((label, 1));
            }
            None => {}
        }
    }
    let said = |count: usize| format!("{count} {}", if count == 1 { "job" } else { "jobs" });
    counted
        .into_iter()
        .map(|(label, count)| CompletionCandidate::new(label).help(Some(said(count).into())))
        .collect()
}

/// States, of which several may be joined by commas; and the words for those that are not over and those that are, where
/// all that they mean is wanted.
fn states(word: &OsStr, wanted: fn(Status) -> bool) -> Vec<CompletionCandidate> {
    let word = word.to_str().unwrap_or_default();
    let (before, last) = word.rfind(',').map_or(("", word), |comma| word.split_at(comma + 1));
    let (ended, active): (Vec<Status>, Vec<Status>) =
        Status::ALL.into_iter().partition(|one| one.has_ended());
    let sets = [("active", active), ("ended", ended)].into_iter();
    let sets = sets.filter(|(_, all)| all.iter().all(|one| wanted(*one))).map(|(name, _)| name);
    let each = Status::ALL.into_iter().filter(|one| wanted(*one)).map(Status::as_str);
    each.chain(sets)
        .filter(|state| state.starts_with(last))
        .map(|state| CompletionCandidate::new(format!("{before}{state}")))
        .collect()
}

fn groups(word: &OsStr) -> Vec<CompletionCandidate> {
    let standings = ops::group::list(None).map(|(standings, _)| standings).unwrap_or_default();
    let known = standings.into_iter().filter(|one| begins(&one.name, word));
    known.map(|one| CompletionCandidate::new(&one.name).help(Some(said(&one).into()))).collect()
}

/// Schedules, and names of jobs that have ended.
fn recurring(word: &OsStr) -> Vec<CompletionCandidate> {
    ops::health::known().into_iter().filter(|name| begins(name, word)).map(CompletionCandidate::new).collect()
}

/// How a group stands, without its name.
fn said(group: &Standing) -> String {
    let brief = group_brief(group);
    brief.strip_prefix(&format!("{} ", group.name)).unwrap_or(&brief).to_owned()
}

/// Which schedules a subcommand can act on.
fn schedulable(subcommand: &str) -> fn(&schedule::Standing) -> bool {
    match subcommand {
        "schedule pause" => |one| !is_paused(one),
        "schedule resume" => is_paused,
        "schedule remove" => is_added,
        _ => |_| true,
    }
}

fn is_paused(one: &schedule::Standing) -> bool {
    one.schedule.as_ref().is_some_and(|schedule| schedule.paused_at.is_some())
}

fn is_added(one: &schedule::Standing) -> bool {
    one.definition.as_ref().is_some_and(|definition| definition.source == DefinedBy::Command)
}

fn schedules(word: &OsStr, wanted: fn(&schedule::Standing) -> bool) -> Vec<CompletionCandidate> {
    let standings = schedule::list(None).map(|listed| listed.standings).unwrap_or_default();
    let known = standings.into_iter().filter(|one| wanted(one) && begins(&one.name, word));
    known
        .map(|one| {
            let when = one.definition.as_ref().map(|definition| definition.rhythm.to_string());
            CompletionCandidate::new(&one.name).help(when.map(Into::into))
        })
        .collect()
}

/// Time zones, once somebody has begun to type one: there are six hundred.
fn zones(word: &OsStr) -> Vec<CompletionCandidate> {
    schedule::zones().filter(|zone| begins(zone, word)).map(CompletionCandidate::new).collect()
}

/// Where an answer is given: here, or on an issue; first where it was given before.
fn answered_on(word: &OsStr) -> Vec<CompletionCandidate> {
    let mut found = vec![CompletionCandidate::new("local").help(Some("by bgctl approve".into()))];
    let is_known =
        |found: &[CompletionCandidate], place: &str| found.iter().any(|one| one.get_value() == place);
    for job in known(|head| head.gated) {
        let Some(Gate { on: On::GitHub(place), .. }) = &job.spec.gate else { continue };
        let place = format!("github:{}", place.repository);
        if !is_known(&found, &place) {
            found.push(CompletionCandidate::new(place).help(Some("on a new issue".into())));
        }
    }
    found.push(CompletionCandidate::new("github:").help(Some("OWNER/REPO, or OWNER/REPO#ISSUE".into())));
    found.retain(|one| one.get_value().to_str().is_some_and(|place| begins(place, word)));
    found
}

fn settings(word: &OsStr) -> Vec<CompletionCandidate> {
    let said = |name: &str| {
        setting(name).map(|(_, one)| one.about.to_owned()).or(section(name).map(|one| one.about.to_owned()))
    };
    ops::config::known()
        .into_iter()
        .filter(|name| begins(name, word))
        .map(|name| CompletionCandidate::new(&name).help(said(&name).map(Into::into)))
        .collect()
}

fn signals(word: &OsStr) -> Vec<CompletionCandidate> {
    ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "KILL"]
        .into_iter()
        .filter(|signal| begins(signal, word))
        .map(CompletionCandidate::new)
        .collect()
}
