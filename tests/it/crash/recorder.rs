//! What a script does to the files below the root, recorded by strace.
//!
//! All processes that come of the script are recorded: submitters, watchers, jobs. A call that could change files below
//! the root and is not understood here ends the test: nothing is left out in silence. Left out on purpose are modes, times
//! and locks, which are no content, and what is beside the root: what the jobs of a test write themselves. What submitters
//! print goes to a file beside the root, too, and is recorded as what somebody was told.
//!
//! The boot's id is replaced by another in all that was written, so that whoever reads a state lives after a reboot.

use super::disk::Content;
use super::operation::{Node, Operation, TOP, What};
use crate::support::{BGCTL, User, until};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Every call that changes files or names, and those by which descriptors come and go.
const CALLS: &str = "trace=open,openat,openat2,creat,close,write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,sync,\
    syncfs,sync_file_range,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,truncate,ftruncate,fallocate,\
    copy_file_range,sendfile,splice,link,linkat,symlink,symlinkat,mknod,mknodat,mmap,io_uring_setup";

/// The folder in which all roots of these tests are.
const ROOTS: &str = "bg";

/// The file beside it into which scripts let submitters print.
const PRINTED: &str = "printed";

/// The boot of which a recording tells; none that ever was.
const EARLIER_BOOT: &str = "00000000-0000-4000-8000-000000000000";

/// What was recorded.
pub struct Recording {
    /// What was there, and durable, before.
    pub beginning: Vec<Content>,
    /// What was done, in its order.
    pub operations: Vec<Operation>,
}

/// Runs a script (`sh -ec`; `$B` is the program) as this user, and records what all of its processes do.
pub fn record(user: &User, script: &str) -> Recording {
    let mut reader = Reader::new(&user.path(""));
    let beginning = reader.scan();
    let log = user.path("trace");
    let mut command = user.command("strace");
    command.args([
        "-f",
        "--seccomp-bpf",
        "-q",
        "-y",
        "-xx",
        "-s",
        "10000000",
        "-e",
        "signal=none",
        "-e",
        CALLS,
    ]);
    command.arg("-o").arg(&log).args(["sh", "-ec", script]).env("B", BGCTL).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    until("the recorded script and all it started end", || child.try_wait().unwrap().is_some());
    assert!(child.wait().unwrap().success(), "the recorded script failed");
    for line in std::fs::read_to_string(&log).unwrap().lines() {
        reader.line(line);
    }
    reader.fetch();
    Recording { beginning, operations: reader.operations }
}

/// What is known of a node while the log is read.
#[derive(Default)]
struct Live {
    names: BTreeMap<String, Node>,
    is_folder: bool,
    size: usize,
    /// Whether somebody opened it to append.
    appended: bool,
}

struct Reader {
    top: PathBuf,
    boot: String,
    live: Vec<Live>,
    operations: Vec<Operation>,
    /// What is open where, and how far it was written; `None` appends.
    open: HashMap<(u32, i32), (Node, Option<usize>)>,
    /// Calls that have not returned: how they begin, and the token of an fsync.
    unfinished: HashMap<u32, (String, usize)>,
    /// Writes whose bytes the log does not have, and their files.
    unseen: Vec<(usize, PathBuf)>,
    tokens: usize,
}

/// One call that has returned.
struct Call<'a> {
    pid: u32,
    name: &'a str,
    arguments: Vec<&'a str>,
    result: i64,
    token: usize,
    line: &'a str,
}

impl Call<'_> {
    /// The descriptor's number and what it stands for.
    fn descriptor(&self, place: usize) -> (i32, String) {
        let text = self.arguments[place];
        let number: String = text.chars().take_while(|c| *c == '-' || c.is_ascii_digit()).collect();
        let path =
            text.split_once('<').map_or("", |(_, rest)| rest.rsplit_once('>').map_or("", |(path, _)| path));
        (number.parse().unwrap_or(-1), String::from_utf8(unhex(path)).unwrap())
    }

    /// A path, counted from a folder's descriptor where one is given.
    fn path(&self, folder: Option<usize>, place: usize) -> PathBuf {
        let text = PathBuf::from(String::from_utf8(unhex(quoted(self.arguments[place]))).unwrap());
        // Without a descriptor the log does not say from where a relative path counts: the caller refuses those.
        folder.map_or(text.clone(), |folder| Path::new(&self.descriptor(folder).1).join(text))
    }

    fn number(&self, place: usize) -> usize {
        self.arguments[place].parse().unwrap_or_else(|_| panic!("a number in {}", self.line))
    }
}

impl Reader {
    fn new(top: &Path) -> Self {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned();
        assert_eq!(boot.len(), EARLIER_BOOT.len());
        Self {
            top: std::path::absolute(top).unwrap().components().collect(),
            boot,
            live: vec![Live { is_folder: true, ..Live::default() }],
            operations: Vec::new(),
            open: HashMap::new(),
            unfinished: HashMap::new(),
            unseen: Vec::new(),
            tokens: 0,
        }
    }

    /// What is there already.
    fn scan(&mut self) -> Vec<Content> {
        let mut contents = vec![Content::Folder(BTreeMap::new())];
        if self.top.join(ROOTS).exists() {
            self.scan_below(TOP, ROOTS, &self.top.join(ROOTS), &mut contents);
        }
        contents
    }

    fn scan_below(&mut self, parent: Node, name: &str, path: &Path, contents: &mut Vec<Content>) {
        let is_folder = path.is_dir();
        let node = self.new_node(parent, name, is_folder);
        let Content::Folder(names) = &mut contents[parent] else { unreachable!() };
        names.insert(name.to_owned(), node);
        if is_folder {
            contents.push(Content::Folder(BTreeMap::new()));
            for entry in std::fs::read_dir(path).unwrap() {
                let entry = entry.unwrap();
                self.scan_below(node, entry.file_name().to_str().unwrap(), &entry.path(), contents);
            }
        } else {
            let bytes = std::fs::read(path).unwrap();
            self.live[node].size = bytes.len();
            contents.push(Content::File(self.in_earlier_boot(bytes)));
        }
    }

    fn in_earlier_boot(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let boot = self.boot.as_bytes();
        while let Some(place) = bytes.windows(boot.len()).position(|part| part == boot) {
            bytes[place..place + boot.len()].copy_from_slice(EARLIER_BOOT.as_bytes());
        }
        bytes
    }

    fn new_node(&mut self, parent: Node, name: &str, is_folder: bool) -> Node {
        self.live.push(Live { is_folder, ..Live::default() });
        let node = self.live.len() - 1;
        self.live[parent].names.insert(name.to_owned(), node);
        node
    }

    fn push(&mut self, pid: u32, what: What) {
        self.operations.push(Operation { pid, what });
    }

    /// One line of the log. A call is where it returns, but an fsync covers only what was before it began.
    fn line(&mut self, line: &str) {
        let (pid, rest) = line.split_once(' ').unwrap();
        let (pid, rest) = (pid.parse::<u32>().unwrap(), rest.trim_start());
        if rest.starts_with("+++") {
            return self.push(pid, What::Exit);
        }
        if rest.starts_with("---") {
            return;
        }
        if let Some(beginning) = rest.strip_suffix(" <unfinished ...>") {
            let token = self.begin(pid, beginning);
            self.unfinished.insert(pid, (beginning.to_owned(), token));
            return;
        }
        let (whole, token) = match rest.strip_prefix("<... ") {
            Some(resumed) => {
                let (beginning, token) = self.unfinished.remove(&pid).unwrap();
                (beginning + resumed.split_once(" resumed>").unwrap().1, token)
            }
            None => (rest.to_owned(), self.begin(pid, rest)),
        };
        let (name, arguments) = whole.split_once('(').unwrap();
        let (arguments, result) = arguments.rsplit_once(") ").or(arguments.rsplit_once(')')).unwrap();
        let result = result.trim_start().trim_start_matches("= ");
        let number: String = result.chars().take_while(|c| *c == '-' || c.is_ascii_digit()).collect();
        // A call that failed, or never returned because its process was ended, changed nothing that counts here.
        let Some(result) = number.parse::<i64>().ok().filter(|number| *number >= 0) else { return };
        let arguments = arguments.split(", ").collect();
        self.call(&Call { pid, name, arguments, result, token, line: &whole });
    }

    fn begin(&mut self, pid: u32, text: &str) -> usize {
        self.tokens += 1;
        if text.starts_with("fsync(") || text.starts_with("fdatasync(") {
            self.push(pid, What::SyncBegins { token: self.tokens });
        }
        self.tokens
    }

    fn call(&mut self, call: &Call<'_>) {
        match call.name {
            "open" => self.opened(call, None),
            "openat" => self.opened(call, Some(0)),
            "close" => drop(self.open.remove(&(call.pid, call.descriptor(0).0))),
            "write" => self.written(call, None),
            "pwrite64" => self.written(call, Some(call.number(3))),
            "fsync" | "fdatasync" => {
                if let Some(node) = self.node(Path::new(&call.descriptor(0).1)) {
                    self.push(call.pid, What::Sync { node, token: call.token });
                }
            }
            "rename" => self.renamed(call, &call.path(None, 0), &call.path(None, 1)),
            "renameat" => self.renamed(call, &call.path(Some(0), 1), &call.path(Some(2), 3)),
            "renameat2" if call.arguments[4] == "RENAME_EXCHANGE" => {
                self.exchanged(call, &call.path(Some(0), 1), &call.path(Some(2), 3));
            }
            "unlink" => self.removed(call, &call.path(None, 0)),
            "unlinkat" if call.arguments[2] == "0" => self.removed(call, &call.path(Some(0), 1)),
            "mkdir" => self.made(call, &call.path(None, 0)),
            "mkdirat" => self.made(call, &call.path(Some(0), 1)),
            "ftruncate" => {
                if let Some(node) = self.node(Path::new(&call.descriptor(0).1)) {
                    let size = call.number(1);
                    self.live[node].size = size;
                    self.push(call.pid, What::Resize { node, size });
                }
            }
            "copy_file_range" | "splice" => self.copied(call, 2),
            "sendfile" => self.copied(call, 0),
            // A mapping that is private, or only read, changes no file.
            "mmap"
                if call.arguments[3].contains("MAP_PRIVATE") || !call.arguments[2].contains("PROT_WRITE") => {
            }
            "mmap" if call.arguments[3].contains("MAP_ANONYMOUS") => {}
            _ => {
                let mentions = call.arguments.iter().any(|argument| {
                    let bytes = argument.split(['<', '>', '"']).flat_map(unhex).collect::<Vec<u8>>();
                    self.is_below(Path::new(&*String::from_utf8_lossy(&bytes)))
                });
                let everywhere = ["sync", "syncfs", "io_uring_setup"].contains(&call.name);
                assert!(!mentions && !everywhere, "not understood: {}", call.line);
            }
        }
    }

    /// Where a path is below the top, if it is one of the root's.
    fn relative(&self, path: &Path) -> Option<PathBuf> {
        let below = path.strip_prefix(&self.top).ok()?;
        (below.as_os_str().is_empty() || below.starts_with(ROOTS)).then(|| below.to_owned())
    }

    fn is_below(&self, path: &Path) -> bool {
        self.relative(path).is_some_and(|below| !below.as_os_str().is_empty())
    }

    fn node(&self, path: &Path) -> Option<Node> {
        let below = self.relative(path)?;
        let mut node = TOP;
        for name in &below {
            node = *self.live[node].names.get(name.to_str()?)?;
        }
        Some(node)
    }

    /// The folder and the name in it, of a path of the root's.
    fn place(&self, call: &Call<'_>, path: &Path) -> Option<(Node, String)> {
        assert!(path.is_absolute(), "a path that counts from nowhere: {}", call.line);
        if !self.is_below(path) {
            return None;
        }
        let parent = self.node(path.parent()?).unwrap_or_else(|| panic!("in no known folder: {}", call.line));
        Some((parent, path.file_name()?.to_str()?.to_owned()))
    }

    fn opened(&mut self, call: &Call<'_>, folder: Option<usize>) {
        let place = folder.map_or(0, |folder| folder + 1);
        let flags: HashSet<&str> = call.arguments[place + 1].split('|').collect();
        let path = call.path(folder, place);
        if !path.is_absolute() || !self.is_below(&path) || flags.contains("O_DIRECTORY") {
            return;
        }
        assert!(!flags.iter().any(|flag| flag.contains("TMPFILE")), "not understood: {}", call.line);
        let node = if let Some(node) = self.node(&path) {
            if flags.contains("O_TRUNC") {
                self.live[node].size = 0;
                self.push(call.pid, What::Resize { node, size: 0 });
            }
            node
        } else {
            assert!(flags.contains("O_CREAT"), "opened and not known: {}", call.line);
            let (parent, name) = self.place(call, &path).unwrap();
            let node = self.new_node(parent, &name, false);
            self.push(call.pid, What::MakeFile { parent, name, node });
            node
        };
        if self.live[node].is_folder {
            return;
        }
        let appends = flags.contains("O_APPEND");
        self.live[node].appended |= appends;
        self.open.insert((call.pid, call.result as i32), (node, (!appends).then_some(0)));
    }

    /// The file that a descriptor stands for, and where a write through it begins.
    fn target(&self, call: &Call<'_>, place: usize) -> Option<(Node, usize)> {
        let (number, path) = call.descriptor(place);
        if !self.is_below(Path::new(&path)) {
            return None;
        }
        if let Some((node, written)) = self.open.get(&(call.pid, number)) {
            return Some((*node, written.unwrap_or(self.live[*node].size)));
        }
        // Inherited: a job's log and record, which its watcher opened to append.
        let node = self.node(Path::new(&path)).filter(|node| self.live[*node].appended);
        let node = node.unwrap_or_else(|| panic!("written and not opened: {}", call.line));
        Some((node, self.live[node].size))
    }

    fn written(&mut self, call: &Call<'_>, offset: Option<usize>) {
        let (number, path) = call.descriptor(0);
        let text = call.arguments[1];
        assert!(text.ends_with('"'), "cut short in the log: {}", call.line);
        let mut data = unhex(quoted(text));
        data.truncate(call.result as usize);
        if Path::new(&path) == self.top.join(PRINTED) {
            let text = String::from_utf8(data).unwrap();
            return self.push(call.pid, What::Print { text });
        }
        let Some((node, place)) = self.target(call, 0) else { return };
        let at = offset.unwrap_or(place);
        let end = at + data.len();
        if let (None, Some((_, Some(written)))) = (offset, self.open.get_mut(&(call.pid, number))) {
            *written = end;
        }
        self.live[node].size = self.live[node].size.max(end);
        let data = self.in_earlier_boot(data);
        self.push(call.pid, What::Write { node, offset: at, data });
    }

    /// Bytes that went from file to file: the log has only their number.
    fn copied(&mut self, call: &Call<'_>, place: usize) {
        let Some((node, offset)) = self.target(call, place).filter(|_| call.result > 0) else { return };
        let (number, path) = call.descriptor(place);
        let end = offset + call.result as usize;
        if let Some((_, Some(written))) = self.open.get_mut(&(call.pid, number)) {
            *written = end;
        }
        self.live[node].size = self.live[node].size.max(end);
        self.unseen.push((self.operations.len(), path.into()));
        self.push(call.pid, What::Write { node, offset, data: vec![0; call.result as usize] });
    }

    /// Takes such bytes from the files as they were left.
    fn fetch(&mut self) {
        for (place, path) in std::mem::take(&mut self.unseen) {
            let bytes = std::fs::read(&path).unwrap();
            let What::Write { offset, data, .. } = &mut self.operations[place].what else { unreachable!() };
            let size = data.len();
            data.copy_from_slice(&bytes[*offset..*offset + size]);
        }
    }

    fn renamed(&mut self, call: &Call<'_>, from: &Path, to: &Path) {
        let Some((parent, from)) = self.place(call, from) else { return };
        let (other, to) = self.place(call, to).unwrap();
        assert_eq!(parent, other, "from folder to folder: {}", call.line);
        let node = self.live[parent].names.remove(&from).unwrap();
        self.live[parent].names.insert(to.clone(), node);
        self.push(call.pid, What::Rename { parent, from, to, node });
    }

    fn exchanged(&mut self, call: &Call<'_>, one: &Path, other: &Path) {
        let Some((parent, one)) = self.place(call, one) else { return };
        let (_, other) = self.place(call, other).unwrap();
        let names = &mut self.live[parent].names;
        let nodes = (names[&one], names[&other]);
        names.insert(one.clone(), nodes.1);
        names.insert(other.clone(), nodes.0);
        self.push(call.pid, What::Exchange { parent, one, other, nodes });
    }

    fn removed(&mut self, call: &Call<'_>, path: &Path) {
        let Some((parent, name)) = self.place(call, path) else { return };
        self.live[parent].names.remove(&name).unwrap();
        self.push(call.pid, What::Remove { parent, name });
    }

    fn made(&mut self, call: &Call<'_>, path: &Path) {
        let Some((parent, name)) = self.place(call, path) else { return };
        let node = self.new_node(parent, &name, true);
        self.push(call.pid, What::MakeFolder { parent, name, node });
    }
}

/// What is between the quotes.
fn quoted(text: &str) -> &str {
    text.trim_matches('"')
}

/// The bytes behind `\x2f\x74`; what is written otherwise stands for itself.
fn unhex(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4);
    let mut rest = text.as_bytes();
    while let Some(first) = rest.first() {
        if let [b'\\', b'x', high, low, ..] = rest {
            let digit = |c: &u8| (*c as char).to_digit(16).unwrap() as u8;
            bytes.push(digit(high) * 16 + digit(low));
            rest = &rest[4..];
        } else {
            bytes.push(*first);
            rest = &rest[1..];
        }
    }
    bytes
}
