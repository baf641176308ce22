//! The footprint of one process: what the kernel says that it took of the processors, the disk and the
//! memory.

use std::fs;

/// What a process has taken so far; what the system does not tell is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Footprint {
    /// Time on a processor, in the program and for it in the kernel.
    pub cpu_us: Option<f64>,
    /// Bytes that it had written to a disk.
    pub written: Option<f64>,
    /// The most memory that was ever resident.
    pub peak_mib: Option<f64>,
    /// Memory that is of no file.
    pub anonymous_bytes: Option<f64>,
}

/// The fields of `/proc/PID/stat` behind the name, where these are the 12th and the 13th.
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;

impl Footprint {
    /// Looks at a process.
    pub fn of(pid: u32) -> Self {
        let read = |file| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let (status, io) = (read("status"), read("io"));
        Self {
            cpu_us: cpu_us(&read("stat")),
            written: field(&io, "write_bytes:"),
            peak_mib: field(&status, "VmHWM:").map(|kib| kib / 1024.0),
            anonymous_bytes: field(&status, "RssAnon:").map(|kib| kib * 1024.0),
        }
    }
}

/// The number behind a name, whatever its unit.
fn field(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn cpu_us(stat: &str) -> Option<f64> {
    // The name is in brackets and may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(USER_TICKS)? + ticks(SYSTEM_TICKS)?) * 1e6 / ticks_per_second())
}

fn ticks_per_second() -> f64 {
    // SAFETY: a question without pointers.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    // Every Linux has it; a hundred is what it always says.
    if ticks > 0 { ticks as f64 } else { 100.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_the_kernel_are_found_by_their_names() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nRssAnon:\t  8 kB\n";
        assert_eq!(field(status, "VmHWM:"), Some(2048.0));
        assert_eq!(field(status, "VmRSS:"), None);
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 300 0 0 0 250 150 0 0 20 0 9 0 1 2 3";
        assert_eq!(cpu_us(stat), Some(400.0 * 1e6 / ticks_per_second()));
        assert_eq!(cpu_us(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_a_footprint_and_none_that_is_gone() {
        let own = Footprint::of(std::process::id());
        assert!(own.cpu_us.is_some() && own.peak_mib > Some(0.0) && own.anonymous_bytes > Some(0.0));
        assert_eq!(Footprint::of(u32::MAX), Footprint::default());
    }
}
