//! The client awc as a load generator: what a delivery costs whoever leaves it to a library.

use std::rc::Rc;
use std::time::Duration;

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::rt;
use anyhow::{Context, anyhow, ensure};
use httparse::EMPTY_HEADER;

use super::super::monotonic::now_ns;
use super::super::template::Template;
use super::generator::{Load, Sent};
use super::pace::Pace;
use super::tally::Tally;

/// A request whose headers stay as they are.
#[derive(Clone)]
struct Request {
    url: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Template,
}

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);
const HEADERS: usize = 48;

/// Sends every event once; returns when the last is answered.
///
/// # Errors
/// When a request is refused.
pub async fn send(load: Load) -> anyhow::Result<Sent> {
    let request = Request::of(&load)?;
    let connector = awc::Connector::new().limit(load.connections.into());
    let client = awc::Client::builder().connector(connector).timeout(TIMEOUT).disable_redirects().finish();
    let (pace, tally) = (Rc::new(load.pace()?), Rc::new(Tally::default()));
    let senders = (0..load.connections).map(|_| {
        let (client, pace, tally) = (client.clone(), pace.clone(), tally.clone());
        rt::spawn(request.clone().send(client, pace, tally))
    });
    tally.clone().gather(senders.collect()).await
}

impl Request {
    fn of(load: &Load) -> anyhow::Result<Self> {
        let (head, body) = load.request.split_once("\r\n\r\n").context("a request without a body")?;
        let head = format!("{head}\r\n\r\n");
        let mut headers = [EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        ensure!(request.parse(head.as_bytes())?.is_complete(), "a request without an end");
        // What the client writes by itself.
        let own =
            |name: &str| name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case("content-length");
        let given = request.headers.iter().filter(|header| !own(header.name));
        let headers = given.map(|header| Ok((header.name.parse()?, HeaderValue::from_bytes(header.value)?)));
        Ok(Self {
            url: format!("http://{}{}", load.address, request.path.unwrap_or("/")),
            headers: headers.collect::<anyhow::Result<_>>()?,
            body: Template::new(body, load.hooks),
        })
    }

    async fn send(mut self, client: awc::Client, pace: Rc<Pace>, tally: Rc<Tally>) -> anyhow::Result<()> {
        while let Some(event) = pace.next().await {
            let mut request = client.post(&self.url);
            for header in &self.headers {
                request = request.insert_header(header.clone());
            }
            let answer = request.send_body(self.body.fill(event).to_vec()).await;
            let mut answer = answer.map_err(|error| anyhow!("event {}: {error}", event.number))?;
            ensure!(answer.status().is_success(), "event {}: {}", event.number, answer.status());
            // The connection is free for the next request only then.
            answer.body().await?;
            tally.note(event.due_ns, now_ns());
        }
        Ok(())
    }
}
