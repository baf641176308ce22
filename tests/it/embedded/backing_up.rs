//! Backups in a program: written anywhere, restored anywhere, and over when the router is.

use std::fs::{self, File};
use std::io::{self, Write};
use std::sync::mpsc::{Receiver as Taken, SyncSender, sync_channel};

use hookyard::backup::{self, Error, RestoreError};
use hookyard::hookyard::BackupError;

use crate::support::embedding::{account, wait_until_all_is_delivered};
use crate::support::embedding::{ids, leads, look_at, open, quick, sorted, subscribe};
use crate::support::receiver::Receiver;

/// Takes what is written once somebody receives it.
struct Hesitant(SyncSender<Vec<u8>>);

impl Hesitant {
    fn new() -> (Self, Taken<Vec<u8>>) {
        let (sender, receiver) = sync_channel(0);
        (Self(sender), receiver)
    }
}

impl Write for Hesitant {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.0.send(bytes.to_vec()).map(|()| bytes.len()).map_err(gone)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_router_delivers_what_waited_in_the_first() {
    let [first, second] = [(); 2].map(|()| tempfile::tempdir().expect("a temporary directory"));
    let (hookyard, receiver) = (open(quick(first.path())).await, Receiver::answering([200]));
    let hook = subscribe(&hookyard, &receiver).await;
    hookyard.pause(&account(), hook).await.expect("it is paused");
    let receipts = hookyard.emit_batch(leads(50)).await.expect("accepted");
    let path = first.path().join("a.backup");

    let made = hookyard.backup(File::create(&path).expect("it is writable")).await.expect("it is made");
    hookyard.shutdown().await;
    let file = || File::open(&path).expect("it is there");
    assert_eq!(backup::verify(file()).expect("it is whole"), made);
    assert_eq!(made.bytes, file().metadata().expect("it is there").len());
    let data = second.path().join("data");
    assert_eq!(backup::restore(file(), &data, |_| {}).expect("it is whole"), made);

    let restored = open(quick(&data)).await;
    assert_eq!(look_at(&restored, hook).await.pending, 50);
    restored.resume(&account(), hook).await.expect("it is resumed");
    wait_until_all_is_delivered(&restored, hook).await;
    assert_eq!(sorted(receiver.webhook_ids()), sorted(ids(&receipts)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_nobody_takes_ends_with_the_router_and_frees_its_files() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let hookyard = open(quick(directory.path())).await;
    hookyard.emit_batch(leads(1_000)).await.expect("accepted");
    let (hesitant, taken) = Hesitant::new();
    let backup = hookyard.begin_backup().await.expect("it is the first");
    let writing = std::thread::spawn(move || backup.write_to(hesitant));
    taken.recv().expect("it begins");
    let busy = hookyard.begin_backup().await.err();
    assert!(matches!(busy, Some(BackupError::Busy)), "{busy:?}");

    hookyard.shutdown().await;
    let mut bytes: Vec<u8> = taken.iter().flatten().collect();

    let ended = writing.join().expect("it does not panic");
    assert!(matches!(ended, Err(BackupError::Unavailable(_))), "{ended:?}");
    // The first bytes were taken above.
    bytes.splice(0..0, *b"\x89HKYBK\r\n");
    assert!(matches!(backup::verify(&*bytes), Err(Error::Ended(_))), "it does not say why it is not whole");
    open(quick(directory.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_was_killed_is_told_apart_from_a_store() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (hookyard, path) =
        (open(quick(&directory.path().join("first"))).await, directory.path().join("file"));
    hookyard.backup(File::create(&path).expect("it is writable")).await.expect("it is made");
    let data = directory.path().join("data");
    let left = data.join("ledger.restoring");
    fs::create_dir_all(&left).expect("it is writable");

    let restoring = || backup::restore(File::open(&path).expect("it is there"), &data, |_| {});
    let refused = restoring().expect_err("something is there");
    assert!(matches!(&refused, RestoreError::Unfinished(path) if *path == left), "{refused}");
    fs::remove_dir(&left).expect("it was not touched");
    restoring().expect("nothing is in the way");
    assert!(matches!(restoring(), Err(RestoreError::Exists(_))));
}
