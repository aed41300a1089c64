//! Who descends from a process, by the kernel's lists of children: what else the machine does costs nothing.

use super::process::{Process, look};
use std::collections::HashSet;
use std::io;

/// The processes below one, ended ones included. `None`: the kernel keeps no such lists.
///
/// They are no snapshot: what comes or goes meanwhile may be missing (`proc_pid_task(5)`, `children`).
pub fn below(pid: i32) -> io::Result<Option<Vec<Process>>> {
    let mut found: Vec<Process> = Vec::new();
    let mut known = HashSet::from([pid]);
    let mut open = vec![pid];
    while let Some(parent) = open.pop() {
        let Some(children) = imp::children(parent)? else { return Ok(None) };
        for child in children.into_iter().filter(|child| known.insert(*child)) {
            // Whoever has the pid now may be another, whose parent is another, too.
            if let Some(process) = look(child)?.filter(|process| process.parent == parent) {
                found.push(process);
                open.push(child);
            }
        }
    }
    Ok(Some(found))
}

#[cfg(target_os = "linux")]
mod imp {
    use std::fs;
    use std::io::{self, ErrorKind};
    use std::path::Path;

    /// The children that the threads of a process made; none of one that is gone.
    pub fn children(pid: i32) -> io::Result<Option<Vec<i32>>> {
        let threads = match fs::read_dir(format!("/proc/{pid}/task")) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(Vec::new())),
            other => other?,
        };
        let mut children = Vec::new();
        for thread in threads {
            let thread = match thread {
                Ok(thread) => thread.path(),
                // It has left while its threads were listed (`proc(5)`).
                Err(_) => break,
            };
            match fs::read_to_string(thread.join("children")) {
                Ok(text) => children.extend(text.split_ascii_whitespace().flat_map(str::parse::<i32>)),
                Err(_) if is_gone(&thread) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(children))
    }

    fn is_gone(thread: &Path) -> bool {
        !thread.exists()
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use std::io;

    pub fn children(_pid: i32) -> io::Result<Option<Vec<i32>>> {
        Ok(None)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::process::{Command, Stdio};

    #[test]
    fn whoever_is_below_is_found_and_nobody_else() {
        let script = "sh -c 'sh -c \"echo \\$PPID \\$\\$; read line\"; :'; :";
        let mut top = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(top.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let mut expected: Vec<i32> = line.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
        let pid = top.id().cast_signed();
        let pids = |of: i32| -> Vec<i32> {
            below(of).unwrap().unwrap().iter().map(|process| process.identity.pid).collect()
        };
        let mut found = pids(pid);
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected);
        // Of all threads of this process, whichever made it.
        assert!(pids(std::process::id().cast_signed()).contains(&pid));
        top.stdin.take().unwrap().write_all(b"\n").unwrap();
        said.read_to_end(&mut Vec::new()).unwrap();
        assert!(top.wait().unwrap().success());
        assert_eq!(pids(pid), [0; 0]);
    }
}
