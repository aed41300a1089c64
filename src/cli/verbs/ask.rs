//! A question to whoever sits before the terminal.

use crate::ops::fault::{Code, Fault};
use crate::render::human;
use std::io::{self, IsTerminal, Write};

/// Asks whether something is to be done to so many jobs: `doing` is the verb, `to` names them. Where nobody sits, nothing is
/// taken for granted.
pub fn is_wanted(doing: &str, count: usize, to: &str) -> Result<bool, Fault> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        let message = format!("this would {doing} {}, and nobody can be asked here", human::jobs(count));
        return Err(Fault::new(Code::Usage, message).hint("--yes says that it is wanted"));
    }
    write!(io::stderr(), "{doing} {to}? [y/N] ")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
