//! The line for cron: what it is, and how it comes into a crontab and out of it. All other lines stay as they are, byte for
//! byte.

use super::text;
use crate::ops::fault::Fault;
use std::path::Path;

/// The end of the line, a comment to the shell: by it the line is found again.
const MARK: &str = "# bgctl init cron";

/// Cron knows neither `XDG_CONFIG_HOME` nor what the shell's start-up files set, so everything is written out.
pub fn line(program: &Path, root: &Path) -> Result<String, Fault> {
    let (home, program) = (home(root)?, quote(program)?);
    Ok(format!("* * * * * {home} {program} tick --report failures {MARK}"))
}

fn home(root: &Path) -> Result<String, Fault> {
    Ok(format!("BG_HOME={}", quote(root)?))
}

/// For `sh`, through cron: a percent sign ends the command unless it is escaped (`crontab(5)`). Some crons also take
/// two backslashes for one, others do not; a closed and reopened quote after each backslash keeps it away from what
/// follows, so that all read the same.
fn quote(path: &Path) -> Result<String, Fault> {
    let quoted = text(path)?.chars().map(|one| match one {
        '\'' => r"'\''".to_owned(),
        '\\' => r"\''".to_owned(),
        '%' => r"\%".to_owned(),
        other => other.to_string(),
    });
    Ok(format!("'{}'", quoted.collect::<String>()))
}

/// A crontab that has this line once, in the place of what it had for the same root; `None` takes it out.
pub fn with(crontab: &[u8], root: &Path, line: Option<&str>) -> Result<Vec<u8>, Fault> {
    let home = home(root)?;
    let mut left = line;
    let mut new = Vec::with_capacity(crontab.len());
    for one in crontab.split_inclusive(|byte| *byte == b'\n') {
        if !is_ours(one, &home) {
            new.extend_from_slice(one);
        } else if let Some(line) = left.take() {
            add(&mut new, line);
        }
    }
    if let Some(line) = left {
        // Cron leaves out a last line that is not closed.
        if new.last().is_some_and(|byte| *byte != b'\n') {
            new.push(b'\n');
        }
        add(&mut new, line);
    }
    Ok(new)
}

/// The lines of that root, as they stand.
pub fn ours(crontab: &[u8], root: &Path) -> Result<Vec<String>, Fault> {
    let home = home(root)?;
    let lines = crontab.split(|byte| *byte == b'\n').filter(|line| is_ours(line, &home));
    Ok(lines.map(|line| String::from_utf8_lossy(line).into_owned()).collect())
}

fn add(crontab: &mut Vec<u8>, line: &str) {
    crontab.extend_from_slice(line.as_bytes());
    crontab.push(b'\n');
}

/// Whether a line is that of a root, at whatever times: by its end, or as it was printed before it had that end.
fn is_ours(line: &[u8], home: &str) -> bool {
    let Ok(line) = std::str::from_utf8(line) else { return false };
    let line = line.trim();
    let home = format!(" {home} ");
    let is_printed = line.starts_with(&format!("* * * * *{home}")) && line.ends_with(" tick");
    !line.starts_with('#') && line.contains(&home) && (line.ends_with(MARK) || is_printed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new("/h")
    }

    #[test]
    fn odd_paths_are_quoted_for_cron() {
        let path = Path::new("/a b/it's 100%/$x");
        assert_eq!(
            line(path, root()).unwrap(),
            "* * * * * BG_HOME='/h' '/a b/it'\\''s 100\\%/$x' tick --report failures # bgctl init cron"
        );
    }

    #[test]
    fn the_line_is_added_once_and_taken_out_and_the_others_stay_byte_for_byte() {
        let line = line(Path::new("/bgctl"), root()).unwrap();
        for others in ["", "# mine\nMAILTO=ann\n\n0 5 * * 1 tar -z \u{e9}  \n", "@daily true\n"] {
            let once = with(others.as_bytes(), root(), Some(&line)).unwrap();
            assert_eq!(once, format!("{others}{line}\n").as_bytes());
            assert_eq!(with(&once, root(), Some(&line)).unwrap(), once);
            assert_eq!(with(&once, root(), None).unwrap(), others.as_bytes());
        }
        let bytes = b"# \xff\xfe\n0 5 * * * echo '\xff'\n";
        let once = with(bytes, root(), Some(&line)).unwrap();
        assert_eq!(with(&once, root(), None).unwrap(), bytes);
    }

    #[test]
    fn a_last_line_that_is_not_closed_is_closed_first() {
        assert_eq!(with(b"0 5 * * * true", root(), Some("x")).unwrap(), b"0 5 * * * true\nx\n");
    }

    #[test]
    fn what_was_there_for_the_same_root_is_replaced_in_its_place() {
        let new = line(Path::new("/new"), root()).unwrap();
        let old = "* * * * * BG_HOME='/h' '/old' tick";
        let moved = "*/5 * * * * BG_HOME='/h' '/old' tick --report failures # bgctl init cron";
        let crontab = format!("a\n{old}\nb\n{moved}\nc\n");
        let replaced = with(crontab.as_bytes(), root(), Some(&new)).unwrap();
        assert_eq!(String::from_utf8(replaced).unwrap(), format!("a\n{new}\nb\nc\n"));
        assert_eq!(ours(crontab.as_bytes(), root()).unwrap(), [old, moved]);
    }

    #[test]
    fn other_roots_comments_and_a_users_own_lines_are_left() {
        let others = "* * * * * BG_HOME='/other' '/bgctl' tick --report failures # bgctl init cron\n\
                      #* * * * * BG_HOME='/h' '/bgctl' tick --report failures # bgctl init cron\n\
                      0 5 * * * BG_HOME='/h' '/bgctl' tick\n\
                      * * * * * BG_HOME='/h' '/bgctl' start -- true\n";
        assert_eq!(with(others.as_bytes(), root(), None).unwrap(), others.as_bytes());
    }
}
