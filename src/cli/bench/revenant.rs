//! A receiver that is dead, and then is back.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, ensure};

use super::receiver::number;

/// How long it takes to answer.
const THOUGHT: Duration = Duration::from_millis(5);

/// One that answers 503 until it rises, and 200 from then on.
pub struct Revenant {
    pub url: String,
    seen: Arc<Seen>,
}

/// What it has seen.
#[derive(Default)]
struct Seen {
    risen: AtomicBool,
    requests: AtomicU32,
    /// The numbers of the events that it took, in order.
    taken: Mutex<Vec<u32>>,
}

impl Revenant {
    /// Starts one on a port and a thread of its own; it is dead.
    ///
    /// # Errors
    /// When there is no port.
    pub fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/", listener.local_addr()?);
        let seen = Arc::new(Seen::default());
        let shared = web::Data::from(seen.clone());
        let server = HttpServer::new(move || {
            App::new().app_data(shared.clone()).default_service(web::to(
                async |body: web::Bytes, seen: web::Data<Seen>| {
                    if !seen.note(&body) {
                        return HttpResponse::ServiceUnavailable().finish();
                    }
                    actix_web::rt::time::sleep(THOUGHT).await;
                    HttpResponse::Ok().finish()
                },
            ))
        });
        actix_web::rt::spawn(server.workers(1).disable_signals().listen(listener)?.run());
        Ok(Self { url, seen })
    }

    /// Answers from now on.
    pub fn rise(&self) {
        self.seen.risen.store(true, Ordering::Relaxed);
    }

    /// How many requests came so far.
    pub fn requests(&self) -> u32 {
        self.seen.requests.load(Ordering::Relaxed)
    }

    /// Checks that each of so many events was taken once; returns how far behind a newer one an older one came at most.
    ///
    /// # Errors
    /// When one is missing or came twice.
    pub fn disorder(&self, events: u32) -> anyhow::Result<u32> {
        let taken = self.seen.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sorted = taken.clone();
        sorted.sort_unstable();
        ensure!(
            sorted.iter().copied().eq(0..events),
            "{} of {events} events came, or some twice",
            sorted.len()
        );
        let mut newest = 0;
        let behind = taken.iter().map(|event| {
            newest = newest.max(*event);
            newest - event
        });
        behind.max().context("nothing was sent")
    }
}

impl Seen {
    /// Notes a request; says whether it is taken.
    fn note(&self, body: &[u8]) -> bool {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let risen = self.risen.load(Ordering::Relaxed);
        if let Some(event) = number(body).filter(|_| risen) {
            self.taken.lock().unwrap_or_else(PoisonError::into_inner).push(event as u32);
        }
        risen
    }
}
