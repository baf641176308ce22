//! A process that a bench started: none outlives the bench.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// Those that run. Whoever starts, ends or reaps one holds the lock meanwhile, so that no id is another's.
#[derive(Clone, Default)]
pub struct Running(Arc<Mutex<BTreeSet<u32>>>);

/// One that runs; dropping it kills it.
pub struct Process {
    child: Child,
    running: Running,
}

/// Processors that a process is kept to; all of them if there are none.
pub type Cores = Vec<u16>;

/// How long a process may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(2);

impl Running {
    /// Starts this program with these arguments and without settings of hookyard in its environment, on some
    /// cores.
    ///
    /// # Errors
    /// When the system gives no process, or has no such cores.
    pub fn start(&self, arguments: &[&str], cores: &Cores) -> anyhow::Result<Process> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut command = Command::new(program);
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOOKYARD_"))
        {
            command.env_remove(name);
        }
        command.args(arguments).env_remove("NOTIFY_SOCKET").stdin(Stdio::piped()).stdout(Stdio::piped());
        // What Ctrl-C is for is up to the bench.
        command.process_group(0);
        confine(&mut command, cores)?;
        let mut pids = self.lock();
        let child = command.spawn().with_context(|| match cores.is_empty() {
            true => "cannot start a process".to_owned(),
            false => format!("cannot start a process on the cores {cores:?}"),
        })?;
        pids.insert(child.id());
        drop(pids);
        Ok(Process { child, running: self.clone() })
    }

    /// Kills all of them and waits until they are gone. Nothing is started any more while the guard is there.
    pub fn kill_all(&self) -> impl Drop + use<'_> {
        let mut pids = self.lock();
        for pid in std::mem::take(&mut *pids) {
            let Ok(pid) = libc::pid_t::try_from(pid) else {
                continue;
            };
            // SAFETY: plain system calls. The child is not reaped before its id is taken off the list.
            unsafe {
                libc::kill(pid, libc::SIGKILL);
                libc::waitpid(pid, std::ptr::null_mut(), 0);
            }
        }
        pids
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Process {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its input and output, once.
    ///
    /// # Errors
    /// When they were taken already.
    pub fn pipes(&mut self) -> anyhow::Result<(ChildStdin, ChildStdout)> {
        let pipes = self.child.stdin.take().zip(self.child.stdout.take());
        pipes.context("the pipes are taken")
    }

    /// Asks it to stop, and waits until it has.
    ///
    /// # Errors
    /// When it takes too long, or ends otherwise than it should.
    pub fn stop(mut self) -> anyhow::Result<()> {
        self.signal(libc::SIGTERM)?;
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let mut pids = self.running.lock();
            if let Some(status) = self.child.try_wait()? {
                pids.remove(&self.child.id());
                drop(pids);
                if !status.success() {
                    bail!("the process ended with {status}");
                }
                return Ok(());
            }
            drop(pids);
            thread::sleep(LOOK);
        }
        bail!("the process does not stop within {PATIENCE:?}")
    }

    fn signal(&self, signal: libc::c_int) -> anyhow::Result<()> {
        let pids = self.running.lock();
        let pid = libc::pid_t::try_from(self.child.id())?;
        // SAFETY: a plain system call. The child is not reaped while it is on the list.
        if pids.contains(&self.child.id()) && unsafe { libc::kill(pid, signal) } != 0 {
            return Err(io::Error::last_os_error().into());
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut pids = self.running.lock();
        if pids.remove(&self.child.id()) {
            // It may have ended by itself.
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// Has the kernel end the process with the thread that starts it, and keeps it to some cores.
#[cfg(target_os = "linux")]
fn confine(command: &mut Command, cores: &Cores) -> anyhow::Result<()> {
    let mut set = std::mem::MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: all bits zero is the empty set, and the cores are below its size.
    let set = unsafe {
        for core in cores {
            libc::CPU_SET(usize::from(*core), &mut *set.as_mut_ptr());
        }
        set.assume_init()
    };
    let (parent, is_pinned) = (std::process::id(), !cores.is_empty());
    let before = move || {
        // SAFETY: plain system calls, of those that are allowed between fork and exec.
        unsafe {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(io::Error::last_os_error());
            }
            // It may have ended before that.
            if u32::try_from(libc::getppid()) != Ok(parent) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            if is_pinned && libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    };
    // SAFETY: it allocates nothing and takes no lock.
    unsafe { command.pre_exec(before) };
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn confine(_: &mut Command, cores: &Cores) -> anyhow::Result<()> {
    anyhow::ensure!(cores.is_empty(), "this system keeps no process to some cores");
    Ok(())
}
