//! The disk: the bytes of so many events, written batch by batch as a store would write them at best, and
//! synced after each.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::delays::Delays;
use super::super::monotonic::now_ns;
use super::generator::Sent;
use super::orders::Duty;

/// What is written.
#[derive(Serialize, Deserialize)]
pub struct Order {
    pub medium: Medium,
    /// An empty directory.
    pub directory: PathBuf,
    pub events: u32,
    /// How many are synced at once.
    pub batch: u32,
    /// Of each event.
    pub bytes: usize,
}

/// What it is written to.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Medium {
    /// A file, synced with `fdatasync`.
    File,
    /// sled, flushed and then synced as the store does it, in rows as large as those of the store.
    Sled,
}

/// The disk.
pub struct Disk;

/// Where batches are written.
enum Written {
    File(File),
    Sled { tree: sled::Db, file: File, next: u64 },
}

/// The bytes of a row: a little less than the store allows.
const ROW_BYTES: usize = 6_900;
/// As the store has it.
const CACHE_BYTES: u64 = 32 << 20;

impl Duty for Disk {
    type Order = Order;

    async fn carry_out(&mut self, order: Order) -> anyhow::Result<Value> {
        let mut written = Written::open(order.medium, &order.directory).context("cannot write there")?;
        let payload: Vec<u8> =
            (0..order.bytes * order.batch as usize).map(|at| b' ' + (at % 89) as u8).collect();
        let (mut delays, began_ns) = (Delays::new(), now_ns());
        let mut left = order.events;
        while left > 0 {
            let events = left.min(order.batch);
            let due_ns = now_ns();
            written.batch(&payload[..order.bytes * events as usize])?;
            delays.note(due_ns, now_ns());
            left -= events;
        }
        let answers = delays.percentiles();
        Ok(serde_json::to_value(Sent { began_ns, ended_ns: now_ns(), answers })?)
    }
}

impl Written {
    fn open(medium: Medium, directory: &Path) -> anyhow::Result<Self> {
        Ok(match medium {
            Medium::File => {
                Self::File(OpenOptions::new().create(true).append(true).open(directory.join("file"))?)
            }
            Medium::Sled => {
                let config = sled::Config::new().path(directory).cache_capacity(CACHE_BYTES);
                let tree = config.flush_every_ms(Some(200)).open()?;
                Self::Sled { tree, file: File::open(directory.join("db"))?, next: 0 }
            }
        })
    }

    /// Writes a batch; when this returns, it survives a power cut.
    fn batch(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::File(file) => {
                file.write_all(bytes)?;
                file.sync_data()?;
            }
            Self::Sled { tree, file, next } => {
                let mut batch = sled::Batch::default();
                for row in bytes.chunks(ROW_BYTES) {
                    batch.insert(&next.to_be_bytes(), row);
                    *next += 1;
                }
                tree.apply_batch(batch)?;
                tree.flush()?;
                file.sync_data()?;
            }
        }
        Ok(())
    }
}
