//! Time that grows with the length of what is read, and not with its square.
//!
//! What is measured is the processor time of the test's own thread, so that a busy machine does not count. A text is made longer
//! until reading it takes long enough to be measured; then one that is four times as long may take eight times as long.

use crate::proof::{self, Proof};
use bgctl::exec::local::record::Record;
use bgctl::model::{
    approval::On,
    calendar::Calendar,
    config,
    facts::{Facts, salvage},
    id::JobId,
    limit::{parse_bytes_limit, parse_limit},
    nearest::nearest_word,
    retry::Codes,
    stream::Tail,
};
use bgctl::ops::{
    start::{Request, array::Array, batch, variables::Variables},
    when::parse_printed_time,
};
use bgctl::os::folder::Folder;
use bgctl::render::template::Template;
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::time::Duration;

/// The shortest text, and the longest of the quick form and of the long one.
const BYTES_MIN: usize = 4 * 1024;
const BYTES_MAX: (usize, usize) = (16 * 1024, 512 * 1024);

/// Shorter times are not measured well.
const MEASURED_MIN: Duration = Duration::from_millis(10);

/// Whatever the length, so much may be in it that has nothing to do with it.
const BESIDE: Duration = Duration::from_millis(25);

/// How often a time that seems too long is measured again.
const TRIES: usize = 3;

/// A text of about so many bytes.
type Shape = (&'static str, fn(usize) -> String);

/// What takes long where somebody looks for each part among all parts, or begins anew at each.
const SHAPES: [Shape; 18] = [
    ("brackets", |bytes| "[".repeat(bytes)),
    ("nested objects", |bytes| "{\"a\":".repeat(bytes / 5)),
    ("closed objects", |bytes| format!("{}1{}", "{\"a\":".repeat(bytes / 6), "}".repeat(bytes / 6))),
    ("quotes", |bytes| "\"".repeat(bytes)),
    ("braces and quotes", |bytes| "{\"".repeat(bytes / 2)),
    ("backslashes", |bytes| format!("\"{}", "\\".repeat(bytes))),
    ("empty lines", |bytes| "\n".repeat(bytes)),
    ("one word", |bytes| "a".repeat(bytes)),
    ("digits", |bytes| "7".repeat(bytes)),
    ("commas", |bytes| "1,".repeat(bytes / 2)),
    ("settings", |bytes| (0..bytes / 12).map(|n| format!("k{n:08} = 1\n")).collect()),
    ("sections", |bytes| (0..bytes / 30).map(|n| format!("[schedules.s{n:08}]\nevery = 1\n")).collect()),
    ("groups", |bytes| (0..bytes / 29).map(|n| format!("[groups.g{n:08}]\nslots = 1\n")).collect()),
    ("fields", |bytes| {
        format!("{{{}", (0..bytes / 16).map(|n| format!("\"f{n:08}\":1,\n")).collect::<String>())
    }),
    ("jobs", |bytes| {
        let job = |n| {
            format!(
                "{{\"id\":\"bg_20260213_{n:06}\",\"status\":\"queued\",\"argv\":[\"a\"],\"created_at\":\"2026-02-13T10:00:00Z\"}}"
            )
        };
        let jobs: Vec<String> = (0..bytes / 100).map(job).collect();
        format!("{{\"version\":1,\"jobs\":[\n{}\n]}}", jobs.join(",\n"))
    }),
    ("torn jobs", |bytes| {
        (0..bytes / 32).map(|n| format!("{{\"id\":\"bg_20260213_{n:06}\",\"st\n")).collect()
    }),
    ("labels", |bytes| {
        let labels = "\"l\",".repeat(bytes / 4);
        format!(
            "{{\"version\":1,\"jobs\":[{{\"id\":\"bg_20260213_aaaaaa\",\"status\":\"running\",\"argv\":[\"a\"],\"created_at\":\"2026-02-13T10:00:00Z\",\"labels\":[{labels}\"\"]}}]}}"
        )
    }),
    ("lines of events", |bytes| {
        let line = |n| format!("{{\"seq\":{n},\"at\":\"2026-02-13T10:00:00.000Z\",\"event\":\"removed\"}}\n");
        (0..bytes / 60).map(line).collect()
    }),
];

/// What reads a text.
type Reader = (&'static str, fn(&str));

const READERS: [Reader; 15] = [
    ("the index", |text| use_up(Facts::parse(text.to_owned()).map(|facts| facts.check().is_ok()))),
    ("a damaged index", |text| use_up(salvage(text.as_bytes()))),
    ("the settings", |text| use_up(config::read(text))),
    ("a batch", |text| {
        use_up(batch::read(text.as_bytes(), &Request::default(), usize::MAX, &mut |_, _| {}).is_ok());
    }),
    ("variables", |text| use_up(Variables::read(text.as_bytes()).unwrap().count())),
    ("a record", record),
    ("the stream", |text| use_up(Tail::of(text.as_bytes()))),
    ("a duration", |text| use_up(parse_limit(text))),
    ("a size", |text| use_up(parse_bytes_limit(text))),
    ("an id", |text| use_up(JobId::parse(text))),
    ("a reference", |text| use_up(On::parse(text))),
    ("numbers", |text| use_up((Array::parse(text).map(|array| array.numbers(1_000)), Codes::parse(text)))),
    ("a calendar", |text| use_up(Calendar::parse(text, text))),
    ("a time", |text| use_up(parse_printed_time(text))),
    ("a template", |text| use_up((Template::parse(text), nearest_word(text, ["queued", "running"])))),
];

/// What was read was wanted, as far as the compiler knows.
fn use_up<T>(read: T) {
    drop(black_box(read));
}

fn record(text: &str) {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open_or_create(&dir.path().join("runs")).unwrap();
    let id = JobId::parse("bg_20260213_aaaaaa").unwrap();
    std::fs::write(dir.path().join("runs").join(bgctl::store::root::record_name(&id)), text).unwrap();
    use_up(Record::open(&folder, &id).unwrap().unwrap().attempts().unwrap());
}

#[test]
fn no_text_takes_time_by_the_square_of_its_length() {
    let bytes_max = if proof::is_long() { BYTES_MAX.1 } else { BYTES_MAX.0 };
    let mut slow = Vec::new();
    for (what, read) in READERS {
        for (shape, make) in SHAPES {
            slow.extend(
                grows_too_fast(read, make, bytes_max).map(|times| format!("{what}, {shape}: {times}")),
            );
        }
    }
    let cases = READERS.len() * SHAPES.len();
    Proof { name: "fuzz.growth", cases, failures: slow.len(), remark: String::new() }.tell();
    assert!(slow.is_empty(), "{slow:#?}");
}

#[test]
fn what_takes_time_by_the_square_is_found() {
    let pairs: fn(&str) = |text| {
        let bytes = || text.bytes().step_by(8);
        let same = bytes().map(|one| bytes().filter(|other| *other == one).count());
        use_up(same.sum::<usize>());
    };
    assert!(grows_too_fast(pairs, |bytes| "ab".repeat(bytes / 2), BYTES_MAX.0).is_some());
}

/// The two times, where the second is too long for the first.
fn grows_too_fast(read: fn(&str), make: fn(usize) -> String, bytes_max: usize) -> Option<String> {
    let mut bytes = BYTES_MIN;
    while bytes < bytes_max && time(read, &make(bytes)) < MEASURED_MIN {
        bytes *= 2;
    }
    let (short, long) = (make(bytes), make(4 * bytes));
    let mut times = None;
    for _ in 0..TRIES {
        let (one, four) = (time(read, &short), time(read, &long));
        if four <= one * 8 + BESIDE {
            return None;
        }
        times = Some(format!("{} bytes in {one:?}, {} in {four:?}", short.len(), long.len()));
    }
    times
}

/// How long this thread's processor is at it.
fn time(read: fn(&str), text: &str) -> Duration {
    let now = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let before = now();
    read(text);
    now().saturating_sub(before)
}
