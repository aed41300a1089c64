//! The settings, in the form of their file.

use super::screen::{columns, pad};
use crate::model::config::Mistake;
use crate::ops::config::{File, Note, Shown, ShownDefinition, ShownSection, ShownSetting};
use crate::render::safe;

/// What stands beside a setting that is taken and does nothing yet.
const UNUSED: &str = "not used yet";

/// A longer one, such as a command, has its origin right behind it.
const WIDTH_MAX: usize = 40;

/// The settings as a file that would say all of them, with who says so behind each; a single one as its bare value.
pub fn settings(shown: &Shown) -> String {
    if let Some(value) = &shown.single {
        return format!("{}\n", safe::line(&value.to_string()));
    }
    let file = &shown.file;
    let path = safe::line(&file.path.display().to_string());
    let exists = if file.exists { "" } else { ", which is not there" };
    let mut text = format!("# {path}{exists}; its folder comes from {}\n", file.root_from);
    let all = || shown.sections.iter().flat_map(|section| &section.settings);
    let widths = all().map(|setting| columns(&assignment(setting)));
    let width = widths.filter(|width| *width <= WIDTH_MAX).max().unwrap_or(0);
    for section in &shown.sections {
        text.push_str(&format!("\n[{}]\n", header(&section.name)));
        for setting in &section.settings {
            text.push_str(&format!("{}  # {}\n", pad(&assignment(setting), width), origin(section, setting)));
        }
    }
    for one in &shown.defined {
        text.push_str(&format!(
            "\n# [{}]: {}, config.toml line {}\n",
            header(&one.section),
            defined(one),
            one.line
        ));
    }
    text
}

/// What a section that defines something comes to.
fn defined(one: &ShownDefinition) -> String {
    safe::line(&match &one.said {
        Ok(said) => said.clone(),
        Err(mistake) => format!("wrong, {}", mistake.problem),
    })
}

/// The name of a section as TOML takes it: a dot in the name of a group is none between two names.
fn header(name: &str) -> String {
    match name.split_once('.') {
        Some((groups, group)) if group.contains('.') => format!("{groups}.\"{group}\""),
        _ => name.to_owned(),
    }
}

fn assignment(setting: &ShownSetting) -> String {
    safe::line(&format!("{} = {}", setting.name, setting.value.to_toml()))
}

fn origin(section: &ShownSection, setting: &ShownSetting) -> String {
    let from = setting.line.map_or_else(|| "default".to_owned(), |line| format!("config.toml line {line}"));
    if section.is_used { from } else { format!("{from}; {UNUSED}") }
}

/// Where a mistake is, and what it is.
pub fn mistake(file: &File, mistake: &Mistake) -> String {
    safe::line(&format!("{}:{mistake}", file.path.display()))
}

/// What somebody should know who wrote a line.
pub fn note(file: &File, note: &Note) -> String {
    safe::line(&format!("{}:{}: note: {}", file.path.display(), note.line, note.message))
}

/// There is none.
pub fn no_mistakes(file: &File) -> String {
    let path = safe::line(&file.path.display().to_string());
    if file.exists {
        format!("{path}: no mistakes\n")
    } else {
        format!("{path} is not there: the built-in values hold\n")
    }
}
