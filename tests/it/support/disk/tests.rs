//! That the disk remembers what it is told, and nothing that stays in the kernel.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsRawFd;

use super::image::{Image, Platter};
use super::trace::Operation;
use super::*;

const SEEDS: u64 = 64;

fn images(disk: &Disk) -> Vec<TempDir> {
    let trace = disk.trace();
    let mut platter = Platter::new(&Image::default(), 0);
    platter.advance(&trace, trace.len());
    (0..SEEDS).map(|seed| written(&platter.cut(seed))).collect()
}

fn written(image: &Image) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    image.write(directory.path()).expect("it can be written");
    directory
}

#[test]
fn what_is_synced_is_in_every_image_and_what_is_not_in_some() {
    let Some(disk) = Disk::mount() else { return };
    let mut file = File::create(disk.path().join("kept")).unwrap();
    file.write_all(&[7; 10_000]).unwrap();
    file.sync_data().unwrap();
    File::open(disk.path()).unwrap().sync_all().unwrap();
    file.write_all(&[8; 10_000]).unwrap();
    // SAFETY: it takes no pointer.
    let written_back = unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
    assert_eq!(written_back, 0);
    fs::write(disk.path().join("unsynced"), "x").unwrap();

    let syncs = |trace: &Trace| trace.iter().filter(|one| matches!(one, Operation::Sync { .. })).count();
    assert_eq!(syncs(&disk.trace()), 1);
    let (mut whole, mut torn, mut bare, mut named) = (0, 0, 0, 0);
    for image in images(&disk) {
        let kept = fs::read(image.path().join("kept")).unwrap();
        assert!(kept[..10_000].iter().all(|byte| *byte == 7));
        match kept[10_000..].iter().filter(|byte| **byte == 8).count() {
            0 => bare += 1,
            10_000 => whole += 1,
            _ => torn += 1,
        }
        named += usize::from(image.path().join("unsynced").exists());
    }
    assert!(whole > 0 && torn > 0 && bare > 0, "{whole} {torn} {bare}");
    assert!(named > 0 && named < SEEDS as usize, "{named}");
}

#[test]
fn a_synced_file_without_its_name_is_lost_and_a_rename_is_whole() {
    let Some(disk) = Disk::mount() else { return };
    let (old, new) = (disk.path().join("old"), disk.path().join("new"));
    fs::write(&old, "text").unwrap();
    File::open(&old).unwrap().sync_all().unwrap();
    assert!(images(&disk).iter().any(|image| !image.path().join("old").exists()));
    File::open(disk.path()).unwrap().sync_all().unwrap();
    fs::rename(&old, &new).unwrap();
    for image in images(&disk) {
        let names = ["old", "new"].map(|name| image.path().join(name).exists());
        assert!(names == [true, false] || names == [false, true], "{names:?}");
    }
}

#[test]
fn a_failed_sync_is_not_made_good_by_the_next() {
    let Some(disk) = Disk::mount() else { return };
    let mut file = File::create(disk.path().join("file")).unwrap();
    File::open(disk.path()).unwrap().sync_all().unwrap();
    file.write_all(&[1; 1 << 20]).unwrap();
    disk.fail(Fault::Syncs(libc::EIO));
    assert_eq!(file.sync_all().unwrap_err().raw_os_error(), Some(libc::EIO));
    disk.mend();
    file.sync_all().unwrap();
    let bytes = fs::read(images(&disk)[0].path().join("file")).unwrap();
    let kept = bytes.iter().filter(|byte| **byte == 1).count();
    assert!(kept > 0 && kept < 1 << 20, "{kept}");
}

#[test]
fn a_disk_goes_on_with_what_a_power_cut_left() {
    let Some(disk) = Disk::mount() else { return };
    fs::create_dir(disk.path().join("below")).unwrap();
    fs::write(disk.path().join("below/file"), "text").unwrap();
    fs::write(disk.path().join("empty"), "").unwrap();
    for directory in ["", "below"] {
        File::open(disk.path().join(directory)).unwrap().sync_all().unwrap();
    }
    File::open(disk.path().join("below/file")).unwrap().sync_all().unwrap();
    let trace = disk.trace();
    let mut platter = Platter::new(&Image::default(), 0);
    platter.advance(&trace, trace.len());

    let Some(next) = Disk::holding(&platter.cut(0)) else { return };
    assert_eq!(fs::read(next.path().join("below/file")).unwrap(), b"text");
    assert_eq!(fs::read(next.path().join("empty")).unwrap(), b"");
    fs::write(next.path().join("below/other"), "more").unwrap();
    assert_eq!(fs::read(next.path().join("below/file")).unwrap(), b"text");
}

#[test]
fn a_disk_fails_as_it_is_told_and_says_how_full_it_is() {
    let Some(disk) = Disk::mount() else { return };
    let mut file = File::create(disk.path().join("file")).unwrap();
    disk.fail(Fault::FullAfter(10));
    assert_eq!(file.write(&[1; 100]).unwrap(), 10);
    assert_eq!(file.write(&[1; 100]).unwrap_err().raw_os_error(), Some(libc::ENOSPC));
    disk.fail(Fault::Changes(libc::EROFS));
    assert_eq!(File::create(disk.path().join("other")).unwrap_err().raw_os_error(), Some(libc::EROFS));
    disk.mend();
    assert_eq!(file.write(&[1; 100]).unwrap(), 100);
    assert_eq!(fs::metadata(disk.counter()).unwrap().len(), disk.position() as u64);
    assert_eq!(disk.refusals(), 2);
}
