//! The verdict on many power cuts: what was lost, and how to see it again, or that there was enough to lose.

use super::cutting::{Outcome, Recording};
use crate::support::disk::trace::Operation;

/// Says what was compared; fails if anything was lost, or if too little was compared to tell.
pub fn judge(recording: &Recording, outcome: &Outcome) {
    let segments = segments(recording);
    let snapshots = recording.trace.iter().filter(|one| is_snapshot(one)).count();
    let (batches, hasty) = batches(recording);
    eprintln!(
        "{} operations, {segments:?} segments begun and removed, {batches} batches for sled, {snapshots} snapshots; {:?}",
        recording.trace.len(),
        outcome.tally
    );
    accuse(recording, outcome);
    assert!(batches > 20, "the trace has {batches} batches for sled that can be told");
    assert_eq!(hasty, 0, "batches that were begun before the last was synced");
    outcome.tally.assert_that_all_kinds_were_met();
    assert!(segments.0 > 10 && segments.1 > 10 && snapshots > 0, "the load did too little");
}

/// Fails if anything was lost, and says how to see that again.
pub fn accuse(recording: &Recording, outcome: &Outcome) {
    if let Some(first) = outcome.losses.first() {
        let file = recording.keep();
        for loss in outcome.losses.iter().take(5) {
            eprintln!("after {:?}: {:#?}", loss.cut, &loss.wrong[..loss.wrong.len().min(10)]);
        }
        panic!(
            "{} images are wrong; to see the first again: HOOKYARD_POWER_CUT_RECORDING={} \
             HOOKYARD_POWER_CUT_AT={}:{} cargo test --test it a_kept_power_cut -- --ignored --nocapture",
            outcome.losses.len(),
            file.display(),
            first.cut.position,
            first.cut.seed
        );
    }
}

/// How many batches were written, and how many of them before the one before was synced: sled could use space again that
/// the lost one had freed.
fn batches(recording: &Recording) -> (usize, usize) {
    /// The kind of a message that stands before a batch, at its fifth byte, and the length of its write.
    const MANIFEST: (u8, usize) = (3, 24);
    let (mut unsynced, mut batches, mut hasty) = (None, 0, 0);
    for operation in &recording.trace {
        match operation {
            Operation::Write { file, bytes, .. }
                if (bytes.get(4), bytes.len()) == (Some(&MANIFEST.0), MANIFEST.1) =>
            {
                batches += 1;
                hasty += usize::from(unsynced == Some(*file));
                unsynced = Some(*file);
            }
            Operation::Sync { file } if unsynced == Some(*file) => unsynced = None,
            _ => {}
        }
    }
    (batches, hasty)
}

/// How many segments of the log were begun, and how many removed.
fn segments(recording: &Recording) -> (usize, usize) {
    let changed = recording.trace.iter().filter_map(|operation| match operation {
        Operation::Names { names, .. } => Some(names),
        _ => None,
    });
    let segments = changed.flatten().filter(|(name, _)| name.to_string_lossy().ends_with(".log"));
    let (begun, removed): (Vec<_>, Vec<_>) = segments.partition(|(_, inode)| inode.is_some());
    (begun.len(), removed.len())
}

fn is_snapshot(operation: &Operation) -> bool {
    matches!(operation, Operation::Names { names, .. } if names.iter().any(|(name, inode)| {
        let name = name.to_string_lossy();
        inode.is_some() && name.starts_with("snap.") && !name.ends_with(".generating")
    }))
}
