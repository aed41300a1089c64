//! What is wrong with the settings file, and where.

use std::fmt;

/// One mistake: where it is, and what is wrong in words that a person can act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The key it is about; `None` where the file is no TOML there.
    pub key: Option<String>,
    /// What is wrong, and what is expected.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.problem)
    }
}

/// All mistakes of a file, in the order of its lines; there is at least one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{}", first(.0), more(.0))]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// `None` where there are none.
    pub fn of(mut mistakes: Vec<Mistake>) -> Option<Self> {
        mistakes.sort_by_key(|one| (one.line, one.column));
        (!mistakes.is_empty()).then_some(Self(mistakes))
    }

    /// A single one.
    pub fn one(mistake: Mistake) -> Self {
        Self(vec![mistake])
    }

    /// Each of them.
    pub fn all(&self) -> &[Mistake] {
        &self.0
    }
}

fn first(mistakes: &[Mistake]) -> String {
    mistakes.first().map(ToString::to_string).unwrap_or_default()
}

fn more(mistakes: &[Mistake]) -> String {
    match mistakes.len() {
        0 | 1 => String::new(),
        2 => " (and another mistake; bgctl config check names both)".to_owned(),
        count => format!(" (and {} more mistakes; bgctl config check names all)", count - 1),
    }
}

/// Where the lines of a text begin: in a long one, many places are told.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    text: &'a str,
    begins: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// Those of this text.
    pub fn of(text: &'a str) -> Self {
        let behind_ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, begins: std::iter::once(0).chain(behind_ends).collect() }
    }

    /// The line of a place, from 1.
    pub fn line_of(&self, place: usize) -> usize {
        self.begins.partition_point(|begin| *begin <= self.sound(place))
    }

    /// Line and column of a place, from 1.
    pub fn place_of(&self, place: usize) -> (usize, usize) {
        let place = self.sound(place);
        let line = self.line_of(place);
        (line, self.text[self.begins[line - 1]..place].chars().count() + 1)
    }

    /// A place where a character begins; the end for what is none.
    fn sound(&self, place: usize) -> usize {
        if self.text.is_char_boundary(place) { place } else { self.text.len() }
    }
}
