//! What is on a disk as its users see it, and what it was told.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};

use super::Fault;
use super::image::Image;
use super::trace::{Inode, Operation, ROOT, Trace};

/// How large the disk is.
pub const CAPACITY: u64 = 1 << 30;

/// An error number.
pub type Errno = i32;

/// The files of a disk.
pub struct Content {
    nodes: HashMap<Inode, Node>,
    pub trace: Trace,
    pub refusals: usize,
    used: u64,
    next: Inode,
    fault: Option<Fault>,
}

/// What an inode is.
pub enum Node {
    File(Vec<u8>),
    Directory(BTreeMap<OsString, Inode>),
}

impl Content {
    pub fn of(image: &Image) -> Self {
        let nodes = image.nodes();
        let bytes = |node: &Node| match node {
            Node::File(bytes) => bytes.len() as u64,
            Node::Directory(_) => 0,
        };
        let used = nodes.values().map(bytes).sum();
        let next = nodes.keys().max().map_or(ROOT, |last| *last) + 1;
        Self { nodes, trace: Vec::new(), refusals: 0, used, next, fault: None }
    }

    pub fn fail(&mut self, fault: Option<Fault>) {
        self.fault = fault;
    }

    pub fn node(&self, inode: Inode) -> Result<&Node, Errno> {
        self.nodes.get(&inode).ok_or(libc::ENOENT)
    }

    pub fn find(&self, directory: Inode, name: &OsStr) -> Result<Inode, Errno> {
        self.names(directory)?.get(name).copied().ok_or(libc::ENOENT)
    }

    pub fn names(&self, directory: Inode) -> Result<&BTreeMap<OsString, Inode>, Errno> {
        match self.node(directory)? {
            Node::Directory(names) => Ok(names),
            Node::File(_) => Err(libc::ENOTDIR),
        }
    }

    pub fn read(&self, file: Inode, offset: u64, count: usize) -> Result<&[u8], Errno> {
        let Node::File(bytes) = self.node(file)? else { return Err(libc::EISDIR) };
        let from = (offset as usize).min(bytes.len());
        Ok(&bytes[from..(from + count).min(bytes.len())])
    }

    /// Bytes that may still be written.
    pub fn free(&self) -> u64 {
        match self.fault {
            Some(Fault::FullAfter(left)) => left,
            _ => CAPACITY.saturating_sub(self.used),
        }
    }

    /// Makes a file or a directory.
    pub fn make(&mut self, directory: Inode, name: &OsStr, node: Node) -> Result<Inode, Errno> {
        self.refuse_change()?;
        if self.names(directory)?.contains_key(name) {
            return Err(libc::EEXIST);
        }
        let inode = self.next;
        self.next += 1;
        let makes_directory = matches!(node, Node::Directory(_)).then_some(inode);
        self.nodes.insert(inode, node);
        self.name(directory, vec![(name.to_owned(), Some(inode))], makes_directory);
        Ok(inode)
    }

    pub fn remove(&mut self, directory: Inode, name: &OsStr) -> Result<(), Errno> {
        self.refuse_change()?;
        let inode = self.find(directory, name)?;
        if let Node::Directory(names) = self.node(inode)?
            && !names.is_empty()
        {
            return Err(libc::ENOTEMPTY);
        }
        self.name(directory, vec![(name.to_owned(), None)], None);
        Ok(())
    }

    pub fn rename(&mut self, directory: Inode, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
        self.refuse_change()?;
        let inode = self.find(directory, from)?;
        self.name(directory, vec![(from.to_owned(), None), (to.to_owned(), Some(inode))], None);
        Ok(())
    }

    fn name(
        &mut self,
        directory: Inode,
        names: Vec<(OsString, Option<Inode>)>,
        makes_directory: Option<Inode>,
    ) {
        if let Some(Node::Directory(known)) = self.nodes.get_mut(&directory) {
            for (name, inode) in &names {
                match inode {
                    Some(inode) => known.insert(name.clone(), *inode),
                    None => known.remove(name),
                };
            }
        }
        self.trace.push(Operation::Names { directory, names, makes_directory });
    }

    /// Writes as much as there is room for; says how much that is.
    pub fn write(&mut self, file: Inode, offset: u64, bytes: &[u8]) -> Result<usize, Errno> {
        let room = match &mut self.fault {
            Some(Fault::Writes(errno) | Fault::Changes(errno)) => {
                let errno = *errno;
                return self.refuse(errno);
            }
            Some(Fault::FullAfter(0)) => return self.refuse(libc::ENOSPC),
            Some(Fault::FullAfter(left)) => {
                let room = (*left).min(bytes.len() as u64);
                *left -= room;
                room as usize
            }
            _ => bytes.len(),
        };
        let bytes = &bytes[..room];
        let Some(Node::File(held)) = self.nodes.get_mut(&file) else { return Err(libc::EISDIR) };
        let before = held.len();
        put(held, offset, bytes);
        self.used += (held.len() - before) as u64;
        self.trace.push(Operation::Write { file, offset, bytes: bytes.to_owned() });
        Ok(room)
    }

    pub fn truncate(&mut self, file: Inode, size: u64) -> Result<(), Errno> {
        self.refuse_change()?;
        let Some(Node::File(held)) = self.nodes.get_mut(&file) else { return Err(libc::EISDIR) };
        self.used = (self.used + size).saturating_sub(held.len() as u64);
        held.resize(size as usize, 0);
        self.trace.push(Operation::Truncate { file, size });
        Ok(())
    }

    pub fn sync(&mut self, file: Inode) -> Result<(), Errno> {
        if let Some(Fault::Syncs(errno) | Fault::Changes(errno)) = self.fault {
            self.trace.push(Operation::SyncFailed { file });
            return self.refuse(errno);
        }
        self.trace.push(Operation::Sync { file });
        Ok(())
    }

    pub fn sync_directory(&mut self, directory: Inode) -> Result<(), Errno> {
        if let Some(Fault::Syncs(errno) | Fault::Changes(errno)) = self.fault {
            return self.refuse(errno);
        }
        self.trace.push(Operation::SyncDirectory { directory });
        Ok(())
    }

    fn refuse_change(&mut self) -> Result<(), Errno> {
        match self.fault {
            Some(Fault::Changes(errno)) => self.refuse(errno),
            _ => Ok(()),
        }
    }

    fn refuse<T>(&mut self, errno: Errno) -> Result<T, Errno> {
        self.refusals += 1;
        Err(errno)
    }
}

/// Writes into a file's bytes; what lies between its end and the offset is zeros.
pub fn put(held: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let (from, to) = (offset as usize, offset as usize + bytes.len());
    if held.len() < to {
        held.resize(to, 0);
    }
    held[from..to].copy_from_slice(bytes);
}
