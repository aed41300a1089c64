//! A small table that fits its screen: columns that matter less go, then the widest give.

use super::screen::{self, HEADING, Screen, columns};
use anstyle::Style;

/// What stands between columns.
const GAP: &str = "  ";

/// A text of a table, and its style where it has one.
pub type Cell = (String, Option<Style>);

/// A column.
pub struct Strip {
    /// What stands above it.
    pub header: &'static str,
    /// Its texts, one a row.
    pub cells: Vec<Cell>,
    /// The width below which it is better to leave another column out.
    pub comfortable: usize,
    /// The width below which it says too little.
    pub least: usize,
    /// When it goes where there is too little room, the lowest number first; one without stays.
    pub goes: Option<u8>,
    /// Whether its texts stand at the right, as amounts do.
    pub is_amount: bool,
}

impl Strip {
    /// A column that stays and is never cut.
    pub fn new(header: &'static str, cells: Vec<Cell>) -> Self {
        let strip = Self { header, cells, comfortable: 0, least: 0, goes: None, is_amount: false };
        let width = strip.width();
        Self { comfortable: width, least: width, ..strip }
    }

    fn width(&self) -> usize {
        let widest = self.cells.iter().map(|(text, _)| columns(text)).max().unwrap_or(0);
        widest.max(self.header.len())
    }

    /// Whether it says nothing of any row.
    pub fn is_empty(&self) -> bool {
        self.cells.iter().all(|(text, _)| text == "-")
    }
}

/// The table, with a line end behind each row.
pub fn table(mut strips: Vec<Strip>, screen: Screen) -> String {
    let room = screen.columns.unwrap_or(usize::MAX);
    let mut widths: Vec<usize> = strips.iter().map(Strip::width).collect();
    let sum = |widths: &[usize]| {
        (widths.iter().sum::<usize>() + GAP.len() * widths.len()).saturating_sub(GAP.len())
    };
    let at_most = |strips: &[Strip], widths: &[usize], least: fn(&Strip) -> usize| -> Vec<usize> {
        strips.iter().zip(widths).map(|(strip, width)| least(strip).min(*width)).collect()
    };
    // Columns go one after the other until the rest can be read with ease.
    while sum(&at_most(&strips, &widths, |strip| strip.comfortable)) > room {
        let going = strips.iter().enumerate().filter_map(|(place, strip)| Some((strip.goes?, place))).min();
        let Some((_, place)) = going else { break };
        strips.remove(place);
        widths.remove(place);
    }
    let leasts = at_most(&strips, &widths, |strip| strip.least);
    while sum(&widths) > room {
        let spare = widths.iter_mut().zip(&leasts).filter(|(width, least)| **width > **least);
        let Some((widest, _)) = spare.max_by_key(|(width, _)| **width) else { break };
        *widest -= 1;
    }
    let rows = strips.first().map_or(0, |strip| strip.cells.len());
    let header: Vec<Cell> = strips.iter().map(|strip| (strip.header.to_owned(), Some(HEADING))).collect();
    let mut text = line(&strips, &widths, &header.iter().collect::<Vec<_>>(), screen);
    for row in 0..rows {
        let cells: Vec<&Cell> = strips.iter().filter_map(|strip| strip.cells.get(row)).collect();
        text.push_str(&line(&strips, &widths, &cells, screen));
    }
    text
}

fn line(strips: &[Strip], widths: &[usize], cells: &[&Cell], screen: Screen) -> String {
    let mut line = String::new();
    let mut taken = 0;
    for ((strip, width), (text, style)) in strips.iter().zip(widths).zip(cells) {
        let left = screen.columns.map_or(usize::MAX, |columns| columns.saturating_sub(taken));
        if left == 0 {
            break;
        }
        let text = screen::fit(text, (*width).min(left));
        let fill = " ".repeat(width.saturating_sub(columns(&text)).min(left));
        let painted = style.map_or_else(|| text.clone(), |style| screen.paint(style, &text));
        line.push_str(&if strip.is_amount { fill + &painted } else { painted + &fill });
        line.push_str(GAP);
        taken += width + GAP.len();
    }
    format!("{}\n", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(columns: Option<usize>) -> String {
        let cell = |text: &str| vec![(text.to_owned(), None)];
        let strips = vec![
            Strip { comfortable: 6, least: 4, ..Strip::new("NAME", cell("a-long-name")) },
            Strip { goes: Some(2), ..Strip::new("LAST", cell("failed")) },
            Strip { goes: Some(1), is_amount: true, ..Strip::new("MEAN", cell("3s")) },
        ];
        table(strips, Screen { columns, ..Screen::default() })
    }

    #[test]
    fn columns_that_matter_less_go_once_the_others_have_given_what_they_can() {
        assert_eq!(shown(None), "NAME         LAST    MEAN\na-long-name  failed    3s\n");
        assert_eq!(shown(Some(25)), shown(None));
        assert_eq!(shown(Some(20)), "NAME    LAST    MEAN\na-lon…  failed    3s\n");
        assert_eq!(shown(Some(19)), "NAME         LAST\na-long-name  failed\n");
        assert_eq!(shown(Some(13)), "NAME\na-long-name\n");
        assert_eq!(shown(Some(6)), "NAME\na-lon…\n");
        assert_eq!(shown(Some(2)), "N…\na…\n");
    }
}
