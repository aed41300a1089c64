//! Which job is meant: a full id, `@` for the newest, an exact name, or a prefix of an id's random part.
//!
//! Looking is harmless, so that `@` and names then mean the newest job of all. What changes a job takes them only among
//! the jobs of its own terminal session: a name that somebody gave elsewhere must not be ended by mistake here. Ids and
//! their prefixes are nobody's by mistake, and work from anywhere.

use super::{
    fault::{Code, Fault},
    home::{BrokenConfig, Home},
};
use crate::model::{
    facts::{Facts, Head},
    id::JobId,
    nearest::nearest,
};
use crate::os::clock::Clock;
use crate::plan::admit::holder_of_key;
use crate::store::Store;
use std::collections::HashSet;
use std::io::{self, Read};

/// Shortest prefix that names a job.
const PREFIX_CHARS_MIN: usize = 2;

/// Most candidates that a message lists.
const CANDIDATES_MAX: usize = 8;

/// The argument that stands for the jobs named on standard input.
pub const ARGUMENTS_FROM_INPUT: &str = "-";

/// Most bytes of job names that are read from standard input.
const INPUT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What a text begins with that counts from the newest job.
const NEWEST: &str = "@";

/// Among which jobs `@` and names are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among<'a> {
    /// All.
    All,
    /// Those that were submitted in this terminal session; `None`: those without one.
    Session(Option<&'a str>),
}

impl Among<'_> {
    fn has(self, head: &Head) -> bool {
        match self {
            Self::All => true,
            Self::Session(session) => head.belongs.session.as_deref() == session,
        }
    }

    fn whose(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Session(Some(_)) => " of this terminal",
            Self::Session(None) => " started without a terminal",
        }
    }
}

/// The job that `text` names, for a command that only looks.
pub fn find(facts: &Facts, text: &str) -> Result<JobId, Fault> {
    find_among(facts, text, Among::All)
}

/// The job that `text` names, for a command that changes it and was called in this terminal session.
pub fn find_to_change(facts: &Facts, text: &str, session: Option<&str>) -> Result<JobId, Fault> {
    find_among(facts, text, Among::Session(session))
}

/// The jobs that these texts name, each once, in the order given.
pub fn find_all(facts: &Facts, texts: &[String], among: Among<'_>) -> Result<Vec<JobId>, Fault> {
    let mut ids = Vec::new();
    let mut known = HashSet::new();
    for text in texts {
        let id = find_among(facts, text, among)?;
        if known.insert(id.clone()) {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// The job that `text` names: its full id; else, counted from the newest, `@`; else the newest of exactly that name;
/// else the one whose id has a random part that begins so.
pub fn find_among(facts: &Facts, text: &str, among: Among<'_>) -> Result<JobId, Fault> {
    if let Some(head) = JobId::parse(text).ok().and_then(|id| facts.head(&id)) {
        return Ok(head.id.clone());
    }
    if let Some(place) = newest_place(text) {
        return newest(facts, place, among);
    }
    let named: Vec<&Head> = facts.heads().rev().filter(|head| head.name.as_deref() == Some(text)).collect();
    if let Some(head) = named.iter().find(|head| among.has(head)) {
        return Ok(head.id.clone());
    }
    // Refused even where an id begins so: what names one job to look at must not name another to change.
    if !named.is_empty() {
        return Err(elsewhere(text, &named, among));
    }
    let matches: Vec<&Head> = facts.heads().rev().filter(|head| begins_so(&head.id, text)).collect();
    match matches[..] {
        [only] => Ok(only.id.clone()),
        [] => Err(unknown(facts, text)),
        _ => Err(ambiguous(facts, text, &matches)),
    }
}

/// `@` is 1, the newest; `@2` the one before. `None`: the text does not count from the newest.
pub fn newest_place(text: &str) -> Option<usize> {
    match text.strip_prefix(NEWEST)? {
        "" => Some(1),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().unwrap_or(usize::MAX))
        }
        _ => None,
    }
}

fn newest(facts: &Facts, place: usize, among: Among<'_>) -> Result<JobId, Fault> {
    let mut newest_first = facts.heads().rev().filter(|head| among.has(head));
    let found = place.checked_sub(1).and_then(|before| newest_first.nth(before));
    if let Some(head) = found {
        return Ok(head.id.clone());
    }
    let text = if place == 1 { NEWEST.to_owned() } else { format!("{NEWEST}{place}") };
    if place == 0 {
        let fault = Fault::new(Code::NotFound, format!("there is no job {text:?}"));
        return Err(fault.hint("@ is the newest job, @2 the one before"));
    }
    let count = facts.heads().filter(|head| among.has(head)).count();
    let whose = among.whose();
    let message = match count {
        0 => format!("there is no job {text:?}: there is none{whose}"),
        1 => format!("there is no job {text:?}: there is only one{whose}"),
        _ => format!("there is no job {text:?}: there are only {count}{whose}"),
    };
    let fault = Fault::new(Code::NotFound, message);
    Err(if among == Among::All { fault.hint(LIST_ALL) } else { fault.hint(BY_ID) })
}

const LIST_ALL: &str = "bgctl list --all shows the jobs there are";
const BY_ID: &str = "jobs of elsewhere are changed by their ids; bgctl list --all shows them";

/// Nothing is called that.
pub fn no_such_job(text: &str) -> Fault {
    Fault::new(Code::NotFound, format!("there is no job {text:?}")).hint(LIST_ALL)
}

fn unknown(facts: &Facts, text: &str) -> Fault {
    let fault = no_such_job(text);
    match near(facts, text) {
        Some(near) => fault.hint(format!("did you mean {near}? {LIST_ALL}")),
        None => fault,
    }
}

/// The name or id that is nearest to what was typed; of equals the newest.
fn near(facts: &Facts, text: &str) -> Option<String> {
    let is_id = JobId::parse(text).is_ok();
    let by_name = facts.heads().rev().filter_map(|head| head.name.as_deref().map(|name| (name, name)));
    let by_id = facts.heads().rev().map(|head| {
        let id = head.id.as_str();
        (if is_id { id } else { head.id.random_part() }, id)
    });
    nearest(text, by_name.chain(by_id)).map(str::to_owned)
}

fn elsewhere(text: &str, named: &[&Head], among: Among<'_>) -> Fault {
    let ids: Vec<&str> = named.iter().take(CANDIDATES_MAX).map(|head| head.id.as_str()).collect();
    let more = named.len() - ids.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let message = format!("no job{} is called {text:?}, only {} elsewhere", among.whose(), named.len());
    let what = if named.len() == 1 { "its id names it" } else { "their ids name them" };
    Fault::new(Code::NotFound, message).hint(format!("{what} from anywhere: {}{more}", ids.join(" ")))
}

fn ambiguous(facts: &Facts, text: &str, matches: &[&Head]) -> Fault {
    let shown = matches.iter().take(CANDIDATES_MAX);
    // What cannot be read is left out: it is not what somebody is looking for now.
    let candidates = shown.filter_map(|head| facts.job(&head.id).ok().flatten()).collect();
    let count = matches.len();
    let which = if count > CANDIDATES_MAX {
        format!("any of {count} jobs, the newest of which are these")
    } else {
        format!("any of {count} jobs")
    };
    let fault = Fault::new(Code::NotFound, format!("{text:?} could be {which}:")).hint("give more of the id");
    Fault { candidates, ..fault }
}

/// Opens the root for jobs that must be there. Where there is no root, there is no such job, and none is made.
pub fn home_of(jobs: &[String]) -> Result<Home, Fault> {
    let named = jobs.first().map(String::as_str).unwrap_or_default();
    Home::open_existing(BrokenConfig::Warns)?.ok_or_else(|| no_such_job(named))
}

/// The job that has a key, or the last one that had it.
pub fn of_key(key: &str) -> Result<JobId, Fault> {
    let unknown = || Fault::new(Code::NotFound, format!("no job has the key {key:?}")).hint(LIST_ALL);
    let home = Home::open_existing(BrokenConfig::Warns)?.ok_or_else(unknown)?;
    let facts = home.store().read()?;
    let had_it = |head: &&Head| head.key.as_ref().is_some_and(|its| its.text == key);
    let head = holder_of_key(&facts, key, home.clock.now()).or_else(|| facts.heads().rev().find(had_it));
    head.map(|head| head.id.clone()).ok_or_else(unknown)
}

/// The jobs as typed, with what standard input names in the place of `-`.
pub fn given(texts: &[String]) -> Result<Vec<String>, Fault> {
    let mut given = Vec::new();
    let mut input = Some(io::stdin());
    for text in texts {
        if text != ARGUMENTS_FROM_INPUT {
            given.push(text.clone());
            continue;
        }
        let Some(input) = input.take() else { continue };
        given.extend(words(input.lock())?);
    }
    Ok(given)
}

/// The words of an input, which are separated by white space.
fn words(input: impl Read) -> Result<Vec<String>, Fault> {
    let mut text = String::new();
    let read = input.take(INPUT_BYTES_MAX + 1).read_to_string(&mut text);
    match read {
        Ok(count) if count as u64 > INPUT_BYTES_MAX => {
            Err(Fault::new(Code::Usage, format!("more than {INPUT_BYTES_MAX} bytes on standard input")))
        }
        Ok(_) => Ok(text.split_whitespace().map(str::to_owned).collect()),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(Fault::new(Code::Usage, "standard input names no jobs: it is not text")
                .hint("bgctl list --format '{id}' prints ids"))
        }
        Err(error) => Err(error.into()),
    }
}

fn begins_so(id: &JobId, text: &str) -> bool {
    let is_prefix = |whole: &str, text: &str| text.len() >= PREFIX_CHARS_MIN && whole.starts_with(text);
    is_prefix(id.random_part(), text)
        || (text.starts_with("bg_") && text.len() > 12 && id.as_str().starts_with(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        job::Job,
        spec::{Command, JobSpec},
    };

    /// Jobs by random part, name and session.
    fn facts(jobs: &[(&str, Option<&str>, Option<&str>)]) -> Facts {
        Facts::of(jobs.iter().map(|(random, name, session)| {
            let mut spec = JobSpec::new(
                Command::Line("true".into()),
                crate::model::bytes::Bytes::try_from("/").unwrap(),
            );
            spec.name = name.map(str::to_owned);
            spec.session = session.map(str::to_owned);
            let at = "2026-02-13T10:00:00Z".parse().unwrap();
            Job::new(JobId::parse(&format!("bg_20260213_{random}")).unwrap(), spec, at)
        }))
    }

    fn named(facts: &Facts, text: &str, among: Among<'_>) -> Result<String, String> {
        find_among(facts, text, among)
            .map(|id| id.random_part().to_owned())
            .map_err(|fault| format!("{} / {}", fault.message, fault.hint.unwrap_or_default()))
    }

    #[test]
    fn a_job_is_named_by_id_prefix_or_name() {
        let facts = facts(&[
            ("abc234", Some("build"), None),
            ("abd234", Some("build"), None),
            ("xyz234", Some("abc2"), None),
        ]);
        let find = |text: &str| {
            find(&facts, text).map(|id| id.random_part().to_owned()).map_err(|fault| fault.message)
        };
        assert_eq!(find("bg_20260213_abc234").unwrap(), "abc234");
        assert_eq!(find("xy").unwrap(), "xyz234");
        assert_eq!(find("bg_20260213_ab").unwrap_err(), "\"bg_20260213_ab\" could be any of 2 jobs:");
        assert_eq!(find("build").unwrap(), "abd234", "the newest of that name");
        assert_eq!(find("abc2").unwrap(), "xyz234", "an exact name before a prefix");
        assert_eq!(find("a").unwrap_err(), "there is no job \"a\"");
        assert_eq!(find("").unwrap_err(), "there is no job \"\"");
    }

    #[test]
    fn the_newest_are_counted_back_from_the_last_submission() {
        let facts = facts(&[("aaa234", None, None), ("bbb234", None, Some("1-1")), ("ccc234", None, None)]);
        let named = |text: &str, among| named(&facts, text, among);
        assert_eq!(named("@", Among::All).unwrap(), "ccc234");
        assert_eq!(named("@1", Among::All).unwrap(), "ccc234");
        assert_eq!(named("@3", Among::All).unwrap(), "aaa234");
        assert_eq!(
            named("@4", Among::All).unwrap_err(),
            "there is no job \"@4\": there are only 3 / bgctl list --all shows the jobs there are"
        );
        assert!(named("@0", Among::All).unwrap_err().ends_with("@ is the newest job, @2 the one before"));
        assert!(named("@99999999999999999999999", Among::All).is_err());
        assert!(named("@x", Among::All).unwrap_err().starts_with("there is no job \"@x\""));
        assert_eq!(named("@", Among::Session(Some("1-1"))).unwrap(), "bbb234");
        assert_eq!(named("@2", Among::Session(None)).unwrap(), "aaa234");
        assert!(named("@2", Among::Session(Some("1-1"))).unwrap_err().contains("only one of this terminal"));
        assert!(named("@", Among::Session(Some("2-2"))).unwrap_err().contains("none of this terminal"));
        assert!(named("@3", Among::Session(None)).unwrap_err().contains("only 2 started without"));
    }

    #[test]
    fn what_changes_a_job_takes_names_of_its_own_terminal_and_ids_of_all() {
        let facts = facts(&[
            ("aaa234", Some("build"), Some("1-1")),
            ("bbb234", Some("build"), Some("2-2")),
            ("ccc234", Some("test"), Some("2-2")),
            ("tes234", None, Some("1-1")),
        ]);
        let here = Among::Session(Some("1-1"));
        let named = |text: &str| named(&facts, text, here);
        assert_eq!(named("build").unwrap(), "aaa234", "not the newest of all");
        assert_eq!(named("bb").unwrap(), "bbb234", "a prefix works from anywhere");
        assert_eq!(named("bg_20260213_ccc234").unwrap(), "ccc234");
        assert_eq!(
            named("test").unwrap_err(),
            "no job of this terminal is called \"test\", only 1 elsewhere / its id names it from anywhere: bg_20260213_ccc234"
        );
        assert_eq!(find_to_change(&facts, "build", Some("2-2")).unwrap().random_part(), "bbb234");
        let fault = find_to_change(&facts, "build", None).unwrap_err();
        assert_eq!(fault.code, Code::NotFound);
        assert!(fault.hint.unwrap().ends_with(": bg_20260213_bbb234 bg_20260213_aaa234"));
    }

    #[test]
    fn a_name_of_elsewhere_is_refused_although_an_id_begins_so() {
        let facts = facts(&[("test34", None, Some("1-1")), ("ccc234", Some("test"), Some("2-2"))]);
        assert_eq!(named(&facts, "test", Among::All).unwrap(), "ccc234");
        assert!(named(&facts, "test", Among::Session(Some("1-1"))).unwrap_err().contains("only 1 elsewhere"));
    }

    #[test]
    fn several_texts_name_each_job_once() {
        let facts = facts(&[("aaa234", Some("build"), None), ("bbb234", None, None)]);
        let texts = ["bb", "build", "@"].map(str::to_owned);
        let ids = find_all(&facts, &texts, Among::All).unwrap();
        assert_eq!(ids.iter().map(JobId::random_part).collect::<Vec<_>>(), ["bbb234", "aaa234"]);
    }

    #[test]
    fn the_nearest_known_name_or_id_is_offered() {
        let facts = facts(&[("abc234", Some("nightly-build"), None), ("xyz789", Some("Deploy"), None)]);
        let hint = |text: &str| find(&facts, text).unwrap_err().hint.unwrap();
        assert!(hint("nightly-biuld").starts_with("did you mean nightly-build? "));
        assert!(hint("nightly").starts_with("did you mean nightly-build? "), "names are exact, but known");
        assert!(hint("deploy").starts_with("did you mean Deploy? "));
        assert!(hint("xyz788").starts_with("did you mean bg_20260213_xyz789? "));
        assert!(hint("bg_20260213_xyz788").starts_with("did you mean bg_20260213_xyz789? "));
        for odd in ["zz", "", "entirely-different", &"x".repeat(100_000)] {
            assert_eq!(hint(odd), LIST_ALL);
        }
    }

    #[test]
    fn candidates_are_the_newest_first_and_bounded() {
        let many: Vec<String> = (0..20).map(|n| format!("abc{n:03}")).collect();
        let jobs: Vec<_> = many.iter().map(|random| (random.as_str(), None, None)).collect();
        let fault = find(&facts(&jobs), "abc").unwrap_err();
        assert_eq!(fault.message, "\"abc\" could be any of 20 jobs, the newest of which are these:");
        let ids: Vec<&str> = fault.candidates.iter().map(|job| job.id.random_part()).collect();
        assert_eq!((ids.len(), ids[0]), (CANDIDATES_MAX, "abc019"));
    }

    #[test]
    fn words_of_an_input_are_separated_by_any_white_space() {
        let read = |bytes: &[u8]| words(bytes).map_err(|fault| fault.message);
        assert_eq!(read(b"ab cd\n\tef\r\n\n").unwrap(), ["ab", "cd", "ef"]);
        assert_eq!(read(b"").unwrap(), [""; 0]);
        assert!(read(b"\xff").unwrap_err().contains("not text"));
    }
}
