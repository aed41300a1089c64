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

/// Line and column, from 1, of a place in a text.
pub fn place_of(text: &str, place: usize) -> (usize, usize) {
    Places::of(text).of_place(place)
}

/// Where the lines of a text begin, for whoever asks for many places: a file of many keys must not be read once for each.
pub struct Places<'a> {
    text: &'a str,
    begins: Vec<usize>,
}

impl<'a> Places<'a> {
    /// Those of a text.
    pub fn of(text: &'a str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self { text, begins: std::iter::once(0).chain(ends.map(|(end, _)| end + 1)).collect() }
    }

    /// The line of a place, from 1.
    pub fn line(&self, place: usize) -> usize {
        self.begins.partition_point(|begin| *begin <= place)
    }

    /// Line and column of a place, from 1.
    pub fn of_place(&self, place: usize) -> (usize, usize) {
        let line = self.line(place);
        let before = self.text.get(self.begins[line - 1]..place).unwrap_or_default();
        (line, before.chars().count() + 1)
    }
}
