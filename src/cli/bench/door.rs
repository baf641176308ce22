//! The front door of a bench.

use std::net::TcpListener;

use actix_web::rt::task::JoinHandle;
use hookyard::Hookyard;
use tokio::sync::oneshot;

/// A front door that is open.
pub struct Door {
    /// Where events are emitted.
    pub events: String,
    stop: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
}

impl Door {
    /// Opens one on a port of its own.
    pub fn open(hookyard: &Hookyard) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let events = format!("http://{}/api/v1/events", listener.local_addr()?);
        let (stop, stopped) = oneshot::channel::<()>();
        let door = hookyard::api::run(listener, hookyard.clone(), async { drop(stopped.await) });
        Ok(Self { events, stop, served: actix_web::rt::spawn(door) })
    }

    /// Closes it once all are answered.
    pub async fn close(self) -> anyhow::Result<()> {
        drop(self.stop);
        Ok(self.served.await??)
    }
}
