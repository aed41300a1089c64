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
        nanoid::format(random_bytes, &ALPHABET, RANDOM_CHARS)
    }
}

/// From the kernel without a file: a process that may open no more draws all the same.
#[expect(unsafe_code, reason = "getentropy is in no safe library")]
fn random_bytes(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    // SAFETY: the buffer has so many bytes. More than 256 are refused (`getentropy(3)`), which an id never needs.
    let filled = unsafe { libc::getentropy(bytes.as_mut_ptr().cast(), count) } == 0;
    if filled { bytes } else { nanoid::rngs::default(count) }
}
