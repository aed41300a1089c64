//! A command as a text that a person edits, and back.

use crate::model::{
    bytes::Bytes,
    spec::{Command, JobSpec, display},
};
use crate::ops::fault::{Code, Fault};

/// Longest line that a message shows.
const SHOWN_CHARS_MAX: usize = 1_000;

/// What takes the place of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// What runs.
    pub command: Command,
    /// The command as a person would type it.
    pub display: String,
}

/// The command as it is edited: the line of a job for a shell, else the arguments as they would be typed in one.
pub fn text(spec: &JobSpec) -> Result<String, Fault> {
    if let Some(line) = shell_line(spec) {
        return Ok(line);
    }
    let is_text = |word: &Bytes| std::str::from_utf8(word.as_slice()).is_ok();
    if !spec.command.to_argv().iter().all(is_text) {
        return Err(Fault::new(Code::Failed, "its command is no text, so that it cannot be edited")
            .hint("bgctl start runs another command"));
    }
    Ok(display(&spec.command))
}

/// The command that a text means, for the job whose command it was.
pub fn read(spec: &JobSpec, text: &str) -> Result<Edited, Fault> {
    let text = text.trim_end_matches(['\n', '\r']);
    if text.trim().is_empty() {
        return Err(Fault::new(Code::Failed, "there is no command in the file; nothing was started"));
    }
    let bytes = |word: &str| {
        Bytes::try_from(word)
            .map_err(|error| Fault::new(Code::Failed, format!("the command {error}; nothing was started")))
    };
    if shell_line(spec).is_some() {
        let command = match &spec.command {
            Command::Line(_) => Command::Line(text.to_owned()),
            Command::Argv(argv) => {
                Command::Argv(argv[..2].iter().cloned().chain([bytes(text)?]).collect::<Vec<_>>())
            }
        };
        return Ok(Edited { command, display: text.to_owned() });
    }
    let words = shlex::split(text).ok_or_else(|| {
        let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
        Fault::new(Code::Failed, "a quote in the command is not closed; nothing was started")
            .hint(format!("what was typed:\n{shown}"))
    })?;
    if words.first().is_none_or(String::is_empty) {
        return Err(Fault::new(Code::Failed, "there is no command in the file; nothing was started"));
    }
    let argv = words.iter().map(|word| bytes(word)).collect::<Result<Vec<_>, _>>()?;
    let command = Command::Argv(argv);
    Ok(Edited { display: display(&command), command })
}

/// The line of a job that runs one in a shell, be it made with `--shell` or by hand.
fn shell_line(spec: &JobSpec) -> Option<String> {
    match &spec.command {
        Command::Line(line) => Some(line.clone()),
        Command::Argv(argv) => match &argv[..] {
            [shell, flag, line]
                if shell.as_slice() == b"/bin/sh"
                    && flag.as_slice() == b"-c"
                    && line.as_slice() == spec.display.as_bytes() =>
            {
                Some(spec.display.clone())
            }
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(argv: &[&[u8]]) -> JobSpec {
        let argv = argv.iter().map(|word| Bytes::new(*word).unwrap()).collect();
        JobSpec::new(Command::Argv(argv), Bytes::try_from("/").unwrap())
    }

    fn words(edited: &Edited) -> Vec<String> {
        edited.command.to_argv().iter().map(Bytes::to_text).collect()
    }

    #[test]
    fn a_command_comes_back_from_its_text_as_it_was() {
        for argv in
            [&[&b"make"[..], b"-j4"][..], &[b"echo", b"a  b", b"", b"it's", b"#x", b"$y", b"two\nlines"]]
        {
            let spec = spec(argv);
            let edited = read(&spec, &format!("{}\n", text(&spec).unwrap())).unwrap();
            assert_eq!((edited.command, edited.display), (spec.command, spec.display));
        }
    }

    #[test]
    fn a_line_for_a_shell_is_edited_as_it_is() {
        let mut made = spec(&[b"/bin/sh", b"-c", b"a | b"]);
        made.display = "a | b".into();
        assert_eq!(text(&made).unwrap(), "a | b");
        let edited = read(&made, "a 'b | c\n").unwrap();
        assert_eq!((words(&edited)[2].as_str(), edited.display.as_str()), ("a 'b | c", "a 'b | c"));
        let by_hand = JobSpec::new(Command::Line("x > y".into()), Bytes::try_from("/").unwrap());
        assert_eq!(text(&by_hand).unwrap(), "x > y");
        assert_eq!(read(&by_hand, "z").unwrap().command, Command::Line("z".into()));
        let typed = spec(&[b"/bin/sh", b"-c", b"a | b"]);
        assert_eq!(text(&typed).unwrap(), "/bin/sh -c 'a | b'", "one that was typed so is edited so");
    }

    #[test]
    fn what_means_no_command_is_refused_and_what_was_typed_is_not_lost() {
        let spec = spec(&[b"make"]);
        for empty in ["", "\n", " \n\n", "''", "# only a remark"] {
            assert!(read(&spec, empty).unwrap_err().message.starts_with("there is no command"), "{empty:?}");
        }
        let fault = read(&spec, "make 'all\n").unwrap_err();
        assert!(fault.message.contains("not closed"), "{fault}");
        assert_eq!(fault.hint.unwrap(), "what was typed:\nmake 'all");
        assert!(read(&spec, "a\0b").unwrap_err().message.contains("NUL"));
        assert!(text(&self::spec(&[b"echo", b"\xff"])).is_err());
    }
}
