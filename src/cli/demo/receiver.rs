//! The demonstration's receiver: verifies every request as a customer's would, and answers by its path.
//!
//! `/healthy` answers 200; `/flaky` fails the first time; `/gone` fails always. What cannot be verified gets 401.
//! Printing and judging what arrived is left to whoever reads the arrivals.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use hookyard::signature::{self, Headers, TOLERANCE, VerifyError};
use hookyard::subscription::Secret;
use tokio::sync::mpsc;

use super::super::receiver::{self, Request};
use super::super::verification::{Verdict, Verifier};

pub const HEALTHY: &str = "/healthy";
pub const FLAKY: &str = "/flaky";
pub const GONE: &str = "/gone";

/// A receiver on a port of its own; it listens until the process ends.
pub struct Receiver {
    address: SocketAddr,
    secrets: Arc<Secrets>,
}

/// A request that arrived, and what became of it.
#[derive(Debug)]
pub struct Arrival {
    pub request: Request,
    pub verdict: Verdict,
    /// What it is answered.
    pub status: StatusCode,
}

/// The secret of each path.
#[derive(Default)]
struct Secrets(Mutex<HashMap<&'static str, Verifier>>);

struct Desk {
    secrets: Arc<Secrets>,
    has_failed: AtomicBool,
    arrivals: mpsc::Sender<Arrival>,
}

/// Arrivals that nobody has looked at yet; beyond that, senders wait for their answer.
const UNREAD: usize = 64;

impl Receiver {
    /// Starts a receiver on a free port of this machine; what it gets comes out of the channel, in order.
    ///
    /// # Errors
    /// When there is no port or no thread for it.
    pub fn start() -> io::Result<(Self, mpsc::Receiver<Arrival>)> {
        let secrets = Arc::<Secrets>::default();
        let (sender, arrivals) = mpsc::channel(UNREAD);
        let desk = Desk { secrets: secrets.clone(), has_failed: AtomicBool::new(false), arrivals: sender };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        receiver::start(listener, desk)?;
        Ok((Self { address, secrets }, arrivals))
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Verifies the requests to `path` with this secret from now on.
    pub fn trust(&self, path: &'static str, secret: Secret) {
        let mut secrets = self.secrets.0.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.insert(path, Verifier::new(vec![secret], TOLERANCE));
    }
}

impl receiver::Desk for Desk {
    async fn answer(&self, request: Request) -> HttpResponse {
        let verdict = self.secrets.verdict(&request);
        let status = self.status(&request.target, &verdict);
        // Nobody reads them any more when the demonstration ends.
        let _ = self.arrivals.send(Arrival { request, verdict, status }).await;
        HttpResponse::new(status)
    }
}

impl Desk {
    fn status(&self, path: &str, verdict: &Verdict) -> StatusCode {
        match (verdict, path) {
            (Verdict::NoSecret, _) => StatusCode::NOT_FOUND,
            (Verdict::Refused(_), _) => StatusCode::UNAUTHORIZED,
            (Verdict::Verified(_), HEALTHY) => StatusCode::OK,
            (Verdict::Verified(_), FLAKY) if self.has_failed.swap(true, Ordering::Relaxed) => StatusCode::OK,
            (Verdict::Verified(_), _) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl Secrets {
    fn verdict(&self, request: &Request) -> Verdict {
        let secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let verifier = secrets.get(request.target.as_str());
        verifier.map_or(Verdict::NoSecret, |verifier| {
            verifier.verdict(&request.fields, &request.body, request.time)
        })
    }
}

impl Arrival {
    /// What a customer's receiver verifies.
    ///
    /// # Errors
    /// [`VerifyError::MissingHeader`] for the first that is not there.
    pub fn headers(&self) -> Result<Headers<'_>, VerifyError> {
        Headers::find(|name| self.request.fields.get(name))
    }

    pub fn id(&self) -> &str {
        self.request.fields.get(signature::ID).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use actix_web::web::Bytes;
    use hookyard::clock::Timestamp;
    use tokio::time::Instant;

    use super::super::super::verification::Refusal;
    use super::*;

    fn desk() -> Desk {
        let (arrivals, _) = mpsc::channel(1);
        Desk { secrets: Arc::default(), has_failed: AtomicBool::new(false), arrivals }
    }

    fn forged(path: &str) -> Request {
        let time = Timestamp::now();
        let seconds = time.unix_seconds().to_string();
        let fields =
            [("webhook-id", "evt_1"), ("webhook-timestamp", &seconds), ("webhook-signature", "v1,AAAA")];
        Request {
            method: "POST".to_owned(),
            target: path.to_owned(),
            fields: fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect(),
            body: Bytes::from_static(b"{}"),
            at: Instant::now(),
            time,
        }
    }

    #[test]
    fn the_flaky_path_fails_once_and_the_gone_one_always() {
        let desk = desk();
        let statuses = |path| [(); 3].map(|()| desk.status(path, &Verdict::Verified(Vec::new())).as_u16());
        assert_eq!(statuses(HEALTHY), [200, 200, 200]);
        assert_eq!(statuses(FLAKY), [500, 200, 200]);
        assert_eq!(statuses(GONE), [500, 500, 500]);
    }

    #[test]
    fn what_cannot_be_verified_is_refused_on_every_path() {
        let desk = desk();
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        desk.secrets.0.lock().unwrap().insert(HEALTHY, Verifier::new(vec![secret], TOLERANCE));
        let verdict = desk.secrets.verdict(&forged(HEALTHY));
        assert_eq!(verdict, Verdict::Refused(Refusal::Standard(VerifyError::NoMatch)));
        assert_eq!(desk.status(HEALTHY, &verdict), StatusCode::UNAUTHORIZED);
        let elsewhere = desk.secrets.verdict(&forged("/elsewhere"));
        assert_eq!(desk.status("/elsewhere", &elsewhere), StatusCode::NOT_FOUND);
    }
}
