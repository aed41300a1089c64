//! The page that says what was measured: where, of what, and how it compares.

use crate::measure::Times;
use crate::peers::Peer;
use crate::plot::{Line, Plot};
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

/// What one work came to.
#[derive(Debug)]
pub struct Part {
    /// Its heading.
    pub title: String,
    /// What was done and timed.
    pub about: String,
    /// The figures.
    pub tables: Vec<Table>,
    /// Pictures of them.
    pub plots: Vec<Plot>,
}

/// Figures in rows.
#[derive(Debug)]
pub struct Table {
    /// The headings, that of the names first.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Row>,
}

/// A row.
#[derive(Debug)]
pub struct Row {
    /// Of what it is.
    pub name: String,
    /// Its cells.
    pub cells: Vec<String>,
}

impl Table {
    /// Times in milliseconds, and the ratio of each median to another one, with what that is.
    pub fn of_times(what: &str, rows: Vec<(String, &Times)>, to: Option<(String, &Times)>) -> Self {
        let row = |(name, times): (String, &Times)| {
            let figures = [times.median(), times.percentile(10), times.percentile(90)];
            let mut cells = figures.map(milliseconds).to_vec();
            cells.extend(to.as_ref().map(|(_, reference)| hundredths(times.median() / reference.median())));
            Row { name, cells }
        };
        let rows = rows.into_iter().map(row).collect();
        let mut columns = [what, "median", "10 %", "90 %"].map(str::to_owned).to_vec();
        columns.extend(to.map(|(name, _)| format!("ratio to {name}")));
        Self { columns, rows }
    }

    /// A row for each line, with a column for each number of jobs.
    pub fn of_lines(what: &str, jobs: &[usize], lines: &[Line]) -> Self {
        let columns =
            std::iter::once(what.to_owned()).chain(jobs.iter().map(|count| grouped(*count))).collect();
        let cell = |line: &Line, count: usize| {
            let point = line.points.iter().find(|(jobs, _)| *jobs == count);
            point.map_or_else(String::new, |(_, time)| milliseconds(*time))
        };
        let rows = lines
            .iter()
            .map(|line| Row {
                name: line.name.clone(),
                cells: jobs.iter().map(|count| cell(line, *count)).collect(),
            })
            .collect();
        Self { columns, rows }
    }
}

/// `10,000`.
pub fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let parts: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|part| std::str::from_utf8(part).ok()).collect();
    parts.join(",")
}

fn milliseconds(time: f64) -> String {
    match time {
        _ if time.is_nan() => String::new(),
        _ if time >= 100.0 => format!("{time:.0}"),
        _ if time >= 10.0 => format!("{time:.1}"),
        _ => format!("{time:.2}"),
    }
}

fn hundredths(ratio: f64) -> String {
    if ratio.is_nan() { String::new() } else { format!("{ratio:.2}") }
}

/// The page.
#[derive(Debug)]
pub struct Page {
    text: String,
    plots: Vec<Plot>,
}

impl Page {
    /// A page about these on this machine; `scratch` is where everything is written.
    pub fn new(peers: &[Peer], scratch: &Path) -> Self {
        let mut text = "# Speed\n\n`benches/run` measures this and writes this page. All times are in milliseconds: the median, and what the fastest tenth \
                        and the fastest nine tenths took at most. The programs take turns, so that what else the machine does meets them \
                        alike. With \"power\", bgctl has written an id to the disk when it prints it. With \"process\" (`store.durability`), and in the other \
                        programs, the queue or its last jobs may be lost when the power fails.\n\n"
            .to_owned();
        text.push_str(&format!("Machine: {}.\n\nVersions: ", machine(scratch)));
        let mut versions: Vec<String> = peers.iter().map(|peer| peer.version()).collect();
        versions.dedup();
        text.push_str(&format!("{}.\n", versions.join(", ")));
        Self { text, plots: Vec::new() }
    }

    /// Adds what a work came to.
    pub fn add(&mut self, part: Part) {
        self.text.push_str(&format!("\n## {}\n\n{}\n", part.title, part.about));
        for table in &part.tables {
            self.add_table(table);
        }
        for plot in part.plots {
            self.text.push_str(&format!("\n![{}](performance-{}.svg)\n", plot.title, plot.file));
            self.plots.push(plot);
        }
    }

    fn add_table(&mut self, table: &Table) {
        let columns = table.columns.join(" | ");
        let rule = "---:|".repeat(table.columns.len() - 1);
        self.text.push_str(&format!("\n| {columns} |\n|---|{rule}\n"));
        for row in &table.rows {
            self.text.push_str(&format!("| {} | {} |\n", row.name, row.cells.join(" | ")));
        }
    }

    /// What it says.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Writes it and its pictures.
    pub fn write(&self, docs: &Path) -> io::Result<()> {
        for plot in &self.plots {
            fs::write(docs.join(format!("performance-{}.svg", plot.file)), plot.svg())?;
        }
        fs::write(docs.join("performance.md"), &self.text)
    }
}

/// Processor, memory, system and file system.
fn machine(scratch: &Path) -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?.to_owned();
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
    let gibibytes =
        memory.split(' ').next().and_then(|count| count.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0 / 1024.0;
    let kernel = read("/proc/sys/kernel/osrelease");
    let system = Command::new("df").arg("--output=fstype").arg(scratch).output();
    let system =
        system.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let system = system.lines().last().unwrap_or_default().trim();
    format!("{cores} cores of {model}, {gibibytes:.0} GiB, Linux {}, files on {system}", kernel.trim())
}
