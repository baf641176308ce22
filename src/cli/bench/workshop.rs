//! The workshop: where a bench keeps its processes and files, and from which it removes all of them.

use std::cell::Cell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout};

use anyhow::{Context, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use super::super::signals;
use super::part::Role;
use super::part::orders::Report;
use super::process::{Cores, Process, Running};

/// The processes and files of a bench.
pub struct Workshop {
    directory: TempDir,
    running: Running,
    /// Those that the router, or what stands in its place, is kept to.
    cores: Cores,
    made: Cell<u32>,
}

/// A part of the bench in a process of its own.
pub struct Hand {
    role: Role,
    process: Process,
    orders: ChildStdin,
    reports: BufReader<ChildStdout>,
}

impl Workshop {
    /// A workshop in a directory; at a signal it is cleared and the process ends.
    ///
    /// # Errors
    /// When nothing can be made there.
    pub fn open(directory: &Path, cores: Cores) -> anyhow::Result<Self> {
        let directory = TempDir::with_prefix_in("hookyard-bench-", directory)
            .with_context(|| format!("cannot make a directory in {}", directory.display()))?;
        let running = Running::default();
        let (path, processes) = (directory.path().to_owned(), running.clone());
        let tidy = move || {
            // Kept until the process ends: nothing is started or removed any more beside this.
            std::mem::forget(processes.kill_all());
            drop(std::fs::remove_dir_all(path));
        };
        signals::end_after(tidy).context("cannot listen for signals")?;
        Ok(Self { directory, running, cores, made: Cell::new(0) })
    }

    /// An empty directory.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn directory(&self) -> anyhow::Result<PathBuf> {
        let number = self.made.replace(self.made.get() + 1);
        let directory = self.directory.path().join(number.to_string());
        std::fs::create_dir(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
        // Parts are told of it, wherever they stand.
        directory.canonicalize().context("a directory just made is gone")
    }

    /// Starts a part.
    ///
    /// # Errors
    /// When there is no process for it.
    pub fn hand(&self, role: Role) -> anyhow::Result<Hand> {
        let cores = match role {
            Role::Handler | Role::Embedded | Role::Disk => &self.cores,
            Role::Receiver | Role::Generator | Role::Misbehaving | Role::Revenant => &Cores::new(),
        };
        let mut process = self.running.start(&["bench-part", &role.name()], cores)?;
        let (orders, reports) = process.pipes()?;
        Ok(Hand { role, process, orders, reports: BufReader::new(reports) })
    }

    /// Starts this program as a server with a configuration.
    ///
    /// # Errors
    /// When there is no process for it.
    pub fn server(&self, config: &Path) -> anyhow::Result<Process> {
        let config = config.to_str().context("the directory's name is no text")?;
        self.running.start(&["serve", "--config", config], &self.cores)
    }
}

impl Hand {
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Gives it an order and waits for the report.
    ///
    /// # Errors
    /// When it cannot carry it out, or has ended.
    pub fn ask<R: DeserializeOwned>(&mut self, order: &impl Serialize) -> anyhow::Result<R> {
        self.tell(order)?;
        self.hear()
    }

    /// Gives it an order whose report is heard later.
    ///
    /// # Errors
    /// When it has ended.
    pub fn tell(&mut self, order: &impl Serialize) -> anyhow::Result<()> {
        let mut line = serde_json::to_string(order)?;
        line.push('\n');
        self.orders.write_all(line.as_bytes()).with_context(|| format!("the {} has ended", self.role.name()))
    }

    /// Waits for the report on an order.
    ///
    /// # Errors
    /// When it could not carry it out, or has ended.
    pub fn hear<R: DeserializeOwned>(&mut self) -> anyhow::Result<R> {
        let mut line = String::new();
        if self.reports.read_line(&mut line)? == 0 {
            bail!("the {} has ended", self.role.name());
        }
        match serde_json::from_str(&line)? {
            Report::Done(report) => Ok(serde_json::from_value(report)?),
            Report::Failed(why) => bail!("the {}: {why}", self.role.name()),
        }
    }
}
