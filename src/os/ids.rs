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
#[cfg(target_os = "linux")]
fn random_bytes(count: usize) -> Vec<u8> {
    use rustix::rand::{GetRandomFlags, getrandom};
    let mut bytes = vec![0; count];
    // So few are never cut short (`getrandom(2)`).
    let filled = getrandom(&mut bytes[..], GetRandomFlags::empty()) == Ok(count);
    if filled { bytes } else { nanoid::rngs::default(count) }
}

#[cfg(not(target_os = "linux"))]
use nanoid::rngs::default as random_bytes;
