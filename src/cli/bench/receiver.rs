//! The receiver of a bench: counts what arrives, and when.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, bail};

/// How long nothing may arrive before a bench gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A real HTTP server that answers 200 to everything.
pub struct Receiver {
    arrivals: Arc<Arrivals>,
    server: ServerHandle,
    pub url: String,
}

/// What arrived, by the number that each event carries.
pub struct Arrivals {
    began: Instant,
    /// How often each arrived.
    counts: Vec<AtomicU32>,
    /// When each arrived first, in nanoseconds since `began`.
    times: Vec<AtomicU64>,
    total: AtomicU32,
}

impl Receiver {
    /// Starts a receiver for events numbered below `events`.
    pub fn start(events: u32) -> anyhow::Result<Self> {
        let arrivals = Arc::new(Arrivals {
            began: Instant::now(),
            counts: (0..events).map(|_| AtomicU32::new(0)).collect(),
            times: (0..events).map(|_| AtomicU64::new(0)).collect(),
            total: AtomicU32::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/", listener.local_addr()?);
        let shared = web::Data::from(arrivals.clone());
        let server = HttpServer::new(move || {
            App::new().app_data(shared.clone()).default_service(web::to(
                async |body: web::Bytes, arrivals: web::Data<Arrivals>| {
                    arrivals.note(&body);
                    HttpResponse::Ok().finish()
                },
            ))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)?
        .run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Ok(Self { arrivals, server: handle, url })
    }

    /// Waits until as many requests arrived as there are events, then checks that each event arrived once.
    pub async fn all_once(self) -> anyhow::Result<Arc<Arrivals>> {
        let (mut seen, mut since) = (0, Instant::now());
        while seen < self.arrivals.counts.len() as u32 {
            actix_web::rt::time::sleep(Duration::from_millis(1)).await;
            let now = self.arrivals.total.load(Ordering::Relaxed);
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
            if since.elapsed() > PATIENCE {
                bail!("{seen} of {} events arrived, then none", self.arrivals.counts.len());
            }
        }
        self.server.stop(false).await;
        let wrong = self.arrivals.counts.iter().position(|count| count.load(Ordering::Relaxed) != 1);
        if let Some(event) = wrong {
            bail!("event {event} arrived {} times", self.arrivals.counts[event].load(Ordering::Relaxed));
        }
        Ok(self.arrivals)
    }
}

impl Arrivals {
    fn note(&self, body: &[u8]) {
        let Some(event) = number(body).filter(|event| *event < self.counts.len()) else {
            return;
        };
        if self.counts[event].fetch_add(1, Ordering::Relaxed) == 0 {
            let since = self.began.elapsed().as_nanos() as u64;
            self.times[event].store(since, Ordering::Relaxed);
        }
        self.total.fetch_add(1, Ordering::Relaxed);
    }

    /// When the last event arrived.
    pub fn last(&self) -> anyhow::Result<Instant> {
        let last = self.times.iter().map(|time| time.load(Ordering::Relaxed)).max();
        Ok(self.began + Duration::from_nanos(last.context("nothing was sent")?))
    }

    /// How long each event was under way, given when it should have been sent.
    pub fn delays(&self, due: impl Fn(u32) -> Instant) -> Vec<Duration> {
        let arrived = |time: &AtomicU64| self.began + Duration::from_nanos(time.load(Ordering::Relaxed));
        let times = (0u32..).zip(&self.times);
        times.map(|(event, time)| arrived(time).saturating_duration_since(due(event))).collect()
    }
}

/// An event's data: its number, padded to so many bytes.
pub fn data(event: u32, bytes: usize) -> String {
    let head = format!(r#"{{"n":{event},"pad":""#);
    let pad = bytes.saturating_sub(head.len() + 2);
    format!(r#"{head}{}"}}"#, "x".repeat(pad))
}

fn number(body: &[u8]) -> Option<usize> {
    const MARK: &[u8] = br#""n":"#;
    let at = body.windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
    let digits = body[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&body[at..at + digits]).ok()?.parse().ok()
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
