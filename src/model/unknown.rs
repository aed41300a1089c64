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
    /// back as they were. A job is a line, so that line breaks between the parts of a value go.
    pub fn take_from(&mut self, text: &[u8]) -> serde_json::Result<()> {
        let raw: HashMap<String, &RawValue> = serde_json::from_slice(text)?;
        for (name, value) in &mut self.0 {
            if let Some(raw) = raw.get(name) {
                *value = on_one_line(raw.get());
            }
        }
        Ok(())
    }
}

/// JSON without line breaks: where it has one, without any space outside of its strings, which have none.
pub fn on_one_line(json: &str) -> String {
    if !json.contains('\n') {
        return json.to_owned();
    }
    let (mut in_string, mut is_escaped) = (false, false);
    let keep = |character: &char| {
        let keeps = in_string || !character.is_ascii_whitespace();
        in_string ^= *character == '"' && !is_escaped;
        is_escaped = in_string && *character == '\\' && !is_escaped;
        keeps
    };
    json.chars().filter(keep).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_somebody_laid_out_is_put_on_one_line_and_means_the_same() {
        let laid_out = "{\n  \"a b\": [1.50, \"c \\\" , d\", \"\\\\\" , \" e \"],\r\n  \"f\" : null\n}";
        let line = on_one_line(laid_out);
        assert_eq!(line, r#"{"a b":[1.50,"c \" , d","\\"," e "],"f":null}"#);
        let same = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(same(&line), same(laid_out));
        assert_eq!(on_one_line("[1,  2]"), "[1,  2]", "what is one already stays as it stands");
    }
}
