//! What a recording consists of: changes of names and of content, what was made durable, and what was said.

/// A file or a folder, whatever its names are. 0 is the folder above the root, which lasts.
pub type Node = usize;

/// The folder in which everything happens.
pub const TOP: Node = 0;

/// One operation, of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The process.
    pub pid: u32,
    /// What it did.
    pub what: What,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A new folder has a name.
    MakeFolder { parent: Node, name: String, node: Node },
    /// A new, empty file has a name.
    MakeFile { parent: Node, name: String, node: Node },
    /// A name is gone.
    Remove { parent: Node, name: String },
    /// A file has another name in its folder.
    Rename { parent: Node, from: String, to: String, node: Node },
    /// Two files of a folder have each other's names.
    Exchange { parent: Node, one: String, other: String, nodes: (Node, Node) },
    /// Bytes are in a file.
    Write { node: Node, offset: usize, data: Vec<u8> },
    /// A file has another size.
    Resize { node: Node, size: usize },
    /// An fsync has begun: what comes later is not covered by it.
    SyncBegins { token: usize },
    /// That fsync has succeeded: of this file its content is durable, of this folder its names.
    Sync { node: Node, token: usize },
    /// Somebody was told this.
    Print { text: String },
    /// The process has left.
    Exit,
}

impl What {
    /// Whose content or names it changes.
    pub fn changes(&self) -> Option<Node> {
        match self {
            Self::MakeFolder { parent, .. }
            | Self::MakeFile { parent, .. }
            | Self::Remove { parent, .. }
            | Self::Rename { parent, .. }
            | Self::Exchange { parent, .. } => Some(*parent),
            Self::Write { node, .. } | Self::Resize { node, .. } => Some(*node),
            Self::SyncBegins { .. } | Self::Sync { .. } | Self::Print { .. } | Self::Exit => None,
        }
    }
}
