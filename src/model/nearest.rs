//! The known word that somebody may have meant who typed another.

/// Shorter than that, too much looks alike.
const TYPED_CHARS_MIN: usize = 2;

/// Longer than that, it is no mistyped word; comparing takes time by length.
const TYPED_BYTES_MAX: usize = 200;

/// Most mistakes, and how many characters there are for each.
const MISTAKES_MAX: usize = 2;
const CHARS_PER_MISTAKE: usize = 3;

/// The nearest of the known words, each given with what is wanted of it: one that begins with what was typed, else the one
/// with the least mistakes, a swap of two neighbours being one; of equals the first.
pub fn nearest<'a, T>(typed: &str, known: impl Iterator<Item = (&'a str, T)>) -> Option<T> {
    let count = typed.chars().count();
    if count < TYPED_CHARS_MIN || typed.len() > TYPED_BYTES_MAX {
        return None;
    }
    let mistakes_max = (count / CHARS_PER_MISTAKE).clamp(1, MISTAKES_MAX);
    let typed = typed.to_lowercase();
    known
        .map(|(word, wanted)| {
            let word = word.to_lowercase();
            let begins = word.starts_with(&typed);
            (if begins { 0 } else { strsim::damerau_levenshtein(&word, &typed) }, wanted)
        })
        .filter(|(mistakes, _)| *mistakes <= mistakes_max)
        .min_by_key(|(mistakes, _)| *mistakes)
        .map(|(_, wanted)| wanted)
}

/// The nearest of words that are wanted themselves.
pub fn nearest_word<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest(typed, known.into_iter().map(|word| (word, word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_or_few_mistakes_name_a_word() {
        let near = |typed: &str| nearest_word(typed, ["queued", "queue", "running", "list", "completed"]);
        assert_eq!(near("que"), Some("queued"), "of equals the first");
        assert_eq!(near("Complete"), Some("completed"));
        assert_eq!(near("lsit"), Some("list"));
        assert_eq!(near("runing"), Some("running"));
        for far in ["", "q", "limits", "run-it-all", &"x".repeat(100_000)] {
            assert_eq!(near(far), None);
        }
    }
}
