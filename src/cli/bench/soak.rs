//! The soak: a steady rate for long, beside a retention that has much to do; memory, disk and delays are to stay as they
//! are.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;

use super::course::Bench;
use super::delays::Percentiles;
use super::figures::median;
use super::request::EVENT;
use super::router::Router;
use super::stream::Stream;

/// What retention lets be kept: less than comes in a few minutes.
const KEPT_BYTES: u64 = 256 << 20;
/// How many times what is kept the disk may hold.
const DISK_LIMIT: f64 = 4.0;
/// How many times more memory, or longer delays, the second half of the phases may have than the first.
const GROWTH_LIMIT: f64 = 1.5;
const MIB: f64 = 1024.0 * 1024.0;

/// What was seen at the end of a phase.
struct Seen {
    delays: Percentiles,
    memory_mib: f64,
    disk_mib: f64,
}

impl Bench {
    /// As many phases as there are to be rounds, at the steady rate.
    pub fn soak(&self) -> anyhow::Result<()> {
        let mut stream = Stream::new(self, 1, self.rate, self.rate * self.phase_seconds)?;
        let router = Router::start_keeping(&self.workshop, &self.networks(), KEPT_BYTES)?;
        router.subscribe(&stream.destination.url(0), EVENT, None)?;
        stream.aim(router.address, self.emit_request(EVENT, false));
        let mut all = Vec::new();
        for phase in 1..=self.comparison_rounds() {
            let delays = stream.phase()?;
            let memory_mib = router.footprint().anonymous_bytes.unwrap_or_default() / MIB;
            let disk_mib = bytes_in(&router.data_dir())? as f64 / MIB;
            let Percentiles { p50_ms, p99_ms, max_ms, .. } = delays;
            let text = format!(
                "soak{phase:>6}  p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms, max {max_ms:.1} ms; {memory_mib:.0} MiB of memory, {disk_mib:.0} MiB of disk"
            );
            let shown = json!({"scenario": "soak", "phase": phase, "delays": delays, "memory_mib": memory_mib, "disk_mib": disk_mib});
            self.tell(&shown, &text)?;
            all.push(Seen { delays, memory_mib, disk_mib });
        }
        router.drained(self.patience)?;
        router.stop()?;
        stream.destination.each_once(Duration::ZERO)?;
        verdict(&all)
    }
}

/// # Errors
/// When something grew that must not.
fn verdict(all: &[Seen]) -> anyhow::Result<()> {
    let half = all.len().div_ceil(2);
    let (first, last) = (&all[..half], &all[all.len() - half..]);
    let grown = |what: fn(&Seen) -> f64| median(last.iter().map(what)) / median(first.iter().map(what));
    let (delays, memory) = (grown(|seen| seen.delays.p99_ms), grown(|seen| seen.memory_mib));
    let disk = all.iter().map(|seen| seen.disk_mib).fold(0.0, f64::max) * MIB / KEPT_BYTES as f64;
    ensure!(delays <= GROWTH_LIMIT, "the 99th percentile grew to {delays:.2} times what it was");
    ensure!(memory <= GROWTH_LIMIT, "the memory grew to {memory:.2} times what it was");
    ensure!(disk <= DISK_LIMIT, "the disk held {disk:.1} times what may be kept");
    Ok(())
}

fn bytes_in(directory: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory).context("the router's data is gone")? {
        let entry = entry?;
        // The router may just have removed it.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        bytes += if metadata.is_dir() { bytes_in(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phases(p99_ms: [f64; 4], memory_mib: [f64; 4], disk_mib: f64) -> Vec<Seen> {
        let phase = |(p99_ms, memory_mib)| {
            let delays = Percentiles { count: 100, p99_ms, ..Percentiles::default() };
            Seen { delays, memory_mib, disk_mib }
        };
        p99_ms.into_iter().zip(memory_mib).map(phase).collect()
    }

    #[test]
    fn what_grows_fails_and_a_single_bad_phase_does_not() {
        assert!(verdict(&phases([2.0, 9.0, 2.0, 2.2], [90.0, 95.0, 99.0, 99.0], 900.0)).is_ok());
        assert!(verdict(&phases([2.0, 2.0, 3.0, 4.0], [90.0; 4], 900.0)).is_err());
        assert!(verdict(&phases([2.0; 4], [90.0, 110.0, 150.0, 190.0], 900.0)).is_err());
        assert!(verdict(&phases([2.0; 4], [90.0; 4], 1_100.0)).is_err());
    }
}
