//! Pages that show commands: what they show is done, in order, as a reader would, and compared with what comes.
//!
//! A page is read section by section (`##`). A section's blocks are one script in one shell, with `set -eu`:
//!
//! - `sh` is run, and must succeed;
//! - `console` has commands behind `$`, continued behind `>`, and what they print on both outputs, which is compared;
//! - `crontab` has one line, which is run once as cron would, with next to no environment.
//!
//! No other kind is known but `text`, so that nothing is left out by mistake.

use super::project;
use crate::support::{BGCTL, User, until};
use regex::Regex;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Mutex;

/// Where a reader would have the program, a home and its folder; what a test has instead is shown so.
const PROGRAM: &str = "/usr/local/bin/bgctl";
const HOME: &str = "/home/ann";
/// The port of the pages; a test takes one that is free.
const PORT: &str = "8000";

/// A page in this project.
pub struct Page {
    path: &'static str,
    /// Its lines.
    lines: Vec<String>,
}

/// What stands between two headings.
pub struct Section {
    /// The heading; empty before the first.
    pub heading: String,
    blocks: Vec<Block>,
}

/// A fenced block.
struct Block {
    kind: String,
    /// The number of its first line, counted from 0.
    first: usize,
    lines: Vec<String>,
}

impl Page {
    pub fn read(path: &'static str) -> Self {
        let text = std::fs::read_to_string(project(path)).unwrap();
        Self { path, lines: text.lines().map(str::to_owned).collect() }
    }

    /// The sections that have something to run.
    pub fn sections(&self) -> Vec<Section> {
        let mut sections = vec![Section { heading: String::new(), blocks: Vec::new() }];
        let mut open: Option<Block> = None;
        for (number, line) in self.lines.iter().enumerate() {
            match (line.strip_prefix("```"), &mut open) {
                (Some(_), Some(_)) => sections.last_mut().unwrap().blocks.extend(open.take()),
                (Some(kind), None) => {
                    let kind = kind.to_owned();
                    let is_known = ["sh", "console", "crontab", "text"].contains(&kind.as_str());
                    assert!(is_known, "{}:{}: a block of the kind {kind:?}", self.path, number + 1);
                    open = Some(Block { kind, first: number + 1, lines: Vec::new() });
                }
                (None, Some(block)) => block.lines.push(line.clone()),
                (None, None) => {
                    if let Some(heading) = line.strip_prefix("## ") {
                        sections.push(Section { heading: heading.to_owned(), blocks: Vec::new() });
                    }
                }
            }
        }
        assert!(open.is_none(), "{}: a block has no end", self.path);
        sections.retain(|section| section.blocks.iter().any(|block| block.kind != "text"));
        sections
    }

    /// The same without blocks that begin with these lines, each of which is there; they are tested elsewhere.
    pub fn sections_without(&self, first_lines: &[&str]) -> Vec<Section> {
        let mut sections = self.sections();
        for first_line in first_lines {
            let is_other = |block: &Block| !block.lines[0].starts_with(first_line);
            let before: usize = sections.iter().map(|section| section.blocks.len()).sum();
            for section in &mut sections {
                section.blocks.retain(is_other);
            }
            let after: usize = sections.iter().map(|section| section.blocks.len()).sum();
            assert_eq!(before, after + 1, "{} has one block that begins with {first_line:?}", self.path);
        }
        sections
    }

    /// Runs a section as this user. Gives what its `console` blocks should show where they show something else: the
    /// number of the first line, how many lines there are, and the lines that came.
    pub fn run(&self, section: &Section, user: &User, shell: &str) -> Vec<(usize, usize, Vec<String>)> {
        let port = free_port();
        let hidden = |text: &str| text.replace(HOME, &home(user)).replace(PORT, &port);
        let (script, steps) = section.script(user, &hidden);
        self.shell(user, shell, &script);
        let shown = |text: String| {
            let text = text.replace(BGCTL, PROGRAM).replace(&root(user), &format!("{HOME}/.config/bg"));
            text.replace(&home(user), HOME).replace(&port, PORT)
        };
        let mut next = 0;
        let mut came = Vec::new();
        for block in section.blocks.iter().filter(|block| block.kind == "console") {
            let mut lines = Vec::new();
            for step in block.steps() {
                let output = std::fs::read_to_string(user.path(format!("shown.{next}"))).unwrap();
                next += 1;
                lines.extend(step.shown_as);
                lines.extend(shown(output).lines().map(str::to_owned));
            }
            came.push((block.first, block.lines.len(), lines));
        }
        assert_eq!(next, steps, "every command was run");
        let page: Vec<_> = section.blocks.iter().flat_map(|block| block.lines.clone()).collect();
        let known = randoms(&page);
        let seen = randoms(&came.iter().flat_map(|(.., lines)| lines.clone()).collect::<Vec<_>>());
        let is_so = came.iter().all(|(first, count, lines)| {
            settled(&self.lines[*first..first + count], &known) == settled(lines, &seen)
        });
        if is_so { Vec::new() } else { came }
    }

    /// Runs a script in the user's home, with the user's `bin` before all others; it must come to a good end.
    #[track_caller]
    pub fn shell(&self, user: &User, shell: &str, script: &str) {
        let said = user.path("said");
        let status = run(user, shell, script, &said);
        let text = std::fs::read_to_string(&said).unwrap();
        assert!(status.success(), "{}, in {shell}:\n{script}\n{text}", self.path);
    }

    /// Fails where something else came than the page shows; with `SNAPSHOTS=overwrite`, the page shows it from now on.
    #[track_caller]
    pub fn settle(&self, mut changes: Vec<(usize, usize, Vec<String>)>) {
        if changes.is_empty() {
            return;
        }
        if std::env::var("SNAPSHOTS").is_ok_and(|value| value == "overwrite") {
            let mut page = self.lines.clone();
            changes.sort_by_key(|(first, ..)| std::cmp::Reverse(*first));
            for (first, count, lines) in changes {
                page.splice(first..first + count, lines);
            }
            std::fs::write(project(self.path), page.join("\n") + "\n").unwrap();
            return;
        }
        let mut text = String::new();
        for (first, count, lines) in changes {
            let page = self.lines[first..first + count].join("\n- ");
            text.push_str(&format!("line {}:\n- {page}\n+ {}\n", first + 1, lines.join("\n+ ")));
        }
        panic!("{} shows something else than comes; SNAPSHOTS=overwrite writes it anew\n{text}", self.path);
    }
}

/// A command of a `console` block.
struct Step {
    command: String,
    shown_as: Vec<String>,
}

impl Block {
    fn steps(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for line in &self.lines {
            if let Some(command) = line.strip_prefix("$ ") {
                steps.push(Step { command: command.to_owned(), shown_as: vec![line.clone()] });
            } else if let (Some(more), Some(step)) = (line.strip_prefix("> "), steps.last_mut()) {
                step.command.push('\n');
                step.command.push_str(more);
                step.shown_as.push(line.clone());
            }
        }
        assert!(!steps.is_empty(), "line {}: a console block has a command", self.first);
        steps
    }
}

impl Section {
    fn script(&self, user: &User, hidden: &impl Fn(&str) -> String) -> (String, usize) {
        let mut script = String::from("set -eu\n");
        let mut steps = 0;
        for block in &self.blocks {
            match block.kind.as_str() {
                "sh" => script.push_str(&format!("{}\n", hidden(&block.lines.join("\n")))),
                "console" => {
                    for step in block.steps() {
                        let to = user.path(format!("shown.{steps}"));
                        let command = hidden(&step.command);
                        script.push_str(&format!(
                            "set +e\n{{ {command}\n}} >'{}' 2>&1\nset -e\n",
                            to.display()
                        ));
                        steps += 1;
                    }
                }
                "crontab" => {
                    let [line] = &block.lines[..] else { panic!("line {}: one line", block.first) };
                    let command = line.splitn(6, ' ').nth(5).unwrap();
                    let command =
                        command.replace(&format!("{HOME}/.config/bg"), &root(user)).replace(PROGRAM, BGCTL);
                    let to = user.path("cron.sh");
                    std::fs::write(&to, hidden(&command) + "\n").unwrap();
                    let home = home(user);
                    script.push_str(&format!(
                        "env -i HOME='{home}' PATH=/usr/bin:/bin sh '{}'\n",
                        to.display()
                    ));
                }
                _ => {}
            }
        }
        (script, steps)
    }
}

fn root(user: &User) -> String {
    user.root().display().to_string()
}

fn home(user: &User) -> String {
    user.path("home").display().to_string()
}

fn run(user: &User, shell: &str, script: &str, said: &Path) -> ExitStatus {
    let bin = user.path("bin");
    // In a file, because what looks for processes by their command line should not find the shell itself.
    let file = user.path("script");
    std::fs::write(&file, script).unwrap();
    let said = std::fs::File::create(said).unwrap();
    let mut command = user.command(shell);
    command
        .arg(file)
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()))
        .current_dir(home(user))
        .stdin(Stdio::null())
        .stdout(said.try_clone().unwrap())
        .stderr(said);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{shell}: {error}"));
    until(&format!("the script ends:\n{script}"), || child.try_wait().unwrap().is_some());
    child.wait().unwrap()
}

/// A port on which nobody listens, another one each time.
fn free_port() -> String {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        if GIVEN.lock().unwrap().insert(port) {
            return port.to_string();
        }
    }
}

/// The random parts of the ids in a text.
fn randoms(lines: &[String]) -> BTreeSet<String> {
    let id = Regex::new(r"\bbg_[0-9]{8}_([a-z0-9]{6})\b").unwrap();
    lines.iter().flat_map(|line| id.captures_iter(line).map(|found| found[1].to_owned())).collect()
}

/// Lines without what differs each time: ids, times, measured sizes and shares, and the widths that follow from them.
fn settled(lines: &[String], randoms: &BTreeSet<String>) -> Vec<String> {
    let changes = [
        (r"\bbg_[0-9]{8}_[a-z0-9]{6}\b", "ID"),
        (r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.]+( ?[+-][0-9:]+|Z)?", "WHEN"),
        (r"\b[0-9]+(\.[0-9]+)? ?s\b", "TIME"),
        (r"\b[0-9]+(\.[0-9]+)? [KM]iB", "SIZE"),
        (r"\b[0-9]+(\.[0-9]+)?%", "SHARE"),
        (r" +", " "),
    ]
    .map(|(pattern, word)| (Regex::new(pattern).unwrap(), word));
    let settle = |line: &String| {
        let mut line = line.clone();
        for (pattern, word) in &changes {
            line = pattern.replace_all(&line, *word).into_owned();
        }
        for random in randoms {
            line = line.replace(random.as_str(), "RANDOM");
        }
        line.trim_end().to_owned()
    };
    lines.iter().map(settle).collect()
}
