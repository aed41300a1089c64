//! The token: where it comes from, and that it is shown nowhere.

use crate::model::config::GitHub;
use std::ffi::OsString;
use std::fmt;

/// A token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    secret: String,
    /// Where it came from, for people.
    pub from: &'static str,
}

/// Never the secret.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(from {})", self.from)
    }
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoToken(pub String);

/// Finds the token: `GH_TOKEN`, `GITHUB_TOKEN`, `gh auth token`, then the file and the command of the settings.
pub fn find(settings: &GitHub, variable: impl Fn(&str) -> Option<OsString>) -> Result<Token, NoToken> {
    let _ = (settings, variable);
    Err(NoToken("there is no token for GitHub".to_owned()))
}

impl Token {
    /// The secret itself, for the header of a request and nothing else.
    pub(super) fn secret(&self) -> &str {
        &self.secret
    }
}
