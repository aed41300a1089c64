//! Reading the settings file: every mistake with its line, and where each value that holds was written.

use super::Config;
use super::defined::{Defined, SCHEDULES, SESSIONS};
use super::kind::{Kind, LABEL_CHARS_MAX, Value};
use super::mistake::{Lines, Mistake, Mistakes};
use super::table::{GROUPS, SECTIONS, SLOTS, Section, Setting, section, setting};
use crate::model::{
    group,
    limit::{BadDuration, BadSize, SECONDS_MAX, format_seconds, parse_bytes_limit, parse_limit},
    nearest::nearest_word,
};
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Beyond so many mistakes no more are looked for: it is some other file.
const MISTAKES_MAX: usize = 1_000;

/// The settings that hold, and the lines of the file that say so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// All settings.
    pub config: Config,
    /// The line of each key that the file has, by its full name.
    pub lines: BTreeMap<String, usize>,
}

/// Reads the file's text.
pub fn read(text: &str) -> Result<Loaded, Mistakes> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { places: Lines::of(text), loaded: Loaded::default(), mistakes: Vec::new() };
    let mut lines = HashSet::new();
    for error in &errors {
        let place = error.span().map_or(0, |span| span.start);
        // What follows from one slip on the same line helps nobody.
        if lines.insert(reader.places.line_of(place)) {
            reader.mistake(place, None, error.message().to_owned());
        }
    }
    // What was read beside such slips is a guess, and complaints about a guess mislead.
    if reader.mistakes.is_empty() {
        reader.read(table.get_ref());
    }
    match Mistakes::of(reader.mistakes) {
        Some(mistakes) => Err(mistakes),
        None => Ok(reader.loaded),
    }
}

struct Reader<'a> {
    places: Lines<'a>,
    loaded: Loaded,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    fn read(&mut self, table: &DeTable<'_>) {
        for (name, value) in table {
            let at = name.span();
            let name = name.get_ref().as_ref();
            if name == GROUPS {
                self.groups(value, at);
            } else if name == SCHEDULES {
                self.loaded.config.schedules = self.defined(SCHEDULES, value);
            } else if name == SESSIONS {
                self.loaded.config.sessions = self.defined(SESSIONS, value);
            } else if let Some(section) = section(name) {
                self.section(section, value);
            } else {
                let names: Vec<&str> =
                    SECTIONS.iter().map(|one| one.name).chain([GROUPS, SCHEDULES, SESSIONS]).collect();
                let sections = names.iter().map(|name| format!("[{name}]")).collect::<Vec<_>>().join(", ");
                self.unknown(at, name, &names, &format!("the sections {sections}"));
            }
        }
        self.together();
    }

    fn section(&mut self, section: &Section, value: &Spanned<DeValue<'_>>) {
        let DeValue::Table(entries) = value.get_ref() else {
            let problem = format!("{}: expected a section, such as [queue]", section.name);
            return self.mistake(value.span().start, Some(section.name), problem);
        };
        for (key, value) in entries {
            let full = format!("{}.{}", section.name, key.get_ref());
            if let Some(inner) = super::table::section(&full) {
                self.section(inner, value);
                continue;
            }
            let Some((_, setting)) = setting(&full) else {
                let names: Vec<String> =
                    section.settings.iter().map(|known| format!("{}.{}", section.name, known.name)).collect();
                let is_inside =
                    |name: &&str| name.strip_prefix(section.name).is_some_and(|rest| rest.starts_with('.'));
                let inside = SECTIONS.iter().map(|one| one.name).filter(is_inside);
                let names: Vec<&str> = names.iter().map(String::as_str).chain(inside).collect();
                self.unknown(key.span(), &full, &names, &names.join(", "));
                continue;
            };
            if let Some(value) = self.value(&full, setting, value) {
                (setting.set)(&mut self.loaded.config, value);
                self.note(full, &key.span());
            }
        }
    }

    /// The sections `[NAME.…]`, each as it stands.
    fn defined(&mut self, section: &'static str, value: &Spanned<DeValue<'_>>) -> BTreeMap<String, Defined> {
        let expected = |key: &str| format!("{key}: expected a section for each, such as [{section}.nightly]");
        let DeValue::Table(sections) = value.get_ref() else {
            self.mistake(value.span().start, Some(section), expected(section));
            return BTreeMap::new();
        };
        let mut defined = BTreeMap::new();
        for (name, one) in sections {
            let (at, name) = (name.span().start, name.get_ref().as_ref());
            let full = format!("{section}.{name}");
            let DeValue::Table(fields) = one.get_ref() else {
                self.mistake(at, Some(&full), expected(&full));
                continue;
            };
            let line_of = |place| self.places.line_of(place);
            defined.insert(name.to_owned(), Defined::of(fields, line_of(at), line_of));
        }
        defined
    }

    /// The slots of each group, from `[groups.NAME]`.
    fn groups(&mut self, value: &Spanned<DeValue<'_>>, at: Range<usize>) {
        let expected = |key: &str| format!("{key}: expected a section for each group, such as [groups.gpu]");
        let DeValue::Table(sections) = value.get_ref() else {
            return self.mistake(at.start, Some(GROUPS), expected(GROUPS));
        };
        for (name, section) in sections {
            let at = name.span().start;
            let name = name.get_ref().as_ref();
            let full = format!("{GROUPS}.{name}");
            if name == group::DEFAULT {
                let problem = format!("{full}: the slots of the default group are queue.max_concurrent");
                self.mistake(at, Some(&full), problem);
            } else if let Err(error) = group::check_name(name) {
                self.mistake(at, Some(&full), format!("{full}: {error}"));
            } else if let DeValue::Table(entries) = section.get_ref() {
                self.group(name, &full, entries, at);
            } else {
                self.mistake(at, Some(&full), expected(&full));
            }
        }
    }

    fn group(&mut self, name: &str, full: &str, entries: &DeTable<'_>, at: usize) {
        let known = format!("{full}.{}", SLOTS.name);
        let before = self.mistakes.len();
        let mut slots = None;
        for (key, value) in entries {
            if key.get_ref().as_ref() != SLOTS.name {
                let key_name = format!("{full}.{}", key.get_ref());
                self.unknown(key.span(), &key_name, &[&known], &known);
            } else if let Some(Value::Count(count)) = self.value(&known, &SLOTS, value) {
                slots = usize::try_from(count).ok();
                self.note(known.clone(), &key.span());
            }
        }
        match slots {
            Some(slots) => drop(self.loaded.config.groups.insert(name.to_owned(), slots)),
            None if self.mistakes.len() > before => {}
            None => self.mistake(at, Some(full), format!("{full}: says no slots; for example: slots = 1")),
        }
    }

    /// What no key says alone.
    fn together(&mut self) {
        const DELAY: &str = "worker.retry_delay";
        const LONGEST: &str = "worker.retry_max_delay";
        self.together_of_restarts();
        self.together_of_labels();
        let retry = &self.loaded.config.retry;
        if retry.delay_seconds <= retry.delay_seconds_max {
            return;
        }
        let (delay, longest) = (format_seconds(retry.delay_seconds), format_seconds(retry.delay_seconds_max));
        let lines = &self.loaded.lines;
        let (key, problem) = match (lines.get(LONGEST), lines.get(DELAY)) {
            (Some(_), None) => (LONGEST, format!("{LONGEST}: shorter than {DELAY}, which is {delay}")),
            _ => (DELAY, format!("{DELAY}: longer than {LONGEST}, which is {longest}")),
        };
        let line = lines.get(key).copied().unwrap_or(1);
        self.mistakes.push(Mistake { line, column: 1, key: Some(key.to_owned()), problem });
    }

    /// One label cannot say two things.
    fn together_of_labels(&mut self) {
        let labels = &self.loaded.config.approval.labels;
        let named = [
            ("approval.approved_label", &labels.approved),
            ("approval.declined_label", &labels.declined),
            ("approval.waiting_label", &labels.waiting),
        ];
        for (place, (key, label)) in named.iter().enumerate() {
            let same = named[..place].iter().find(|(_, other)| other.eq_ignore_ascii_case(label));
            let Some((other, _)) = same else { continue };
            let lines = &self.loaded.lines;
            let line = lines.get(*key).or_else(|| lines.get(*other)).copied().unwrap_or(1);
            let problem = format!("{key}: the same label as {other}");
            self.mistakes.push(Mistake { line, column: 1, key: Some((*key).to_owned()), problem });
            return;
        }
    }

    fn together_of_restarts(&mut self) {
        const DELAY: &str = "recurring.restart_delay";
        let recurring = &self.loaded.config.recurring;
        if recurring.restart_seconds <= recurring.restart_seconds_max {
            return;
        }
        let longest = format_seconds(recurring.restart_seconds_max);
        let problem = format!("{DELAY}: longer than recurring.restart_max_delay, which is {longest}");
        let lines = &self.loaded.lines;
        let line =
            lines.get(DELAY).or_else(|| lines.get("recurring.restart_max_delay")).copied().unwrap_or(1);
        self.mistakes.push(Mistake { line, column: 1, key: Some(DELAY.to_owned()), problem });
    }

    fn value(&mut self, key: &str, setting: &Setting, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        match of_kind(setting.kind, value.get_ref()) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.mistake(value.span().start, Some(key), format!("{key}: {problem}"));
                None
            }
        }
    }

    fn note(&mut self, key: String, at: &Range<usize>) {
        self.loaded.lines.insert(key, self.places.line_of(at.start));
    }

    fn unknown(&mut self, at: Range<usize>, key: &str, names: &[&str], known: &str) {
        if self.mistakes.len() >= MISTAKES_MAX {
            return;
        }
        let hint = match nearest_word(key, names.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("there are {known}"),
        };
        self.mistake(at.start, Some(key), format!("there is no setting {key}; {hint}"));
    }

    fn mistake(&mut self, place: usize, key: Option<&str>, problem: String) {
        if self.mistakes.len() >= MISTAKES_MAX {
            return;
        }
        let (line, column) = self.places.place_of(place);
        self.mistakes.push(Mistake { line, column, key: key.map(str::to_owned), problem });
    }
}

/// A value, if it is of that kind; else what is wrong with it.
fn of_kind(kind: Kind, value: &DeValue<'_>) -> Result<Value, String> {
    match kind {
        Kind::Count { least, most } => {
            let number = integer(value).and_then(|number| u64::try_from(number).ok());
            let number = number.filter(|number| (least..=most).contains(number));
            number.map(Value::Count).ok_or_else(|| format!("expected a whole number from {least} to {most}"))
        }
        Kind::Duration { least, most, or_none } => {
            let seconds = seconds(value).map_err(|error| match error {
                BadDuration::TooLong if !or_none => "longer than ten years".to_owned(),
                error => error.to_string(),
            })?;
            match seconds {
                None if !or_none => Err("cannot be none".to_owned()),
                Some(0) if least == 1 && or_none => Err(BadDuration::Zero.to_string()),
                Some(given) if given < least => Err(format!("at least {}", words(least))),
                Some(given) if given > most && most < SECONDS_MAX => Err(format!("at most {}", words(most))),
                seconds => Ok(Value::Seconds(seconds)),
            }
        }
        Kind::Size => bytes(value).map(Value::Bytes).map_err(|error| error.to_string()),
        Kind::Word(words) => {
            let given = value.as_str();
            let found = words.iter().find(|word| given == Some(word));
            found.map(|word| Value::Word(word)).ok_or_else(|| match (given, words) {
                (Some(given), [only]) => format!("there is no {given:?}; there is only {only:?}"),
                _ => format!("expected one of: {}", words.join(", ")),
            })
        }
        Kind::Command => command(value).map(Value::Command).map_err(str::to_owned),
        Kind::Flag => value.as_bool().map(Value::Flag).ok_or_else(|| "expected true or false".to_owned()),
        Kind::Accounts => accounts(value).map(Value::Names).map_err(str::to_owned),
        Kind::Label => label(value).map(Value::Text),
        Kind::Address => address(value).map(Value::Text).map_err(str::to_owned),
        Kind::Path => match value.as_str() {
            Some("none") => Ok(Value::Path(None)),
            Some(path) if path.starts_with('/') && !path.contains('\0') => {
                Ok(Value::Path(Some(path.to_owned())))
            }
            _ => Err("expected an absolute path, or none".to_owned()),
        },
    }
}

/// Names of accounts on GitHub; that of an app ends with `[bot]`.
fn accounts(value: &DeValue<'_>) -> Result<Vec<String>, &'static str> {
    const FORM: &str = "expected a list of names of accounts, such as [\"octocat\"]";
    let DeValue::Array(list) = value else { return Err(FORM) };
    let is_name = |name: &str| {
        let name = name.strip_suffix("[bot]").unwrap_or(name);
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let names = list.iter().map(|name| name.get_ref().as_str().filter(|name| is_name(name)));
    names.map(|name| name.map(str::to_owned)).collect::<Option<_>>().ok_or(FORM)
}

/// A comma would part it in a request, and GitHub takes spaces around it away.
fn label(value: &DeValue<'_>) -> Result<String, String> {
    let is_label = |text: &&str| {
        !text.is_empty()
            && text.trim() == *text
            && text.chars().count() <= LABEL_CHARS_MAX
            && !text.contains(',')
            && !text.contains(char::is_control)
    };
    let expected = || {
        format!("expected 1 to {LABEL_CHARS_MAX} characters, without commas and without spaces around them")
    };
    value.as_str().filter(is_label).map(str::to_owned).ok_or_else(expected)
}

/// The token goes there, so that it must not be read on the way.
fn address(value: &DeValue<'_>) -> Result<String, &'static str> {
    const FORM: &str = "expected an address such as https://api.github.com";
    let text = value.as_str().ok_or(FORM)?.trim_end_matches('/');
    let (scheme, rest) = text.split_once("://").ok_or(FORM)?;
    let authority = rest.split('/').next().unwrap_or_default();
    let is_plain = rest.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '@' | '?' | '#' | '\\'));
    // The colons of an IPv6 address stand between brackets.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if host.is_empty() || !is_plain || !port.is_none_or(is_port) {
        return Err(FORM);
    }
    match scheme {
        "https" => Ok(text.to_owned()),
        "http" if matches!(host, "localhost" | "127.0.0.1" | "[::1]") => Ok(text.to_owned()),
        "http" => Err("http shows the token to everybody on the way; expected https"),
        _ => Err(FORM),
    }
}

/// What is executed: the words of a list, or a line for a shell. An empty list is nothing.
fn command(value: &DeValue<'_>) -> Result<Option<Vec<String>>, &'static str> {
    const FORMS: &str = "expected a list of words such as [\"notify-send\", \"done\"], or a line for sh -c";
    let argv: Vec<String> = match value {
        DeValue::String(line) if line.trim().is_empty() => return Err("there is no command in it"),
        DeValue::String(line) => vec!["/bin/sh".to_owned(), "-c".to_owned(), line.to_string()],
        DeValue::Array(list) => {
            let word = |word: &Spanned<DeValue<'_>>| word.get_ref().as_str().map(str::to_owned);
            list.iter().map(word).collect::<Option<_>>().ok_or(FORMS)?
        }
        _ => return Err(FORMS),
    };
    if argv.iter().any(|word| word.contains('\0')) {
        return Err("contains a NUL byte, which no argument can carry");
    }
    match argv.first() {
        Some(program) if program.is_empty() => Err("there is no command in it"),
        first => Ok(first.is_some().then_some(argv)),
    }
}

fn words(seconds: u64) -> String {
    if seconds == 1 { "1 second".to_owned() } else { format_seconds(seconds) }
}

fn integer(value: &DeValue<'_>) -> Option<i128> {
    let number = value.as_integer()?;
    i128::from_str_radix(number.as_str(), number.radix()).ok()
}

fn seconds(value: &DeValue<'_>) -> Result<Option<u64>, BadDuration> {
    match value {
        DeValue::Integer(_) => {
            integer(value).map_or(Err(BadDuration::TooLong), |n| parse_limit(&n.to_string()))
        }
        DeValue::String(text) => parse_limit(text),
        DeValue::Float(_) => Err(BadDuration::Fraction),
        _ => Err(BadDuration::Form),
    }
}

fn bytes(value: &DeValue<'_>) -> Result<Option<u64>, BadSize> {
    match value {
        DeValue::Integer(_) => {
            integer(value).map_or(Err(BadSize::Form), |n| parse_bytes_limit(&n.to_string()))
        }
        DeValue::String(text) => parse_bytes_limit(text),
        _ => Err(BadSize::Form),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::limit::{Limit, Source};

    #[test]
    fn settings_change_what_they_name_and_nothing_else() {
        let text =
            "[queue]\nmax_concurrent = 4\n[worker]\ntimeout = \"1h30m\"\ngrace = 3\nstale_after = \"none\"\n";
        let config = Config::parse(text).unwrap();
        assert_eq!(config.slots, 4);
        assert_eq!(config.limits.timeout, Limit { seconds: Some(5_400), source: Source::Config });
        assert_eq!(config.limits.grace.seconds, Some(3));
        assert_eq!(config.limits.stale_after.seconds, None);
        assert_eq!(config.retention, Config::default().retention);
    }

    #[test]
    fn each_value_knows_its_line_however_it_is_written() {
        let text = "queue.max_size = 0x10\nlog = { max_bytes = \"none\" }\n\n[groups.gpu]\nslots = 1_000\n";
        let Loaded { config, lines } = read(text).unwrap();
        assert_eq!((config.queue.jobs_max, config.groups["gpu"]), (16, 1_000));
        let lines: Vec<(&str, usize)> = lines.iter().map(|(key, line)| (key.as_str(), *line)).collect();
        assert_eq!(lines, [("groups.gpu.slots", 5), ("log.max_bytes", 2), ("queue.max_size", 1)]);
        assert_eq!(read("").unwrap(), Loaded::default());
    }

    #[track_caller]
    fn said(text: &str) -> Vec<String> {
        read(text).unwrap_err().all().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_mistake_is_named_with_its_place_and_its_mend() {
        for (text, mistake) in [
            (
                "[queue]\n  max_concurent = 4",
                "2:3: there is no setting queue.max_concurent; did you mean queue.max_concurrent?",
            ),
            ("[que]\nx = 4", "1:2: there is no setting que; did you mean queue?"),
            (
                "[limits]\nx = 4",
                "1:2: there is no setting limits; there are the sections [store], [queue], [worker], [approval], [approval.github], [dead_letters], [retention], [log], [recurring], [health], [hooks], [groups], [schedules], [sessions]",
            ),
            (
                "[log]\nsize = 4",
                "2:1: there is no setting log.size; there are log.max_bytes, log.total_bytes_max",
            ),
            (
                "[queue]\nmax_concurrent = 0",
                "2:18: queue.max_concurrent: expected a whole number from 1 to 10000",
            ),
            ("[worker]\ntimeout = -5", "2:11: worker.timeout: a duration cannot be negative"),
            ("[worker]\ntimeout = 0", "2:11: worker.timeout: at least 1 second; 'none' switches a limit off"),
            ("[worker]\ntimeout = 1.5", "2:11: worker.timeout: durations are whole seconds here"),
            (
                "[worker]\ntimeout = true",
                "2:11: worker.timeout: expected a duration such as 90, 30s, 15m, 1h30m",
            ),
            ("[store]\ntype = \"jsn\"", "2:8: store.type: expected one of: json, jsonl"),
            ("[store]\ntype = 1", "2:8: store.type: expected one of: json, jsonl"),
            ("[store]\nlock_timeout = \"none\"", "2:16: store.lock_timeout: cannot be none"),
            ("[store]\nlock_timeout = 0", "2:16: store.lock_timeout: at least 1 second"),
            ("[store]\nlock_timeout = \"2h\"", "2:16: store.lock_timeout: at most 1h"),
            ("queue = 3", "1:9: queue: expected a section, such as [queue]"),
            ("[[queue]]\nmax_size = 3", "1:1: queue: expected a section, such as [queue]"),
            ("[groups]\ngpu = 1", "2:1: groups.gpu: expected a section for each group, such as [groups.gpu]"),
            ("groups = 1", "1:1: groups: expected a section for each group, such as [groups.gpu]"),
            ("[groups.gpu]", "1:9: groups.gpu: says no slots; for example: slots = 1"),
            (
                "[groups.gpu]\nslot = 1",
                "2:1: there is no setting groups.gpu.slot; did you mean groups.gpu.slots?",
            ),
            (
                "[groups.default]\nslots = 1",
                "1:9: groups.default: the slots of the default group are queue.max_concurrent",
            ),
            (
                "[worker]\nretry_delay = \"1h\"",
                "2:1: worker.retry_delay: longer than worker.retry_max_delay, which is 15m",
            ),
            (
                "[recurring]\nrestart_delay = \"1d\"",
                "2:1: recurring.restart_delay: longer than recurring.restart_max_delay, which is 1h",
            ),
            (
                "[queue]\n[recurring]\nrestart_max_delay = 1",
                "3:1: recurring.restart_delay: longer than recurring.restart_max_delay, which is 1s",
            ),
            ("schedules = 3", "1:13: schedules: expected a section for each, such as [schedules.nightly]"),
            (
                "[sessions]\nmine = \"1h\"",
                "2:1: sessions.mine: expected a section for each, such as [sessions.nightly]",
            ),
            (
                "[hooks]\non_end = [\"a\\u0000b\"]",
                "2:10: hooks.on_end: contains a NUL byte, which no argument can carry",
            ),
            ("[log]\nmax_bytes = true", "2:13: log.max_bytes: expected a size such as 64MiB, 2GB or 1000000"),
            (
                "[log]\nmax_bytes = 0x1_0000_0000_0000_0000_0000_0000_0000_0000",
                "2:13: log.max_bytes: expected a size such as 64MiB, 2GB or 1000000",
            ),
            (
                "[worker]\nretry_max_delay = 3",
                "2:1: worker.retry_max_delay: shorter than worker.retry_delay, which is 5s",
            ),
        ] {
            assert_eq!(said(text), [mistake], "{text}");
        }
    }

    #[test]
    fn what_a_schedule_says_is_kept_with_its_lines_whatever_its_kind_is() {
        let text = "[schedules.nightly]\nat = 2026-02-13T10:00:00Z\nratio = 1.50\ncount = 0x10\nwords = [\"a\", true]\n\
            huge = 99999999999999999999\n";
        let nightly = &Config::parse(text).unwrap().schedules["nightly"];
        let expected = serde_json::json!({
            "at": "2026-02-13T10:00:00Z", "ratio": "1.50", "count": 16, "words": ["a", true],
            "huge": "99999999999999999999",
        });
        assert_eq!(serde_json::Value::from(nightly.fields.clone()), expected);
        assert_eq!((nightly.line, nightly.line_of("ratio"), nightly.line_of("colour")), (1, 3, 1));
    }

    #[test]
    fn what_is_no_toml_is_named_with_its_place() {
        for (text, place) in [
            ("[queue\n", "1:7: "),
            ("[queue]\nmax_size = 3\nmax_size = 4\n", "3:1: duplicate key"),
            ("[queue]\n[log]\n[queue]\n", "3:2: duplicate key"),
            ("# é\n[log]\nmax_bytes = \"é\" x\n", "3:17: "),
            ("max_size 3\n", "1:"),
        ] {
            let said = said(text);
            assert!(said.len() == 1 && said[0].starts_with(place), "{text:?}: {said:?}");
        }
    }

    #[test]
    fn a_file_of_mistakes_is_some_other_file() {
        let text: String = (0..20_000).map(|number| format!("k{number} = 1\n")).collect();
        assert_eq!(said(&text).len(), MISTAKES_MAX);
    }

    #[test]
    fn several_mistakes_are_all_named_in_the_order_of_their_lines() {
        let text = "[worker]\ntimeout = \"soon\"\n[queue]\nmax_size = 0\n[odd]\n[approval]\npoll = 3\n";
        let places: Vec<String> = said(text).iter().map(|one| one[..4].to_owned()).collect();
        assert_eq!(places, ["2:11", "4:12", "5:2:", "7:1:"]);
        let whole = read(text).unwrap_err().to_string();
        assert!(whole.ends_with("1h30m (and 3 more mistakes; bgctl config check names all)"), "{whole}");
    }
}
