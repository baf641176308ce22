//! The receiver of a bench: counts what arrives, and when.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use anyhow::{Context, bail};

/// How long nothing may arrive before a bench gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A real HTTP server that answers 200 to everything, on an address of its own for each hook.
pub struct Receiver {
    arrivals: Arc<Arrivals>,
    server: ServerHandle,
    /// Of each hook.
    pub urls: Vec<String>,
}

/// What arrived, by hook and by the number that each event carries.
pub struct Arrivals {
    began: Instant,
    /// For how many events there is room.
    events: usize,
    /// How often each arrived.
    counts: Vec<AtomicU32>,
    /// When each arrived first, in nanoseconds since `began`.
    times: Vec<AtomicU64>,
    total: AtomicU32,
}

impl Receiver {
    /// Starts a receiver for one hook and events numbered below `events`.
    pub fn start(events: u32) -> anyhow::Result<Self> {
        Self::of_hooks(1, events)
    }

    /// Starts a receiver for so many hooks.
    pub fn of_hooks(hooks: usize, events: u32) -> anyhow::Result<Self> {
        let room = hooks * events as usize;
        let arrivals = Arc::new(Arrivals {
            began: Instant::now(),
            events: events as usize,
            counts: (0..room).map(|_| AtomicU32::new(0)).collect(),
            times: (0..room).map(|_| AtomicU64::new(0)).collect(),
            total: AtomicU32::new(0),
        });
        let shared = web::Data::from(arrivals.clone());
        let mut server = HttpServer::new(move || {
            App::new().app_data(shared.clone()).default_service(web::to(
                async |request: HttpRequest, body: web::Bytes, arrivals: web::Data<Arrivals>| {
                    arrivals.note(hook(request.path()), &body);
                    HttpResponse::Ok().finish()
                },
            ))
        })
        .workers(1)
        .disable_signals();
        let mut urls = Vec::with_capacity(hooks);
        for hook in 0..hooks {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            urls.push(format!("http://{}/{hook}", listener.local_addr()?));
            server = server.listen(listener)?;
        }
        let server = server.run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Ok(Self { arrivals, server: handle, urls })
    }

    /// Where the only hook is.
    pub fn url(&self) -> &str {
        &self.urls[0]
    }

    /// Waits until as many requests arrived as there is room for, then checks that each event arrived once.
    pub async fn all_once(self) -> anyhow::Result<Arc<Arrivals>> {
        let expected = self.arrivals.counts.len() as u32;
        let (mut seen, mut since) = (0, Instant::now());
        while seen < expected {
            actix_web::rt::time::sleep(Duration::from_millis(1)).await;
            let now = self.arrivals.total.load(Ordering::Relaxed);
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
            if since.elapsed() > PATIENCE {
                bail!("{seen} of {expected} deliveries arrived, then none");
            }
        }
        self.server.stop(false).await;
        let wrong = self.arrivals.counts.iter().position(|count| count.load(Ordering::Relaxed) != 1);
        if let Some(at) = wrong {
            let (event, count) =
                (at % self.arrivals.events, self.arrivals.counts[at].load(Ordering::Relaxed));
            bail!("event {event} arrived {count} times");
        }
        Ok(self.arrivals)
    }

    /// Stops without a look at what arrived.
    pub async fn stop(self) {
        self.server.stop(false).await;
    }
}

impl Arrivals {
    fn note(&self, hook: usize, body: &[u8]) {
        let event = number(body).filter(|event| *event < self.events);
        let Some(at) = event.map(|event| hook * self.events + event).filter(|at| *at < self.counts.len())
        else {
            return;
        };
        if self.counts[at].fetch_add(1, Ordering::Relaxed) == 0 {
            let since = self.began.elapsed().as_nanos() as u64;
            self.times[at].store(since, Ordering::Relaxed);
        }
        self.total.fetch_add(1, Ordering::Relaxed);
    }

    /// When the last event arrived.
    pub fn last(&self) -> anyhow::Result<Instant> {
        let last = self.times.iter().map(|time| time.load(Ordering::Relaxed)).max();
        Ok(self.began + Duration::from_nanos(last.context("nothing was sent")?))
    }

    /// How long each delivery of these events was under way, given when the event should have been sent.
    pub fn delays(&self, events: impl Iterator<Item = (u32, Instant)>) -> Vec<Duration> {
        let arrived = |at: usize| self.began + Duration::from_nanos(self.times[at].load(Ordering::Relaxed));
        let hooks = self.times.len() / self.events;
        let delays = events.flat_map(|(event, due)| {
            let of_hook = move |hook: usize| hook * self.events + event as usize;
            (0..hooks).map(move |hook| arrived(of_hook(hook)).saturating_duration_since(due))
        });
        delays.collect()
    }
}

/// An event's data: its number, padded to so many bytes.
pub fn data(event: u32, bytes: usize) -> String {
    let head = format!(r#"{{"n":{event},"pad":""#);
    let pad = bytes.saturating_sub(head.len() + 2);
    format!(r#"{head}{}"}}"#, "x".repeat(pad))
}

/// The number that the data of a delivered body carries.
pub fn number(body: &[u8]) -> Option<usize> {
    const MARK: &[u8] = br#""n":"#;
    let at = body.windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
    let digits = body[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&body[at..at + digits]).ok()?.parse().ok()
}

fn hook(path: &str) -> usize {
    path.trim_start_matches('/').parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_an_event_is_read_back_from_a_delivered_body() {
        let data = data(1234, 200);
        assert_eq!(data.len(), 200);
        let body = format!(r#"{{"event":"new_lead","timestamp":"2025-01-15T10:30:00Z","data":{data}}}"#);
        assert_eq!(number(body.as_bytes()), Some(1234));
        assert_eq!(number(b"{}"), None);
    }
}
