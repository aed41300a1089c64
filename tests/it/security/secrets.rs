//! The environment of whoever submits a job, which often has secrets in it: it is shown nowhere, and stands in one file, and
//! there only as long as a job can still run with it.

use crate::proof::Proof;
use crate::support::{User, until};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The forms in which a secret could come out.
struct Secret {
    text: String,
    forms: Vec<Vec<u8>>,
}

impl Secret {
    fn new() -> Self {
        let text = format!("hunter2-{:x}-{:x}", std::process::id(), crate::proof::seed());
        let mut forms = vec![text.clone().into_bytes(), text.chars().rev().collect::<String>().into_bytes()];
        // As base64 it has three forms, by its place; their ends depend on what is around.
        for before in ["", "x", "xx"] {
            let encoded = STANDARD_NO_PAD.encode(format!("{before}{text}"));
            forms.push(encoded.as_bytes()[4..encoded.len() - 4].to_vec());
        }
        Self { text, forms }
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        self.forms.iter().any(|form| bytes.windows(form.len()).any(|part| part == form))
    }

    /// The files below a folder in which it stands.
    fn files(&self, folder: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![folder.to_owned()];
        while let Some(path) = open.pop() {
            let Ok(data) = path.symlink_metadata() else { continue };
            if data.is_dir() {
                open.extend(std::fs::read_dir(&path).into_iter().flatten().flatten().map(|one| one.path()));
            } else if data.is_file() && std::fs::read(&path).is_ok_and(|bytes| self.is_in(&bytes)) {
                found.push(path.strip_prefix(folder).unwrap().to_owned());
            }
        }
        found
    }
}

#[test]
fn a_secret_is_found_in_every_form() {
    let secret = Secret::new();
    for before in ["", "x", "xx", "xxx"] {
        let given = format!("{before}{}yyy", secret.text);
        assert!(secret.is_in(STANDARD_NO_PAD.encode(&given).as_bytes()) && secret.is_in(given.as_bytes()));
    }
    assert!(!secret.is_in(b"hunter2-"));
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("a")).unwrap();
    std::fs::write(dir.path().join("a/b"), &secret.text).unwrap();
    assert_eq!(secret.files(dir.path()), [Path::new("a/b")]);
}

struct Scene {
    user: User,
    secret: Secret,
    cases: usize,
    troubles: Vec<String>,
}

impl Scene {
    fn new() -> Self {
        let user = User::new();
        user.make_root();
        let said = user.path("hook").display().to_string();
        let settings = format!(
            "[queue]\nmax_concurrent = 9\n[hooks]\non_end = 'env >> {said}; cat >> {said}'\non_fail = 'env >> {said}; exit 3'\n\
             [approval]\nlocal = \"anyone\"\n[approval.github]\napi_url = \"http://127.0.0.1:9\"\n\
             [retry]\ndelay = \"1s\"\n[sessions.login]\nrefresh = [\"true\"]\nttl = \"1h\"\n"
        );
        let settings = settings.replace("[retry]\ndelay = \"1s\"\n", "");
        std::fs::write(user.root().join("config.toml"), settings).unwrap();
        user.ok(["config", "check"]);
        Self { user, secret: Secret::new(), cases: 0, troubles: Vec::new() }
    }

    /// `bgctl` with the secret in its environment, in every way in which it can be there.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.user.bgctl(arguments);
        let secret = &self.secret.text;
        command.env("API_TOKEN", secret).env("LC_SECRET", format!("\n{secret}\u{1b}"));
        command.env(format!("ODD_{}", "NAME"), format!("x{secret}"));
        command
    }

    /// Runs it, and looks through what it prints.
    fn run(&mut self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        self.cases += 1;
        if self.secret.is_in(&output.stdout) || self.secret.is_in(&output.stderr) {
            self.troubles.push(format!("{arguments:?} prints it"));
        }
        if output.status.code().is_none_or(|code| !super::is_an_answer(arguments, code)) {
            self.troubles.push(format!("{arguments:?} ends with {:?}", output.status));
        }
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    fn start(&mut self, arguments: &[&str]) -> String {
        let all: Vec<&str> = ["start", "--quiet"].into_iter().chain(arguments.iter().copied()).collect();
        self.run(&all)
    }

    /// Only captured environments have it, and those are for their owner alone.
    fn only_environments_have_it(&mut self, when: &str) {
        use std::os::unix::fs::PermissionsExt;
        for file in self.secret.files(&self.user.path(".")) {
            self.cases += 1;
            let mode = self.user.path(&file).metadata().map_or(0, |data| data.permissions().mode() & 0o777);
            if !(file.starts_with("bg/env") && mode == 0o600) {
                self.troubles.push(format!("{when}: it is in {} (mode {mode:o})", file.display()));
            }
        }
    }

    fn nothing_has_it(&mut self, when: &str) {
        self.cases += 1;
        for file in self.secret.files(&self.user.path(".")) {
            self.troubles.push(format!("{when}: it is in {}", file.display()));
        }
    }

    /// No process of ours but the jobs' own has it in its environment or arguments.
    fn no_process_but_a_job_has_it(&mut self) {
        for pid in self.user.processes() {
            self.cases += 1;
            let read = |file: &str| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let line = read("cmdline");
            let is_ours = line.windows(2).any(|part| part == b"__");
            if is_ours && self.secret.is_in(&read("environ")) || self.secret.is_in(&line) {
                self.troubles.push(format!("process {pid} has it: {:?}", String::from_utf8_lossy(&line)));
            }
        }
    }
}

/// Every command in its forms. `ID` is a job, `DEAD` a dead letter.
const COMMANDS: &[&[&str]] = &[
    &[],
    &["list", "--all"],
    &["list", "--all", "--json"],
    &["list", "--all", "--json-lines"],
    &["list", "--all", "--format", "{id} {env} {env_names} {argv} {claim} {live}"],
    &["status", "ID"],
    &["status", "--json", "ID"],
    &["status", "DEAD"],
    &["logs", "ID"],
    &["logs", "--json", "ID"],
    &["events"],
    &["events", "--json"],
    &["events", "--json-lines", "--since", "0"],
    &["health"],
    &["health", "--json"],
    &["health", "--jobs"],
    &["health", "--prometheus"],
    &["doctor"],
    &["doctor", "--json"],
    &["doctor", "--fix"],
    &["config"],
    &["config", "--json"],
    &["config", "check"],
    &["store"],
    &["store", "check"],
    &["store", "--json"],
    &["store", "rebuild", "--dry-run"],
    &["approval", "--json"],
    &["dead"],
    &["dead", "show", "DEAD", "--json"],
    &["schedule", "list"],
    &["schedule", "list", "--json"],
    &["schedule", "show", "nightly", "--json"],
    &["schedule", "show", "nightly"],
    &["group", "list", "--json"],
    &["tick", "--verbose"],
    &["tick", "--json"],
    &["tick", "--report", "failures"],
    &["tick", "--dry-run", "--json"],
    &["prune", "--dry-run", "--json", "--all"],
    &["wait", "--within", "0", "--json", "ID"],
    &["start", "--dry-run", "--verbose", "--env", "API_TOKEN", "--", "true"],
    &["start", "--dry-run", "--json", "--env", "API_TOKEN", "--", "true"],
    &["start", "--verbose", "--env", "API_TOKEN", "--", "/nowhere/at-all"],
    &["start", "--verbose", "--", "no-such-command-here"],
    &["start", "--cwd", "/nowhere", "--", "true"],
    &["start", "--no-such-option"],
    &["status", "nobody"],
    &["init", "cron"],
    &["init", "systemd"],
    &["init", "bash"],
];

#[test]
fn the_values_of_an_environment_come_out_nowhere_and_go_with_the_last_job_that_needs_them() {
    let mut scene = Scene::new();
    let gate = scene.user.fifo("gate");
    let held = format!("read x < {}", gate.display());
    let id = scene.start(&["--env", "API_TOKEN", "--on-end", "env >> hook", "--", "sh", "-c", &held]);
    scene.start(&["--batch", "/dev/null"]);
    let queued = scene.start(&["--after", &id, "--", "true"]);
    scene.start(&["--attempts", "2", "--retry-delay", "0s", "--name", "dying", "--", "false"]);
    until("there is a dead letter", || scene.user.ok(["dead"]).contains("dying"));
    scene.run(&["schedule", "add", "nightly", "--every", "1h", "--env", "API_TOKEN", "--", "true"]);
    scene.run(&["schedule", "run", "nightly", "--wait"]);
    let gated = scene.start(&["--approval", "local", "--", "true"]);
    scene.start(&["--stdin", "pipe", "--name", "reader", "--", "cat"]);
    scene.start(&["--array", "1-3", "--", "true"]);
    scene.run(&["tick"]);
    scene.only_environments_have_it("while jobs can run");
    assert!(!scene.secret.files(&scene.user.root()).is_empty(), "it is captured at all");
    scene.no_process_but_a_job_has_it();
    for command in COMMANDS {
        let words: Vec<&str> = command
            .iter()
            .map(|word| match *word {
                "ID" => id.as_str(),
                "DEAD" => "dying",
                word => word,
            })
            .collect();
        scene.run(&words);
    }
    for shell in ["bash", "zsh", "fish"] {
        let mut command = scene.command(&["2", "bgctl", "status", ""]);
        let output = command.env("BGCTL_COMPLETE", shell).output().unwrap();
        scene.cases += 1;
        if scene.secret.is_in(&output.stdout) {
            scene.troubles.push(format!("completion for {shell} prints it"));
        }
    }
    scene.only_environments_have_it("after every command");

    std::fs::write(&gate, "go\n").unwrap();
    scene.run(&["wait", &id, &queued]);
    scene.run(&["approve", &gated]);
    scene.run(&["wait", &gated]);
    scene.run(&["send", "--eof", "reader"]);
    scene.run(&["wait", "--all", "--within", "30s"]);
    scene.run(&["schedule", "remove", "nightly"]);
    assert!(!scene.secret.files(&scene.user.root()).is_empty(), "a dead letter can be retried as it was");
    let retried = scene.run(&["retry", "dying", "--quiet"]);
    scene.run(&["wait", &retried]);
    scene.run(&["wait", "--all", "--within", "30s"]);
    scene.run(&["dead", "clear", "--all", "--yes"]);
    until("hooks have run", || scene.user.run(["events", "--json-lines"]).out.contains("\"hook\""));
    until("nobody is left but who waits", || {
        scene.user.ok(["list", "--status", "active", "--json"]).contains("\"jobs\":[]")
    });
    scene.nothing_has_it("once no job can run with it");
    assert!(scene.user.path("hook").exists(), "hooks were run");
    scene.run(&["prune", "--all"]);
    scene.nothing_has_it("after prune");

    let remark = "outputs and files".to_owned();
    let (cases, failures) = (scene.cases, scene.troubles.len());
    Proof { name: "security.secrets", cases, failures, remark }.tell();
    assert!(scene.troubles.is_empty(), "{}", scene.troubles.join("\n"));
}

#[test]
fn a_watcher_does_not_keep_the_environment_of_its_submitter() {
    let mut scene = Scene::new();
    let gate = scene.user.fifo("gate");
    let id = scene.start(&["--", "sh", "-c", &format!("read x < {}", gate.display())]);
    let watcher = scene.user.recorded_pid(&id, "watcher");
    let environment = std::fs::read(format!("/proc/{watcher}/environ")).unwrap();
    assert!(!scene.secret.is_in(&environment), "{}", String::from_utf8_lossy(&environment));
    let job = scene.user.recorded_pid(&id, "process");
    // The process is there before it executes the command.
    until("its job has it", || {
        scene.secret.is_in(&std::fs::read(format!("/proc/{job}/environ")).unwrap_or_default())
    });
    std::fs::write(&gate, "go\n").unwrap();
    assert_eq!(scene.user.wait(&id), 0);
}
