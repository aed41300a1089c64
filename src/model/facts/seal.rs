//! The checksum by which an index is known to stand as this program wrote it: then the beginnings of its lines tell all that
//! selection needs. Whoever edits it by hand need not care: what differs is read with care, and sealed anew by the next change.

use super::front;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// What a sealed index begins with: its version, and then the checksum of what comes behind that.
const BEGINNING: &[u8] = b"{\"version\":1,\"checksum\":\"";

/// Hexadecimal digits of the checksum.
pub(super) const DIGITS: usize = 16;

/// The beginning of an index that is to be sealed.
pub(super) fn begin(text: &mut Vec<u8>) {
    text.extend_from_slice(BEGINNING);
    text.extend_from_slice(&[b'0'; DIGITS]);
    text.push(b'"');
}

/// Seals an index that was begun so and is complete.
pub(super) fn seal(text: &mut [u8]) {
    let (begin, rest) = text.split_at_mut(BEGINNING.len() + DIGITS);
    begin[BEGINNING.len()..].copy_from_slice(digits(rest).as_bytes());
}

/// Whether an index stands as it was sealed.
pub(super) fn is_sealed(text: &[u8]) -> bool {
    let parts = text.strip_prefix(BEGINNING).and_then(|rest| rest.split_at_checked(DIGITS));
    parts.is_some_and(|(sealed, rest)| digits(rest).as_bytes() == sealed)
}

/// The checksum of a text, in hexadecimal digits.
pub(super) fn digits(text: &[u8]) -> String {
    format!("{:016x}", checksum(text))
}

/// The order of fields counts in it, so that no program takes for sealed what one with other fields at the beginnings of lines
/// wrote.
fn checksum(text: &[u8]) -> u64 {
    let order = xxh3_64(front::FIELDS.join(",").as_bytes());
    xxh3_64_with_seed(text, order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_changed_by_hand_breaks_the_seal() {
        let mut text = Vec::new();
        begin(&mut text);
        text.extend_from_slice(b",\n\"jobs\":[\n]}\n");
        assert!(!is_sealed(&text));
        seal(&mut text);
        assert!(is_sealed(&text));
        for place in 0..text.len() {
            let mut other = text.clone();
            other[place] ^= 1;
            assert!(!is_sealed(&other), "{place}");
        }
        assert!(!is_sealed(b"") && !is_sealed(&text[..text.len() - 1]));
        text.push(b'\n');
        assert!(!is_sealed(&text));
    }
}
