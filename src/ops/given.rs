//! What people give a job: names and labels that can be typed again, and are not taken for something else.

use super::fault::{Code, Fault};
use super::find::{ARGUMENTS_FROM_INPUT, newest_place};
use crate::model::{group, key::KEY_BYTES_MAX, wire::NAME_BYTES_MAX};

/// Most labels of one job.
const LABELS_MAX: usize = 64;

/// A name that its job can be called by.
pub fn name(text: &str) -> Result<String, Fault> {
    if text == ARGUMENTS_FROM_INPUT || newest_place(text).is_some() {
        return Err(Fault::new(Code::Usage, format!("a job cannot be called {text:?}"))
            .hint("- stands for standard input, @ and @2 for the newest jobs"));
    }
    sized("name", text)
}

/// A label.
pub fn label(text: &str) -> Result<String, Fault> {
    sized("label", text)
}

/// A key.
pub fn key(text: &str) -> Result<String, Fault> {
    if text.is_empty() || text.len() > KEY_BYTES_MAX {
        return Err(Fault::new(Code::Usage, format!("a key has 1 to {KEY_BYTES_MAX} bytes")));
    }
    Ok(text.to_owned())
}

/// A group; none for the default group.
pub fn group(name: &str) -> Result<Option<String>, Fault> {
    group::check_name(name).map_err(|error| Fault::new(Code::Usage, error.to_string()))?;
    Ok((name != group::DEFAULT).then(|| name.to_owned()))
}

/// All labels of one job.
pub fn labels(texts: &[String]) -> Result<Vec<String>, Fault> {
    label_count(texts.len())?;
    texts.iter().map(|text| label(text)).collect()
}

/// Whether one job can have so many labels.
pub fn label_count(count: usize) -> Result<(), Fault> {
    if count > LABELS_MAX {
        return Err(Fault::new(Code::Usage, format!("more than {LABELS_MAX} labels")));
    }
    Ok(())
}

fn sized(what: &str, text: &str) -> Result<String, Fault> {
    if text.is_empty() || text.len() > NAME_BYTES_MAX {
        return Err(Fault::new(Code::Usage, format!("a {what} has 1 to {NAME_BYTES_MAX} bytes")));
    }
    Ok(text.to_owned())
}
