//! Where a byte is in a text, without asking the processor what it can do.
//!
//! `memchr` asks that once in each process, and takes the widest registers there are. In a virtual machine every such question leaves
//! the machine, and all of them together cost more than they gain on less than many megabytes
//! (`docs/decisions/0021-no-questions-to-the-processor.md`). So what is asked for is what every processor of its kind has.

#[cfg(target_arch = "x86_64")]
use memchr::arch::x86_64::sse2::memchr::{One, Two};

/// Where a byte is first.
pub(super) fn first(byte: u8, text: &[u8]) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    if let Some(finder) = One::new(byte) {
        return finder.find(text);
    }
    memchr::memchr(byte, text)
}

/// Where the first of two bytes is.
pub(super) fn first_of(one: u8, other: u8, text: &[u8]) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    if let Some(finder) = Two::new(one, other) {
        return finder.find(text);
    }
    memchr::memchr2(one, other, text)
}

/// Where lines end.
pub(super) fn line_ends(text: &[u8]) -> impl Iterator<Item = usize> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let end = from + first(b'\n', &text[from..])?;
        from = end + 1;
        Some(end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_found_wherever_it_is() {
        for length in 0..200 {
            let mut text = vec![b'.'; length];
            assert_eq!((first(b'x', &text), first_of(b'x', b'y', &text)), (None, None));
            for place in (0..length).rev() {
                text[place] = b'x';
                assert_eq!((first(b'x', &text), first_of(b'y', b'x', &text)), (Some(place), Some(place)));
            }
        }
    }

    #[test]
    fn lines_end_where_line_feeds_are() {
        assert_eq!(line_ends(b"").count(), 0);
        assert_eq!(line_ends(b"\n\none\ntwo").collect::<Vec<_>>(), [0, 1, 5]);
    }
}
