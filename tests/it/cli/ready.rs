//! `--ready`
