//! The house: a file uses only floors below its own.

use std::path::{Path, PathBuf};

/// From the ground up.
const FLOORS: [&str; 10] = ["model", "plan", "os", "store", "exec", "github", "pass", "ops", "render", "cli"];

/// Uses across floors that are wanted although the upper floor is named: none.
const EXCEPTIONS: [(&str, &str); 0] = [];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    files(&src, &mut paths);
    paths
        .iter()
        .map(|path| {
            let name = path.strip_prefix(&src).unwrap().display().to_string();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

fn rank(floor: &str) -> Option<usize> {
    FLOORS.iter().position(|name| *name == floor)
}

/// The floors a text uses: every `crate::FLOOR`, and each of `use crate::{A, B}`.
fn used(text: &str) -> Vec<String> {
    text.match_indices("crate::")
        .map(|(place, _)| &text[place + "crate::".len()..])
        .flat_map(|rest| {
            let word = |text: &str| {
                text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
            };
            match rest.strip_prefix('{') {
                Some(group) => group.split(['{', ',', '\n', '}']).map(|part| word(part.trim())).collect(),
                None => vec![word(rest)],
            }
        })
        .filter(|name| rank(name).is_some())
        .collect()
}

#[test]
fn every_file_uses_only_floors_below_its_own() {
    let mut checked = 0;
    for (name, text) in sources() {
        let Some(own) = name.split('/').next().and_then(rank) else { continue };
        for floor in used(&text) {
            checked += 1;
            let wanted = EXCEPTIONS.contains(&(name.as_str(), floor.as_str()));
            assert!(rank(&floor).unwrap() <= own || wanted, "{name} uses {floor}, a floor above it");
        }
    }
    assert!(checked > 100, "the test sees the uses: {checked}");
}

#[test]
fn every_room_is_a_floor() {
    for (name, _) in sources() {
        let room = name.split('/').next().unwrap();
        assert!(rank(room).is_some() || ["lib.rs", "bin"].contains(&room), "{name} is on no floor");
    }
}

#[test]
fn unsafe_code_lives_in_os_only() {
    for (name, text) in sources() {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let has = lines.clone().any(|line| line.contains("unsafe {") || line.contains("unsafe fn"));
        assert!(!has || name.starts_with("os/"), "{name} has unsafe code");
    }
}

#[test]
fn files_fit_a_head() {
    const LINES_MAX: usize = 600;
    for (name, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{name} has {lines} lines");
    }
}

/// What `benches/order` found that the commands of every day run through; to be found anew when a library comes or goes.
#[test]
fn no_command_of_every_day_asks_the_processor_what_it_can_do() {
    let order = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/order.txt");
    let order = std::fs::read_to_string(order).unwrap();
    assert!(order.lines().any(|name| name.contains("xxhash_rust")), "it is of another program");
    let asks = |name: &&str| ["std_detect", "cpuid"].iter().any(|word| name.contains(word));
    assert_eq!(order.lines().filter(asks).collect::<Vec<_>>(), [""; 0], "docs/decisions/0021");
}
