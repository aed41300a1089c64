//! A screen: how wide it is, what fits, and colours by state.

use crate::model::state::Status;
use crate::ops::list::{Observed, Row};
use crate::render::Voice;
use anstyle::{AnsiColor, Style};
use std::io::{self, IsTerminal};
use unicode_width::UnicodeWidthChar;

/// Where text is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Screen {
    /// Its width in columns; `None` where it is no terminal, or does not say.
    pub columns: Option<usize>,
    /// Its height in lines, likewise.
    pub lines: Option<usize>,
    /// Whether text may have colours.
    pub colours: bool,
}

impl Screen {
    /// Standard output.
    pub fn of(voice: Voice) -> Self {
        let size =
            io::stdout().is_terminal().then(|| rustix::termios::tcgetwinsize(io::stdout()).ok()).flatten();
        let told = |count: u16| Some(usize::from(count)).filter(|count| *count > 0);
        let columns = size.and_then(|size| told(size.ws_col));
        let lines = size.and_then(|size| told(size.ws_row));
        Self { columns, lines, colours: voice.colours() }
    }

    /// A text in a style, where there are colours.
    pub fn paint(self, style: Style, text: &str) -> String {
        if self.colours && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// A text made to fit between `taken` columns and the right edge, if there is one.
    pub fn fit(self, text: &str, taken: usize) -> String {
        self.columns
            .map_or_else(|| text.to_owned(), |columns| fit(text, columns.saturating_sub(taken).max(1)))
    }
}

/// The style of headings.
pub const HEADING: Style = Style::new().bold();
/// The style of what only labels something.
pub const LABEL: Style = Style::new().dimmed();
/// The style of what a person should look at.
pub const WARNING: Style = colour(AnsiColor::Yellow);

/// The style of a job's state: what stands still, or is not as it should be, is to be looked at.
pub fn style_of(row: &Row) -> Style {
    match (row.job.status(), row.observed) {
        _ if row.job.paused_at().is_some() => WARNING,
        (status, None | Some(Observed::Alive | Observed::Starting)) => colour_of(status),
        (Status::Running, _) => WARNING,
        (status, _) => colour_of(status),
    }
}

/// The colour of a state.
pub const fn colour_of(status: Status) -> Style {
    match status {
        Status::Running => colour(AnsiColor::Cyan),
        Status::WaitingApproval => WARNING,
        Status::Queued => colour(AnsiColor::Blue),
        Status::Completed => colour(AnsiColor::Green),
        Status::Failed => colour(AnsiColor::Red),
        Status::Cancelled => colour(AnsiColor::Magenta),
    }
}

const fn colour(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(anstyle::Color::Ansi(colour)))
}

/// How many columns a text may take.
pub fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// The columns that a character may take: none, one or two. Terminals disagree about characters that join to one, so
/// each counts for itself, and the mark that asks for a picture counts, for pictures are wide: better a gap than a
/// broken line.
fn columns_of(character: char) -> usize {
    if character == '\u{fe0f}' { 1 } else { character.width().unwrap_or(0) }
}

/// A text of at most so many columns; what is cut off leaves an ellipsis.
pub fn fit(text: &str, columns_max: usize) -> String {
    if columns(text) <= columns_max {
        return text.to_owned();
    }
    let mut taken = 1;
    let fits = text.chars().take_while(|character| {
        taken += columns_of(*character);
        taken <= columns_max
    });
    let mut short: String = fits.collect();
    if columns_max > 0 {
        short.push('…');
    }
    short
}

/// A text in lines of at most so many columns, broken between words; one that fits stays as it is, and a longer word
/// has a line of its own.
pub fn wrap(text: &str, columns_max: usize) -> Vec<String> {
    if columns(text) <= columns_max {
        return vec![text.to_owned()];
    }
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(word) <= columns_max => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A text filled up with spaces to so many columns.
pub fn pad(text: &str, columns_min: usize) -> String {
    format!("{text}{}", " ".repeat(columns_min.saturating_sub(columns(text))))
}

/// A text filled up with spaces in front of it.
pub fn pad_left(text: &str, columns_min: usize) -> String {
    format!("{}{text}", " ".repeat(columns_min.saturating_sub(columns(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_by_columns_and_says_so() {
        assert_eq!(fit("abc", 3), "abc");
        assert_eq!(fit("abcd", 3), "ab…");
        assert_eq!(fit("日本語", 6), "日本語");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(fit("\u{1f3f3}\u{fe0f}ab", 4), "\u{1f3f3}\u{fe0f}ab");
        assert_eq!(fit("\u{1f3f3}\u{fe0f}ab", 3), "\u{1f3f3}\u{fe0f}…");
        assert_eq!(fit("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!(fit("abc", 1), "…");
        assert_eq!(fit("abc", 0), "");
    }

    #[test]
    fn a_sentence_is_broken_between_words() {
        assert_eq!(wrap("a  bb ccc", 9), ["a  bb ccc"]);
        assert_eq!(wrap("aaaa bbbb cccc dddd", 9), ["aaaa bbbb", "cccc dddd"]);
        assert_eq!(wrap("aaaaaaaaaa b 日本", 6), ["aaaaaaaaaa", "b 日本"]);
    }

    #[test]
    fn padding_counts_columns() {
        assert_eq!(pad("日", 4), "日  ");
        assert_eq!(pad_left("ab", 4), "  ab");
        assert_eq!(pad("abc", 2), "abc");
    }

    #[test]
    fn without_colours_a_text_stays_as_it_is() {
        let plain = Screen::default();
        assert_eq!(plain.paint(HEADING, "a"), "a");
        assert_eq!(Screen { colours: true, ..plain }.paint(HEADING, "a"), "\x1b[1ma\x1b[0m");
    }
}
