//! What is there after a reboot, elsewhere, at another time, or under another version.
