//! Text that others chose, made safe for a terminal: control characters are shown, not obeyed.

/// One line: every control character is escaped.
pub fn line(text: &str) -> String {
    escape(text, |_| false)
}

/// Several lines: control characters but line ends and tabs are escaped.
pub fn lines(text: &str) -> String {
    escape(text, |character| matches!(character, '\n' | '\t'))
}

/// C0, DEL and C1 are obeyed by terminals; so are the marks that reverse the direction of text.
pub(super) fn is_harmful(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escape(text: &str, kept: impl Fn(char) -> bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if is_harmful(character) && !kept(character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        assert_eq!(line("a\x1b[2Jb\n\u{202e}c\u{9b}é"), r"a\u{1b}[2Jb\n\u{202e}c\u{9b}é");
        assert_eq!(lines("a\nb\r"), "a\nb\\r");
    }
}
