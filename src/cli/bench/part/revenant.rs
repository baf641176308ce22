//! A receiver that is dead, and then is back.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use actix_web::rt;
use anyhow::ensure;
use bytes::{Buf, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::template::Told;
use super::message::Request;
use super::orders::Duty;

/// What it is told.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Listen, and answer 503 until it rises; the report is its URL.
    Listen,
    /// Answer 200 from now on; the report is what it has seen.
    Rise,
    /// Check that each of so many events was taken once; the report is what it has seen.
    Taken(u32),
}

/// What it has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub requests: u32,
    /// How far behind a newer one an older one came at most.
    pub behind: u32,
}

/// One that answers 503 until it rises.
#[derive(Default)]
pub struct Revenant(Rc<Grave>);

#[derive(Default)]
struct Grave {
    has_risen: Cell<bool>,
    requests: Cell<u32>,
    /// The numbers of the events that it took, in order.
    taken: RefCell<Vec<u32>>,
}

/// How long it takes to answer once it is back.
const THOUGHT: Duration = Duration::from_millis(5);
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const UNAVAILABLE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
const BUFFER: usize = 8 << 10;

impl Duty for Revenant {
    type Order = Order;

    async fn carry_out(&mut self, order: Order) -> anyhow::Result<Value> {
        Ok(match order {
            Order::Listen => self.listen()?.into(),
            Order::Rise => {
                self.0.has_risen.set(true);
                serde_json::to_value(Seen { requests: self.0.requests.get(), behind: 0 })?
            }
            Order::Taken(events) => {
                let behind = disorder(&self.0.taken.borrow(), events)?;
                serde_json::to_value(Seen { requests: self.0.requests.get(), behind })?
            }
        })
    }
}

impl Revenant {
    fn listen(&self) -> io::Result<String> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}/", listener.local_addr()?);
        let (listener, grave) = (TcpListener::from_std(listener)?, self.0.clone());
        rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                rt::spawn(grave.clone().converse(stream));
            }
        });
        Ok(url)
    }
}

impl Grave {
    async fn converse(self: Rc<Self>, mut stream: TcpStream) -> io::Result<()> {
        let mut input = BytesMut::new();
        loop {
            while let Some(Request { body, length, .. }) = Request::read(&input)? {
                let is_taken = self.take(body);
                input.advance(length);
                if is_taken {
                    rt::time::sleep(THOUGHT).await;
                }
                stream.write_all(if is_taken { OK } else { UNAVAILABLE }).await?;
            }
            input.reserve(BUFFER);
            if stream.read_buf(&mut input).await? == 0 {
                return Ok(());
            }
        }
    }

    /// Notes a request; says whether it is taken.
    fn take(&self, body: &[u8]) -> bool {
        self.requests.set(self.requests.get() + 1);
        let told = Told::read(body).filter(|_| self.has_risen.get());
        self.taken.borrow_mut().extend(told.map(|told| told.number));
        told.is_some()
    }
}

/// How far behind a newer one an older one came at most.
fn disorder(taken: &[u32], events: u32) -> anyhow::Result<u32> {
    let mut sorted = taken.to_vec();
    sorted.sort_unstable();
    ensure!(sorted.into_iter().eq(0..events), "{} of {events} events came, or some twice", taken.len());
    let mut newest = 0;
    let behind = taken.iter().map(|event| {
        newest = newest.max(*event);
        newest - event
    });
    Ok(behind.max().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disorder_is_how_far_the_oldest_comes_behind() {
        assert_eq!(disorder(&[0, 1, 2], 3).unwrap(), 0);
        assert_eq!(disorder(&[2, 0, 1], 3).unwrap(), 2);
        assert!(disorder(&[0, 1], 3).is_err() && disorder(&[0, 1, 1], 3).is_err());
    }
}
