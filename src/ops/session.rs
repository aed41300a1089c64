//! Renewing a session: what each run of its recurring job does.
//!
//! Where the section says how to look, it looks first: what somebody renewed by hand is only written down. Then the
//! session's own command runs, with the job's output as its own, and after it what is valid now is looked at again: a
//! command that ends well and renews nothing is a failure. The run succeeds once the index has the new time.
//!
//! It is an ordinary job's main process, so that limits, cancelling and the log are those of every job.

use super::{
    home::{BrokenConfig, Home},
    schedule::sessions::{Life, Session},
    when::parse_printed_time,
};
use crate::model::{
    Timestamp,
    bytes::Bytes,
    calendar::span,
    event::{Applied, Event},
    limit::format_seconds,
    schedule::{ScheduleChange, refresh_of},
    spec::{Command as Words, display},
};
use crate::os::{
    answer::{NoAnswer, ask},
    clock::Clock,
};
use crate::plan::{Action, Scope};
use chrono::{SecondsFormat, TimeDelta};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

/// The hidden subcommand of such a run: `bgctl __session ROOT NAME MARK`; the mark makes a changed section another job.
pub const SESSION_COMMAND: &str = "__session";

/// It failed: what its command did, or did not do.
const FAILED: u8 = 1;
/// It failed: its settings.
const NO_SETTINGS: u8 = 78;

/// Longest time for the command that says until when a session is valid; it gets half of the run's at the most.
const EXPIRES_SECONDS_MAX: u64 = 30;
/// Longest text that it prints.
const EXPIRES_BYTES_MAX: usize = 4_096;
/// So much of what is no time is shown.
const SHOWN_CHARS_MAX: usize = 40;

/// How often it is tried to write down what is known, and how long is waited in between; each try waits for the lock.
const RECORD_TRIES_MAX: u32 = 5;
const RECORD_INTERVAL: Duration = Duration::from_secs(1);

/// What a session that could not be renewed waits for at least, should nobody say when it is tried again.
const UNRENEWED_WAIT: TimeDelta = TimeDelta::seconds(60);

/// What each line of its own begins with, in the log.
pub fn prefix(name: &str) -> String {
    format!("session {name}: ")
}

/// Renews a session. Tells what it does with `say`, and gives the exit code.
pub fn run(root: &Path, name: &str, say: &mut dyn FnMut(&str)) -> u8 {
    let prefix = prefix(name);
    let mut say = |text: &str| say(&format!("{prefix}{text}"));
    match opened(root, name) {
        Ok((home, session)) => Run { home: &home, name, session: &session }.run(&mut say),
        Err(why) => {
            say(&why);
            NO_SETTINGS
        }
    }
}

/// The settings as they are now.
fn opened(root: &Path, name: &str) -> Result<(Home, Session), String> {
    if !root.is_dir() {
        return Err(format!("{} is not there any more", root.display()));
    }
    let home = Home::open_at(root, BrokenConfig::Stops).map_err(|fault| fault.message)?;
    let defined = home.config.sessions.get(name);
    let defined = defined.ok_or_else(|| format!("config.toml has no section [sessions.{name}] any more"))?;
    let session = Session::read(name, defined).map_err(|mistake| format!("config.toml:{mistake}"))?;
    Ok((home, session))
}

struct Run<'a> {
    home: &'a Home,
    name: &'a str,
    session: &'a Session,
}

type Say<'a> = &'a mut dyn FnMut(&str);

impl Run<'_> {
    fn run(&self, say: Say<'_>) -> u8 {
        let (Some(refresh), Some(life)) = (&self.session.refresh, &self.session.life) else {
            say("config.toml does not say how to renew it: it has no refresh");
            return NO_SETTINGS;
        };
        let before = match life {
            Life::Ttl { .. } => None,
            Life::Expires(command) => match self.look(command) {
                Ok(at) if self.is_long(at) => {
                    say(&format!("valid until {}: nothing to do yet", shown(at)));
                    return self.renewed(at, say);
                }
                Ok(at) => Some(at),
                Err(why) => {
                    say(&format!("{why}; it is refreshed without knowing"));
                    None
                }
            },
        };
        let began = self.home.clock.now();
        if let Err(code) = execute(refresh, say) {
            self.unrenewed(before, say);
            return code;
        }
        let valid_until = match life {
            // What it got may be as old as the beginning.
            Life::Ttl { seconds } => Ok(later(began, *seconds)),
            Life::Expires(command) => self.look(command),
        };
        match valid_until {
            Ok(at) if self.is_long(at) => {
                say(&format!("renewed, valid until {}", shown(at)));
                self.renewed(at, say)
            }
            Ok(at) => {
                self.unrenewed(Some(at), say);
                say(&self.too_short(at, before));
                FAILED
            }
            Err(why) => {
                self.unrenewed(before, say);
                say(&format!("its refresh ended well, but nobody knows what it brought: {why}"));
                FAILED
            }
        }
    }

    /// Until when it is valid, as its command says.
    fn look(&self, command: &Words) -> Result<Timestamp, String> {
        let limit = EXPIRES_SECONDS_MAX.min(self.session.timeout_seconds / 2).max(1);
        let named = display(command);
        let answer = ask(&mut process(command), Duration::from_secs(limit), EXPIRES_BYTES_MAX);
        let answer = answer.map_err(|error| match error {
            NoAnswer::Late => {
                format!("expires had not ended after {}, and was ended: {named}", format_seconds(limit))
            }
            NoAnswer::System(error) => format!("expires could not be run: {}", could_not(command, &error).0),
        })?;
        if !answer.status.success() {
            return Err(format!("expires {}: {named}", ended(answer.status)));
        }
        let text = String::from_utf8_lossy(&answer.output);
        let text = text.trim();
        if text.is_empty() {
            return Err(format!("expires printed nothing: {named}"));
        }
        parse_printed_time(text).ok_or_else(|| {
            let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
            if shown.len() < text.len() {
                shown.push('…');
            }
            format!(
                "expires printed what is no time: {shown:?}; seconds since 1970, as date +%s prints them, are one, or 2026-02-13T10:00:00Z"
            )
        })
    }

    /// Whether that is further away than the time in which it is renewed.
    fn is_long(&self, valid_until: Timestamp) -> bool {
        valid_until > later(self.home.clock.now(), self.session.before_seconds)
    }

    fn too_short(&self, valid_until: Timestamp, before: Option<Timestamp>) -> String {
        let now = self.home.clock.now();
        let until = shown(valid_until);
        if before.is_some_and(|before| valid_until <= before) {
            return format!("its refresh ended well and renewed nothing: still valid until {until}");
        }
        if valid_until <= now {
            return format!("its refresh ended well and renewed nothing: it ran out at {until}");
        }
        format!(
            "its refresh ended well, but it is valid until {until} only, and would be renewed {} before that: \
            it needs another refresh_before, or a refresh that brings more",
            format_seconds(self.session.before_seconds)
        )
    }

    /// Writes down what it has now, and when it is renewed next.
    fn renewed(&self, valid_until: Timestamp, say: Say<'_>) -> u8 {
        let next_at = earlier(valid_until, self.session.before_seconds);
        match self.record(valid_until, next_at) {
            Ok(()) => 0,
            Err(why) => {
                say(&format!("that could not be written down: {why}"));
                FAILED
            }
        }
    }

    /// Writes down what it still has, so that its next try comes in time. When that is, the end of this run decides; the
    /// time that is given here stands for it until then.
    fn unrenewed(&self, valid_until: Option<Timestamp>, say: Say<'_>) {
        let Some(valid_until) = valid_until else { return };
        let next_at = valid_until.max(self.home.clock.now() + UNRENEWED_WAIT);
        if let Err(why) = self.record(valid_until, next_at) {
            say(&format!("until when it is valid could not be written down: {why}"));
        }
    }

    fn record(&self, valid_until: Timestamp, next_at: Timestamp) -> Result<(), String> {
        let mut tries = 1;
        loop {
            match self.try_to_record(valid_until, next_at) {
                Ok(refused) => return refused.map_or(Ok(()), Err),
                Err(why) if tries >= RECORD_TRIES_MAX => return Err(why),
                Err(_) => std::thread::sleep(RECORD_INTERVAL),
            }
            tries += 1;
        }
    }

    /// A pass, as something else may be due. Gives why the index does not take it.
    fn try_to_record(&self, valid_until: Timestamp, next_at: Timestamp) -> Result<Option<String>, String> {
        let (store, executor) = (self.home.store(), self.home.local());
        let pass = self.home.pass(&store, &executor);
        let mut refused = None;
        let event = Event::Scheduled {
            schedule: refresh_of(self.name),
            change: ScheduleChange::Renewed { valid_until, next_at },
        };
        let decided = pass.decide(Scope::Slots, &mut |draft| {
            let applied = draft.push(event.clone())?;
            refused = if let Applied::Refused(why) = applied { Some(why.to_owned()) } else { None };
            Ok(())
        });
        let decided = decided.map_err(|error| error.to_string())?;
        // The end of this job is a pass too, and sees to the alarm: launched here, one would be a process of this job until
        // it has written down who it is.
        let actions = decided.actions.into_iter().filter(|action| !matches!(action, Action::Wake { .. }));
        pass.act(&actions.collect::<Vec<_>>()).map_err(|error| error.to_string())?;
        Ok(refused)
    }
}

/// Runs the command that renews it to its end. It writes where we write. `Err`: its exit code, or that of a shell.
fn execute(words: &Words, say: Say<'_>) -> Result<(), u8> {
    let status = process(words).stdin(Stdio::null()).status();
    let status = status.map_err(|error| {
        let (why, code) = could_not(words, &error);
        say(&format!("refresh could not be run: {why}"));
        code
    })?;
    if status.success() {
        return Ok(());
    }
    say(&format!("refresh {}", ended(status)));
    let of_signal = || status.signal().map(|signal| 128 + signal);
    let code = status.code().or_else(of_signal).and_then(|code| u8::try_from(code).ok());
    Err(code.filter(|code| *code != 0).unwrap_or(FAILED))
}

fn process(words: &Words) -> Command {
    let argv = words.to_argv();
    let mut process = Command::new(argv.first().map(Bytes::as_os_str).unwrap_or_default());
    process.args(argv.iter().skip(1).map(Bytes::as_os_str));
    process
}

fn could_not(words: &Words, error: &io::Error) -> (String, u8) {
    let program = words.to_argv().first().map(Bytes::to_text).unwrap_or_default();
    match error.kind() {
        io::ErrorKind::NotFound => (format!("{program}: command not found"), 127),
        _ => (format!("{program}: {}", super::fault::without_number(&error.to_string())), 126),
    }
}

fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended, nobody knows how".to_owned(),
    }
}

fn shown(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn later(at: Timestamp, seconds: u64) -> Timestamp {
    span(seconds).and_then(|span| at.checked_add_signed(span)).unwrap_or(Timestamp::MAX_UTC)
}

fn earlier(at: Timestamp, seconds: u64) -> Timestamp {
    span(seconds).and_then(|span| at.checked_sub_signed(span)).unwrap_or(at)
}
