//! What a file system without a promise may keep of operations: the model of a power cut.
//!
//! Only fsync keeps something for sure: of a file its content, not its name; of a folder its names, not what is in the
//! files. Every other operation is kept or not, each for itself, in any order. A rename is never seen half, but the old
//! name may stay beside the new one; and of an exchange, either name may be kept without the other. Of a write the front half, the back half, or the length without the bytes may be kept.
//! What is the model's own limit: a write is cut in the middle only, and modes and times of files are left out.

use super::operation::{Node, Operation, What};
use std::collections::BTreeMap;

/// What is behind a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// Names.
    Folder(BTreeMap<String, Node>),
    /// Bytes.
    File(Vec<u8>),
}

/// What can be reached after a power cut: paths below the top, and the bytes of files; `None` is a folder.
pub type Tree = BTreeMap<String, Option<Vec<u8>>>;

/// What a disk has and may have at one instant.
pub struct Disk<'a> {
    durable: Vec<Content>,
    loose: Vec<&'a What>,
}

/// How much of an operation is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    Nothing,
    All,
    /// Of a write.
    FrontHalf,
    /// Of a write; before it is what was there, or zeros.
    BackHalf,
    /// Of a write that makes a file longer: zeros.
    Length,
    /// Of a rename: the file has both names.
    BothNames,
    /// Of an exchange: the one that comes has both names.
    FirstTwice,
    /// Of an exchange: the one that goes has both names.
    SecondTwice,
}

const ENTRY: &[Kept] = &[Kept::Nothing, Kept::All];
const RENAME: &[Kept] = &[Kept::Nothing, Kept::All, Kept::BothNames];
const EXCHANGE: &[Kept] = &[Kept::Nothing, Kept::All, Kept::FirstTwice, Kept::SecondTwice];
const WRITE: &[Kept] = &[Kept::Nothing, Kept::All, Kept::FrontHalf, Kept::BackHalf, Kept::Length];

impl<'a> Disk<'a> {
    /// After these operations on that durable beginning.
    pub fn after(beginning: &[Content], operations: &'a [Operation]) -> Self {
        let mut covered: BTreeMap<Node, usize> = BTreeMap::new();
        let mut begun: BTreeMap<usize, usize> = BTreeMap::new();
        for (place, operation) in operations.iter().enumerate() {
            match &operation.what {
                What::SyncBegins { token } => drop(begun.insert(*token, place)),
                What::Sync { node, token } => {
                    let until = covered.entry(*node).or_default();
                    *until = (*until).max(begun[token]);
                }
                _ => {}
            }
        }
        let mut durable = beginning.to_vec();
        let mut loose = Vec::new();
        for (place, operation) in operations.iter().enumerate() {
            let what = &operation.what;
            match what {
                What::MakeFolder { node, .. } => put(&mut durable, *node, Content::Folder(BTreeMap::new())),
                What::MakeFile { node, .. } => put(&mut durable, *node, Content::File(Vec::new())),
                _ => {}
            }
            match what.changes() {
                Some(node) if covered.get(&node).is_some_and(|until| place < *until) => {
                    apply(&mut durable, what, Kept::All);
                }
                Some(_) => loose.push(what),
                None => {}
            }
        }
        Self { durable, loose }
    }

    /// For each operation that is not durable, how much of it may be kept.
    pub fn choices(&self) -> Vec<&'static [Kept]> {
        let choices = |what: &&What| match what {
            What::Rename { .. } => RENAME,
            What::Exchange { .. } => EXCHANGE,
            What::Write { .. } => WRITE,
            _ => ENTRY,
        };
        self.loose.iter().map(choices).collect()
    }

    /// What can be reached where so much is kept of each.
    pub fn state(&self, kept: &[Kept]) -> Tree {
        let mut contents = self.durable.clone();
        for (what, kept) in self.loose.iter().zip(kept) {
            apply(&mut contents, what, *kept);
        }
        let mut tree = Tree::new();
        reach(&contents, super::operation::TOP, "", &mut tree);
        tree
    }

    /// What a reader sees while there is power.
    pub fn seen(&self) -> Tree {
        self.state(&vec![Kept::All; self.loose.len()])
    }
}

fn put(contents: &mut Vec<Content>, node: Node, content: Content) {
    if contents.len() <= node {
        contents.resize(node + 1, Content::File(Vec::new()));
    }
    contents[node] = content;
}

fn apply(contents: &mut [Content], what: &What, kept: Kept) {
    if kept == Kept::Nothing {
        return;
    }
    match what {
        What::MakeFolder { parent, name, node } | What::MakeFile { parent, name, node } => {
            names(contents, *parent).insert(name.clone(), *node);
        }
        What::Remove { parent, name } => drop(names(contents, *parent).remove(name)),
        What::Rename { parent, from, to, node } => {
            let names = names(contents, *parent);
            // Where the old name was never kept, the new one may be all the same: it names the file, not the old name.
            names.remove(from);
            names.insert(to.clone(), *node);
            if kept == Kept::BothNames {
                names.insert(from.clone(), *node);
            }
        }
        What::Exchange { parent, one, other, nodes } => {
            let names = names(contents, *parent);
            if kept != Kept::SecondTwice {
                names.insert(other.clone(), nodes.0);
            }
            if kept != Kept::FirstTwice {
                names.insert(one.clone(), nodes.1);
            }
        }
        What::Write { node, offset, data } => {
            let Content::File(bytes) = &mut contents[*node] else { panic!("a folder is written") };
            let half = data.len() / 2;
            let (from, to) = match kept {
                Kept::FrontHalf => (0, half),
                Kept::BackHalf => (half, data.len()),
                Kept::Length => (0, 0),
                _ => (0, data.len()),
            };
            let end = offset + if kept == Kept::FrontHalf { half } else { data.len() };
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[offset + from..offset + to].copy_from_slice(&data[from..to]);
        }
        What::Resize { node, size } => {
            let Content::File(bytes) = &mut contents[*node] else { panic!("a folder is resized") };
            bytes.resize(*size, 0);
        }
        What::SyncBegins { .. } | What::Sync { .. } | What::Print { .. } | What::Exit => {}
    }
}

fn names(contents: &mut [Content], node: Node) -> &mut BTreeMap<String, Node> {
    match &mut contents[node] {
        Content::Folder(names) => names,
        Content::File(_) => panic!("a file has names"),
    }
}

fn reach(contents: &[Content], node: Node, path: &str, tree: &mut Tree) {
    let Content::Folder(names) = &contents[node] else { return };
    for (name, node) in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        match &contents[*node] {
            Content::File(bytes) => drop(tree.insert(path, Some(bytes.clone()))),
            Content::Folder(_) => {
                tree.insert(path.clone(), None);
                reach(contents, *node, &path, tree);
            }
        }
    }
}
