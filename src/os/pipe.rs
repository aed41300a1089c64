//! Pipes that no executed program inherits.

use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

/// The reading and the writing end of a new pipe, both closed on exec.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    #[cfg(not(target_vendor = "apple"))]
    let ends = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    #[cfg(target_vendor = "apple")]
    let ends = {
        let (read, write) = rustix::pipe::pipe()?;
        for end in [&read, &write] {
            rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC)?;
        }
        (read, write)
    };
    Ok(ends)
}

/// Like [`pipe`], and neither end ever waits.
pub fn pipe_without_waiting() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe()?;
    rustix::io::ioctl_fionbio(&read, true)?;
    rustix::io::ioctl_fionbio(&write, true)?;
    Ok((read, write))
}

/// Something that reads as this text, and then is at its end. Who does not read it holds nobody.
#[cfg(target_os = "linux")]
pub fn filled(text: &str) -> io::Result<OwnedFd> {
    use std::io::{Seek, Write};
    // It needs no folder, which may be full, and holds more than a pipe does.
    let fd = rustix::fs::memfd_create("event", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = std::fs::File::from(fd);
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file.into())
}

/// Something that reads as this text, and then is at its end. Who does not read it holds nobody.
#[cfg(not(target_os = "linux"))]
pub fn filled(text: &str) -> io::Result<OwnedFd> {
    use std::io::Write;
    let (read, write) = pipe()?;
    let text = text.to_owned();
    std::thread::spawn(move || std::fs::File::from(write).write_all(text.as_bytes()));
    Ok(read)
}

/// A pipe's writing end, to be polled: it becomes readable once nobody reads the pipe any more (`poll(2)`, POLLERR).
/// `None` for anything else, where being readable means something else.
pub fn reader_gone(output: BorrowedFd<'_>) -> Option<BorrowedFd<'_>> {
    let is_pipe = FileType::from_raw_mode(fstat(output).ok()?.st_mode) == FileType::Fifo;
    let only_writes = fcntl_getfl(output).ok()? & OFlags::ACCMODE == OFlags::WRONLY;
    (is_pipe && only_writes).then_some(output)
}
