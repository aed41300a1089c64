//! `bgctl logs --follow`
