//! Lets the linker lay what every start and every watcher runs through side by side (docs/decisions/0017-functions-in-order.md).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// The functions in their order, as `benches/order` finds them.
const ORDER: &str = "benches/order.txt";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={ORDER}");
    let linker = variable("TARGET").to_uppercase().replace('-', "_");
    for name in
        ["RUSTC_LINKER", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", &format!("CARGO_TARGET_{linker}_LINKER")]
    {
        println!("cargo::rerun-if-env-changed={name}");
    }
    // The names in the list are those of this target, and other builds are not for speed.
    if variable("PROFILE") != "release" || variable("TARGET") != "x86_64-unknown-linux-musl" {
        return;
    }
    let order = Path::new(&variable("CARGO_MANIFEST_DIR")).join(ORDER);
    if !order.is_file() {
        return;
    }
    let to_linker =
        [format!("--symbol-ordering-file={}", order.display()), "--no-warn-symbol-ordering".to_owned()];
    // What links may be a compiler that passes them on.
    let to_compiler = to_linker.each_ref().map(|argument| format!("-Wl,{argument}"));
    if let Some(arguments) = [to_compiler, to_linker].into_iter().find(|arguments| can_link_with(arguments)) {
        for argument in arguments {
            println!("cargo::rustc-link-arg-bins={argument}");
        }
    }
}

/// Whether the linker that will be used takes these arguments: not every one does, and which one it is only it can tell.
fn can_link_with(arguments: &[String]) -> bool {
    let folder = PathBuf::from(variable("OUT_DIR"));
    let (source, program) = (folder.join("empty.rs"), folder.join("empty"));
    if fs::write(&source, "fn main() {}\n").is_err() {
        return false;
    }
    let mut command = Command::new(variable("RUSTC"));
    command.arg(source).arg("-o").arg(program).args(["--target", &variable("TARGET")]);
    command.args(variable("CARGO_ENCODED_RUSTFLAGS").split('\x1f').filter(|flag| !flag.is_empty()));
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        command.arg(format!("-Clinker={linker}"));
    }
    command.args(arguments.iter().map(|argument| format!("-Clink-arg={argument}")));
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}
