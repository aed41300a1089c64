//! Many processes at once, and those that are killed at random.

mod raced;
