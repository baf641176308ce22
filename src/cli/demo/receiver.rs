//! The demonstration's receiver: verifies every request as a customer's would, and answers by its path.
//!
//! `/healthy` answers 200; `/flaky` fails the first time; `/gone` fails always. What cannot be verified gets 401.
//! Printing and judging what arrived is left to whoever reads the arrivals.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Data, PayloadConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, rt};
use hookyard::clock::Timestamp;
use hookyard::signature::{self, Headers, TOLERANCE, VerifyError};
use tokio::sync::mpsc;
use tokio::time::Instant;

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
    pub path: String,
    pub id: String,
    pub timestamp: String,
    pub signature: String,
    pub body: Bytes,
    pub verdict: Verdict,
    /// What it is answered.
    pub status: StatusCode,
    pub at: Instant,
}

/// Whether a request is to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Verified,
    Refused(VerifyError),
    /// Its path is none that a hook was subscribed with here.
    UnknownPath,
}

/// The secret of each path.
#[derive(Default)]
struct Secrets(Mutex<HashMap<&'static str, String>>);

struct Desk {
    secrets: Arc<Secrets>,
    has_failed: AtomicBool,
    arrivals: mpsc::Sender<Arrival>,
}

/// Arrivals that nobody has looked at yet; beyond that, senders wait for their answer.
const UNREAD: usize = 64;
/// More than the router takes as the data of one event.
const BODY_LIMIT: usize = 2 << 20;

impl Receiver {
    /// Starts a receiver on a free port of this machine; what it gets comes out of the channel, in order.
    ///
    /// # Errors
    /// When there is no port or no thread for it.
    pub fn start() -> io::Result<(Self, mpsc::Receiver<Arrival>)> {
        let secrets = Arc::<Secrets>::default();
        let (sender, arrivals) = mpsc::channel(UNREAD);
        let desk = Desk { secrets: secrets.clone(), has_failed: AtomicBool::new(false), arrivals: sender };
        let desk = Data::new(desk);
        let server = HttpServer::new(move || {
            let limit = PayloadConfig::new(BODY_LIMIT);
            App::new().app_data(desk.clone()).app_data(limit).default_service(web::post().to(receive))
        });
        let server = server.workers(1).disable_signals().bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = *server.addrs().first().ok_or(io::ErrorKind::AddrNotAvailable)?;
        rt::spawn(server.run());
        Ok((Self { address, secrets }, arrivals))
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Verifies the requests to `path` with this secret from now on.
    pub fn trust(&self, path: &'static str, secret: String) {
        self.secrets.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path, secret);
    }
}

async fn receive(request: HttpRequest, body: Bytes, desk: Data<Desk>) -> HttpResponse {
    let at = Instant::now();
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let text = |name| header(name).unwrap_or_default().to_owned();
    let verdict = desk.secrets.verdict(request.path(), Headers::find(header), &body);
    let status = desk.answer(request.path(), verdict);
    let arrival = Arrival {
        path: request.path().to_owned(),
        id: text(signature::ID),
        timestamp: text(signature::TIMESTAMP),
        signature: text(signature::SIGNATURE),
        body,
        verdict,
        status,
        at,
    };
    // Nobody reads them any more when the demonstration ends.
    let _ = desk.arrivals.send(arrival).await;
    HttpResponse::new(status)
}

impl Desk {
    fn answer(&self, path: &str, verdict: Verdict) -> StatusCode {
        match (verdict, path) {
            (Verdict::UnknownPath, _) => StatusCode::NOT_FOUND,
            (Verdict::Refused(_), _) => StatusCode::UNAUTHORIZED,
            (Verdict::Verified, HEALTHY) => StatusCode::OK,
            (Verdict::Verified, FLAKY) if self.has_failed.swap(true, Ordering::Relaxed) => StatusCode::OK,
            (Verdict::Verified, _) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl Secrets {
    fn verdict(&self, path: &str, headers: Result<Headers<'_>, VerifyError>, body: &[u8]) -> Verdict {
        let secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(secret) = secrets.get(path) else { return Verdict::UnknownPath };
        let verified = headers
            .and_then(|headers| signature::verify(secret, &headers, body, TOLERANCE, Timestamp::now()));
        verified.map_or_else(Verdict::Refused, |()| Verdict::Verified)
    }
}

impl Arrival {
    pub fn headers(&self) -> Headers<'_> {
        Headers { id: &self.id, timestamp: &self.timestamp, signature: &self.signature }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified => f.write_str("signature verified"),
            Self::Refused(error) => write!(f, "NOT VERIFIED: {error}"),
            Self::UnknownPath => f.write_str("not verified: this path has no secret here"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desk() -> Desk {
        let (arrivals, _) = mpsc::channel(1);
        Desk { secrets: Arc::default(), has_failed: AtomicBool::new(false), arrivals }
    }

    #[test]
    fn the_flaky_path_fails_once_and_the_gone_one_always() {
        let desk = desk();
        let statuses = |path| [(); 3].map(|()| desk.answer(path, Verdict::Verified).as_u16());
        assert_eq!(statuses(HEALTHY), [200, 200, 200]);
        assert_eq!(statuses(FLAKY), [500, 200, 200]);
        assert_eq!(statuses(GONE), [500, 500, 500]);
    }

    #[test]
    fn what_cannot_be_verified_is_refused_on_every_path() {
        let desk = desk();
        desk.secrets.0.lock().unwrap().insert(HEALTHY, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        let now = Timestamp::now().unix_seconds().to_string();
        let headers = Headers { id: "evt_1", timestamp: &now, signature: "v1,AAAA" };
        let forged = desk.secrets.verdict(HEALTHY, Ok(headers), b"{}");
        assert_eq!(forged, Verdict::Refused(VerifyError::NoMatch));
        assert_eq!(desk.answer(HEALTHY, forged), StatusCode::UNAUTHORIZED);
        let elsewhere = desk.secrets.verdict("/elsewhere", Ok(headers), b"{}");
        assert_eq!(desk.answer("/elsewhere", elsewhere), StatusCode::NOT_FOUND);
    }
}
