//! A receiver of webhooks: verifies each request, drops repetitions, answers at once and works afterwards.
//!
//! `WEBHOOK_SECRET=whsec_… cargo run --example receiver -- 127.0.0.1:9000`

use std::collections::HashSet;
use std::error::Error;
use std::sync::Mutex;

use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, rt};
use hookyard::clock::Timestamp;
use hookyard::signature::{self, Headers, TOLERANCE, VerifyError};
use tokio::sync::mpsc::{self, Sender};

struct Inbox {
    secret: String,
    taken: Mutex<Taken>,
    work: Sender<Bytes>,
}

/// The ids of what was taken lately. A receiver that must not work twice, even through a restart, keeps them in its
/// database, written together with what the work comes to.
#[derive(Default)]
struct Taken {
    recent: HashSet<String>,
    earlier: HashSet<String>,
}

/// Requests that wait to be worked on; beyond that, the sender is asked to come back.
const WAITING: usize = 1_000;
/// Ids that are remembered at least.
const REMEMBERED: usize = 100_000;
/// More than the router takes as the data of one event.
const BODY_LIMIT: usize = 2 << 20;

async fn receive(request: HttpRequest, body: Bytes, inbox: Data<Inbox>) -> HttpResponse {
    let id = match inbox.verify(&request, &body) {
        Ok(id) => id,
        Err(reason) => return HttpResponse::Unauthorized().body(reason.to_string()),
    };
    // A place first: what is noted as taken must not be lost.
    let Ok(place) = inbox.work.try_reserve() else { return HttpResponse::ServiceUnavailable().finish() };
    if inbox.taken.lock().expect("no holder panics").is_first(id) {
        place.send(body);
    }
    HttpResponse::Ok().finish()
}

impl Inbox {
    /// Says the request's id, if the sender is the one who shares the secret.
    fn verify(&self, request: &HttpRequest, body: &[u8]) -> Result<String, VerifyError> {
        let headers = Headers::find(|name| request.headers().get(name)?.to_str().ok())?;
        signature::verify(&self.secret, &headers, body, TOLERANCE, Timestamp::now())?;
        Ok(headers.id.to_owned())
    }
}

impl Taken {
    /// Whether this id comes for the first time.
    fn is_first(&mut self, id: String) -> bool {
        if self.earlier.contains(&id) || !self.recent.insert(id) {
            return false;
        }
        if self.recent.len() == REMEMBERED {
            self.earlier = std::mem::take(&mut self.recent);
        }
        true
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9000".to_owned());
    let secret = std::env::var("WEBHOOK_SECRET").map_err(|_| "WEBHOOK_SECRET is the hook's secret")?;
    let (work, mut waiting) = mpsc::channel::<Bytes>(WAITING);
    rt::spawn(async move {
        while let Some(body) = waiting.recv().await {
            println!("{}", String::from_utf8_lossy(&body));
        }
    });
    let inbox = Data::new(Inbox { secret, taken: Mutex::default(), work });
    let server = HttpServer::new(move || {
        let limit = web::PayloadConfig::new(BODY_LIMIT);
        App::new().app_data(inbox.clone()).app_data(limit).route("/webhook", web::post().to(receive))
    })
    .bind(address)?;
    println!("listening on http://{}", server.addrs()[0]);
    Ok(server.run().await?)
}
