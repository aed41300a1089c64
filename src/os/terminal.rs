//! The controlling terminal: where a person sits, whatever standard input and output are (`tty(4)`).

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;

/// A terminal, open for a question.
#[derive(Debug)]
pub struct Terminal(File);

impl Terminal {
    /// The controlling terminal of this process; `None` where it has none.
    pub fn open() -> Option<Self> {
        // It has no foreground to become: a process in the background is stopped by the kernel when it reads.
        OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open("/dev/tty").ok().map(Self)
    }

    /// Asks, and gives the line that was typed, without its end; `None`: nothing was typed, and the terminal is gone.
    pub fn ask(&mut self, question: &str) -> io::Result<Option<String>> {
        self.0.write_all(question.as_bytes())?;
        let mut answer = String::new();
        let count = BufReader::new(&self.0).read_line(&mut answer)?;
        if !answer.ends_with('\n') {
            // The end of input leaves the cursor behind the question.
            self.0.write_all(b"\n")?;
        }
        Ok((count > 0).then(|| answer.trim_end_matches(['\n', '\r']).to_owned()))
    }
}
