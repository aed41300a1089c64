//! Numbers drawn from a seed.

use proptest::prelude::RngExt;
use proptest::test_runner::{RngAlgorithm, TestRng};

/// A sequence of draws.
pub struct Draws(TestRng);

impl Draws {
    /// That of one part of a test: each part has its own, so that threads do not depend on each other.
    pub fn new(seed: u64, part: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&part.to_le_bytes());
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }

    /// A number from 0 to less than that.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0.random_range(0..bound)
    }

    /// True once in so many times.
    pub fn is_one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of these, where there are any.
    pub fn one<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        if of.is_empty() { None } else { of.get(self.below(of.len())) }
    }

    /// One of the last so many of these.
    pub fn recent<'a, T>(&mut self, of: &'a [T], most: usize) -> Option<&'a T> {
        self.one(&of[of.len().saturating_sub(most)..])
    }
}
