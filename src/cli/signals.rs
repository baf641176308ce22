//! Signals: the first SIGTERM or Ctrl-C asks a server for a stop, the second ends the process; a command that has
//! something to remove ends at the first; SIGXFSZ does neither.
//!
//! They have a thread of their own, so that the second one works whatever the other threads are busy with.

use std::future::{Future, poll_fn};
use std::io;
use std::task::Poll;
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

/// Listens from now on; what comes back is ready at the first signal. A second one exits with status 1.
///
/// # Errors
/// When the system gives no thread or no signal handler.
pub fn first() -> io::Result<impl Future<Output = ()> + 'static> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let mut signals = Signals::listen(&runtime)?;
    let (sender, receiver) = oneshot::channel();
    let listening = async move {
        signals.next().await;
        // Nobody listens when serving has ended by itself.
        let _ = sender.send(());
        signals.next().await;
        std::process::exit(1)
    };
    thread::Builder::new().name("signals".to_owned()).spawn(move || runtime.block_on(listening))?;
    Ok(async move {
        let _ = receiver.await;
    })
}

/// Listens from now on; at the first signal runs `tidy` and ends the process, with the status that a shell gives it.
///
/// # Errors
/// As [`first`].
pub fn end_after(tidy: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let mut signals = Signals::listen(&runtime)?;
    let listening = async move {
        let number = signals.next().await;
        tidy();
        eprintln!("hookyard: stopped by a signal; nothing is left behind");
        std::process::exit(128 + number)
    };
    thread::Builder::new().name("signals".to_owned()).spawn(move || runtime.block_on(listening))?;
    Ok(())
}

/// Makes a file that may not grow any more an error of the write that met it, instead of the end of the process.
pub fn survive_file_size_limit() {
    // SAFETY: ignoring a signal runs no code of ours.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

impl Signals {
    fn listen(runtime: &Runtime) -> io::Result<Self> {
        let _entered = runtime.enter();
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The number of the next one.
    async fn next(&mut self) -> libc::c_int {
        poll_fn(|context| {
            if self.terminate.poll_recv(context).is_ready() {
                return Poll::Ready(libc::SIGTERM);
            }
            self.interrupt.poll_recv(context).map(|_| libc::SIGINT)
        })
        .await
    }
}
