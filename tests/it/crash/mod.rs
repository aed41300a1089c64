//! Crash consistency: what a power cut may leave of a submission and of an end.
