//! Time namespaces (`time_namespaces(7)`): inside of one, the clocks that count from the boot differ from the machine's. What is
//! written down for others, such as when a process was started, is told as the machine has it, so that all mean the same.

use std::sync::OnceLock;
use std::time::Duration;

/// By how much the clocks since boot of this process are ahead of the machine's, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ahead {
    monotonic: i128,
    boottime: i128,
}

/// An instant of `CLOCK_MONOTONIC`, as the machine has it.
pub fn monotonic(seen: Duration) -> Duration {
    less(seen, ahead().monotonic)
}

/// An instant of `CLOCK_BOOTTIME`, as the machine has it.
pub fn boottime(seen: Duration) -> Duration {
    less(seen, ahead().boottime)
}

/// The same in clock ticks. A namespace that is ahead by a part of a tick can be wrong by one.
pub fn boottime_ticks(seen: u64, ticks_per_second: u64) -> u64 {
    seen.saturating_add_signed(-ticks_ahead(ticks_per_second))
}

/// By how many clock ticks `CLOCK_BOOTTIME` of this process is ahead of the machine's.
pub fn ticks_ahead(ticks_per_second: u64) -> i64 {
    let per_tick = 1_000_000_000 / i128::from(ticks_per_second.max(1));
    i64::try_from(ahead().boottime.div_euclid(per_tick)).unwrap_or(0)
}

fn less(seen: Duration, nanoseconds: i128) -> Duration {
    let left = i128::try_from(seen.as_nanos()).unwrap_or(i128::MAX) - nanoseconds;
    u64::try_from(left).map_or(Duration::ZERO, Duration::from_nanos)
}

/// A process of this program stays in the namespace in which it was executed.
fn ahead() -> Ahead {
    static AHEAD: OnceLock<Ahead> = OnceLock::new();
    *AHEAD.get_or_init(|| {
        let text = cfg!(target_os = "linux").then(|| std::fs::read_to_string("/proc/self/timens_offsets"));
        // Kernels before 5.6 have no such thing.
        let ahead = text.and_then(Result::ok).map_or(Ahead::default(), |text| parse(&text));
        if ahead == Ahead::default() || is_ours() { ahead } else { Ahead::default() }
    })
}

/// Whether the offsets are those of this process's own namespace. They are that of its children, which before Linux 6.1 is another
/// where somebody unshared it and executed this program without a fork; that one is taken for the machine's.
fn is_ours() -> bool {
    let namespace = |name: &str| std::fs::read_link(format!("/proc/self/ns/{name}")).ok();
    namespace("time") == namespace("time_for_children")
}

/// A line for each clock: its name, seconds, nanoseconds.
fn parse(text: &str) -> Ahead {
    let of = |clock: &str| {
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(clock))?;
        let numbers: Vec<i128> =
            line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
        let [seconds, nanoseconds] = numbers[..] else { return None };
        Some(seconds * 1_000_000_000 + nanoseconds)
    };
    Ahead { monotonic: of("monotonic").unwrap_or(0), boottime: of("boottime").unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offsets_are_read_as_the_kernel_writes_them() {
        let second = 1_000_000_000;
        let ahead = parse("monotonic           0         0\nboottime        86400         5\n");
        assert_eq!(ahead, Ahead { monotonic: 0, boottime: 86_400 * second + 5 });
        // The kernel keeps nanoseconds positive.
        assert_eq!(parse("monotonic  -2  500000000\nboottime  0 0\n").monotonic, -3 * second / 2);
        assert_eq!(parse("nothing of the kind"), Ahead::default());
    }

    #[test]
    fn a_clock_that_is_ahead_is_put_back_and_none_goes_below_the_boot() {
        assert_eq!(less(Duration::from_secs(10), 3_000_000_000), Duration::from_secs(7));
        assert_eq!(less(Duration::from_secs(10), -3_000_000_000), Duration::from_secs(13));
        assert_eq!(less(Duration::from_secs(1), 3_000_000_000), Duration::ZERO);
    }
}
