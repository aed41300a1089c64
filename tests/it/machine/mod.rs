//! Random sequences of commands and events against a plain model.
