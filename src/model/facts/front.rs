//! The beginning of an entry as this program writes it: what selection needs stands before all else, so that most of a long
//! index is passed over. An entry that this reader does not take is no worse for it: it is read whole.

use super::find;
use super::head::{Belongings, Head};
use crate::model::{
    Timestamp,
    dependency::{Dependency, Until},
    group,
    id::{JobId, OWN_BYTES},
    key::Key,
    priority::Priority,
    state::Status,
};
use chrono::NaiveDate;
use std::sync::Arc;

/// The fields that stand before all others, in their order (`wire`).
pub(super) const FIELDS: [&str; 25] = [
    "id",
    "status",
    "name",
    "command",
    "env",
    "session",
    "group",
    "priority",
    "service",
    "batch",
    "schedule",
    "max_attempts",
    "stdin_pipe",
    "key",
    "key_ttl_seconds",
    "after",
    "after_end",
    "on_end",
    "gate",
    "interruptions",
    "approval",
    "not_before",
    "paused_at",
    "dead_letter",
    "ended_at",
];

/// What the entry before says behind its command, as far as neighbours say the same.
#[derive(Debug)]
struct Alike<'a> {
    /// With the name of the field that comes next, so that no neighbour who says more is taken to say the same.
    text: &'a [u8],
    /// How long it is without that.
    length: usize,
    belongs: Arc<Belongings>,
}

/// Reads one entry after the other.
#[derive(Debug, Default)]
pub(super) struct Reader<'a> {
    last: Option<Alike<'a>>,
}

impl<'a> Reader<'a> {
    /// The head of an entry whose fields stand in the order in which they are written (`wire`); `None`: it says something that
    /// is rare, and has to be read whole.
    pub(super) fn head(&mut self, entry: &'a [u8]) -> Option<Head> {
        let mut cursor = Cursor { text: entry, at: 0 };
        cursor.pass(b"{\"id\":")?;
        let id = cursor.id()?;
        cursor.pass(b",\"status\":")?;
        let status = status(cursor.string()?)?;
        let name = match cursor.pass(b",\"name\":") {
            Some(()) => Some(Box::from(cursor.text()?)),
            None => None,
        };
        cursor.pass(b",\"command\":")?;
        cursor.pass_string()?;
        let belongs = self.belongings(&mut cursor)?;
        let mut head = Head {
            id,
            status,
            name,
            belongs,
            not_before: None,
            ended_at: None,
            paused: false,
            key: None,
            after: Vec::new(),
            dead_letter: false,
            hooked: false,
            waiting: None,
            gated: false,
        };
        cursor.course(&mut head)?;
        // It waits for somebody; for whom is read with the rest.
        (status != Status::WaitingApproval).then_some(head)
    }

    /// What is alike among neighbours.
    fn belongings(&mut self, cursor: &mut Cursor<'a>) -> Option<Arc<Belongings>> {
        let from = cursor.at;
        if let Some(last) = self.last.as_ref().filter(|last| begins_with(&cursor.text[from..], last.text)) {
            cursor.at += last.length;
            return Some(Arc::clone(&last.belongs));
        }
        let mut belongs = Belongings::default();
        let (end, behind_next) = loop {
            let before = cursor.at;
            match cursor.field()? {
                b"env" => belongs.env = cursor.text_or_null()?,
                b"session" => belongs.session = cursor.text_or_null()?,
                b"group" => belongs.group = cursor.text_or_null()?.filter(|name| name != group::DEFAULT),
                b"schedule" => belongs.schedule = cursor.text_or_null()?,
                b"priority" => belongs.priority = priority(cursor.string()?)?,
                b"batch" => belongs.batch = Some(cursor.id()?),
                b"service" => belongs.service = cursor.flag()?,
                b"stdin_pipe" => belongs.pipe = cursor.flag()?,
                b"max_attempts" => belongs.retries = cursor.number()? > 1,
                b"" => break (before, before + 1),
                _ => break (before, cursor.at),
            }
        };
        cursor.at = end;
        let belongs = Arc::new(belongs);
        let text = &cursor.text[from..behind_next];
        self.last = Some(Alike { text, length: end - from, belongs: Arc::clone(&belongs) });
        Some(belongs)
    }
}

/// As `starts_with`, which asks the C library, and musl compares byte by byte.
fn begins_with(text: &[u8], beginning: &[u8]) -> bool {
    text.get(..beginning.len()).is_some_and(|text| {
        let (pieces, rest) = text.as_chunks::<16>();
        let (others, other_rest) = beginning.as_chunks::<16>();
        pieces.iter().zip(others).all(|(piece, other)| piece == other) && rest == other_rest
    })
}

fn status(word: &[u8]) -> Option<Status> {
    Status::ALL.into_iter().find(|status| status.as_str().as_bytes() == word)
}

fn priority(word: &[u8]) -> Option<Priority> {
    Priority::ALL.into_iter().find(|priority| priority.as_str().as_bytes() == word)
}

/// A place in an entry. Each step is `None` where something else stands there than is looked for.
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// What has become of the job, or is to come, up to the first field that no selection needs.
    fn course(&mut self, head: &mut Head) -> Option<()> {
        let mut key_ttl_seconds = 0;
        loop {
            // What most entries have comes first, and what is never read.
            if self.pass(b",\"ended_at\":").is_some() {
                head.ended_at = self.instant_or_null()?;
            } else if self.starts_with(b",\"argv\":") {
                break;
            } else if self.pass(b",\"key\":").is_some() {
                let key = self.text_or_null()?;
                head.key = key.map(|text| Box::new(Key { text, ttl_seconds: 0 }));
            } else if self.pass(b",\"key_ttl_seconds\":").is_some() {
                key_ttl_seconds = self.number()?;
            } else if self.pass(b",\"after\":").is_some() {
                self.dependencies(Until::Completed, &mut head.after)?;
            } else if self.pass(b",\"after_end\":").is_some() {
                self.dependencies(Until::Ended, &mut head.after)?;
            } else if self.pass(b",\"not_before\":").is_some() {
                head.not_before = self.instant_or_null()?;
            } else if self.pass(b",\"paused_at\":").is_some() {
                head.paused = self.instant_or_null()?.is_some();
            } else if self.pass(b",\"dead_letter\":").is_some() {
                head.dead_letter = self.flag()? && head.status == Status::Failed;
            } else {
                break;
            }
        }
        let rare: [&[u8]; 4] = [b",\"on_end\":", b",\"gate\":", b",\"approval\":", b",\"interruptions\":"];
        let is_field = self.starts_with(b",\"") || self.text.get(self.at..)? == b"}";
        if !is_field || rare.iter().any(|field| self.starts_with(field)) {
            return None;
        }
        if let Some(key) = &mut head.key {
            key.ttl_seconds = key_ttl_seconds;
        }
        Some(())
    }

    /// The name of the next field; it is empty behind the last one.
    fn field(&mut self) -> Option<&'a [u8]> {
        if self.text.get(self.at..)? == b"}" {
            return Some(b"");
        }
        self.pass(b",")?;
        let name = self.string()?;
        self.pass(b":").map(|()| name)
    }

    fn next(&mut self) -> Option<u8> {
        let byte = *self.text.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn starts_with(&self, what: &[u8]) -> bool {
        self.text.get(self.at..).is_some_and(|rest| rest.starts_with(what))
    }

    fn pass(&mut self, what: &[u8]) -> Option<()> {
        self.starts_with(what).then(|| self.at += what.len())
    }

    fn id(&mut self) -> Option<JobId> {
        let rest = self.text.get(self.at..)?;
        if let Some([b'"', id @ .., b'"']) = rest.first_chunk::<{ OWN_BYTES + 2 }>() {
            self.at += OWN_BYTES + 2;
            return JobId::read(id);
        }
        JobId::read(self.string()?)
    }

    /// A text without escapes.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.pass(b"\"")?;
        let rest = self.text.get(self.at..)?;
        let length = plain_length(rest)?;
        self.at += length + 1;
        (rest[length] == b'"').then(|| &rest[..length])
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.string()?).ok()
    }

    fn pass_string(&mut self) -> Option<()> {
        self.pass(b"\"")?;
        loop {
            let rest = self.text.get(self.at..)?;
            let length = plain_length(rest)?;
            if rest[length] == b'"' {
                self.at += length + 1;
                return Some(());
            }
            self.at += length + 2;
        }
    }

    #[expect(clippy::option_option, reason = "not readable here, or null, or a text")]
    fn text_or_null(&mut self) -> Option<Option<String>> {
        if self.pass(b"null").is_some() { Some(None) } else { self.text().map(|text| Some(text.to_owned())) }
    }

    fn flag(&mut self) -> Option<bool> {
        if self.pass(b"true").is_some() { Some(true) } else { self.pass(b"false").map(|()| false) }
    }

    fn number(&mut self) -> Option<u64> {
        let rest = self.text.get(self.at..)?;
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += length;
        std::str::from_utf8(&rest[..length]).ok()?.parse().ok()
    }

    fn dependencies(&mut self, until: Until, into: &mut Vec<Dependency>) -> Option<()> {
        self.pass(b"[")?;
        loop {
            into.push(Dependency { id: self.id()?, until });
            match self.next()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    #[expect(clippy::option_option, reason = "not readable here, or null, or an instant")]
    fn instant_or_null(&mut self) -> Option<Option<Timestamp>> {
        if self.pass(b"null").is_some() { Some(None) } else { instant(self.string()?).map(Some) }
    }
}

/// Where the first quote or backslash is. Most texts are short: their bytes are looked at here, eight at a time.
fn plain_length(text: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 0xff;
    const SHORT: usize = 4;
    // The lowest byte of what is zero somewhere becomes the lowest one with its high bit set ("Hacker's Delight", 6-1).
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    let (words, _) = text.as_chunks::<8>();
    for (at, word) in words.iter().take(SHORT).enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\')));
        if found != 0 {
            return Some(at * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let passed = words.len().min(SHORT) * 8;
    find::first_of(b'"', b'\\', &text[passed..]).map(|length| passed + length)
}

/// Reads `2026-02-13T10:00:00Z`, with milliseconds or without, as entries have instants.
fn instant(text: &[u8]) -> Option<Timestamp> {
    let number = |from: usize, to: usize| {
        text.get(from..to)?
            .iter()
            .try_fold(0, |sum: u32, digit| digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0')))
    };
    let stands = |at: usize, byte: u8| text.get(at) == Some(&byte);
    let milliseconds = match text.len() {
        20 if stands(19, b'Z') => 0,
        24 if stands(19, b'.') && stands(23, b'Z') => number(20, 23)?,
        _ => return None,
    };
    let is_instant =
        stands(4, b'-') && stands(7, b'-') && stands(10, b'T') && stands(13, b':') && stands(16, b':');
    let day = NaiveDate::from_ymd_opt(i32::try_from(number(0, 4)?).ok()?, number(5, 7)?, number(8, 10)?)?;
    let time = day.and_hms_milli_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?, milliseconds)?;
    is_instant.then(|| time.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_read_as_everywhere_else_or_not_at_all() {
        for text in ["2026-02-13T10:00:00Z", "2026-02-13T10:00:00.123Z", "0001-01-01T00:00:00Z"] {
            assert_eq!(instant(text.as_bytes()), Some(text.parse().unwrap()), "{text}");
        }
        for text in [
            "",
            "2026-02-13T10:00:00+01:00",
            "2026-02-13T10:00:00.1Z",
            "2026-02-30T10:00:00Z",
            "2026-02-13T24:00:00Z",
            "2026-02-13t10:00:00Z",
            "2026-02-13T10:00:6\u{665}Z",
            "+026-02-13T10:00:00Z",
        ] {
            assert_eq!(instant(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn the_first_quote_or_backslash_is_found_wherever_it_stands() {
        for length in 0..80 {
            let plain: Vec<u8> =
                (0..length).map(|at| [b'a', 0, 0x21, 0x23, 0x5b, 0x5d, 0xa2, 0xff][at % 8]).collect();
            assert_eq!(plain_length(&plain), None);
            for at in 0..length {
                for (byte, next) in [(b'"', b'\\'), (b'\\', b'"')] {
                    let mut text = plain.clone();
                    text[at] = byte;
                    assert_eq!(plain_length(&text), Some(at), "{text:?}");
                    text[at + 1..].fill(next);
                    assert_eq!(plain_length(&text), Some(at), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_rare_is_left_to_others() {
        let read = |rest: &str| {
            let begin = "{\"id\":\"bg_20260213_aaaaaa\",\"status\":\"queued\"";
            Reader::default().head(format!("{begin}{rest}").as_bytes())
        };
        let plain = read(",\"command\":\"make\"}").unwrap();
        assert_eq!((plain.status, plain.belongs.priority), (Status::Queued, Priority::Normal));
        for rest in [
            "",
            "}",
            ",\"name\":\"a\\u0062\",\"command\":\"make\"}",
            ",\"name\":\"a",
            ",\"command\":\"a\\",
            ",\"command\":\"a\",",
            ",\"command\":\"a\"x}",
            ",\"command\":\"a\",\"priority\":\"soon\"}",
            ",\"command\":\"a\",\"service\":null}",
            ",\"command\":\"a\",\"max_attempts\":-1}",
            ",\"command\":\"a\",\"after\":[]}",
            ",\"command\":\"a\",\"after\":[\"bg_20260213_bbbbbb\"",
            ",\"command\":\"a\",\"not_before\":\"soon\"}",
            ",\"command\":\"a\",\"gate\":{}}",
        ] {
            assert_eq!(read(rest), None, "{rest}");
        }
        let named = read(",\"name\":\"a\",\"command\":\"say \\\"a\\\" \\\\\",\"argv\":[\"\\u0041").unwrap();
        assert_eq!(named.name.as_deref(), Some("a"), "what comes behind is not looked at");
    }

    #[test]
    fn a_neighbour_gives_what_is_alike_and_nothing_else() {
        let entry = |id: &str, rest: &str| {
            format!(
                "{{\"id\":\"bg_20260213_{id}\",\"status\":\"failed\",{rest},\"ended_at\":null,\"cwd\":\"/\"}}"
            )
        };
        let entries = [
            entry("aaaaaa", r#""name":"one","command":"make","group":"gpu","dead_letter":true"#),
            entry("bbbbbb", r#""command":"make","group":"gpu""#),
            entry("cccccc", r#""command":"make","group":"gpu","priority":"high""#),
            entry("dddddd", r#""command":"make""#),
            entry("eeeeee", r#""command":"make","group":"gpux""#),
        ];
        let mut reader = Reader::default();
        let heads: Vec<Head> = entries.iter().map(|entry| reader.head(entry.as_bytes()).unwrap()).collect();
        let alone = |entry: &String| Reader::default().head(entry.as_bytes()).unwrap();
        assert_eq!(heads, entries.iter().map(alone).collect::<Vec<_>>());
        let group = |head: &Head| head.belongs.group.clone();
        assert_eq!(
            heads.iter().map(group).collect::<Vec<_>>(),
            [
                Some("gpu".to_owned()),
                Some("gpu".to_owned()),
                Some("gpu".to_owned()),
                None,
                Some("gpux".to_owned())
            ]
        );
        assert!(heads[0].dead_letter && !heads[1].dead_letter && heads[1].name.is_none());
        assert_eq!(heads[2].belongs.priority, Priority::High);
    }
}
