//! The load generator of a bench: so many keep-alive connections, one request at a time on each.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{anyhow, bail};

/// What each request is like.
pub struct Load {
    pub url: String,
    pub key: Option<String>,
    pub connections: u16,
    pub events: u32,
    /// The body of the request for an event.
    pub body: Rc<dyn Fn(u32) -> String>,
}

impl Load {
    /// Sends every event once; returns when the last is answered.
    ///
    /// # Errors
    /// When a request is refused.
    pub async fn run(self) -> anyhow::Result<()> {
        let (next, load) = (Rc::new(Cell::new(0)), Rc::new(self));
        let connector = awc::Connector::new().limit(usize::from(load.connections));
        let client = awc::Client::builder()
            .connector(connector)
            .timeout(Duration::from_secs(30))
            .disable_redirects()
            .finish();
        let senders: Vec<_> = (0..load.connections)
            .map(|_| actix_web::rt::spawn(load.clone().send(client.clone(), next.clone())))
            .collect();
        for sender in senders {
            sender.await??;
        }
        Ok(())
    }

    async fn send(self: Rc<Self>, client: awc::Client, next: Rc<Cell<u32>>) -> anyhow::Result<()> {
        while next.get() < self.events {
            let event = next.replace(next.get() + 1);
            let mut request = client.post(&self.url).content_type("application/json");
            if let Some(key) = &self.key {
                request = request.bearer_auth(key);
            }
            let answer = request.send_body((self.body)(event)).await;
            let mut answer = answer.map_err(|error| anyhow!("event {event}: {error}"))?;
            if !answer.status().is_success() {
                bail!("event {event}: {}", answer.status());
            }
            // The connection is free for the next request only then.
            answer.body().await?;
        }
        Ok(())
    }
}
