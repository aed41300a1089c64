//! Chance that follows from what it is for, so that the same facts always give the same plan.

/// A number from `-most` to `most` that follows from a text and a number (FNV-1a, 64 bits).
pub fn spread(text: &str, number: u64, most: i64) -> i64 {
    i64::try_from(hash(text, number) % (2 * most.unsigned_abs() + 1)).unwrap_or(most) - most
}

/// A number from 0 to `most` that follows from a text and a number.
pub fn up_to(text: &str, number: u64, most: u64) -> u64 {
    most.checked_add(1).map_or(most, |count| hash(text, number) % count)
}

fn hash(text: &str, number: u64) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let bytes = text.bytes().chain(number.to_le_bytes());
    // The high bits are mixed best.
    bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME)) >> 33
}
