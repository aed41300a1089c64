//! A folder that was checked once and is then used by its handle, so that nobody can swap it in between.

mod change;
mod turns;

use super::trust::{no_file, no_folder, own_user, regular, trusted};
use super::uninterrupted::{open, openat};
#[cfg(not(target_os = "linux"))]
use rustix::fs::chmodat;
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, RawMode, Stat, fchmod, fstat, mkdirat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

const FOLDER_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const FILE_FLAGS: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NOCTTY);
const FOLDER_MODE: Mode = Mode::RWXU;
const OTHERS: Mode = Mode::RWXG.union(Mode::RWXO);
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// How often a name is looked up again whose file is being written ([`turns`]): far more often than can be needed.
const LEASED_TRIES_MAX: usize = 1_000;

/// Why a folder is not used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A symbolic link where the folder should be.
    #[error("{} is a symbolic link; move the folder there, or set BG_HOME to where it points", .0.display())]
    Link(PathBuf),
    /// Somebody else's.
    #[error("{} belongs to user {owner}, not to you (user {you}); set BG_HOME to a folder of yours", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Its owner's number.
        owner: u32,
        /// Our number.
        you: u32,
    },
    /// Readable or writable by others.
    #[error("{} is open to others (mode {mode:03o}); mend it with: chmod 700 {}", path.display(), path.display())]
    Open {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: Mode,
    },
    /// Something that is not a folder.
    #[error("{} is not a folder", .0.display())]
    NotAFolder(PathBuf),
    /// A folder in there that is none of ours.
    #[error("{} {why}", path.display())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// What it is instead.
        why: String,
    },
    /// The system refused.
    #[error("could not {doing} {}: {error}", path.display())]
    System {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
}

/// An open folder, private to its user.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    path: PathBuf,
    is_new: bool,
    is_synced: AtomicBool,
}

/// What a file system has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes.
    pub free_bytes: u64,
    /// Whether another file can be made.
    pub has_free_inodes: bool,
}

impl Folder {
    /// Opens a folder and checks that it is private to this user. `None`: there is none.
    pub fn open(path: &Path) -> Result<Option<Self>, FolderError> {
        match open(path, FOLDER_FLAGS, Mode::empty()) {
            Ok(fd) => {
                let (path, is_synced) = (path.to_owned(), AtomicBool::new(true));
                Self { fd, path, is_new: false, is_synced }.checked().map(Some)
            }
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP) => Err(FolderError::Link(path.to_owned())),
            // With O_DIRECTORY, a symbolic link may be reported as not a folder.
            Err(Errno::NOTDIR) if path.is_symlink() => Err(FolderError::Link(path.to_owned())),
            Err(Errno::NOTDIR) => Err(FolderError::NotAFolder(path.to_owned())),
            Err(Errno::ACCESS) => {
                Err(Self::foreign(path).unwrap_or_else(|| system("open", path, Errno::ACCESS)))
            }
            Err(error) => Err(system("open", path, error)),
        }
    }

    /// Opens a folder, making it and its parents where they are missing.
    pub fn open_or_create(path: &Path) -> Result<Self, FolderError> {
        if let Some(folder) = Self::open(path)? {
            return Ok(folder);
        }
        if let Some(parent) = path.parent() {
            create_above(parent).map_err(|error| FolderError::System {
                doing: "create",
                path: parent.to_owned(),
                error,
            })?;
        }
        match rustix::fs::mkdir(path, FOLDER_MODE) {
            Ok(()) => usable_folder(rustix::fs::CWD, path),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(system("create", path, error)),
        }
        make_name_durable(path);
        Self::open(path)?.ok_or_else(|| system("open", path, Errno::NOENT))
    }

    /// A folder that cannot even be opened, because it belongs to somebody else and is closed to others.
    fn foreign(path: &Path) -> Option<FolderError> {
        let owner = rustix::fs::lstat(path).ok()?.st_uid;
        let you = own_user();
        (owner != you).then(|| FolderError::Foreign { path: path.to_owned(), owner, you })
    }

    fn checked(self) -> Result<Self, FolderError> {
        let stat = fstat(&self.fd).map_err(|error| system("look at", &self.path, error))?;
        let you = own_user();
        if stat.st_uid != you {
            return Err(FolderError::Foreign { path: self.path, owner: stat.st_uid, you });
        }
        let mode = Mode::from_raw_mode(stat.st_mode) & (Mode::RWXU | OTHERS);
        if mode.intersects(OTHERS) {
            return Err(FolderError::Open { path: self.path, mode });
        }
        Ok(self)
    }

    /// A folder inside this one; `None` where it is missing and not to be made.
    pub fn subfolder(&self, name: &str, create: bool) -> io::Result<Option<Self>> {
        let open = || openat(&self.fd, name, FOLDER_FLAGS, Mode::empty());
        let mut is_new = false;
        let fd = match open() {
            Err(Errno::NOENT) if create => {
                match mkdirat(&self.fd, name, FOLDER_MODE) {
                    Ok(()) => {
                        is_new = true;
                        usable_folder(self.as_fd(), Path::new(name));
                    }
                    Err(Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                }
                open().map_err(no_folder)?
            }
            Err(Errno::NOENT) => return Ok(None),
            other => other.map_err(no_folder)?,
        };
        trusted(&fstat(&fd)?)?;
        Ok(Some(Self {
            fd,
            path: self.path.join(name),
            is_new,
            is_synced: AtomicBool::new(self.is_synced()),
        }))
    }

    /// Whether this process made it inside another folder, which has to be synced for its name to survive a power cut.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Where it was when it was opened; for messages, and for programs that take a path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a file to read; `None` where it is missing.
    pub fn open_file(&self, name: &str) -> io::Result<Option<File>> {
        // O_NONBLOCK: a FIFO that somebody put there must not hold us.
        let flags = FILE_FLAGS | OFlags::RDONLY | OFlags::NONBLOCK;
        let mut opened = openat(&self.fd, name, flags, Mode::empty());
        for _ in 0..LEASED_TRIES_MAX {
            if opened.as_ref().err() != Some(&Errno::AGAIN) {
                break;
            }
            // Between the look at its name and this, the file has lost it ([`turns`]): another one has it now.
            std::thread::yield_now();
            opened = openat(&self.fd, name, flags, Mode::empty());
        }
        match opened {
            Ok(fd) => {
                regular(&fstat(&fd)?)?;
                Ok(Some(File::from(fd)))
            }
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(no_file(error)),
        }
    }

    /// Reads a whole file of at most `bytes_max`; `None` where it is missing.
    pub fn read(&self, name: &str, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
        self.open_file(name)?.map(|file| read_whole(&file, bytes_max)).transpose()
    }

    /// Whether somebody removed the folder: it is open here, and nobody can reach it any more.
    pub fn is_removed(&self) -> bool {
        fstat(&self.fd).is_ok_and(|data| data.st_nlink == 0)
    }

    /// Opens a file to read and write, making it where it is missing; writes go to its end if `append`.
    pub fn open_or_create_file(&self, name: &str, append: bool) -> io::Result<File> {
        let mut flags = FILE_FLAGS | OFlags::RDWR | OFlags::CREATE | OFlags::NONBLOCK;
        if append {
            flags |= OFlags::APPEND;
        }
        let fd = openat(&self.fd, name, flags, FILE_MODE).map_err(no_file)?;
        let stat = fstat(&fd)?;
        regular(&stat)?;
        Ok(usable(fd, stat.st_mode))
    }

    /// Makes an empty file where there is none, and marks it as modified now.
    pub fn touch(&self, name: &str) -> io::Result<()> {
        self.open_or_create_file(name, false)?.set_modified(SystemTime::now())
    }

    /// When a file was last modified; `None`: it is not there.
    pub fn modified(&self, name: &str) -> io::Result<Option<SystemTime>> {
        self.open_file(name)?.map(|file| file.metadata()?.modified()).transpose()
    }

    /// Opens a file for a job's output: it appends, and only that. Without `O_NONBLOCK`, which a job must not see, once it
    /// is known to be a file.
    pub fn open_for_output(&self, name: &str) -> io::Result<File> {
        let flags = FILE_FLAGS | OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::NONBLOCK;
        let fd = openat(&self.fd, name, flags, FILE_MODE).map_err(no_file)?;
        let stat = fstat(&fd)?;
        regular(&stat)?;
        rustix::fs::fcntl_setfl(&fd, OFlags::APPEND)?;
        Ok(usable(fd, stat.st_mode))
    }

    /// Makes a file that is not there yet.
    pub fn create_file(&self, name: &str) -> io::Result<File> {
        let flags = FILE_FLAGS | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let fd = openat(&self.fd, name, flags, FILE_MODE)?;
        let mode = fstat(&fd)?.st_mode;
        Ok(usable(fd, mode))
    }

    /// Makes a named pipe in the place of one that may be there. Gives its reading end, which waits as one expects of a
    /// pipe, and one of its writing ends, which never does.
    pub fn make_pipe(&self, name: &str) -> io::Result<(File, OwnedFd)> {
        self.remove(name)?;
        named_pipe::make(&self.fd, &self.path, name, FILE_MODE)?;
        // An odd umask must not make a pipe that its owner cannot use.
        change_mode(self.as_fd(), Path::new(name), FILE_MODE)?;
        // Opened first, and without waiting for a writer: a writing end is only to be had where there is a reader.
        let flags = FILE_FLAGS | OFlags::RDONLY | OFlags::NONBLOCK;
        let reader = openat(&self.fd, name, flags, Mode::empty())?;
        let writer = self.open_pipe(name)?.ok_or(io::ErrorKind::NotFound)?;
        rustix::fs::fcntl_setfl(&reader, OFlags::empty())?;
        Ok((File::from(reader), writer))
    }

    /// Opens a named pipe to write, without ever waiting; `None` where it is missing. Where nobody reads it, that is
    /// `BrokenPipe`.
    pub fn open_pipe(&self, name: &str) -> io::Result<Option<OwnedFd>> {
        match openat(&self.fd, name, FILE_FLAGS | OFlags::WRONLY | OFlags::NONBLOCK, Mode::empty()) {
            Ok(fd) => {
                let stat = fstat(&fd)?;
                if FileType::from_raw_mode(stat.st_mode) != FileType::Fifo {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "is not a pipe"));
                }
                trusted(&stat)?;
                Ok(Some(fd))
            }
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::NXIO) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(error) => Err(no_file(error)),
        }
    }

    /// Whether a name is there.
    pub fn has(&self, name: &str) -> io::Result<bool> {
        match rustix::fs::accessat(&self.fd, name, rustix::fs::Access::EXISTS, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// How long a file is, in bytes; `None` where it is missing.
    pub fn size(&self, name: &str) -> io::Result<Option<u64>> {
        match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(u64::try_from(stat.st_size).ok()),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The space that a file takes on the disk; 0 where it is missing.
    pub fn allocated_bytes(&self, name: &str) -> io::Result<u64> {
        /// The unit of `st_blocks` (`stat(2)`).
        const UNIT_BYTES: u64 = 512;
        match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(u64::try_from(stat.st_blocks).unwrap_or(0) * UNIT_BYTES),
            Err(Errno::NOENT) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// What the file system of this folder has left for this user.
    pub fn space(&self) -> io::Result<Space> {
        let told = rustix::fs::fstatvfs(&self.fd)?;
        Ok(Space {
            free_bytes: told.f_bavail.saturating_mul(told.f_frsize),
            // Some file systems make them as they are needed, and count none.
            has_free_inodes: told.f_files == 0 || told.f_favail > 0,
        })
    }

    /// Whether its file system has no room for another file of this user. What quotas and others take meanwhile is not seen.
    pub fn is_full(&self) -> io::Result<bool> {
        let told = rustix::fs::fstatvfs(&self.fd)?;
        // What is reserved is there for the superuser.
        let is_without_reserve = own_user() != 0;
        Ok(told.f_bfree == 0
            || (told.f_files > 0 && told.f_ffree == 0)
            || (is_without_reserve && (told.f_bavail == 0 || (told.f_files > 0 && told.f_favail == 0))))
    }

    /// Gives a file another name in this folder.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(renameat(&self.fd, from, &self.fd, to)?)
    }

    /// Removes a file; `false` where it was not there.
    pub fn remove(&self, name: &str) -> io::Result<bool> {
        match unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// A file of this folder without a name, which is gone when it is closed (`O_TMPFILE`). `None`: there is no such thing
    /// here.
    pub fn unnamed_file(&self) -> io::Result<Option<File>> {
        unnamed::open(&self.fd, FILE_MODE)
    }

    /// What is in this folder, as it stands there: a link is not followed.
    pub fn looks(&self) -> io::Result<Vec<Look>> {
        let mut looks = Vec::new();
        for name in self.names()? {
            match statat(&self.fd, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => looks.push(Look {
                    name,
                    kind: FileType::from_raw_mode(stat.st_mode),
                    mode: (Mode::from_raw_mode(stat.st_mode) & (Mode::RWXU | OTHERS)).as_raw_mode(),
                    owner: stat.st_uid,
                    modified_seconds: stat.st_mtime,
                }),
                Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(looks)
    }

    /// Takes from others what they may do with a file or folder in here, and gives its owner what he needs. No link is
    /// followed, and what has become somebody else's meanwhile is left alone.
    pub fn close_to_others(&self, look: &Look) -> io::Result<()> {
        let mode = if look.kind == FileType::Directory { FOLDER_MODE } else { FILE_MODE };
        change_mode(self.as_fd(), Path::new(&look.name), mode)
    }

    /// The names in this folder.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::new(openat(&self.fd, ".", FOLDER_FLAGS, Mode::empty())?)? {
            let name = entry?.file_name().to_bytes().to_owned();
            if name != b"." && name != b".." {
                names.push(std::ffi::OsStr::from_bytes(&name).to_owned());
            }
        }
        Ok(names)
    }

    /// A path to this very folder, whatever its name has become, where the system has such a thing.
    pub fn lasting_path(&self) -> PathBuf {
        if cfg!(target_os = "linux") {
            PathBuf::from(format!("/proc/self/fd/{}", self.fd.as_raw_fd()))
        } else {
            self.path.clone()
        }
    }
}

/// So much more finds room behind what was read without all being moved.
pub const SPARE_BYTES: usize = 8 * 1024;

/// Reads a whole file of at most `bytes_max`, from where it stands.
pub fn read_whole(mut file: &File, bytes_max: u64) -> io::Result<Vec<u8>> {
    let size = file.metadata()?.len();
    if size > bytes_max {
        let text = format!("is {size} bytes long, more than the {bytes_max} that are read");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    // With room for more, a file that does not grow meanwhile is read in one call.
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + SPARE_BYTES);
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Makes the folders above a new one where they are missing.
fn create_above(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    path.parent().map_or(Ok(()), create_above)?;
    match std::fs::create_dir(path) {
        Ok(()) => make_name_durable(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// A new name must survive a power cut, or a job that was promised is in a folder that is not there. Where that cannot be
/// done, as in a folder that may be entered but not read, it is left to the system.
fn make_name_durable(path: &Path) {
    if let Some(parent) = path.parent().and_then(|parent| File::open(parent).ok()) {
        let _ = parent.sync_all();
    }
}

/// Takes from others what they may do with a folder of ours, and gives us what we need. Not for a link.
pub fn close_folder_to_others(path: &Path) -> io::Result<()> {
    // O_PATH would not do: fchmod(2) refuses it.
    let fd = open(path, FOLDER_FLAGS, Mode::empty())?;
    if fstat(&fd)?.st_uid != own_user() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(fchmod(&fd, FOLDER_MODE)?)
}

/// Something in a folder, as it stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Its name.
    pub name: OsString,
    /// What it is.
    pub kind: FileType,
    /// Its permission bits.
    pub mode: RawMode,
    /// Its owner's number.
    pub owner: u32,
    /// When it was changed last, seconds since 1970.
    pub modified_seconds: i64,
}

impl Look {
    /// Whether others than its owner may do anything with it.
    pub fn is_open_to_others(&self) -> bool {
        Mode::from_raw_mode(self.mode).intersects(OTHERS)
    }

    /// Whether it is ours.
    pub fn is_ours(&self) -> bool {
        self.owner == own_user()
    }

    /// Whether it is a symbolic link.
    pub fn is_link(&self) -> bool {
        self.kind == FileType::Symlink
    }
}

#[cfg(target_os = "linux")]
mod unnamed {
    use super::{Errno, File, Mode, OFlags, OwnedFd, io, openat};

    pub fn open(folder: &OwnedFd, mode: Mode) -> io::Result<Option<File>> {
        match openat(folder, ".", OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, mode) {
            Ok(fd) => Ok(Some(File::from(fd))),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod unnamed {
    use super::{File, Mode, OwnedFd, io};

    pub fn open(_folder: &OwnedFd, _mode: Mode) -> io::Result<Option<File>> {
        Ok(None)
    }
}

#[cfg(not(target_vendor = "apple"))]
mod named_pipe {
    use super::{Mode, OwnedFd, Path, io};

    pub fn make(folder: &OwnedFd, _path: &Path, name: &str, mode: Mode) -> io::Result<()> {
        Ok(rustix::fs::mkfifoat(folder, name, mode)?)
    }
}

/// The call that takes a folder's handle came late there (macOS 13).
#[cfg(target_vendor = "apple")]
#[expect(unsafe_code, reason = "mkfifo is in no safe library there")]
mod named_pipe {
    use super::{Mode, OsStrExt, OwnedFd, Path, io};

    pub fn make(_folder: &OwnedFd, path: &Path, name: &str, mode: Mode) -> io::Result<()> {
        let path = std::ffi::CString::new(path.join(name).as_os_str().as_bytes())?;
        // SAFETY: the path ends with a NUL and lives until the call returns.
        if unsafe { libc::mkfifo(path.as_ptr(), mode.as_raw_mode()) } == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// An odd umask must not make a folder that its owner cannot use. It may have become another's since it was made.
fn usable_folder(at: BorrowedFd<'_>, name: &Path) {
    let _ = change_mode(at, name, FOLDER_MODE);
}

/// Gives what is ours another mode. The name may have become another's since it was looked at: no link is followed, and what
/// belongs to somebody else is left alone.
fn change_mode(at: BorrowedFd<'_>, name: &Path, mode: Mode) -> io::Result<()> {
    // The file itself may not be opened without its owner's rights, but a handle of its place may be had.
    #[cfg(target_os = "linux")]
    {
        let fd = openat(at, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        ours(&fstat(&fd)?)?;
        rustix::fs::chmod(format!("/proc/self/fd/{}", fd.as_raw_fd()), mode)?;
    }
    #[cfg(not(target_os = "linux"))]
    {
        ours(&statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?)?;
        chmodat(at, name, mode, AtFlags::SYMLINK_NOFOLLOW)?;
    }
    Ok(())
}

/// Refuses links, and what belongs to somebody else.
fn ours(stat: &Stat) -> io::Result<()> {
    let is_ours = stat.st_uid == own_user() && FileType::from_raw_mode(stat.st_mode) != FileType::Symlink;
    if is_ours { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

/// An odd umask must not make a file that its owner cannot use.
fn usable(fd: OwnedFd, mode: RawMode) -> File {
    if !Mode::from_raw_mode(mode).contains(FILE_MODE) {
        let _ = fchmod(&fd, FILE_MODE);
    }
    File::from(fd)
}

fn system(doing: &'static str, path: &Path, error: Errno) -> FolderError {
    FolderError::System { doing, path: path.to_owned(), error: error.into() }
}

#[cfg(test)]
mod tests;
