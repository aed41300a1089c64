//! The token: where it comes from, and that it is shown nowhere.
//!
//! What is set and bad stops the search with its reason: another token than the one that somebody chose could have other rights.

use super::address::Origin;
use crate::model::config::GitHub;
use crate::os::answer::{Answer, NoAnswer, ask};
use rustix::fs::{Access, FileType, Mode, OFlags, access, fstat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Longest time for a program that is asked for the token.
const ASK_LIMIT: Duration = Duration::from_secs(10);
/// Longest token, and so much of a file or of what a program prints is looked at.
const BYTES_MAX: usize = 4 * 1_024;
/// Of GitHub itself; its programs need not be told the host.
const GITHUB_API_HOST: &str = "api.github.com";

/// A token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    secret: String,
    /// Where it came from, for people.
    pub from: &'static str,
}

/// Never the secret.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(from {})", self.from)
    }
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoToken(pub String);

/// Finds the token: `GH_TOKEN`, `GITHUB_TOKEN`, `gh auth token`, then the file and the command of the settings.
///
/// `variable` is the environment; `gh` is looked for in its `PATH`.
pub fn find(settings: &GitHub, variable: impl Fn(&str) -> Option<OsString>) -> Result<Token, NoToken> {
    for name in ["GH_TOKEN", "GITHUB_TOKEN"] {
        let value = variable(name).unwrap_or_default();
        if !value.to_string_lossy().trim().is_empty() {
            let mend = "set it anew, or unset it";
            return value
                .to_str()
                .and_then(|text| Token::new(text, name))
                .ok_or_else(|| no_token(name, mend));
        }
    }
    let gh = match program("gh", &variable("PATH").unwrap_or_default()) {
        Some(gh) => match of_gh(&gh, settings)? {
            Ok(token) => return Ok(token),
            Err(why) => why,
        },
        None => "there is no gh in PATH",
    };
    if let Some(path) = &settings.token_file {
        return of_file(Path::new(path));
    }
    if let Some(argv) = &settings.token_command {
        return of_command(argv);
    }
    Err(NoToken(format!(
        "there is no token for GitHub: the process that asks has no GH_TOKEN, {gh}, and nothing is set in config.toml; \
         approval.github.token_file is the way for cron and the alarm (docs/approvals.md)"
    )))
}

impl Token {
    /// `None`: it cannot stand in a header.
    fn new(text: &str, from: &'static str) -> Option<Self> {
        let secret = text.trim();
        let is_one = (1..=BYTES_MAX).contains(&secret.len()) && secret.bytes().all(|b| b.is_ascii_graphic());
        is_one.then(|| Self { secret: secret.to_owned(), from })
    }

    /// The secret itself, for the header of a request and nothing else.
    pub(super) fn secret(&self) -> &str {
        &self.secret
    }
}

/// What is there and cannot be a token; nothing of it is shown.
fn no_token(what: &str, mend: &str) -> NoToken {
    NoToken(format!(
        "{what} holds no token: one has 1 to {BYTES_MAX} letters, digits and signs, without blanks; {mend}"
    ))
}

/// A program in one of the folders of `PATH`. Folders that depend on where we are do not count.
fn program(name: &str, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|file| file.is_file() && access(file, Access::EXEC_OK).is_ok())
}

/// The token of GitHub's own program. It may be there and not be logged in, which is no mistake.
fn of_gh(gh: &Path, settings: &GitHub) -> Result<Result<Token, &'static str>, NoToken> {
    let mut command = Command::new(gh);
    // It would print these, which the caller has not, or does not want to be looked at.
    command.args(["auth", "token"]).env_remove("GH_TOKEN").env_remove("GITHUB_TOKEN");
    if let Some(host) = web_host(&settings.api_url) {
        command.args(["--hostname", &host]);
    }
    Ok(match first_line(&mut command) {
        Ok(Some(line)) if line.trim().is_empty() => Err("gh auth token prints nothing"),
        Ok(Some(line)) => {
            let from = "gh auth token";
            Ok(Token::new(&line, from).ok_or_else(|| no_token(from, "see gh auth status"))?)
        }
        Ok(None) => Err("gh has none (see gh auth status)"),
        Err(NoAnswer::Late) => Err("gh auth token gave no answer in time"),
        Err(NoAnswer::System(_)) => Err("gh could not be run"),
    })
}

/// The host by which `gh` knows the accounts; none for GitHub itself.
fn web_host(api_url: &str) -> Option<String> {
    let host = Origin::of(api_url)?.host;
    if host == GITHUB_API_HOST {
        return None;
    }
    // GitHub Enterprise Cloud with data residency; the server has its interface below the same host.
    let is_cloud = host.ends_with(".ghe.com");
    Some(host.strip_prefix("api.").filter(|_| is_cloud).unwrap_or(&host).to_owned())
}

/// The first line of a file that nobody else can read.
fn of_file(path: &Path) -> Result<Token, NoToken> {
    let shown = path.display();
    let refused = |why: &str| NoToken(format!("approval.github.token_file is not used: {shown} {why}"));
    // O_NONBLOCK: a FIFO that somebody put there must not hold us.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| match error {
        Errno::NOENT => refused("is not there; write the token into it, with mode 0600"),
        Errno::LOOP => refused("is a symbolic link; name the file itself"),
        error => refused(&format!("cannot be opened: {}", std::io::Error::from(error))),
    })?;
    let stat = fstat(&fd).map_err(|error| refused(&std::io::Error::from(error).to_string()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(refused("is not a regular file"));
    }
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(refused(&format!("belongs to user {}, not to you; use a file of yours", stat.st_uid)));
    }
    let others = Mode::from_raw_mode(stat.st_mode) & (Mode::RWXG | Mode::RWXO);
    if !others.is_empty() {
        let mode = Mode::from_raw_mode(stat.st_mode) & (Mode::RWXU | Mode::RWXG | Mode::RWXO);
        let mode = mode.as_raw_mode();
        return Err(refused(&format!(
            "is open to others (mode {mode:03o}); mend it with: chmod 600 {shown}"
        )));
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    File::from(fd)
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| refused(&format!("cannot be read: {error}")))?;
    let line = line_of(&bytes);
    if line.trim().is_empty() {
        return Err(refused("has an empty first line; write the token there"));
    }
    let what = format!("approval.github.token_file ({shown})");
    Token::new(&line, "token_file").ok_or_else(|| no_token(&what, "write it anew"))
}

/// The first line that the user's own command prints.
fn of_command(argv: &[String]) -> Result<Token, NoToken> {
    const WHAT: &str = "approval.github.token_command";
    const MEND: &str = "run it by hand to see why";
    let refused = |why: &str| NoToken(format!("{WHAT} {why}"));
    let (name, arguments) = argv.split_first().ok_or_else(|| refused("is empty; name a command"))?;
    let mut command = Command::new(name);
    command.args(arguments);
    let line = match first_line(&mut command) {
        Ok(Some(line)) => line,
        Ok(None) => return Err(refused(&format!("failed; {MEND}"))),
        Err(NoAnswer::Late) => {
            return Err(refused(&format!("gave no answer within {} s; {MEND}", ASK_LIMIT.as_secs())));
        }
        Err(NoAnswer::System(error)) => return Err(refused(&format!("could not be run: {error}"))),
    };
    if line.trim().is_empty() {
        return Err(refused(&format!("printed an empty first line; {MEND}")));
    }
    Token::new(&line, "token_command").ok_or_else(|| no_token(WHAT, MEND))
}

/// What a program prints first; `None`: it failed. Its errors are not shown, because a shell that traces shows the token there.
fn first_line(command: &mut Command) -> Result<Option<String>, NoAnswer> {
    let Answer { status, output } = ask(command.stderr(Stdio::null()), ASK_LIMIT, BYTES_MAX + 1)?;
    Ok(status.success().then(|| line_of(&output)))
}

fn line_of(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(line).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// The places from which a token can come; nothing of this machine.
    struct Places {
        dir: tempfile::TempDir,
        settings: GitHub,
        variables: Vec<(&'static str, OsString)>,
    }

    impl Places {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let settings = GitHub {
                api_url: "https://api.github.com".to_owned(),
                token_file: None,
                token_command: None,
            };
            let variables = vec![("PATH", dir.path().as_os_str().to_owned())];
            Self { dir, settings, variables }
        }

        fn variable(&mut self, name: &'static str, value: impl Into<OsString>) -> &mut Self {
            self.variables.push((name, value.into()));
            self
        }

        fn write(&self, name: &str, content: &[u8], mode: u32) -> String {
            let path = self.dir.path().join(name);
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path.to_str().unwrap().to_owned()
        }

        fn gh(&mut self, script: &str) -> &mut Self {
            // Written by another process: a file that is open here for writing, in any thread, cannot be executed.
            let put = "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\" && chmod 700 \"$1\"";
            let path = self.dir.path().join("gh");
            let wrote = Command::new("sh").args(["-c", put, "sh"]).arg(path).arg(script).status();
            assert!(wrote.unwrap().success());
            self
        }

        fn file(&mut self, content: impl AsRef<[u8]>, mode: u32) -> &mut Self {
            self.settings.token_file = Some(self.write("token", content.as_ref(), mode));
            self
        }

        fn command(&mut self, script: &str) -> &mut Self {
            self.settings.token_command = Some(["/bin/sh", "-c", script].map(str::to_owned).to_vec());
            self
        }

        fn find(&self) -> Result<Token, NoToken> {
            let value = |name: &str| self.variables.iter().find(|(known, _)| *known == name);
            find(&self.settings, |name| value(name).map(|(_, value)| value.clone()))
        }

        #[track_caller]
        fn found(&self) -> (String, &'static str) {
            let token = self.find().unwrap();
            (token.secret, token.from)
        }

        #[track_caller]
        fn refused(&self) -> String {
            self.find().unwrap_err().to_string()
        }
    }

    fn pair(secret: &str, from: &'static str) -> (String, &'static str) {
        (secret.to_owned(), from)
    }

    #[test]
    fn the_sources_come_in_their_order() {
        let mut places = Places::new();
        places.command("echo c");
        assert_eq!(places.found(), pair("c", "token_command"));
        places.file("f\n", 0o600);
        assert_eq!(places.found(), pair("f", "token_file"));
        places.gh("echo g");
        assert_eq!(places.found(), pair("g", "gh auth token"));
        places.variable("GITHUB_TOKEN", "t");
        assert_eq!(places.found(), pair("t", "GITHUB_TOKEN"));
        places.variable("GH_TOKEN", " h\n");
        assert_eq!(places.found(), pair("h", "GH_TOKEN"));
    }

    #[test]
    fn an_empty_variable_is_as_none() {
        let mut places = Places::new();
        places.variable("GH_TOKEN", "").variable("GITHUB_TOKEN", " \n").file("f", 0o600);
        assert_eq!(places.found(), pair("f", "token_file"));
    }

    #[test]
    fn a_variable_that_holds_no_token_stops_and_is_not_shown() {
        use std::os::unix::ffi::OsStringExt;
        let long = OsString::from("x".repeat(5_000));
        for bad in [
            "se cret".into(),
            "se\ncret".into(),
            "se\0cret".into(),
            "sécret".into(),
            long,
            OsString::from_vec(b"se\xffcret".to_vec()),
        ] {
            let mut places = Places::new();
            places.variable("GH_TOKEN", bad).variable("GITHUB_TOKEN", "t");
            let why = places.refused();
            assert!(why.starts_with("GH_TOKEN holds no token") && !why.contains("cret"), "{why}");
        }
    }

    #[test]
    fn gh_is_asked_for_the_host_of_the_settings() {
        let mut places = Places::new();
        places.gh("echo \"$*\" | tr ' ' _");
        for (api_url, said) in [
            ("https://api.github.com", "auth_token"),
            ("https://ghe.example.org/api/v3", "auth_token_--hostname_ghe.example.org"),
            ("https://ghe.example.org:8443/api/v3", "auth_token_--hostname_ghe.example.org"),
            ("https://api.octo.ghe.com", "auth_token_--hostname_octo.ghe.com"),
            ("https://api.example.org", "auth_token_--hostname_api.example.org"),
        ] {
            places.settings.api_url = api_url.to_owned();
            assert_eq!(places.found().0, said);
        }
    }

    #[test]
    fn gh_that_has_none_is_passed_over() {
        for script in ["exit 1", "echo g; exit 4", "true", "echo; echo g"] {
            let mut places = Places::new();
            places.gh(script).file("f", 0o600);
            assert_eq!(places.found(), pair("f", "token_file"), "{script}");
        }
    }

    #[test]
    fn gh_counts_only_where_it_can_be_run_and_its_folder_is_known() {
        let mut places = Places::new();
        places.gh("echo g").command("echo c");
        let gh = places.dir.path().join("gh");
        std::fs::set_permissions(&gh, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(places.found(), pair("c", "token_command"));
        std::fs::set_permissions(&gh, std::fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(places.found(), pair("g", "gh auth token"));
        assert_eq!(program("gh", OsStr::new(":.:bin")), None);
    }

    #[test]
    fn the_first_line_of_the_file_is_the_token() {
        let mut places = Places::new();
        places.file("  secret \nnot this\n", 0o600);
        assert_eq!(places.found().0, "secret");
        places.file("secret\r\n", 0o400);
        assert_eq!(places.found().0, "secret");
    }

    #[test]
    fn a_file_that_others_can_use_is_refused_with_the_mend() {
        for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666] {
            let mut places = Places::new();
            places.file("secret", mode).command("echo c");
            let why = places.refused();
            let path = places.settings.token_file.as_deref().unwrap();
            assert!(why.contains(&format!("(mode {mode:03o})")), "{why}");
            assert!(why.ends_with(&format!("chmod 600 {path}")) && !why.contains("secret"), "{why}");
        }
    }

    #[test]
    fn a_file_that_is_none_is_refused_whatever_the_command_says() {
        let mut places = Places::new();
        places.command("echo c").file("secret", 0o600);
        let link = places.dir.path().join("link");
        std::os::unix::fs::symlink("token", &link).unwrap();
        for (path, why) in [
            (link, "is a symbolic link"),
            (places.dir.path().to_owned(), "is not a regular file"),
            (places.dir.path().join("missing"), "is not there"),
        ] {
            places.settings.token_file = Some(path.to_str().unwrap().to_owned());
            assert!(places.refused().contains(why), "{}", places.refused());
        }
    }

    #[test]
    fn a_file_without_a_token_is_refused_and_not_shown() {
        for content in ["", "\n", "  \nsecret\n", "se cret", "se\tcret\n", &"x".repeat(5_000)] {
            let mut places = Places::new();
            places.file(content, 0o600).command("echo c");
            let why = places.refused();
            assert!(why.contains("token_file") && !why.contains("cret"), "{why}");
        }
    }

    #[test]
    fn the_first_line_of_the_command_is_the_token() {
        let mut places = Places::new();
        places.command("echo ' secret '; echo other; echo bad >&2");
        assert_eq!(places.found(), pair("secret", "token_command"));
    }

    #[test]
    fn a_command_without_a_token_is_refused_and_not_shown() {
        for (script, why) in [
            ("echo secret; exit 3", "failed"),
            ("true", "printed an empty first line"),
            ("echo; echo secret", "printed an empty first line"),
            ("echo se cret", "holds no token"),
        ] {
            let mut places = Places::new();
            let refused = places.command(script).refused();
            assert!(refused.contains("token_command") && refused.contains(why), "{refused}");
            assert!(!refused.contains("cret"), "{refused}");
        }
        let mut places = Places::new();
        places.settings.token_command = Some(vec!["/no/such/program".to_owned()]);
        assert!(places.refused().contains("could not be run"));
    }

    #[test]
    fn where_there_is_none_it_is_said_what_was_tried_and_what_helps() {
        let mut places = Places::new();
        let why = places.refused();
        for word in ["GH_TOKEN", "no gh in PATH", "token_file", "approvals.md"] {
            assert!(why.contains(word), "{why}");
        }
        assert!(places.gh("exit 1").refused().contains("gh has none"));
    }

    #[test]
    fn a_token_is_not_shown() {
        let mut places = Places::new();
        let token = places.variable("GH_TOKEN", "secret").find();
        assert_eq!(format!("{token:?}"), "Ok(Token(from GH_TOKEN))");
    }
}
