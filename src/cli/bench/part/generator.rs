//! The load generator: sends requests as cheaply as can be, over so many keep-alive connections, one at a
//! time on each.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use actix_web::rt;
use anyhow::{Context, ensure};
use bytes::{Buf, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::delays::Percentiles;
use super::super::monotonic::now_ns;
use super::super::template::Template;
use super::client;
use super::flood::{Flood, Water};
use super::message::Response;
use super::orders::Duty;
use super::pace::Pace;
use super::tally::Tally;

/// What a generator is told.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Send these; the report says when and how they were answered.
    Send(Load),
    /// The same with the client that the router delivers with.
    SendWithClient(Load),
    /// Send the same request until told to stop.
    Flood(Water),
    /// Stop; the report says what came of the flood.
    Stop,
}

/// Which requests are sent, and how.
#[derive(Clone, Serialize, Deserialize)]
pub struct Load {
    pub address: SocketAddr,
    /// A whole request, with gaps.
    pub request: String,
    /// The number of the first event.
    pub first: u32,
    pub events: u32,
    /// Among how many hooks an event's number counts.
    pub hooks: u32,
    pub connections: u16,
    /// Events a second, or as many as can be had.
    pub rate: Option<u32>,
}

/// How they were answered.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Sent {
    pub began_ns: u64,
    pub ended_ns: u64,
    /// From when each should have been sent to its answer.
    pub answers: Percentiles,
}

/// The generator.
#[derive(Default)]
pub struct Generator {
    flood: Option<Flood>,
}

/// A connection that waits for its answers.
pub struct Connection {
    stream: TcpStream,
    input: BytesMut,
}

/// Enough for an answer of the usual size.
const BUFFER: usize = 4 << 10;
/// How much of an answer is shown that should not have come.
const SHOWN: usize = 300;

impl Duty for Generator {
    type Order = Order;

    async fn carry_out(&mut self, order: Order) -> anyhow::Result<Value> {
        Ok(match order {
            Order::Send(load) => serde_json::to_value(load.send().await?)?,
            Order::SendWithClient(load) => serde_json::to_value(client::send(load).await?)?,
            Order::Flood(water) => {
                self.flood = Some(Flood::begin(water).await?);
                Value::Null
            }
            Order::Stop => {
                let flood = self.flood.take().context("there is no flood")?;
                serde_json::to_value(flood.end().await?)?
            }
        })
    }
}

impl Load {
    /// Sends every event once; returns when the last is answered.
    async fn send(self) -> anyhow::Result<Sent> {
        // Each has something to send within a second: a server hangs up on one that says nothing.
        let count = self.rate.map_or(self.connections.into(), |rate| rate.min(self.connections.into()));
        let mut connections = Vec::with_capacity(count as usize);
        for _ in 0..count {
            connections.push(Connection::open(self.address).await?);
        }
        let template = Template::new(&self.request, self.hooks);
        let (pace, tally) = (Rc::new(self.pace()?), Rc::new(Tally::default()));
        let senders = connections.into_iter().map(|connection| {
            let (template, pace, tally) = (template.clone(), pace.clone(), tally.clone());
            rt::spawn(connection.send(template, pace, tally))
        });
        tally.clone().gather(senders.collect()).await
    }

    /// When each of its events is due.
    pub fn pace(&self) -> io::Result<Pace> {
        match self.rate {
            None => Ok(Pace::free(self.first, self.events)),
            Some(rate) => Pace::steady(self.first, self.events, rate),
        }
    }
}

impl Connection {
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream =
            TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, input: BytesMut::new() })
    }

    /// Sends events as they become due.
    async fn send(mut self, mut template: Template, pace: Rc<Pace>, tally: Rc<Tally>) -> anyhow::Result<()> {
        let is_fine = |status| (200..300).contains(&status);
        while let Some(event) = pace.next().await {
            let answered = self.ask(template.fill(event), is_fine).await;
            answered.with_context(|| format!("event {}", event.number))?;
            tally.note(event.due_ns, now_ns());
        }
        Ok(())
    }

    /// Sends a request; returns the status of the answer.
    ///
    /// # Errors
    /// When there is no answer, or none with a status that is fine.
    pub async fn ask(&mut self, request: &[u8], is_fine: impl Fn(u16) -> bool) -> anyhow::Result<u16> {
        self.stream.write_all(request).await?;
        loop {
            if let Some(Response { status, body, length }) = Response::read(&self.input)? {
                let shown = &body[..body.len().min(SHOWN)];
                ensure!(is_fine(status), "the answer was {status}: {}", String::from_utf8_lossy(shown));
                self.input.advance(length);
                return Ok(status);
            }
            self.input.reserve(BUFFER);
            ensure!(self.stream.read_buf(&mut self.input).await? > 0, "the connection was closed");
        }
    }
}
