//! What folders refuse, and what they never touch.

use super::*;
use std::os::unix::fs::PermissionsExt;

fn home() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/root");
    (dir, path)
}

#[test]
fn a_new_folder_is_private() {
    let (_dir, path) = home();
    assert!(Folder::open(&path).unwrap().is_none());
    Folder::open_or_create(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_folder_that_others_can_use_is_refused_with_the_mend() {
    let (_dir, path) = home();
    Folder::open_or_create(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o770)).unwrap();
    assert!(Folder::open(&path).unwrap_err().to_string().contains("chmod 700"));
}

#[test]
fn a_named_pipe_takes_the_place_of_another_and_is_refused_to_writers_once_nobody_reads_it() {
    let (_dir, path) = home();
    let folder = Folder::open_or_create(&path).unwrap();
    assert!(folder.open_pipe("p").unwrap().is_none());
    let (old, _old_writer) = folder.make_pipe("p").unwrap();
    let (mut reader, writer) = folder.make_pipe("p").unwrap();
    drop(old);
    rustix::io::write(folder.open_pipe("p").unwrap().unwrap(), b"text").unwrap();
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "text");
    drop(reader);
    assert_eq!(folder.open_pipe("p").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    std::fs::write(path.join("f"), "").unwrap();
    assert!(folder.open_pipe("f").is_err(), "a file is no pipe");
}

#[test]
fn a_link_in_the_folders_place_is_refused() {
    let (dir, path) = home();
    Folder::open_or_create(&path).unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(Folder::open(&link), Err(FolderError::Link(_))));
}

#[test]
fn replacing_removes_what_a_crash_left_and_follows_no_link() {
    let (_dir, path) = home();
    let folder = Folder::open_or_create(&path).unwrap();
    std::fs::write(path.join("a.tmp"), "half").unwrap();
    folder.replace("a", "a.tmp", b"whole", true).unwrap();
    assert_eq!(folder.read("a", 100).unwrap().unwrap(), b"whole");
    assert_eq!(folder.names().unwrap(), ["a"]);
    std::os::unix::fs::symlink("a", path.join("b")).unwrap();
    assert!(folder.read("b", 100).is_err());
    assert!(folder.read("a", 3).unwrap_err().to_string().contains("5 bytes"));
}
