//! A job's output on its way to a terminal, made safe as it comes: colours and lines pass, and everything else that a
//! terminal would obey is shown instead.
//!
//! What is cut in two by the ends of reads, an escape sequence or a character, is put together again. A carriage
//! return alone would let later text overwrite what was said before, so that it begins a new line.

use super::safe::is_harmful;

const ESCAPE: u8 = 0x1b;
/// Longest colour sequence that passes, so that little is held back. Programs use a third of it.
const SEQUENCE_BYTES_MAX: usize = 64;
/// What ends all colours.
pub const RESET: &[u8] = b"\x1b[0m";

/// Makes one stream of output safe.
#[derive(Clone, Debug, Default)]
pub struct SafeStream {
    /// The beginning of a sequence or of a character whose rest has not come.
    held: Vec<u8>,
    /// Whether a carriage return came last: what follows says what it meant.
    returned: bool,
    /// Whether colours are left out.
    plain: bool,
    /// Whether a colour passed.
    coloured: bool,
}

/// A colour sequence at the beginning of some bytes: Select Graphic Rendition (ECMA-48, 8.3.117).
enum Sequence {
    /// Of so many bytes.
    Whole(usize),
    /// Its end has not come.
    Begun,
    /// It is none.
    Other,
}

impl SafeStream {
    /// With the job's colours, or without.
    pub fn new(colours: bool) -> Self {
        Self { plain: !colours, ..Self::default() }
    }

    /// Adds to `safe` what can be said of the next bytes.
    pub fn push(&mut self, bytes: &[u8], safe: &mut Vec<u8>) {
        if self.held.is_empty() {
            return self.take(bytes, safe);
        }
        let mut joined = std::mem::take(&mut self.held);
        joined.extend_from_slice(bytes);
        self.take(&joined, safe);
    }

    /// Adds what was held back, which nothing completes any more, and ends the colours.
    pub fn finish(&mut self, safe: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        for byte in held {
            if byte.is_ascii_graphic() { safe.push(byte) } else { show_byte(byte, safe) }
        }
        if std::mem::take(&mut self.returned) {
            safe.push(b'\n');
        }
        if std::mem::take(&mut self.coloured) {
            safe.extend_from_slice(RESET);
        }
    }

    fn take(&mut self, bytes: &[u8], safe: &mut Vec<u8>) {
        let mut rest = bytes;
        while let Some(first) = rest.first().copied() {
            if first == b'\r' {
                self.returned = true;
                rest = &rest[1..];
                continue;
            }
            if std::mem::take(&mut self.returned) && first != b'\n' {
                safe.push(b'\n');
            }
            let plain = rest.iter().take_while(|byte| is_plain(**byte)).count();
            if plain > 0 {
                safe.extend_from_slice(&rest[..plain]);
                rest = &rest[plain..];
                continue;
            }
            let used = if first == ESCAPE { self.sequence(rest, safe) } else { character(rest, safe) };
            if used == 0 {
                self.held.extend_from_slice(rest);
                return;
            }
            rest = &rest[used..];
        }
    }

    /// Lets a colour pass. Gives how many bytes that took; 0 if its end has not come.
    fn sequence(&mut self, bytes: &[u8], safe: &mut Vec<u8>) -> usize {
        match sequence(bytes) {
            Sequence::Whole(count) => {
                if !self.plain {
                    self.coloured = true;
                    safe.extend_from_slice(&bytes[..count]);
                }
                count
            }
            Sequence::Begun => 0,
            Sequence::Other => {
                show_byte(ESCAPE, safe);
                1
            }
        }
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\n' | b'\t')
}

fn sequence(bytes: &[u8]) -> Sequence {
    if bytes.len() > 1 && bytes[1] != b'[' {
        return Sequence::Other;
    }
    let parameters =
        bytes.iter().skip(2).take_while(|byte| matches!(byte, b'0'..=b'9' | b';' | b':')).count();
    match bytes.get(2 + parameters) {
        _ if parameters > SEQUENCE_BYTES_MAX => Sequence::Other,
        Some(b'm') => Sequence::Whole(3 + parameters),
        Some(_) => Sequence::Other,
        None => Sequence::Begun,
    }
}

/// Shows one character, or the bytes that are none. Gives how many that took; 0 if its end has not come.
fn character(bytes: &[u8], safe: &mut Vec<u8>) -> usize {
    let some = &bytes[..bytes.len().min(4)];
    let (valid, broken) = match std::str::from_utf8(some) {
        Ok(text) => (text, None),
        Err(error) => {
            let text = std::str::from_utf8(&some[..error.valid_up_to()]).unwrap_or_default();
            (text, Some(error.error_len()))
        }
    };
    if let Some(character) = valid.chars().next() {
        if is_harmful(character) {
            safe.extend(character.escape_default().map(|one| one as u8));
        } else {
            safe.extend_from_slice(&bytes[..character.len_utf8()]);
        }
        return character.len_utf8();
    }
    if broken == Some(None) {
        // The rest of it may be in the next bytes.
        return 0;
    }
    show_byte(bytes[0], safe);
    1
}

fn show_byte(byte: u8, safe: &mut Vec<u8>) {
    let shown = if byte.is_ascii() { format!("\\u{{{byte:x}}}") } else { format!("\\x{byte:02x}") };
    safe.extend_from_slice(shown.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out, however the input is cut: whole, byte by byte, and in two at every place.
    #[track_caller]
    fn shown(input: &[u8]) -> String {
        let run = |parts: &[&[u8]]| {
            let (mut stream, mut safe) = (SafeStream::new(true), Vec::new());
            for part in parts {
                stream.push(part, &mut safe);
            }
            stream.finish(&mut safe);
            String::from_utf8(safe).unwrap()
        };
        let whole = run(&[input]);
        assert_eq!(run(&input.chunks(1).collect::<Vec<_>>()), whole);
        for place in 0..input.len() {
            assert_eq!(run(&[&input[..place], &input[place..]]), whole, "cut at {place}");
        }
        whole
    }

    #[test]
    fn lines_tabs_and_text_pass() {
        assert_eq!(shown("a\tb\nçé 漢字 🎉\n".as_bytes()), "a\tb\nçé 漢字 🎉\n");
        assert_eq!(shown(b"one\r\ntwo\r\n"), "one\ntwo\n");
    }

    #[test]
    fn colours_pass_and_end_with_the_output() {
        assert_eq!(shown(b"\x1b[1;38;5;9mred\x1b[m"), "\x1b[1;38;5;9mred\x1b[m\x1b[0m");
        assert_eq!(shown(b"\x1b[4:3mwavy"), "\x1b[4:3mwavy\x1b[0m");
        let (mut stream, mut safe) = (SafeStream::new(false), Vec::new());
        stream.push(b"\x1b[31mred\x1b[0m", &mut safe);
        stream.finish(&mut safe);
        assert_eq!(safe, b"red");
    }

    #[test]
    fn a_carriage_return_overwrites_nothing() {
        assert_eq!(shown(b"honest\rforged\n"), "honest\nforged\n");
        assert_eq!(shown(b"10%\r20%\r"), "10%\n20%\n");
        assert_eq!(shown(b"a\r\r\nb"), "a\nb");
    }

    #[test]
    fn everything_else_that_a_terminal_would_obey_is_shown() {
        assert_eq!(
            shown(b"\x1b[2J\x1b]0;title\x07\x08\x7f\0"),
            "\\u{1b}[2J\\u{1b}]0;title\\u{7}\\u{8}\\u{7f}\\u{0}"
        );
        assert_eq!(shown("\u{9b}31m\u{202e}x".as_bytes()), "\\u{9b}31m\\u{202e}x");
        assert_eq!(shown(b"\x1b[?25l\x1b[3\x1b[0m"), "\\u{1b}[?25l\\u{1b}[3\x1b[0m\x1b[0m");
        assert_eq!(shown(b"\x1b[31"), "\\u{1b}[31");
        assert_eq!(shown(b"\x1b"), "\\u{1b}");
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_such() {
        assert_eq!(shown(b"a\xffb\x9bc\xe2\x82"), "a\\xffb\\x9bc\\xe2\\x82");
        assert_eq!(shown(b"\xf0\x9f\x8e-\xc3("), "\\xf0\\x9f\\x8e-\\xc3(");
        assert_eq!(shown(b"\xed\xa0\x80"), "\\xed\\xa0\\x80", "a lone surrogate");
    }

    #[test]
    fn an_endless_sequence_is_not_held_back() {
        let (mut stream, mut safe) = (SafeStream::new(true), Vec::new());
        stream.push(b"\x1b[", &mut safe);
        for _ in 0..10_000 {
            stream.push(b"1;", &mut safe);
            assert!(stream.held.len() <= SEQUENCE_BYTES_MAX + 4);
        }
        assert!(safe.starts_with(b"\\u{1b}[1;1;"));
    }
}
