//! The ways to install: from the sources, and as a package for Debian, into folders of the test's own.

use super::project;
use crate::support::{Ran, User, until};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where `tests/run` installs what it needs from crates.io.
const TOOLS: &str = "target/tools/bin";

/// Both programs as `cargo install` puts them; built once, in a folder that later runs of the tests use again. Not the
/// folder of the tests: there it would replace the program that others are running.
fn installed() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("install");
        let root = target.join("root");
        let install = ["install", "--locked", "--offline", "--debug", "--force", "--path", "."];
        let ran = run(Command::new(env!("CARGO"))
            .args(install)
            .arg("--root")
            .arg(&root)
            .arg("--target-dir")
            .arg(&target)
            .current_dir(project("")));
        assert_eq!(ran.code, 0, "{}", ran.err);
        root
    })
}

fn run(command: &mut Command) -> Ran {
    Ran::of(&command.output().unwrap())
}

/// A job from start to end, with both names.
#[track_caller]
fn works(user: &User, folder: &Path) {
    let bgctl = |name: &str, arguments: &[&str]| run(user.command(folder.join(name)).args(arguments));
    let ran = bgctl("bgctl", &["start", "--wait", "--name", "first", "--", "echo", "it works"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ran = bgctl("bg", &["logs", "first"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "it works\n"), "{}", ran.err);
    until("no process is left", || user.processes().is_empty());
}

#[test]
fn cargo_install_puts_both_names_on_the_path() {
    let mut names: Vec<String> = std::fs::read_dir(installed().join("bin"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["bg", "bgctl"]);
    works(&User::new(), &installed().join("bin"));
}

#[test]
#[cfg(target_os = "linux")]
fn what_is_installed_needs_no_library() {
    // PT_INTERP (3) names the dynamic loader; a static program has none (`elf(5)`).
    let bytes = std::fs::read(installed().join("bin/bgctl")).unwrap();
    let number = |place: usize, size: usize| {
        bytes[place..place + size].iter().rev().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte))
    };
    let (table, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    assert!(count > 0 && (0..count).all(|place| number(table + place * size, 4) != 3));
}

/// A program of this machine, where a user of these tests finds it, or of this project's tools.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(project(TOOLS)).chain(std::env::split_paths(&path));
    let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        crate::support::skipped(&format!("{name} is not installed"));
    }
    found
}

/// The package, made of the programs that are installed already: a release build takes minutes and packs the same names.
fn package(user: &User) -> Option<PathBuf> {
    let cargo_deb = program("cargo-deb")?;
    let rustc = Path::new(env!("CARGO")).with_file_name("rustc");
    let host = run(Command::new(rustc).args(["--print", "host-tuple"]));
    let host = host.out.trim();
    let built = user.path("target").join(host).join("release");
    std::fs::create_dir_all(&built).unwrap();
    for name in ["bgctl", "bg"] {
        std::fs::copy(installed().join("bin").join(name), built.join(name)).unwrap();
    }
    let package = user.path("bgctl.deb");
    let ran = run(Command::new(cargo_deb)
        .args([
            "deb",
            "--no-build",
            "--no-strip",
            "--fast",
            "--locked",
            "--offline",
            "--target",
            host,
            "--output",
        ])
        .arg(&package)
        .env("CARGO_TARGET_DIR", user.path("target"))
        .current_dir(project("")));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!ran.err.contains("warning"), "{}", ran.err);
    Some(package)
}

/// `dpkg` on a machine of the test's own: a folder with a database.
fn dpkg(root: &Path, arguments: &[&str], package: &Path) -> Ran {
    for folder in ["var/lib/dpkg/updates", "var/lib/dpkg/info", "var/lib/dpkg/triggers"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    let status = root.join("var/lib/dpkg/status");
    if !status.exists() {
        std::fs::write(status, "").unwrap();
    }
    // Files in a package belong to root, which only root can make them do; fakeroot pretends.
    let mut command = if rustix::process::geteuid().is_root() {
        Command::new("dpkg")
    } else {
        let mut command = Command::new("fakeroot");
        command.args(["dpkg", "--force-not-root"]);
        command
    };
    command.arg(format!("--root={}", root.display())).arg(format!("--log={}/log", root.display()));
    run(command
        .args(arguments)
        .arg(package)
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"))
}

/// What a package puts into its place, sorted.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
    found.sort();
}

#[test]
fn a_debian_package_is_installed_and_removed_without_a_trace() {
    let needed = ["dpkg", "dpkg-deb"].map(program);
    let has_root = rustix::process::geteuid().is_root() || program("fakeroot").is_some();
    if needed.iter().any(Option::is_none) || !has_root {
        return;
    }
    let user = User::new();
    let Some(package) = package(&user) else { return };

    let depends = run(Command::new("dpkg-deb").arg("--field").arg(&package).arg("Depends"));
    assert_eq!((depends.code, depends.out.trim()), (0, ""), "it needs no other package");

    let root = user.path("machine");
    let ran = dpkg(&root, &["--install"], &package);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    works(&user, &root.join("usr/bin"));
    let mut there = Vec::new();
    files(&root.join("usr"), &mut there);
    let names: Vec<&str> =
        there.iter().map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap()).collect();
    for wanted in [
        "usr/bin/bg",
        "usr/bin/bgctl",
        "usr/share/bash-completion/completions/bgctl",
        "usr/share/doc/bgctl/README.md",
        "usr/share/doc/bgctl/changelog.gz",
        "usr/share/doc/bgctl/copyright",
        "usr/share/elvish/lib/bgctl.elv",
        "usr/share/fish/vendor_completions.d/bgctl.fish",
        "usr/share/man/man1/bg.1.gz",
        "usr/share/man/man1/bgctl.1.gz",
        "usr/share/zsh/vendor-completions/_bgctl",
    ] {
        assert!(names.contains(&wanted), "{wanted} is missing: {names:#?}");
    }
    for (name, ..) in bgctl::cli::args::SUBCOMMANDS {
        let page = format!("usr/share/man/man1/bgctl-{name}.1.gz");
        assert!(names.contains(&page.as_str()), "{page} is missing");
    }

    let ran = dpkg(&root, &["--purge"], Path::new("bgctl"));
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let mut left = Vec::new();
    if root.join("usr").exists() {
        files(&root.join("usr"), &mut left);
    }
    assert_eq!(left, [""; 0].map(PathBuf::from));
}
