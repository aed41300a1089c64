//! The settings: what holds and who says so, and what is wrong with the file. Looking makes and changes nothing.

use super::{
    fault::{Code, Fault},
    home::{WhyBad, root_and_variable, settings},
};
use crate::model::{
    config::{GROUPS, Loaded, Mistake, SECTIONS, SLOTS, Section, Value},
    nearest::{nearest, nearest_word},
};
use crate::store::root::{CONFIG, Root};
use std::path::PathBuf;

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
    let Some(asked) = asked else { return Ok(Shown { file, sections, single: None }) };
    let known = known_settings(&sections);
    sections.retain_mut(|section| {
        let of_section = section.name == asked || is_inside(&section.name, asked);
        section
            .settings
            .retain(|setting| of_section || format!("{}.{}", section.name, setting.name) == asked);
        !section.settings.is_empty()
    });
    let is_setting = |section: &ShownSection| section.name != asked && !is_inside(&section.name, asked);
    match &sections[..] {
        [] => Err(no_such_setting(asked, &known)),
        [only] if is_setting(only) => {
            let single = only.settings.first().map(|setting| setting.value.clone());
            Ok(Shown { file, sections, single })
        }
        _ => Ok(Shown { file, sections, single: None }),
    }
}

/// Looks for mistakes.
pub fn check() -> Result<Checked, Fault> {
    let file = path()?;
    let Some(root) = Root::open(&file.root)? else { return Ok(Checked { file, mistakes: Vec::new() }) };
    match settings(&root) {
        Ok(_) => Ok(Checked { file, mistakes: Vec::new() }),
        Err(bad) => match bad.why {
            WhyBad::Wrong(mistakes) => Ok(Checked { file, mistakes: mistakes.all().to_vec() }),
            WhyBad::Unreadable(_) => Err(bad.into()),
        },
    }
}

/// The names of all settings and sections, for those who type one. What is wrong with the file is not their matter now.
pub fn known() -> Vec<String> {
    let loaded = || -> Option<Loaded> { settings(&Root::open(&path().ok()?.root).ok()??).ok() };
    known_settings(&sections(&loaded().unwrap_or_default()))
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
