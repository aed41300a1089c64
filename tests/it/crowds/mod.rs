//! Many processes at once, and those that are killed or stopped at random.
//!
//! Real processes of the real program quarrel over one root; what they did is looked at afterwards from three sides that
//! know nothing of each other: what the jobs themselves wrote down ([`witness`]), what the stream of events says in its
//! order ([`history`]), and the index. Each of these lookers is shown to see the damage it is there for (`checker`).
//!
//! - `minute`: submitters, cancellers, pruners, tickers, waiters and listers, whom nobody disturbs.
//! - `kill`: the same with fewer, while processes are killed at random. One tick later all must come to rest.
//! - `stop`: the same with processes that are stopped and go on later.
//! - `raced`: what these found, one race a test, decided by the test.
//!
//! What is drawn follows from a seed; how the processes meet does not, so that a seed repeats the kinds of jobs and of
//! victims, not the run.
//!
//! Faults that were planted by hand in the program while this was written, and what was reported. Whoever changes a looker
//! should plant one of them again:
//!
//! | planted | caught by | as |
//! |---|---|---|
//! | `plan/pick.rs` claims one job in 32 without looking whether a slot is free | `stop` | "4 run at once, and there are 3 slots", "was started before …, whose turn it was" |
//! | the same | `kill` | "of 12 further jobs 5 ran at once" |
//! | `ops/watch.rs` lets a watcher leave without starting what comes next | `kill`, `stop` | "is queued and does not end" |
//! | `exec/local/mod.rs` judges a job without looking whether its record is locked | `stop` | "ended for no reason that is known", 4 of 90 jobs |
//! | `exec/local/watch.rs` starts an orphaned attempt again | `kill` | "attempt 1 of … began 2 times", 12 of 133 jobs |
//! | `store/json.rs` reads before it locks | `minute` | "100 run at once", 1,557 complaints |
//! | `store/lock.rs` goes on without the lock after 100 ms | `stop` | the index does not parse |
//! | `ops/wait.rs` returns on any change | `minute` | "a wait for … gave 0 when it was running" |
//!
//! A first form of `kill` did not see the orphaned attempt that was started again, because hardly any watcher was hit while
//! its job ran: hence its aim ([`ours::victim`]).

mod checker;
mod draws;
mod history;
mod kill;
mod minute;
mod ours;
mod raced;
mod rest;
mod stop;
mod turmoil;
mod witness;
