//! A line a job, as somebody wants it: `{id} {status}`.

use super::{column::Column, json, safe};
use crate::model::{Timestamp, nearest::nearest_word};
use crate::ops::list::Entry;
use serde_json::Value;

/// The fields of a job in JSON that are no column, for placeholders; a test compares them with what is printed.
pub const FIELDS: [&str; 48] = [
    "after",
    "after_end",
    "answers",
    "approval",
    "argv",
    "array_index",
    "batch",
    "best_effort",
    "claim",
    "created_at",
    "dead_letter",
    "ended_at",
    "ending",
    "env",
    "env_names",
    "exit_code",
    "gate",
    "grace_seconds",
    "interruptions",
    "key",
    "key_ttl_seconds",
    "leftovers",
    "leftovers_left",
    "limits_from",
    "live",
    "log_max_bytes",
    "max_attempts",
    "not_before",
    "notes",
    "observed",
    "on_end",
    "on_leftovers",
    "paused_at",
    "priority",
    "retry_delay_seconds",
    "retry_max_delay_seconds",
    "retry_of",
    "retry_on",
    "schedule",
    "session",
    "signal",
    "stale_after_seconds",
    "started_at",
    "stdin",
    "stdin_closed_at",
    "stdin_pipe",
    "timeout_seconds",
    "usage",
];

/// A template: text with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Column(Column),
    Field(&'static str),
}

impl Template {
    /// Reads a template. `{name}` stands for a column or a field, `{{` and `}}` for braces; `\t`, `\n` and `\\` are
    /// understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            let next = rest.clone().next();
            match (character, next) {
                ('{', Some('{')) | ('}', Some('}')) => {
                    rest.next();
                    plain.push(character);
                }
                ('{', _) => {
                    let (name, after) =
                        rest.as_str().split_once('}').ok_or("a { is not closed; {{ stands for a brace")?;
                    rest = after.chars();
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(placeholder(name)?);
                }
                ('\\', _) => {
                    rest.next();
                    plain.push(match next {
                        Some('t') => '\t',
                        Some('n') => '\n',
                        Some('\\') => '\\',
                        _ => {
                            return Err(
                                "after a backslash only t, n or another backslash is understood".to_owned()
                            );
                        }
                    });
                }
                _ => plain.push(character),
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self(parts))
    }

    /// Whether running jobs have to be looked at for it.
    pub fn is_live(&self) -> bool {
        self.0.iter().any(|part| match part {
            Part::Column(column) => column.is_live(),
            Part::Field(name) => *name == "live",
            Part::Text(_) => false,
        })
    }

    /// A job in that form, with a line end. What others chose is on one line, without control characters.
    pub fn line(&self, entry: &Entry, now: Timestamp) -> String {
        let has_field = self.0.iter().any(|part| matches!(part, Part::Field(_)));
        let object = if has_field { json::entry(entry) } else { Value::Null };
        let mut line = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => line.push_str(text),
                Part::Column(column) => line.push_str(&column.value(entry, now).unwrap_or_default()),
                Part::Field(name) => match &object[*name] {
                    Value::Null => {}
                    Value::Array(list) if list.is_empty() => {}
                    Value::String(text) => line.push_str(&safe::line(text)),
                    other => line.push_str(&safe::line(&other.to_string())),
                },
            }
        }
        line.push('\n');
        line
    }
}

fn placeholder(name: &str) -> Result<Part, String> {
    if let Some(column) = Column::parse(name) {
        return Ok(Part::Column(column));
    }
    if let Some(field) = FIELDS.into_iter().find(|field| *field == name) {
        return Ok(Part::Field(field));
    }
    let known = Column::ALL.into_iter().map(|(name, ..)| name).chain(FIELDS);
    let near = nearest_word(name, known);
    let name = safe::line(name);
    Err(match near {
        Some(near) => format!("there is no placeholder {{{name}}}; did you mean {{{near}}}?"),
        None => format!("there is no placeholder {{{name}}}; bgctl list --help names them"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_text_and_placeholders() {
        let parts = |text: &str| Template::parse(text).map(|template| template.0);
        let text = |text: &str| Part::Text(text.to_owned());
        assert_eq!(
            parts(r"{id}\t{{{exit_code}}}\\\n"),
            Ok(vec![Part::Column(Column::Id), text("\t{"), Part::Field("exit_code"), text("}\\\n"),])
        );
        assert_eq!(parts("a } b"), Ok(vec![text("a } b")]));
        assert_eq!(parts(""), Ok(vec![]));
    }

    #[test]
    fn a_template_that_means_nothing_is_refused_with_the_nearest_word() {
        let error = |text: &str| Template::parse(text).unwrap_err();
        assert_eq!(error("{staus}"), "there is no placeholder {staus}; did you mean {status}?");
        assert_eq!(error("{exitcode}"), "there is no placeholder {exitcode}; did you mean {exit_code}?");
        assert_eq!(error("{\x1b}"), r"there is no placeholder {\u{1b}}; bgctl list --help names them");
        assert!(error("{id").contains("not closed"));
        assert!(error(r"a\d").contains("backslash") && error("\\").contains("backslash"));
    }

    #[test]
    fn only_what_needs_it_looks_at_running_jobs() {
        let is_live = |text: &str| Template::parse(text).unwrap().is_live();
        assert!(!is_live("{id} {status} {observed}"));
        assert!(is_live("{cpu}") && is_live("{memory}") && is_live("{live}") && is_live("{processes}"));
    }
}
