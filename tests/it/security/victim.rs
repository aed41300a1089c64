//! What must not be touched: a folder with files, and how it was.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// What stands in each of its files, and must be printed nowhere.
pub const CONTENT: &str = "VICTIM-of-somebody\n";

/// A folder that no command may touch, and what was in it.
pub struct Victim {
    pub folder: PathBuf,
    before: BTreeMap<PathBuf, String>,
}

impl Victim {
    /// A folder with a file that others may read.
    pub fn new(folder: PathBuf) -> Self {
        Self::with(folder, |_| {})
    }

    /// The same with what `add` puts there.
    pub fn with(folder: PathBuf, add: impl FnOnce(&Path)) -> Self {
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("file"), CONTENT).unwrap();
        std::fs::set_permissions(folder.join("file"), std::fs::Permissions::from_mode(0o644)).unwrap();
        add(&folder);
        let before = looks(&folder);
        Self { folder, before }
    }

    /// Its file.
    pub fn file(&self) -> PathBuf {
        self.folder.join("file")
    }

    /// What is otherwise than it was, a line each.
    pub fn changes(&self) -> Vec<String> {
        let now = looks(&self.folder);
        let mut changes = Vec::new();
        for name in self.before.keys().chain(now.keys()).collect::<std::collections::BTreeSet<_>>() {
            let (was, is) = (self.before.get(name), now.get(name));
            if was != is {
                changes.push(format!("{}: was {was:?}, is {is:?}", name.display()));
            }
        }
        changes
    }
}

/// Everything of a tree that a command could change: kinds, modes, owners, times of change, contents. The number of a file's
/// names is left out, because a test may give it one more.
fn looks(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        let data = path.symlink_metadata().unwrap();
        let content = if data.is_file() {
            String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned()
        } else {
            String::new()
        };
        let look = format!("{:o} {} {} {content}", data.mode(), data.uid(), data.mtime_nsec());
        found.insert(path.strip_prefix(folder).unwrap().to_owned(), look);
        if data.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    found
}

#[test]
fn a_victim_tells_every_change() {
    type Harm = fn(&Path);
    let dir = tempfile::tempdir().unwrap();
    let harms: [Harm; 6] = [
        |path| std::fs::write(path.join("file"), "x").unwrap(),
        |path| std::fs::remove_file(path.join("file")).unwrap(),
        |path| std::fs::write(path.join("new"), "").unwrap(),
        |path| {
            let closed = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(path.join("file"), closed).unwrap();
        },
        |path| symlink("file", path.join("link")).unwrap(),
        |path| {
            let file = std::fs::File::options().append(true).open(path.join("file")).unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        },
    ];
    for (number, harm) in harms.iter().enumerate() {
        let victim = Victim::new(dir.path().join(number.to_string()));
        assert!(victim.changes().is_empty());
        harm(&victim.folder);
        assert!(!victim.changes().is_empty(), "{number}");
    }
}
