//! The unit for systemd's user manager: a service that is the supervisor in the foreground.
//!
//! A service rather than a timer that ticks: it is there within a moment of a crash, it reacts at once, systemd sees by its
//! signs of life that it is well, and nobody needs an alarm beside it.

use super::text;
use crate::ops::fault::Fault;
use crate::store::root::locate;
use sha2::{Digest, Sha256};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The first line: by it a unit that was written here is known.
pub const MARK: &str = "# Made by bgctl init systemd; --install makes it anew, --uninstall removes it.";

/// How much of the hash of a root's path tells its unit from others.
const HASH_BYTES: usize = 4;

/// The name of a root's unit: one for the usual root of this user, and one of its own for each other.
pub fn name(root: &Path) -> String {
    let without_own = |name: &str| if name == "BG_HOME" { None } else { std::env::var_os(name) };
    let usual = locate(without_own, Path::new("/"));
    if usual.is_ok_and(|(usual, _)| usual == root) {
        return "bgctl.service".to_owned();
    }
    let hash = Sha256::digest(root.as_os_str().as_bytes());
    let hash: String = hash.iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}")).collect();
    format!("bgctl-{hash}.service")
}

/// The unit's text.
pub fn text_of(program: &Path, root: &Path) -> Result<String, Fault> {
    let described = text(root)?.replace('%', "%%");
    let (home, program) = (quote(&format!("BG_HOME={}", text(root)?)), quote(text(program)?));
    Ok(format!(
        "{MARK}
[Unit]
Description=Background jobs of {described}

[Service]
Type=notify
Environment={home}
ExecStart={program} tick --loop --report failures
ExecReload=/bin/kill -HUP $MAINPID
# The jobs and their watchers go on when the supervisor is stopped or started anew.
KillMode=process
OOMPolicy=continue
Restart=always
RestartSec=10
WatchdogSec=120

[Install]
WantedBy=default.target
"
    ))
}

/// In double quotes, backslashes and quotes are escaped (`systemd.syntax(7)`), and a percent sign is written twice
/// (`systemd.unit(5)`).
fn quote(text: &str) -> String {
    let escaped = text.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_paths_are_quoted_for_systemd() {
        let unit = text_of(Path::new(r#"/a b/"it" 100%\x"#), Path::new("/h o%me")).unwrap();
        assert!(unit.contains(r#"ExecStart="/a b/\"it\" 100%%\\x" tick --loop"#), "{unit}");
        assert!(unit.contains(r#"Environment="BG_HOME=/h o%%me""#), "{unit}");
        assert!(text_of(Path::new("/a\nb"), Path::new("/h")).is_err());
    }
}
