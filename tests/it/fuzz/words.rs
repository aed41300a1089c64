//! Words and short texts that people type: what is read comes back from how it is written, and stays within its limits.

use super::{Target, index::is_a_file_name, mutate::Corpus};
use crate::proof;
use bgctl::model::{
    Timestamp,
    approval::On,
    calendar::{COUNT_MAX, Calendar, Rhythm},
    config::Value,
    group,
    id::JobId,
    limit::{
        LOG_BYTES_MIN, SECONDS_MAX, format_seconds, parse_bytes_limit, parse_limit, parse_nonzero_limit,
    },
    outcome::{signal_name, signal_number},
    retry::Codes,
};
use bgctl::ops::{
    events, find, given,
    list::{NamePattern, Since},
    start::array::Array,
    when::{parse_coming_time, parse_printed_time, parse_time},
};
use bgctl::render::template::Template;
use bgctl::store::root::run_file_names;
use std::process::Command;

/// Tries the words of a file of the corpus; `accepts` is given text only.
#[track_caller]
fn words(name: &str, accepts: impl Fn(&str) -> bool) {
    words_in(name, proof::cases(3_000, 60_000), accepts);
}

#[track_caller]
fn words_in(name: &str, cases: usize, accepts: impl Fn(&str) -> bool) {
    let corpus = Corpus::of_lines(&format!("words/{}.txt", name.trim_start_matches("fuzz.")));
    let target = Target { name, corpus: &corpus, cases };
    target.run(|bytes| std::str::from_utf8(bytes).is_ok_and(&accepts));
}

fn now() -> Timestamp {
    "2026-02-13T11:58:13Z".parse().unwrap()
}

#[test]
fn a_duration_comes_back_from_how_it_is_shown() {
    words("fuzz.durations", |text| {
        let Ok(seconds) = parse_limit(text) else { return false };
        let shown = seconds.map_or_else(|| "none".to_owned(), format_seconds);
        assert_eq!(parse_limit(&shown), Ok(seconds), "{shown}");
        assert!(seconds.is_none_or(|seconds| seconds <= SECONDS_MAX));
        assert_eq!(parse_nonzero_limit(text).is_ok(), seconds != Some(0));
        true
    });
}

#[test]
fn a_size_comes_back_from_how_it_is_shown() {
    words("fuzz.sizes", |text| {
        let Ok(bytes) = parse_bytes_limit(text) else { return false };
        let shown = Value::Bytes(bytes).to_string();
        assert_eq!(parse_bytes_limit(&shown), Ok(bytes), "{shown}");
        assert!(bytes.is_none_or(|bytes| bytes >= LOG_BYTES_MIN));
        true
    });
}

#[test]
fn an_id_is_never_a_path() {
    words("fuzz.ids", |text| {
        let Ok(id) = JobId::parse(text) else { return false };
        is_a_file_name(id.as_str());
        assert_eq!(id.to_string(), text);
        assert_eq!(serde_json::from_str::<JobId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
        for name in run_file_names(&id) {
            assert!(name.starts_with(text) && !name.contains(['/', '\0']) && !name.contains(".."), "{name}");
        }
        true
    });
}

#[test]
fn a_reference_to_github_comes_back_as_it_was_typed() {
    words("fuzz.references", |text| {
        let Ok(on) = On::parse(text) else { return false };
        assert_eq!(on.to_string(), text);
        if let Some(place) = on.github() {
            for part in [&place.repository.owner, &place.repository.name] {
                assert!(!part.is_empty() && part != "." && part != "..");
                assert!(!part.contains(|c: char| !c.is_ascii_graphic() || "/\\?#%@:".contains(c)), "{part}");
            }
        }
        true
    });
}

#[test]
fn an_array_has_so_many_numbers_as_it_says() {
    const MOST: usize = 1_000;
    words("fuzz.arrays", |text| {
        let Ok(array) = Array::parse(text) else { return false };
        if let Some(numbers) = array.numbers(MOST) {
            assert!((1..=MOST).contains(&numbers.len()));
            let listed: Vec<String> = numbers.iter().map(u64::to_string).collect();
            let again = Array::parse(&listed.join(",")).unwrap();
            assert_eq!(again.numbers(MOST), Some(numbers));
        }
        true
    });
}

#[test]
fn a_set_of_exit_codes_comes_back_from_how_it_is_shown() {
    words("fuzz.codes", |text| {
        let Ok(codes) = Codes::parse(text) else { return false };
        assert_eq!(Codes::parse(&codes.to_string()).as_ref(), Ok(&codes));
        assert!((1..=255).any(|code| codes.contains(code)));
        assert!(![-1, 0, 256].iter().any(|code| codes.contains(*code)));
        true
    });
}

#[test]
fn a_calendar_goes_forward_at_any_time_that_an_index_can_have() {
    // Going through the years takes a while.
    words_in("fuzz.crons", proof::cases(600, 10_000), |text| {
        let Ok(calendar) = Calendar::parse(text, "Europe/Berlin") else { return false };
        assert_eq!(calendar.expression(), text.trim());
        let written = serde_json::to_string(&calendar).unwrap();
        assert_eq!(serde_json::from_str::<Calendar>(&written).unwrap(), calendar);
        assert!(!calendar.describe().is_empty());
        goes_forward(&Rhythm::Cron(calendar));
        true
    });
}

#[test]
fn an_interval_goes_forward_at_any_time_that_an_index_can_have() {
    for seconds in [0, 1, 59, 86_400, SECONDS_MAX, u64::MAX] {
        goes_forward(&Rhythm::Every { seconds });
    }
}

fn goes_forward(rhythm: &Rhythm) {
    let extremes = [Timestamp::MIN_UTC, Timestamp::MAX_UTC, Timestamp::UNIX_EPOCH];
    for at in extremes {
        let next = rhythm.next_after(at, now());
        assert!(next.is_none_or(|next| next > at), "{next:?} after {at}");
        let passed = rhythm.passed(at, now());
        assert!(passed.is_none_or(|(count, latest)| (1..=COUNT_MAX).contains(&count) && latest <= now()));
    }
    let mut at = now();
    for _ in 0..3 {
        let Some(next) = rhythm.next_after(at, now()) else { return };
        assert!(next > at, "{next} after {at}");
        assert_eq!(rhythm.passed(next, next), Some((1, next)));
        at = next;
    }
}

#[test]
fn a_zone_is_a_known_one() {
    words("fuzz.zones", |text| {
        let Ok(calendar) = Calendar::parse("0 0 * * *", text) else { return false };
        assert!(calendar.zone().eq_ignore_ascii_case(text));
        true
    });
}

#[test]
fn a_time_is_read_as_what_it_is_written_as() {
    words("fuzz.times", is_a_time);
}

#[test]
fn a_time_is_read_in_zones_east_and_west() {
    const NAME: &str = "fuzz::words::a_time_is_read_as_what_it_is_written_as";
    for zone in ["Pacific/Kiritimati", "America/St_Johns"] {
        let mut test = Command::new(std::env::current_exe().unwrap());
        let ran = test
            .args([NAME, "--exact"])
            .env("TZ", zone)
            .env("BG_TEST_CASES", "1000")
            .env_remove("BG_TEST_PROOFS");
        let ran = ran.output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success() && said.contains("1 passed"), "{zone}: {said}");
    }
}

fn is_a_time(text: &str) -> bool {
    let printed = parse_printed_time(text);
    let coming = parse_coming_time(text, now());
    let read = parse_time(text).ok();
    for at in printed.iter().chain(coming.iter()).chain(read.iter()) {
        assert_eq!(parse_time(&at.to_rfc3339()), Ok(*at), "{at}");
    }
    assert!(coming.as_ref().is_ok_and(|at| *at > now()) || coming.is_err_and(|why| !why.is_empty()));
    printed.is_some() || read.is_some()
}

#[test]
fn a_beginning_of_a_list_is_a_time_or_a_duration() {
    words("fuzz.sinces", |text| {
        let Ok(since) = Since::parse(text) else { return false };
        assert!(matches!(since, Since::At(_)) || since.at(now()) <= now());
        true
    });
}

#[test]
fn a_place_in_the_stream_is_a_number_or_a_time() {
    words("fuzz.cursors", |text| {
        let Ok(since) = events::Since::parse(text) else { return false };
        if let events::Since::Seq(number) = since {
            assert_eq!(events::Since::parse(&number.to_string()), Ok(since));
        }
        true
    });
}

#[test]
fn a_template_is_refused_in_words_that_are_safe_to_print() {
    words("fuzz.templates", |text| match Template::parse(text) {
        Ok(template) => {
            template.is_live();
            true
        }
        Err(why) => {
            assert!(!why.is_empty() && !why.contains(char::is_control), "{why:?}");
            false
        }
    });
}

#[test]
fn a_name_of_a_group_is_a_plain_word() {
    words("fuzz.groups", |text| {
        assert_eq!(given::group(text).is_ok(), group::check_name(text).is_ok());
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_good = group::check_name(text).is_ok();
        assert!(
            !is_good
                || (text.len() <= group::GROUP_BYTES_MAX
                    && text.chars().all(is_plain)
                    && !text.starts_with('.'))
        );
        is_good
    });
}

#[test]
fn a_name_of_a_job_cannot_be_taken_for_a_place_in_the_list() {
    words("fuzz.names", |text| {
        let named = given::name(text);
        assert_eq!(given::label(text).is_ok(), (1..=200).contains(&text.len()));
        assert_eq!(given::key(text).is_ok(), (1..=200).contains(&text.len()));
        assert!(named.is_err() || (find::newest_place(text).is_none() && text != "-"));
        named.is_ok()
    });
}

#[test]
fn a_pattern_of_names_is_refused_with_its_place() {
    words("fuzz.patterns", |text| match NamePattern::parse(text) {
        Ok(_) => true,
        Err(why) => {
            assert!(why.contains(" at character "), "{why}");
            false
        }
    });
}

#[test]
fn a_signal_has_a_name_that_is_read_as_it() {
    words("fuzz.signals", |text| {
        let Some(number) = signal_number(text) else { return false };
        assert_eq!(signal_number(&signal_name(number)), Some(number));
        true
    });
}
