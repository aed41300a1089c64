//! Random parts of job ids.

use crate::model::id::{ALPHABET, RANDOM_CHARS};

/// Where the random parts of ids come from; tests bring their own.
pub trait IdSource {
    /// A fresh random part.
    fn draw(&mut self) -> String;
}

/// The system's random numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    fn draw(&mut self) -> String {
        nanoid::nanoid!(RANDOM_CHARS, &ALPHABET)
    }
}
