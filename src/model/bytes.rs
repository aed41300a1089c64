//! Byte strings of Unix in JSON.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// An argument, a path or a variable: any bytes but NUL.
///
/// In JSON a string where it is UTF-8, and `{"b64": "…"}` where it is not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Bytes(Vec<u8>);

/// A NUL byte, which no argument, path or variable can carry (`execve(2)`).
#[derive(Debug, thiserror::Error)]
#[error("contains a NUL byte, which no argument, path or variable can carry")]
pub struct HasNul;

impl Bytes {
    /// Takes bytes that a C string can carry.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, HasNul> {
        let bytes = bytes.into();
        if bytes.contains(&0) { Err(HasNul) } else { Ok(Self(bytes)) }
    }

    /// The bytes, without a closing NUL.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as the system's string.
    pub fn as_os_str(&self) -> &OsStr {
        OsStr::from_bytes(&self.0)
    }

    /// The bytes as a path.
    pub fn as_path(&self) -> &std::path::Path {
        std::path::Path::new(self.as_os_str())
    }

    /// For people: what is not UTF-8 becomes the replacement character.
    pub fn to_text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl TryFrom<OsString> for Bytes {
    type Error = HasNul;
    fn try_from(text: OsString) -> Result<Self, HasNul> {
        Self::new(text.into_vec())
    }
}

impl TryFrom<&str> for Bytes {
    type Error = HasNul;
    fn try_from(text: &str) -> Result<Self, HasNul> {
        Self::new(text.as_bytes())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Wire {
    Text(String),
    Encoded { b64: String },
}

impl Wire {
    fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Encoded { b64: STANDARD.encode(bytes) },
        }
    }
}

/// Any bytes, NUL too, in the form of [`Bytes`].
pub fn to_json(bytes: &[u8]) -> serde_json::Value {
    serde_json::to_value(Wire::of(bytes)).unwrap_or_default()
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Wire::of(&self.0).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let bytes = match Wire::deserialize(from)
            .map_err(|_| D::Error::custom("expected a string or {\"b64\": \"…\"}"))?
        {
            Wire::Text(text) => text.into_bytes(),
            Wire::Encoded { b64 } => STANDARD.decode(b64).map_err(D::Error::custom)?,
        };
        Self::new(bytes).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_json_whether_or_not_they_are_text() {
        for bytes in [&b"plain"[..], b"", b"\xff\xfe", "größe".as_bytes()] {
            let given = Bytes::new(bytes).unwrap();
            let json = serde_json::to_string(&given).unwrap();
            assert_eq!(serde_json::from_str::<Bytes>(&json).unwrap(), given, "{json}");
        }
        assert_eq!(serde_json::to_string(&Bytes::new(*b"\xff").unwrap()).unwrap(), r#"{"b64":"/w=="}"#);
    }

    #[test]
    fn a_nul_byte_is_refused() {
        assert!(serde_json::from_str::<Bytes>(r#""a\u0000b""#).is_err());
    }
}
