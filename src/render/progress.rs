//! How far something is that takes longer than a moment: a line that a person at a terminal sees from the first second on.

use super::{Voice, spinner::Spinner};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What is done by then needs no line.
const QUIET: Duration = Duration::from_secs(1);

/// The line. Dropped, it is cleared.
pub struct Progress<S> {
    stage: Arc<Mutex<S>>,
    /// Closed, it ends the line.
    end: Option<Sender<()>>,
    drawing: Option<JoinHandle<()>>,
}

impl<S: Send + 'static> Progress<S> {
    /// Begins with this stage, of which `words` makes the line. `None`: nobody sees it.
    pub fn begin(voice: Voice, stage: S, words: fn(&S) -> String) -> Option<Self> {
        let spinner = Spinner::open(voice)?;
        let stage = Arc::new(Mutex::new(stage));
        let (end, over) = mpsc::channel();
        let shown = Arc::clone(&stage);
        let drawing = thread::spawn(move || {
            if over.recv_timeout(QUIET) == Err(RecvTimeoutError::Timeout) {
                spinner.show(move || words(&shown.lock().unwrap_or_else(PoisonError::into_inner)));
                let _ = over.recv();
            }
        });
        Some(Self { stage, end: Some(end), drawing: Some(drawing) })
    }

    /// It has come so far.
    pub fn set(&self, stage: S) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }
}

impl<S> Drop for Progress<S> {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(drawing) = self.drawing.take() {
            let _ = drawing.join();
        }
    }
}
