//! The file system that a disk is mounted as: the kernel's questions and orders, handed to its content.

use std::ffi::OsStr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::COUNTER;
use super::content::{CAPACITY, Content, Node};
use super::trace::{Inode, ROOT};

/// How long the kernel may believe what it was told.
const TTL: Duration = Duration::from_secs(1);
/// The inode of the counter, which is no file of the content.
const COUNTER_INODE: Inode = Inode::MAX / 2;
const BLOCK: u32 = 4096;

pub struct Volume(Arc<Mutex<Content>>);

impl Volume {
    pub fn new(content: Arc<Mutex<Content>>) -> Self {
        Self(content)
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().expect("no operation panics")
    }

    fn attributes(&self, inode: Inode) -> Result<(FileAttr, Duration), i32> {
        let content = self.content();
        if inode == COUNTER_INODE {
            return Ok((
                attributes(inode, FileType::RegularFile, content.trace.len() as u64),
                Duration::ZERO,
            ));
        }
        Ok(match content.node(inode)? {
            Node::File(bytes) => (attributes(inode, FileType::RegularFile, bytes.len() as u64), TTL),
            Node::Directory(_) => (attributes(inode, FileType::Directory, 0), TTL),
        })
    }

    fn entry(&self, inode: Result<Inode, i32>, reply: ReplyEntry) {
        match inode.and_then(|inode| self.attributes(inode)) {
            Ok((attributes, ttl)) => reply.entry(&ttl, &attributes, Generation(0)),
            Err(errno) => reply.error(Errno::from_i32(errno)),
        }
    }

    fn attribute(&self, inode: Inode, reply: ReplyAttr) {
        match self.attributes(inode) {
            Ok((attributes, ttl)) => reply.attr(&ttl, &attributes),
            Err(errno) => reply.error(Errno::from_i32(errno)),
        }
    }
}

fn attributes(inode: Inode, kind: FileType, size: u64) -> FileAttr {
    // SAFETY: they take no pointer and always succeed.
    let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    FileAttr {
        ino: INodeNo(inode),
        size,
        blocks: size.div_ceil(512),
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind,
        perm: if kind == FileType::Directory { 0o755 } else { 0o600 },
        nlink: 1,
        uid,
        gid,
        rdev: 0,
        blksize: BLOCK,
        flags: 0,
    }
}

fn done(result: Result<(), i32>, reply: ReplyEmpty) {
    match result {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(Errno::from_i32(errno)),
    }
}

impl Filesystem for Volume {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = match name == COUNTER && parent.0 == ROOT {
            true => Ok(COUNTER_INODE),
            false => self.content().find(parent.0, name),
        };
        self.entry(found, reply);
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        self.attribute(inode.0, reply);
    }

    fn setattr(
        &self,
        _: &Request,
        inode: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let truncated = size.map_or(Ok(()), |size| self.content().truncate(inode.0, size));
        match truncated {
            Ok(()) => self.attribute(inode.0, reply),
            Err(errno) => reply.error(Errno::from_i32(errno)),
        }
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        let made = self.content().make(parent.0, name, Node::Directory(Default::default()));
        self.entry(made, reply);
    }

    fn create(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, _: i32, reply: ReplyCreate) {
        let made = self.content().make(parent.0, name, Node::File(Vec::new()));
        match made.and_then(|inode| self.attributes(inode)) {
            Ok((attributes, ttl)) => {
                reply.created(&ttl, &attributes, Generation(0), FileHandle(0), FopenFlags::empty());
            }
            Err(errno) => reply.error(Errno::from_i32(errno)),
        }
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(self.content().remove(parent.0, name), reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(self.content().remove(parent.0, name), reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        // What no store does: between directories, or in exchange.
        if parent != new_parent || !flags.is_empty() {
            return reply.error(Errno::EXDEV);
        }
        done(self.content().rename(parent.0, name, new_name), reply);
    }

    fn read(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.content().read(inode.0, offset, size as usize) {
            Ok(bytes) => reply.data(bytes),
            Err(errno) => reply.error(Errno::from_i32(errno)),
        }
    }

    fn write(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        bytes: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.content().write(inode.0, offset, bytes) {
            Ok(count) => reply.written(count as u32),
            Err(errno) => reply.error(Errno::from_i32(errno)),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, inode: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        done(self.content().sync(inode.0), reply);
    }

    fn fsyncdir(&self, _: &Request, inode: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        done(self.content().sync_directory(inode.0), reply);
    }

    fn readdir(&self, _: &Request, inode: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let content = self.content();
        let names = match content.names(inode.0) {
            Ok(names) => names,
            Err(errno) => return reply.error(Errno::from_i32(errno)),
        };
        for (index, (name, entry)) in names.iter().enumerate().skip(offset as usize) {
            let kind = match content.node(*entry) {
                Ok(Node::Directory(_)) => FileType::Directory,
                _ => FileType::RegularFile,
            };
            if reply.add(INodeNo(*entry), index as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let (all, free) = (CAPACITY / u64::from(BLOCK), self.content().free() / u64::from(BLOCK));
        reply.statfs(all, free, free, 1 << 20, 1 << 19, BLOCK, 255, BLOCK);
    }
}
