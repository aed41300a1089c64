//! Mutations: small edits of a text that is read from outside, as damage, typing mistakes and malice would make them.
//!
//! An edit is five numbers, so that the library which draws them can also shrink them: a failure comes with as few edits as
//! possible, each as far at the front as possible. Edits know words, brackets, fields and lines, because a text whose bytes
//! are only flipped is refused at the first of them and tests nothing behind it.

use proptest::prelude::*;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;

/// Longest text that edits make.
const BYTES_MAX: usize = 64 * 1024;

/// Most edits of one text.
const EDITS_MAX: usize = 5;

/// Kind, place, another place, a word, a byte.
pub type Edit = (u8, u32, u32, u16, u8);

/// A seed, and what is done to it.
pub type Mutation = (u16, Vec<Edit>);

/// How many kinds of edits there are; 0 does nothing.
const KINDS: u8 = 19;

/// What is wrong in many ways wherever it stands: numbers and times at the ends of what can be said, values of another kind,
/// paths, and characters that mean something to somebody.
const WORDS: [&str; 64] = [
    "0",
    "-1",
    "1",
    "255",
    "256",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e999",
    "1.5",
    "0.1e-7",
    "null",
    "true",
    "false",
    "[]",
    "{}",
    "\"\"",
    "[[[[[[[[",
    "{\"a\":{\"a\":",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "\\u001b[2J",
    "\u{1b}[2J",
    "\0",
    "\n",
    "\r\n",
    "\t",
    ",",
    ":",
    "'",
    "`",
    "$HOME",
    "${A}",
    "#",
    "%",
    "=",
    "..",
    "../../x",
    "/",
    "/etc/passwd",
    "~",
    "\u{202e}",
    "\u{feff}",
    "ä",
    "\u{1f98a}",
    "\u{660}",
    "9999-12-31T23:59:59Z",
    "0000-01-01T00:00:00Z",
    "+262142-12-31T23:59:59.999999999Z",
    "-262143-01-01T00:00:00Z",
    "1970-01-01T00:00:00Z",
    "2026-02-13T11:58:12.074Z",
    "2016-12-31T23:59:60Z",
    "2026-02-13T10:00:00+23:59",
    "bg_20260213_aaaaaa",
    "bg_20260213_grrajc",
    "{\"b64\":\"/w==\"}",
    "none",
    "1h30m",
];

/// Mutations of whatever seeds there are.
pub fn mutations() -> impl Strategy<Value = Mutation> {
    let edit = (0..KINDS, any::<u32>(), any::<u32>(), any::<u16>(), any::<u8>());
    (any::<u16>(), prop::collection::vec(edit, 0..=EDITS_MAX))
}

/// Texts to begin with, and the words that edits put in.
pub struct Corpus {
    /// The seeds: what is known to be read, and what was found to be wrong once.
    pub seeds: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
}

impl Corpus {
    /// The files of a folder of the corpus, each a seed. The words in quotes of all of them are put in as well.
    pub fn of_files(folder: &str) -> Self {
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(place(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        Self::of(paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect())
    }

    /// One file of the corpus.
    pub fn of_file(name: &str) -> Self {
        Self::of(vec![std::fs::read(place(name)).unwrap()])
    }

    /// The lines of a file of the corpus, each a seed.
    pub fn of_lines(name: &str) -> Self {
        let text = std::fs::read_to_string(place(name)).unwrap();
        Self::of(text.lines().map(|line| line.as_bytes().to_vec()).collect())
    }

    pub fn of(seeds: Vec<Vec<u8>>) -> Self {
        let mut words: BTreeSet<Vec<u8>> = WORDS.iter().map(|word| word.as_bytes().to_vec()).collect();
        for seed in &seeds {
            let text = String::from_utf8_lossy(seed);
            let quoted = text.split('"').skip(1).step_by(2).filter(|word| word.len() <= 40);
            words.extend(quoted.map(|word| word.as_bytes().to_vec()));
        }
        Self { seeds, words: words.into_iter().collect() }
    }

    /// The text that a mutation makes.
    pub fn text(&self, (seed, edits): &Mutation) -> Vec<u8> {
        let mut text = self.seeds[usize::from(*seed) % self.seeds.len()].clone();
        for edit in edits {
            self.apply(*edit, &mut text);
            text.truncate(BYTES_MAX);
        }
        text
    }

    fn apply(&self, (kind, first, second, word, byte): Edit, text: &mut Vec<u8>) {
        let (at, other) = (scaled(first, text.len()), scaled(second, text.len()));
        let word = &self.words[usize::from(word) % self.words.len()];
        match kind {
            1 => insert(text, at, word),
            2 | 3 => replace(text, token(text, at), word),
            4 => drop(text.drain(token(text, at))),
            5 => text.truncate(at),
            6 => drop(text.drain(short(at, other, text.len(), byte))),
            7 => {
                let part = text[short(at, other, text.len(), byte)].to_vec();
                insert(text, other, &part);
            }
            8 => swap(text, token(text, at), token(text, other)),
            9 if !text.is_empty() => {
                let place = at.min(text.len() - 1);
                text[place] = byte;
            }
            10 => text.insert(at, byte),
            11 => {
                // A part of another seed.
                let seed = &self.seeds[usize::from(byte) % self.seeds.len()];
                let from = scaled(second, seed.len());
                let part = &seed[from..(from + 64).min(seed.len())];
                insert(text, at, part);
            }
            12 => replace(text, group(text, at), word),
            13 => {
                let part = text[group(text, at)].to_vec();
                replace(text, group(text, other), &part);
            }
            14 | 15 => drop(text.drain(field(text, at))),
            16 => {
                let part = text[field(text, at)].to_vec();
                insert(text, field(text, other).start, &part);
            }
            17 => swap(text, line(text, at), line(text, other)),
            18 => {
                let part = text[token(text, at)].repeat(usize::from(byte));
                insert(text, at, &part);
            }
            _ => {}
        }
    }
}

/// A file or folder of the corpus.
fn place(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/fuzz/corpus").join(name)
}

/// A number as a place in so many bytes, so that a smaller number is a place further in front.
fn scaled(number: u32, length: usize) -> usize {
    ((u64::from(number) * (length as u64 + 1)) >> 32) as usize
}

fn insert(text: &mut Vec<u8>, at: usize, part: &[u8]) {
    text.splice(at..at, part.iter().copied());
}

fn replace(text: &mut Vec<u8>, range: Range<usize>, part: &[u8]) {
    text.splice(range, part.iter().copied());
}

fn swap(text: &mut Vec<u8>, one: Range<usize>, other: Range<usize>) {
    let (first, second) = if one.start <= other.start { (one, other) } else { (other, one) };
    if first.end > second.start {
        return;
    }
    let (front, back) = (text[first.clone()].to_vec(), text[second.clone()].to_vec());
    replace(text, second, &front);
    replace(text, first, &back);
}

/// At most so many bytes from the one place towards the other.
fn short(one: usize, other: usize, length: usize, most: u8) -> Range<usize> {
    let (from, to) = (one.min(other).min(length), one.max(other).min(length));
    from..to.min(from + usize::from(most))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.+:@".contains(&byte) || !byte.is_ascii()
}

/// The word around a place, or the byte that is there.
fn token(text: &[u8], at: usize) -> Range<usize> {
    if at >= text.len() {
        return at..at;
    }
    if !is_word(text[at]) {
        return at..at + 1;
    }
    let before = text[..at].iter().rev().take_while(|byte| is_word(**byte)).count();
    let behind = text[at..].iter().take_while(|byte| is_word(**byte)).count();
    at - before..at + behind
}

/// What stands between the next opening bracket and the one that closes it, with both.
fn group(text: &[u8], at: usize) -> Range<usize> {
    let Some(begin) = text[at..].iter().position(|byte| b"{[\"".contains(byte)).map(|place| at + place)
    else {
        return at..at;
    };
    if text[begin] == b'"' {
        let length = text[begin + 1..].iter().position(|byte| *byte == b'"').map_or(1, |length| length + 2);
        return begin..begin + length;
    }
    let mut depth = 0_usize;
    for (place, byte) in text.iter().enumerate().skip(begin) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return begin..place + 1;
        }
    }
    begin..text.len()
}

/// A field with the comma behind it, or a line.
fn field(text: &[u8], at: usize) -> Range<usize> {
    let ends = |byte: &u8| b",{}[]\n".contains(byte);
    let begin = text[..at].iter().rposition(ends).map_or(0, |place| place + 1);
    let end = text[at..].iter().position(ends).map_or(text.len(), |place| at + place);
    let with_comma = if text.get(end) == Some(&b',') { end + 1 } else { end };
    begin..with_comma
}

fn line(text: &[u8], at: usize) -> Range<usize> {
    let begin = text[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    let end = text[at..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |place| at + place);
    begin..end
}
