//! Pipes that no executed program inherits.

use super::doorbell::poll_for;
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};
use std::fs::File;
use std::io::{self, Read};
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

/// What comes through a pipe until nobody can write into it any more. That end is waited for also where reading fails: what
/// was written stays in the pipe (`pipe(7)`).
pub fn read_to_end(mut pipe: File) -> Vec<u8> {
    let mut bytes = vec![];
    if pipe.read_to_end(&mut bytes).is_err() {
        // The end is told without being asked for (`poll(2)`, POLLHUP).
        let mut ends = [PollFd::new(&pipe, PollFlags::empty())];
        while ends[0].revents().is_empty() && poll_for(&mut ends, None).is_ok() {}
        let _ = pipe.read_to_end(&mut bytes);
    }
    bytes
}

/// Something that reads as this text, and then is at its end. Who does not read it holds nobody.
#[cfg(target_os = "linux")]
pub fn filled(text: &str) -> io::Result<OwnedFd> {
    use std::io::{Seek, Write};
    // It needs no folder, which may be full, and holds more than a pipe does.
    let fd = rustix::fs::memfd_create("event", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = File::from(fd);
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
    std::thread::spawn(move || File::from(write).write_all(text.as_bytes()));
    Ok(read)
}

/// A pipe's writing end, to be polled: it becomes readable once nobody reads the pipe any more (`poll(2)`, POLLERR).
/// `None` for anything else, where being readable means something else.
pub fn reader_gone(output: BorrowedFd<'_>) -> Option<BorrowedFd<'_>> {
    let is_pipe = FileType::from_raw_mode(fstat(output).ok()?.st_mode) == FileType::Fifo;
    let only_writes = fcntl_getfl(output).ok()? & OFlags::ACCMODE == OFlags::WRONLY;
    (is_pipe && only_writes).then_some(output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::mpsc::channel;

    #[test]
    fn a_pipe_that_cannot_be_read_is_read_once_its_end_has_come() {
        let (reader, writer) = pipe_without_waiting().unwrap();
        let mut copy = File::from(reader.try_clone().unwrap());
        let mut writer = File::from(writer);
        // Whoever reads it now is refused.
        assert_eq!(copy.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let (told, tells) = channel();
        let reading = std::thread::spawn(move || told.send(read_to_end(reader.into())).unwrap());
        writer.write_all(b"one, ").unwrap();
        std::thread::yield_now();
        assert!(tells.try_recv().is_err(), "it did not wait for the end");
        writer.write_all(b"two").unwrap();
        drop(writer);
        assert_eq!(tells.recv().unwrap(), b"one, two");
        reading.join().unwrap();
    }
}
