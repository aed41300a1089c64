//! The line that shows, while somebody waits at a terminal, that the wait goes on and what for.
//!
//! Off a terminal there is none, and nothing of it runs.

use super::{Voice, human::screen::fit};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

/// How often the line is drawn. The time in it has whole seconds; what turns says that nothing hangs.
const INTERVAL: Duration = Duration::from_millis(200);

/// Columns of a terminal that does not tell.
const COLUMNS: usize = 80;

/// The line. Dropped, it is cleared.
pub struct Spinner {
    bar: ProgressBar,
}

impl Spinner {
    /// For a person at a terminal that can clear a line, who did not ask for quiet.
    pub fn open(voice: Voice) -> Option<Self> {
        let can_clear = std::env::var_os("TERM").is_some_and(|name| !name.is_empty() && name != "dumb");
        if voice.quiet || !can_clear || !io::stderr().is_terminal() {
            return None;
        }
        Some(Self { bar: ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()) })
    }

    /// From now on shows this, asked anew each time the line is drawn.
    pub fn show(&self, text: impl Fn() -> String + Send + Sync + 'static) {
        let text = Arc::new(text);
        let draw = move |_: &ProgressState, line: &mut dyn fmt::Write| {
            // The turning mark, the space after it, and one column in which the cursor stands.
            let _ = line.write_str(&fit(&text(), columns().saturating_sub(3)));
        };
        let style = ProgressStyle::with_template("{spinner} {text}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner())
            .tick_chars("|/-\\ ")
            .with_key("text", draw);
        self.bar.set_style(style);
        self.bar.enable_steady_tick(INTERVAL);
    }

    /// Clears the line while something else is said.
    pub fn aside<T>(spinner: Option<&Self>, say: impl FnOnce() -> T) -> T {
        match spinner {
            Some(spinner) => spinner.bar.suspend(say),
            None => say(),
        }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stderr());
    size.ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(COLUMNS)
}
