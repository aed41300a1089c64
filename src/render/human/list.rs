//! The table of jobs, made to fit the terminal.
//!
//! It is laid out here and not by a library of tables: these break a text that is too long into lines, and took half of
//! the time that a list of a thousand jobs takes.

use super::screen::{self, columns, style_of};
use crate::model::Timestamp;
use crate::ops::list::{Entry, Listed, Request};
use crate::render::column::Column;
use anstyle::Style;

/// What stands between columns.
const GAP: &str = "  ";

/// The columns that are shown unless others are asked for.
const USUAL: [Column; 10] = [
    Column::Id,
    Column::Name,
    Column::Group,
    Column::Status,
    Column::Age,
    Column::Time,
    Column::Cpu,
    Column::Memory,
    Column::Exit,
    Column::Command,
];

/// Which of them go first where the terminal is too narrow for all; id and status stay.
const LEAVE_FIRST: [Column; 7] =
    [Column::Memory, Column::Cpu, Column::Age, Column::Exit, Column::Time, Column::Group, Column::Name];

/// Widest column where the width is unknown: output that is not a terminal is not shortened.
const WIDTH_MAX: usize = 4_096;

/// How a table is shown.
#[derive(Clone, Debug)]
pub struct Look {
    /// The columns that were asked for; the usual ones otherwise.
    pub columns: Option<Vec<Column>>,
    /// Columns of the terminal; `None` where the output is none.
    pub width: Option<usize>,
    /// Whether there are colours.
    pub colours: bool,
}

/// A column with its texts.
struct Strip {
    column: Column,
    texts: Vec<String>,
    width: usize,
}

/// The table of jobs.
pub fn list(listed: &Listed, now: Timestamp, look: &Look) -> String {
    if listed.entries.is_empty() {
        return String::new();
    }
    let strips = match &look.columns {
        Some(columns) => columns.iter().map(|column| Strip::new(*column, &listed.entries, now)).collect(),
        None => usual(&listed.entries, now, look.width),
    };
    let strips = fit(strips, look.width.unwrap_or(usize::MAX));
    let header: Vec<String> =
        strips.iter().map(|strip| strip.in_place(&strip.column.header(), None)).collect();
    let mut text = line(&header);
    for (number, entry) in listed.entries.iter().enumerate() {
        let cells = strips.iter().map(|strip| {
            let is_coloured = look.colours && strip.column == Column::Status;
            strip.in_place(&strip.texts[number], is_coloured.then(|| style_of(&entry.row)))
        });
        text.push_str(&line(&cells.collect::<Vec<_>>()));
    }
    text
}

/// Cells as a line of the table.
fn line(cells: &[String]) -> String {
    format!("{}\n", cells.join(GAP).trim_end())
}

impl Strip {
    fn new(column: Column, entries: &[Entry], now: Timestamp) -> Self {
        let texts: Vec<String> = entries.iter().map(|entry| column.words(entry, now)).collect();
        let widest = texts.iter().map(|text| columns(text)).max().unwrap_or(0);
        let width = widest.max(column.header().len()).min(WIDTH_MAX);
        Self { column, texts, width }
    }

    /// A text cut and filled up to its width.
    fn in_place(&self, text: &str, style: Option<Style>) -> String {
        let text = screen::fit(text, self.width);
        let room = " ".repeat(self.width.saturating_sub(columns(&text)));
        let text = match style {
            Some(style) => format!("{style}{text}{style:#}"),
            None => text,
        };
        if self.column.is_amount() { room + &text } else { text + &room }
    }

    /// Whether it says nothing of any job.
    fn is_empty(&self) -> bool {
        self.texts.iter().all(|text| text == "-")
    }

    /// The width below which it is better to leave another column out.
    fn comfortable(&self) -> usize {
        self.width.min(match self.column {
            Column::Command => 16,
            Column::Name => 10,
            Column::Status => 20,
            _ => self.width,
        })
    }

    /// The width below which it says too little.
    fn least(&self) -> usize {
        self.width.min(match self.column {
            Column::Command | Column::Name | Column::Cwd | Column::Summary | Column::Labels => 6,
            Column::Status => 9,
            _ => self.width,
        })
    }
}

/// The usual columns that say something, and for which there is room.
fn usual(entries: &[Entry], now: Timestamp, width: Option<usize>) -> Vec<Strip> {
    let can_be_missing =
        |column| matches!(column, Column::Name | Column::Group | Column::Cpu | Column::Memory | Column::Exit);
    let mut strips: Vec<Strip> = USUAL
        .into_iter()
        .map(|column| Strip::new(column, entries, now))
        .filter(|strip| !(can_be_missing(strip.column) && strip.is_empty()))
        .collect();
    let Some(width) = width else { return strips };
    for column in LEAVE_FIRST {
        if sum(&strips, Strip::comfortable) <= width {
            return strips;
        }
        strips.retain(|strip| strip.column != column);
    }
    // The random part says which job is meant, too.
    if let Some(ids) = strips.iter_mut().find(|strip| strip.column == Column::Id) {
        ids.texts = entries.iter().map(|entry| entry.row.job.id.random_part().to_owned()).collect();
        ids.width = ids.texts.iter().map(|text| columns(text)).max().unwrap_or(0);
    }
    if sum(&strips, Strip::least) > width {
        strips.retain(|strip| strip.column != Column::Command);
    }
    strips
}

/// Makes columns narrower until they fit: the widest that can spare something first. Where that is not enough, the
/// last ones go.
fn fit(mut strips: Vec<Strip>, width: usize) -> Vec<Strip> {
    for strip in &mut strips {
        strip.width = strip.width.min(width);
    }
    let least: Vec<usize> = strips.iter().map(Strip::least).collect();
    for _ in width..sum(&strips, |strip| strip.width).max(width) {
        let spare = strips.iter_mut().zip(&least).filter(|(strip, least)| strip.width > **least);
        if let Some((widest, _)) = spare.max_by_key(|(strip, _)| strip.width) {
            widest.width -= 1;
        }
    }
    let mut left = width;
    strips.retain_mut(|strip| {
        strip.width = strip.width.min(left);
        left = left.saturating_sub(strip.width + GAP.len());
        strip.width > 0
    });
    strips
}

fn sum(strips: &[Strip], width: impl Fn(&Strip) -> usize) -> usize {
    strips.iter().map(|strip| width(strip) + GAP.len()).sum::<usize>().saturating_sub(GAP.len())
}

/// What is said where no job is listed.
pub fn no_jobs(request: &Request) -> &'static str {
    if request.chooses() {
        "no job is like that; bgctl list --all shows all there are"
    } else {
        "no jobs; bgctl start -- COMMAND starts one"
    }
}

/// What was left out of a list.
pub fn left_out(listed: &Listed, request: &Request) -> Option<String> {
    let count = listed.left_out;
    match request.limit {
        _ if count == 0 => None,
        Some(_) => Some(format!("{count} more; a larger --limit shows them")),
        None => Some(format!("{count} more ended; bgctl list --all shows them")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widest_columns_give_first_and_the_last_go_where_nothing_is_left_to_give() {
        let strips = |widths: &[(Column, usize)]| -> Vec<Strip> {
            let strip = |(column, width): &(Column, usize)| Strip {
                column: *column,
                texts: vec!["x".repeat(*width)],
                width: *width,
            };
            widths.iter().map(strip).collect()
        };
        let fitted = |widths: &[(Column, usize)], width| -> Vec<usize> {
            fit(strips(widths), width).iter().map(|strip| strip.width).collect()
        };
        let columns = [(Column::Id, 18), (Column::Name, 30), (Column::Command, 80)];
        assert_eq!(fitted(&columns, 132), [18, 30, 80]);
        assert_eq!(fitted(&columns, 80), [18, 29, 29]);
        assert_eq!(fitted(&columns, 34), [18, 6, 6]);
        assert_eq!(fitted(&columns, 25), [18, 5]);
        assert_eq!(fitted(&columns, 10), [10]);
    }
}
