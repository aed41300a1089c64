//! The settings: what holds and who says so, and what is wrong with the file. Looking makes and changes nothing.

use super::{
    fault::{Code, Fault},
    home::{WhyBad, root_and_variable, settings},
    schedule::{
        file,
        sessions::{self, Skipped},
    },
};
use crate::model::{
    config::{Defined, GROUPS, Loaded, Mistake, SCHEDULES, SECTIONS, SESSIONS, SLOTS, Section, Value},
    nearest::{nearest, nearest_word},
    schedule::SESSION_REFRESH,
};
use crate::store::root::{CONFIG, Root};
use std::path::{Path, PathBuf};

/// The file of the settings.
#[derive(Debug)]
pub struct File {
    /// The root.
    pub root: PathBuf,
    /// The variable that says where the root is.
    pub root_from: &'static str,
    /// The file in it.
    pub path: PathBuf,
    /// Whether there is one.
    pub exists: bool,
}

/// The settings that hold.
#[derive(Debug)]
pub struct Shown {
    /// The file that changes them.
    pub file: File,
    /// Those that were asked for, by section, in the order of the table; then those of groups.
    pub sections: Vec<ShownSection>,
    /// The only one that was asked for.
    pub single: Option<Value>,
    /// Sections that define something by name, in the order of the file.
    pub defined: Vec<ShownDefinition>,
}

/// A section that defines something by name, such as `schedules.nightly`.
#[derive(Debug)]
pub struct ShownDefinition {
    /// Its name.
    pub section: String,
    /// The line of its heading.
    pub line: usize,
    /// What it comes to, in a few words; or what is wrong with it.
    pub said: Result<String, Mistake>,
}

/// A section of settings.
#[derive(Debug)]
pub struct ShownSection {
    /// Its name, such as `queue` or `groups.gpu`.
    pub name: String,
    /// Whether something reads it yet.
    pub is_used: bool,
    /// Its settings.
    pub settings: Vec<ShownSetting>,
}

/// A setting.
#[derive(Debug)]
pub struct ShownSetting {
    /// Its name within its section.
    pub name: &'static str,
    /// What holds.
    pub value: Value,
    /// The line of the file that says so; `None` where it is the built-in value.
    pub line: Option<usize>,
}

/// What was found in the file.
#[derive(Debug)]
pub struct Checked {
    /// The file.
    pub file: File,
    /// Its mistakes, in the order of its lines.
    pub mistakes: Vec<Mistake>,
    /// What is right and does less than somebody may believe, in the order of its lines.
    pub notes: Vec<Note>,
}

/// What somebody should know who wrote the file.
#[derive(Debug)]
pub struct Note {
    /// The line that it is about.
    pub line: usize,
    /// The section or key.
    pub key: String,
    /// What it is.
    pub message: String,
}

/// Where the settings file is.
pub fn path() -> Result<File, Fault> {
    let (root, root_from) = root_and_variable()?;
    let path = root.join(CONFIG);
    let exists = path.symlink_metadata().is_ok();
    Ok(File { root, root_from, path, exists })
}

/// The settings that hold: all, those of a section, or one.
pub fn show(asked: Option<&str>) -> Result<Shown, Fault> {
    let file = path()?;
    let loaded = match Root::open(&file.root)? {
        Some(root) => settings(&root)?,
        None => Loaded::default(),
    };
    let mut sections = sections(&loaded);
    let mut defined = defined(&loaded, &file.root);
    let Some(asked) = asked else { return Ok(Shown { file, sections, single: None, defined }) };
    let mut known = known_settings(&sections);
    known.extend(defined.iter().map(|one| one.section.clone()));
    defined.retain(|one| one.section == asked || is_inside(&one.section, asked));
    sections.retain_mut(|section| {
        let of_section = section.name == asked || is_inside(&section.name, asked);
        section
            .settings
            .retain(|setting| of_section || format!("{}.{}", section.name, setting.name) == asked);
        !section.settings.is_empty()
    });
    let is_setting = |section: &ShownSection| section.name != asked && !is_inside(&section.name, asked);
    match &sections[..] {
        [] if !defined.is_empty() => Ok(Shown { file, sections, single: None, defined }),
        [] => Err(no_such_setting(asked, &known)),
        [only] if is_setting(only) => {
            let single = only.settings.first().map(|setting| setting.value.clone());
            Ok(Shown { file, sections, single, defined })
        }
        _ => Ok(Shown { file, sections, single: None, defined }),
    }
}

/// Looks for mistakes, those in the sections of schedules and sessions included.
pub fn check() -> Result<Checked, Fault> {
    let file = path()?;
    let root = Root::open(&file.root)?;
    let checked = |mistakes, notes| Checked { file, mistakes, notes };
    let Some(root) = root else { return Ok(checked(Vec::new(), Vec::new())) };
    let config = match settings(&root) {
        Ok(loaded) => loaded.config,
        Err(bad) => {
            return match bad.why {
                WhyBad::Wrong(mistakes) => Ok(checked(mistakes.all().to_vec(), Vec::new())),
                WhyBad::Unreadable(_) => Err(bad.into()),
            };
        }
    };
    // A mistake of a definition is that one's alone, and known only once it is read as one.
    let mut mistakes: Vec<Mistake> = file::read(&config, root.path()).mistakes.into_values().collect();
    mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    let mut notes: Vec<Note> = sessions::skipped(&config).iter().map(not_renewed).collect();
    notes.sort_by_key(|note| note.line);
    Ok(checked(mistakes, notes))
}

fn not_renewed(skipped: &Skipped) -> Note {
    let key = format!("{SESSIONS}.{}", skipped.name);
    Note { line: skipped.line, message: format!("{key} {NOT_RENEWED}"), key }
}

const NOT_RENEWED: &str = "has no refresh, the command that renews it: the session is not kept alive";

/// The names of all settings and sections, for those who type one. What is wrong with the file is not their matter now.
pub fn known() -> Vec<String> {
    let loaded = || -> Option<Loaded> { settings(&Root::open(&path().ok()?.root).ok()??).ok() };
    let loaded = loaded().unwrap_or_default();
    let mut known = known_settings(&sections(&loaded));
    let root = path().map(|file| file.root).unwrap_or_default();
    known.extend(defined(&loaded, &root).into_iter().map(|one| one.section));
    known
}

/// The sections that define something by name.
fn defined(loaded: &Loaded, root: &Path) -> Vec<ShownDefinition> {
    let from_file = file::read(&loaded.config, root);
    let shown = |section: String, schedule: &str, one: &Defined| {
        let said = match (from_file.good.get(schedule), from_file.mistake_of(schedule)) {
            (Some((definition, _)), _) => Ok(definition.rhythm.to_string()),
            (None, Some(mistake)) => Err(mistake.clone()),
            (None, None) => Ok(NOT_RENEWED.to_owned()),
        };
        ShownDefinition { section, line: one.line, said }
    };
    let schedules = loaded.config.schedules.iter();
    let schedules = schedules.map(|(name, one)| shown(format!("{SCHEDULES}.{name}"), name, one));
    let sessions = loaded.config.sessions.iter();
    let sessions = sessions
        .map(|(name, one)| shown(format!("{SESSIONS}.{name}"), &format!("{SESSION_REFRESH}.{name}"), one));
    let mut defined: Vec<ShownDefinition> = schedules.chain(sessions).collect();
    defined.sort_by_key(|one| one.line);
    defined
}

fn sections(loaded: &Loaded) -> Vec<ShownSection> {
    let line = |section: &str, name: &str| loaded.lines.get(&format!("{section}.{name}")).copied();
    let of_table = |section: &Section| ShownSection {
        name: section.name.to_owned(),
        is_used: section.is_used,
        settings: section
            .settings
            .iter()
            .map(|setting| ShownSetting {
                name: setting.name,
                value: (setting.get)(&loaded.config),
                line: line(section.name, setting.name),
            })
            .collect(),
    };
    let of_group = |(group, slots): (&String, &usize)| {
        let name = format!("{GROUPS}.{group}");
        let value = Value::Count(*slots as u64);
        let settings = vec![ShownSetting { name: SLOTS.name, value, line: line(&name, SLOTS.name) }];
        ShownSection { name, is_used: true, settings }
    };
    SECTIONS.iter().map(of_table).chain(loaded.config.groups.iter().map(of_group)).collect()
}

fn known_settings(sections: &[ShownSection]) -> Vec<String> {
    let of = |section: &ShownSection| -> Vec<String> {
        let settings = section.settings.iter().map(|setting| format!("{}.{}", section.name, setting.name));
        std::iter::once(section.name.clone()).chain(settings).collect()
    };
    sections.iter().flat_map(of).collect()
}

/// Whether a section is one of those that a longer section has, such as `groups`.
fn is_inside(section: &str, whole: &str) -> bool {
    section.strip_prefix(whole).is_some_and(|rest| rest.starts_with('.'))
}

fn no_such_setting(asked: &str, known: &[String]) -> Fault {
    let fault = Fault::new(Code::Usage, format!("there is no setting {asked:?}"));
    // A name that is known in some section is more than a slip.
    let named = known.iter().filter(|name| name.split_once('.').is_some_and(|(_, last)| last == asked));
    let named: Vec<&str> = named.map(String::as_str).collect();
    let last = |name: &'_ String| name.split_once('.').map(|(_, last)| (last.to_owned(), name.clone()));
    let by_last: Vec<(String, String)> = known.iter().filter_map(last).collect();
    let near = nearest_word(asked, known.iter().map(String::as_str))
        .or_else(|| nearest(asked, by_last.iter().map(|(last, name)| (last.as_str(), name.as_str()))));
    match near {
        _ if !named.is_empty() => fault.hint(format!("did you mean {}?", named.join(" or "))),
        Some(near) => fault.hint(format!("did you mean {near}?")),
        None => fault.hint("bgctl config show prints all"),
    }
}
