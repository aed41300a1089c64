//! Crash consistency: what a power cut may leave of a submission and of an end.
//!
//! [`recorder`] runs real commands, their watchers and their jobs under strace, and turns what they do to files into
//! [`operation`]s. [`disk`] knows what a file system may keep of operations that no fsync made durable. [`explore`] takes
//! every instant of a recording and all states that a power cut may leave there, or, where they are too many, some of
//! them. [`judge`] holds each against [`truth`]: the index is one that there was, none older than what somebody was told,
//! than what has begun to run, or than what its writer left behind; what may yet run finds its environment and its input;
//! and the first look after the reboot gives each job its true end. In some states the program itself goes on
//! ([`afterlife`]).
//!
//! That all this would find a fault is shown by tests of their own (`planted`), which plant faults in what was recorded:
//!
//! | planted | reported as |
//! |---|---|
//! | no fsync of the index's file | "the index is damaged" |
//! | no fsync of the lines that were added | "was printed", "has begun" |
//! | no fsync of the folder after the rename | "was printed", "has begun", "the process that wrote it has left" |
//! | the id is printed before the fsync, or before the rename | "was printed" |
//! | the index is written in place | "the index is damaged" |
//! | no fsync of the folders above a new root | "was printed", "has begun" |
//! | no fsync of an environment, or of its folder | "which is queued, is damaged", "is not there" |
//! | an environment is removed before its job's end is durable | "is not there" |
//! | a record tells of another exit code | "did not end with" |
//! | the stream tells an event twice | "comes after" |
//!
//! What was found in the program itself when this was written: a first start made only the last of its new folders durable;
//! a job that waits in a new root could stand without the folder of its environment, or of its input; an id was printed
//! for its key before its own submitter had made it durable; and a job that was to be tried again was not started, where the
//! power cut had emptied its record and left its log.

mod afterlife;
mod disk;
mod ends;
mod explore;
mod judge;
mod operation;
mod planted;
mod recorder;
mod scenes;
mod starts;
mod truth;
