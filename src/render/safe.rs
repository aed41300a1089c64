//! Text that others chose, made safe for a terminal: control characters are shown, not obeyed.

/// One line: every control character is escaped.
pub fn line(text: &str) -> String {
    escape(text, |_| false)
}

/// Several lines: control characters but line ends and tabs are escaped.
pub fn lines(text: &str) -> String {
    escape(text, |character| matches!(character, '\n' | '\t'))
}

/// A message: several lines, of which all but the first are indented, so that no line of what others chose looks like one
/// of ours.
pub fn message(text: &str) -> String {
    lines(text.trim_end_matches('\n')).replace('\n', "\n  ")
}

/// JSON: what serde leaves as it is although terminals obey it gets the escapes of JSON, which mean the same. Line ends are
/// between values only.
pub fn json(text: String) -> String {
    if !text.contains(|one| is_harmful(one) && one != '\n') {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 64);
    for character in text.chars() {
        if is_harmful(character) && character != '\n' {
            safe.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            safe.push(character);
        }
    }
    safe
}

/// C0, DEL and C1 are obeyed by terminals; so are the marks that reverse the direction of text.
pub fn is_harmful(character: char) -> bool {
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
        assert_eq!(message("a\nb\x1b"), "a\n  b\\u{1b}");
    }

    #[test]
    fn json_says_the_same_without_what_a_terminal_would_obey() {
        let text = serde_json::json!({ "a": "\x1b\u{9b}\u{7f}\u{202e}é\n" }).to_string();
        let shown = json(text.clone() + "\n");
        assert_eq!(shown, "{\"a\":\"\\u001b\\u009b\\u007f\\u202eé\\n\"}\n");
        let (one, other): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(&text).unwrap(), serde_json::from_str(&shown).unwrap());
        assert_eq!(one, other);
    }
}
