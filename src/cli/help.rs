//! How the help is laid out: what `-h` shows of it, and the headings under which the subcommands stand.
//!
//! What is said about a subcommand or an option stands beside it, in `args`. Here is only the choice, in one place, because
//! it is a choice between them. It is made when somebody asks for help; a command that runs does not pay for it.

use super::args::SUBCOMMANDS;
use clap::{Arg, Command};
use std::fmt::Write;

/// The subcommands under their headings, in the order of the help. The first heading is all that `bgctl -h` shows.
const GROUPS: [(&str, &[&str]); 6] = [
    ("Jobs", &["start", "status", "list", "logs", "cancel", "wait", "prune", "tick"]),
    ("Change", &["set", "send", "signal", "pause", "resume", "retry", "group"]),
    ("Approvals", &["approve", "decline", "approval"]),
    ("Recurring", &["schedule"]),
    ("Watch over", &["health", "events", "dead", "doctor"]),
    ("Set up", &["config", "store", "init"]),
];

/// The options that `-h` shows of a subcommand, by the words that stand for it: those of every day, few enough for ten lines.
pub const EVERYDAY: [(&str, &[&str]); 35] = [
    ("start", &["name", "timeout", "shell", "wait", "follow"]),
    ("status", &["json"]),
    ("list", &["all", "status", "label", "since", "limit", "json"]),
    ("logs", &["follow", "lines", "head", "attempt", "path", "label"]),
    ("cancel", &["label", "all", "signal", "no-wait", "nested"]),
    ("wait", &["label", "all", "within", "any", "ready", "json-lines"]),
    ("prune", &["older-than", "keep", "all", "dry-run"]),
    ("tick", &["loop", "dry-run", "json"]),
    ("set", &["name", "label", "timeout", "grace", "stale-after"]),
    ("send", &["no-newline", "eof", "within"]),
    ("signal", &["main"]),
    ("pause", &["label", "group", "all"]),
    ("resume", &["label", "group", "all"]),
    ("retry", &["dead", "label", "edit", "wait", "within", "dry-run"]),
    ("dead", &["label", "limit", "all", "yes"]),
    ("approve", &["note"]),
    ("decline", &["note"]),
    ("approval", &["json"]),
    ("approval list", &["json"]),
    ("approval request", &["reason", "on", "ttl"]),
    ("events", &["follow", "since", "lines", "event", "json-lines"]),
    ("group", &["slots", "json"]),
    ("health", &["jobs", "json", "prometheus"]),
    ("schedule", &[]),
    ("schedule list", &["json"]),
    ("schedule show", &["json"]),
    ("schedule add", &["every", "cron", "tz", "overlap"]),
    ("schedule run", &["wait", "within", "follow"]),
    ("schedule pause", &[]),
    ("schedule resume", &[]),
    ("schedule remove", &[]),
    ("doctor", &["fix", "json"]),
    ("config", &["json"]),
    ("store", &["dry-run", "json"]),
    ("init", &[]),
];

/// The examples of the whole.
pub const EXAMPLES: &str = "  bgctl start --name build -- make -j4
  bgctl list
  bgctl logs -f build
  bgctl wait build && ./deploy.sh
";

/// What the exit codes of every subcommand but `wait` mean (`ops::fault::Code`).
pub const EXIT_CODES: [(&str, &str); 10] = [
    ("0", "Done; doing again what is done already counts as done."),
    ("1", "It failed; the message says why."),
    ("2", "The command line is wrong."),
    ("3", "No such job, group, schedule or key, or several jobs that could be meant."),
    ("4", "The state of the job does not allow that."),
    ("5", "The index is damaged, from a newer version, or not yours alone; nothing was written."),
    ("75", "Not now; trying again later can work."),
    ("78", "The settings are wrong."),
    ("126", "start, retry, schedule add: the command cannot be executed."),
    ("127", "start, retry, schedule add: the command is not found."),
];

/// What the exit codes mean of `wait`, and of `start` where it waits.
pub const EXIT_CODES_OF_WAIT: [(&str, &str); 7] = [
    ("121", "The time of --within is over, and it still goes on."),
    ("122", "No such job or group, or a failure of bgctl itself."),
    ("124", "The job timed out."),
    ("125", "It was cancelled, or its outcome is unknown."),
    ("130", "The wait was interrupted; the job goes on."),
    ("128+N", "Signal N ended the job."),
    ("other", "The job's own code."),
];

/// What the exit codes mean of `health`, as monitors expect them of a probe.
pub const EXIT_CODES_OF_HEALTH: [(&str, &str); 4] = [
    ("0", "ok."),
    ("1", "degraded: it goes on, and somebody should look."),
    ("2", "failing: something that should happen does not, until somebody does something."),
    ("3", "It could not be told: the index is damaged, or the command line is wrong."),
];

/// The variables that are read, and what for.
pub const ENVIRONMENT: [(&str, &str); 4] = [
    ("BG_HOME", "The folder in which everything is kept; a relative one counts from the working directory."),
    ("XDG_CONFIG_HOME", "Without BG_HOME, the folder is bg in this one."),
    ("HOME", "Without either, the folder is .config/bg in this one."),
    ("NO_COLOR", "Where it is set and not empty, or TERM is dumb, nothing is coloured."),
];

/// The files in that folder.
pub const FILES: [(&str, &str); 5] = [
    ("jobs.json", "The index: every job and its state."),
    ("jobs.jsonl", "The same as lines, where store.type asked for that."),
    ("config.toml", "The settings; it need not be there."),
    ("runs/ID.log", "The output of a job."),
    ("env/", "The environments of jobs that may still run, of dead letters and of schedules."),
];

/// The subcommands under their headings.
pub fn groups() -> Vec<(&'static str, Vec<&'static str>)> {
    GROUPS.into_iter().map(|(heading, names)| (heading, names.to_vec())).collect()
}

/// The command line with the help that `-h` prints: at most ten lines each.
pub fn short(command: Command) -> Command {
    let mut command = built(command).term_width(0);
    let (_, everyday) = groups().swap_remove(0);
    let listed = listed(&command, &everyday);
    for (name, ..) in SUBCOMMANDS {
        command = command.mut_subcommand(name, |one| shortened(one, name));
    }
    command.help_template(format!(
        "{{usage-heading}} {{usage}}\n{listed}bgctl --help lists everything; bgctl COMMAND -h is as short as this\n"
    ))
}

/// The command line with the help that `--help` prints.
pub fn long(command: Command) -> Command {
    let command = built(command);
    let mut text = String::from("{about-with-newline}\n{usage-heading} {usage}\n");
    for (heading, names) in groups() {
        let _ = write!(text, "\n{}\n{}", headed(&command, heading), listed(&command, &names));
    }
    let codes = headed(&command, "Exit codes");
    let _ = write!(text, "\n{}\n{{options}}\n\n{codes}\n", headed(&command, "Options"));
    for (code, meaning) in EXIT_CODES {
        let _ = writeln!(text, "  {code:<4} {meaning}");
    }
    text.push_str("  wait gives the job's own code, health has codes of its own; see their --help\n");
    let _ = write!(text, "\n{}\n{EXAMPLES}", headed(&command, "Examples"));
    command.help_template(text)
}

/// With every subcommand's arguments, which are deferred else.
fn built(mut command: Command) -> Command {
    command.build();
    command
}

fn shortened(mut command: Command, name: &str) -> Command {
    let nested: Vec<String> = command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    for one in &nested {
        command = command.mut_subcommand(one, |command| shortened(command, &format!("{name} {one}")));
    }
    let shown = EVERYDAY.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, options)| options);
    let has_positionals = command.get_positionals().next().is_some();
    let mut lines = vec!["{about}", "{usage-heading} {usage}"];
    if has_positionals {
        lines.push("{positionals}");
    }
    if !nested.is_empty() {
        lines.push("{subcommands}");
    }
    let is_shown = |arg: &Arg| arg.get_long().is_some_and(|long| shown.contains(&long));
    if command.get_arguments().any(is_shown) {
        lines.push("{options}");
    }
    let lines = lines.join("\n");
    command
        .term_width(0)
        .mut_args(|arg| match arg.is_positional() {
            true => with_values(arg),
            false if is_shown(&arg) => arg,
            false => arg.hide_short_help(true),
        })
        .help_template(format!("{lines}\nbgctl {name} --help says more, with all options and examples\n"))
}

/// An argument with its values as its help, where it has values to choose from: a line has no room for more.
fn with_values(arg: Arg) -> Arg {
    let values: Vec<String> =
        arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    if values.is_empty() { arg } else { arg.help(values.join(", ")).hide_possible_values(true) }
}

fn headed(command: &Command, heading: &str) -> String {
    let style = command.get_styles().get_header();
    format!("{style}{heading}:{style:#}")
}

/// A line a subcommand: its name and what it does.
fn listed(command: &Command, names: &[&str]) -> String {
    let style = command.get_styles().get_literal();
    let about =
        |name: &str| SUBCOMMANDS.iter().find(|(known, ..)| *known == name).map_or("", |(_, about, _)| about);
    names.iter().map(|name| format!("  {style}{name:<9}{style:#} {}\n", about(name))).collect()
}
