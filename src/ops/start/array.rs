//! The numbers of an array: `1-100`, `1-100:5`, `1,3,7-9`.

use super::given::Request;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// What stands for the number in what is given for all jobs of an array.
const PLACEHOLDER: &str = "{}";

/// The numbers of an array, each once and in ascending order, however they were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Array(Vec<Range>);

/// From a number to another one, in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    from: u64,
    to: u64,
    step: u64,
}

impl Range {
    fn count(self) -> u64 {
        ((self.to - self.from) / self.step).saturating_add(1)
    }
}

/// Why a text says no numbers of an array.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadArray {
    /// Not in a form we read.
    #[error("expected numbers such as 1-100, 1-100:5 or 1,3,7-9")]
    Form,
    /// A range that ends before it begins.
    #[error("{from}-{to} goes backwards; the smaller number comes first")]
    Backwards {
        /// The first number.
        from: u64,
        /// The second one.
        to: u64,
    },
    /// Steps of nothing.
    #[error("a step is at least 1")]
    Step,
    /// What other schedulers write behind the numbers.
    #[error("how many run at the same time is not said here; --group NAME gives them slots of their own")]
    Slots,
}

impl Array {
    /// Reads ranges with commas between them.
    pub fn parse(text: &str) -> Result<Self, BadArray> {
        if text.contains('%') {
            return Err(BadArray::Slots);
        }
        text.split(',').map(range).collect::<Result<_, _>>().map(Self)
    }

    /// The numbers, or `None` where they are more than so many; those that are given twice count twice here.
    pub fn numbers(&self, most: usize) -> Option<BTreeSet<u64>> {
        let count = self.0.iter().fold(0_u64, |sum, range| sum.saturating_add(range.count()));
        let fits = usize::try_from(count).is_ok_and(|count| count <= most);
        let each = |range: &Range| (range.from..=range.to).step_by(range.step as usize);
        fits.then(|| self.0.iter().flat_map(each).collect())
    }
}

fn range(text: &str) -> Result<Range, BadArray> {
    // Parsing takes a sign, too, which nobody means here.
    let number = |text: &str| {
        let text = text.trim();
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| is_number).ok_or(BadArray::Form)
    };
    let (numbers, step) = text.split_once(':').unwrap_or((text, "1"));
    let step = number(step)?;
    let (from, to) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let (from, to) = (number(from)?, number(to)?);
    match () {
        () if step == 0 => Err(BadArray::Step),
        () if from > to => Err(BadArray::Backwards { from, to }),
        () => Ok(Range { from, to, step }),
    }
}

impl Request {
    /// What is asked for one number of an array: the number in the place of each `{}`.
    #[must_use]
    pub fn numbered(&self, number: u64) -> Self {
        let number = number.to_string();
        let text = |text: &String| text.replace(PLACEHOLDER, &number);
        let path = |path: &PathBuf| PathBuf::from(replaced(path.as_os_str(), &number));
        Self {
            argv: self.argv.iter().map(|word| replaced(word, &number)).collect(),
            shell: self.shell.as_ref().map(|line| replaced(line, &number)),
            name: self.name.as_ref().map(text),
            labels: self.labels.iter().map(text).collect(),
            key: self.key.as_ref().map(text),
            cwd: self.cwd.as_ref().map(path),
            stdin: self.stdin.as_ref().map(path),
            ..self.clone()
        }
    }
}

/// Text with the number in the place of each `{}`; what is not UTF-8 stays as it is.
fn replaced(text: &OsStr, number: &str) -> OsString {
    let placeholder = PLACEHOLDER.as_bytes();
    let mut rest = text.as_bytes();
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some(place) = rest.windows(placeholder.len()).position(|part| part == placeholder) {
        bytes.extend_from_slice(&rest[..place]);
        bytes.extend_from_slice(number.as_bytes());
        rest = &rest[place + placeholder.len()..];
    }
    bytes.extend_from_slice(rest);
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Vec<u64> {
        Array::parse(text).unwrap().numbers(1_000).unwrap().into_iter().collect()
    }

    #[test]
    fn numbers_are_given_one_by_one_as_ranges_and_in_steps() {
        assert_eq!(numbers("7"), [7]);
        assert_eq!(numbers("0-3"), [0, 1, 2, 3]);
        assert_eq!(numbers("1-10:5"), [1, 6]);
        assert_eq!(numbers("1, 3, 7-9"), [1, 3, 7, 8, 9]);
        assert_eq!(numbers("9,1-3,2"), [1, 2, 3, 9]);
        assert_eq!(numbers("18446744073709551615"), [u64::MAX]);
    }

    #[test]
    fn what_says_no_numbers_is_refused() {
        for bad in ["", "a", "1-", "-1", "1,", "1--2", "1-2-3", "1.5", "+1", "1:2:3", "99999999999999999999"]
        {
            assert_eq!(Array::parse(bad), Err(BadArray::Form), "{bad}");
        }
        assert_eq!(Array::parse("9-1"), Err(BadArray::Backwards { from: 9, to: 1 }));
        assert_eq!(Array::parse("1-9:0"), Err(BadArray::Step));
        assert_eq!(Array::parse("1-9%2"), Err(BadArray::Slots));
    }

    #[test]
    fn more_numbers_than_are_taken_are_never_counted_out() {
        for many in ["1-1001", "0-18446744073709551615", "0-18446744073709551615,0-18446744073709551615"] {
            assert_eq!(Array::parse(many).unwrap().numbers(1_000), None, "{many}");
        }
        assert_eq!(Array::parse("1-1000000000:1000000").unwrap().numbers(1_000).unwrap().len(), 1_000);
    }

    #[test]
    fn the_number_stands_wherever_its_place_was_left() {
        let request = Request {
            argv: vec!["./{}".into(), "a{}b{}".into(), OsString::from_vec(b"\xff{}".to_vec()), "{".into()],
            name: Some("part-{}".into()),
            labels: vec!["{}".into(), "all".into()],
            key: Some("k{}".into()),
            cwd: Some("dir{}".into()),
            stdin: Some("in/{}.txt".into()),
            ..Request::default()
        };
        let third = request.numbered(3);
        let wanted = ["./3".into(), "a3b3".into(), OsString::from_vec(b"\xff3".to_vec()), "{".into()];
        assert_eq!(third.argv, wanted);
        assert_eq!((third.name.as_deref(), third.key.as_deref()), (Some("part-3"), Some("k3")));
        assert_eq!(third.labels, ["3", "all"]);
        assert_eq!((third.cwd, third.stdin), (Some("dir3".into()), Some("in/3.txt".into())));
    }
}
