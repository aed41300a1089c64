//! Two files that take turns at one name: what comes next is written to the one that stood there before the last change, and
//! then the two exchange their names (`renameat2(2)`, `RENAME_EXCHANGE`). No file is created, and none goes.
//!
//! Only a file that nobody can miss is written to. Who has it open keeps what he opened: then another one is made. And what a power
//! cut may bring back is left as it is, until the folder was synced: which files that holds for, their time of change says ([`FREE`]).

use super::{FILE_FLAGS, FILE_MODE, Folder};
use crate::os::lease::Lease;
use crate::os::trust::{own_user, regular};
use crate::os::uninterrupted::openat;
use rustix::fs::{Mode, OFlags, Stat, Timespec, Timestamps, UTIME_OMIT, fstat, futimens, renameat};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The time of change, in seconds, of a file that no power cut brings back to the name it had: long before there was this program.
/// Whoever writes to it changes that.
const FREE: i64 = 1_234_567_890;

impl Folder {
    /// Puts a file's new content in its place in one step, like [`Folder::replace_and_open`], and leaves what stood there, which is
    /// `former`, at `temporary`. What is at `temporary` is written to where that harms nobody, and else made anew.
    ///
    /// Only one process may do this at a time. Until it has happened, a failure leaves `name` as it was.
    pub fn exchange(&self, name: &str, temporary: &str, content: &[u8], former: &File) -> io::Result<File> {
        let overwritten = self.open_unneeded(temporary, former).and_then(|file| {
            let lease = Lease::take(&file)?;
            let written = overwrite(&file, content).and_then(|()| self.sync_file(&file));
            // Whoever waits to open it reads what is whole.
            drop(lease);
            Some(written.map(|()| file))
        });
        let put = overwritten.unwrap_or_else(|| self.write_new(temporary, content, true)).and_then(|file| {
            exchange(self, temporary, name)?;
            Ok(file)
        });
        if put.is_err() {
            let _ = self.remove(temporary);
        }
        put
    }

    /// Lets the file be written to that [`Folder::exchange`] has put aside: the folder was synced since.
    pub fn free(&self, former: &File) {
        if self.is_synced() {
            let as_it_is = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
            let free = Timespec { tv_sec: FREE, tv_nsec: 0 };
            // Where that fails, another one is made the next time.
            let _ = futimens(former, &Timestamps { last_access: as_it_is, last_modification: free });
        }
    }

    /// The file of that name, open to write, if it is ours alone and not needed any more.
    fn open_unneeded(&self, name: &str, former: &File) -> Option<File> {
        let flags = FILE_FLAGS | OFlags::WRONLY | OFlags::NONBLOCK;
        let fd = openat(&self.fd, name, flags, Mode::empty()).ok()?;
        let stat = fstat(&fd).ok()?;
        let is_unneeded = regular(&stat).is_ok()
            && stat.st_uid == own_user()
            && stat.st_nlink == 1
            && Mode::from_raw_mode(stat.st_mode) == FILE_MODE
            // Without a journal, a power cut may leave one file with both names, and the count of them wrong.
            && !is_same(&stat, &fstat(former).ok()?)
            && (!self.is_synced() || (stat.st_mtime, stat.st_mtime_nsec) == (FREE, 0));
        is_unneeded.then(|| File::from(fd))
    }
}

fn overwrite(file: &File, content: &[u8]) -> io::Result<()> {
    let length = content.len() as u64;
    file.write_all_at(content, 0)?;
    if file.metadata()?.len() > length { file.set_len(length) } else { Ok(()) }
}

fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

/// Exchanges two names; where the file system cannot do that, or the second one has gone, the first one becomes the second.
fn exchange(folder: &Folder, one: &str, other: &str) -> rustix::io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(&folder.fd, one, &folder.fd, other, RenameFlags::EXCHANGE) {
            Err(Errno::NOENT | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            done => return done,
        }
    }
    renameat(&folder.fd, one, &folder.fd, other)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use rustix::fs::open;
    use std::fs::{hard_link, read_to_string, write};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::path::PathBuf;

    struct Scene {
        dir: tempfile::TempDir,
        folder: Folder,
        standing: File,
    }

    impl Scene {
        /// `name` has been exchanged once, and what is at `spare` is freed.
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let folder = Folder::open_or_create(&dir.path().join("root")).unwrap();
            let standing = folder.replace_and_open("name", "spare", b"first", true).unwrap();
            let mut scene = Self { dir, folder, standing };
            scene.put("second, and longer");
            scene
        }

        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join("root").join(name)
        }

        /// Puts it there, and frees what stood there; gives whether what was at `spare` was written over.
        fn put(&mut self, content: &str) -> bool {
            let former = read_to_string(self.path("name")).unwrap();
            // Its number goes to no other file meanwhile; and this opens nothing of it.
            // Not by the standard library, which drops the flag where the C library counts it among the ways of access (musl).
            let path_only =
                |path: PathBuf| open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map(File::from);
            let spare = path_only(self.path("spare")).ok();
            let put = self.folder.exchange("name", "spare", content.as_bytes(), &self.standing).unwrap();
            assert_eq!(read_to_string(self.path("name")).unwrap(), content);
            assert_eq!(read_to_string(self.path("spare")).unwrap(), former);
            self.folder.sync().unwrap();
            self.folder.free(&self.standing);
            self.standing = put;
            let inode = |file: &File| file.metadata().unwrap().ino();
            let named = path_only(self.path("name")).unwrap();
            assert_eq!(inode(&named), inode(&self.standing));
            spare.is_some_and(|spare| inode(&spare) == inode(&named))
        }
    }

    #[test]
    fn two_files_take_turns_whatever_the_length() {
        let mut scene = Scene::new();
        for content in ["", "a", "longer than the one before", "short", "short"] {
            assert!(scene.put(content), "{content}");
        }
        assert_eq!(scene.folder.names().unwrap().len(), 2);
    }

    #[test]
    fn what_a_power_cut_may_bring_back_is_not_written_to() {
        let mut scene = Scene::new();
        let former = scene.standing.try_clone().unwrap();
        let put = scene.folder.exchange("name", "spare", b"third", &former).unwrap();
        // The folder was not synced, and nothing was freed.
        scene.standing = put;
        assert!(!scene.put("fourth"));
        assert!(scene.put("fifth"));
        // Somebody has written to it since.
        write(scene.path("spare"), "torn").unwrap();
        scene.folder.exchange("name", "spare", b"sixth", &scene.standing).unwrap();
        assert_eq!(read_to_string(scene.path("name")).unwrap(), "sixth");
    }

    #[test]
    fn where_no_power_cut_is_minded_all_is_free() {
        let mut scene = Scene::new();
        scene.folder.set_synced(false);
        assert!(scene.put("third") && scene.put("fourth"));
        write(scene.path("spare"), "a longer one, which somebody has left half written").unwrap();
        let put = scene.folder.exchange("name", "spare", b"fifth", &scene.standing).unwrap();
        assert_eq!(
            (read_to_string(scene.path("name")).unwrap(), put.metadata().unwrap().len()),
            ("fifth".to_owned(), 5)
        );
        scene.standing = put;
        // Nothing of it is marked: the next one who minds takes another file.
        scene.folder.set_synced(true);
        assert!(!scene.put("sixth"));
    }

    #[test]
    fn what_somebody_else_has_or_may_have_stays_as_it_is() {
        let claims: [fn(&Scene) -> Option<File>; 6] = [
            |scene| Some(File::open(scene.path("spare")).unwrap()),
            |scene| Some(File::options().append(true).open(scene.path("spare")).unwrap()),
            |scene| hard_link(scene.path("spare"), scene.path("another")).map(|()| None).unwrap(),
            |scene| {
                let open = std::fs::Permissions::from_mode(0o644);
                std::fs::set_permissions(scene.path("spare"), open).map(|()| None).unwrap()
            },
            |scene| {
                std::fs::rename(scene.path("spare"), scene.path("another")).unwrap();
                symlink("another", scene.path("spare")).map(|()| None).unwrap()
            },
            |scene| std::fs::remove_file(scene.path("spare")).map(|()| None).unwrap(),
        ];
        for (number, claim) in claims.iter().enumerate() {
            let mut scene = Scene::new();
            let claimed = claim(&scene);
            let kept = ["spare", "another"].map(|name| read_to_string(scene.path(name)).ok());
            let put = scene.folder.exchange("name", "spare", b"third", &scene.standing).unwrap();
            scene.standing = put;
            assert_eq!(read_to_string(scene.path("name")).unwrap(), "third", "{number}");
            if let Some(mut file) = claimed {
                use std::io::{Read, Seek};
                let mut text = String::new();
                if file.rewind().and_then(|()| file.read_to_string(&mut text)).is_ok() {
                    assert_eq!(Some(text), kept[0], "{number}");
                }
                assert_eq!(file.metadata().unwrap().nlink(), 0, "{number}");
            }
            assert_eq!(read_to_string(scene.path("another")).ok(), kept[1], "{number}");
        }
    }

    #[test]
    fn one_file_with_both_names_is_not_written_to() {
        let mut scene = Scene::new();
        std::fs::remove_file(scene.path("spare")).unwrap();
        hard_link(scene.path("name"), scene.path("spare")).unwrap();
        assert!(!scene.put("third"));
        assert!(scene.put("fourth"));
    }

    #[test]
    fn where_the_name_has_gone_it_is_given_again() {
        let mut scene = Scene::new();
        std::fs::remove_file(scene.path("name")).unwrap();
        scene.standing = scene.folder.exchange("name", "spare", b"third", &scene.standing).unwrap();
        assert_eq!(read_to_string(scene.path("name")).unwrap(), "third");
        assert!(!scene.path("spare").exists());
        assert!(!scene.put("fourth"));
        assert!(scene.put("fifth"));
    }

    #[test]
    fn what_cannot_be_put_there_leaves_what_stands() {
        let scene = Scene::new();
        std::fs::remove_file(scene.path("spare")).unwrap();
        std::fs::create_dir(scene.path("spare")).unwrap();
        scene.folder.exchange("name", "spare", b"third", &scene.standing).unwrap_err();
        assert_eq!(read_to_string(scene.path("name")).unwrap(), "second, and longer");
    }
}
