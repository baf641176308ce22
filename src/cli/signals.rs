//! Signals: the first SIGTERM or Ctrl-C asks for a stop, the second ends the process; SIGXFSZ does neither.
//!
//! The former have a thread of their own, so that the second one works whatever the other threads are busy with.

use std::future::{Future, poll_fn};
use std::io;
use std::task::Poll;
use std::thread;

use tokio::runtime::Builder;
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
    let mut signals = {
        let _entered = runtime.enter();
        Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? }
    };
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

/// Makes a file that may not grow any more an error of the write that met it, instead of the end of the process.
pub fn survive_file_size_limit() {
    // SAFETY: ignoring a signal runs no code of ours.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

impl Signals {
    async fn next(&mut self) {
        poll_fn(|context| {
            let came =
                self.terminate.poll_recv(context).is_ready() || self.interrupt.poll_recv(context).is_ready();
            if came { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
