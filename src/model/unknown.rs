//! Fields that other programs, or later versions of this one, wrote into a job.

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value, value::RawValue};
use std::collections::HashMap;

/// Fields of a job that this version does not know, in their order, each value as JSON text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unknown(Vec<(String, String)>);

impl Unknown {
    /// Adds a field.
    pub fn add(&mut self, name: &str, value: &Value) {
        self.0.push((name.to_owned(), value.to_string()));
    }

    /// The JSON text of a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the values as they stand in the job's text: parsing rounds numbers, and other programs' fields must come
    /// back as they were.
    pub fn take_from(&mut self, text: &str) -> serde_json::Result<()> {
        let raw: HashMap<String, &RawValue> = serde_json::from_str(text)?;
        for (name, value) in &mut self.0 {
            if let Some(raw) = raw.get(name) {
                raw.get().clone_into(value);
            }
        }
        Ok(())
    }
}

impl Serialize for Unknown {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            let raw = RawValue::from_string(value.clone()).map_err(serde::ser::Error::custom)?;
            map.serialize_entry(name, &raw)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Unknown {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let map = Map::<String, Value>::deserialize(from)?;
        Ok(Self(map.into_iter().map(|(name, value)| (name, value.to_string())).collect()))
    }
}
