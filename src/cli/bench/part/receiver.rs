//! The receiver: takes deliveries as cheaply as can be, and knows which came, how often and how late.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use actix_web::rt;
use anyhow::Context;
use bytes::{Buf, BytesMut};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::super::monotonic::now_ns;
use super::super::template::{Told, hook_of};
use super::arrivals::{Arrivals, Expected};
use super::message::Request;
use super::orders::Duty;

/// What a receiver is told.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Listen on so many ports; the report is their addresses.
    Listen(u32),
    /// Count what comes from now on.
    Expect { expected: Expected, fault: Option<Fault> },
    /// Wait until all came, or nothing for so long; the report says what came.
    Await { patience_ms: u64 },
}

/// What it does wrong with the middle one of the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// It takes it, and hangs up once without an answer.
    HangsUp,
    /// It answers that the hook is gone.
    Gone,
}

/// The receiver.
#[derive(Default)]
pub struct Receiver(Rc<Desk>);

/// Where deliveries are taken.
#[derive(Default)]
struct Desk {
    counting: RefCell<Option<Counting>>,
    /// How many came at all.
    taken: Cell<u64>,
    complete: Notify,
}

struct Counting {
    arrivals: Arrivals,
    fault: Option<(Fault, u32)>,
}

/// What is said to a delivery.
enum Reply {
    Bytes(&'static [u8]),
    HangUp,
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const GONE: &[u8] = b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n";
/// How many connections may wait to be accepted: of more, the kernel lets some wait for a second.
const ACCEPT_QUEUE: u32 = 4_096;
/// Enough for several requests of the usual size.
const BUFFER: usize = 8 << 10;

impl Duty for Receiver {
    type Order = Order;

    async fn carry_out(&mut self, order: Order) -> anyhow::Result<Value> {
        Ok(match order {
            Order::Listen(ports) => {
                let addresses: io::Result<Vec<SocketAddr>> =
                    (0..ports).map(|port| self.listen(port)).collect();
                serde_json::to_value(addresses.context("cannot listen")?)?
            }
            Order::Expect { expected, fault } => {
                let fault = fault.map(|fault| (fault, expected.first + expected.events / 2));
                let counting = Counting { arrivals: Arrivals::of(expected), fault };
                self.0.counting.replace(Some(counting));
                Value::Null
            }
            Order::Await { patience_ms } => {
                self.0.wait(Duration::from_millis(patience_ms)).await;
                let counting = self.0.counting.borrow();
                serde_json::to_value(counting.as_ref().context("nothing is expected")?.arrivals.tell())?
            }
        })
    }
}

impl Receiver {
    fn listen(&self, port: u32) -> io::Result<SocketAddr> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let (listener, desk) = (socket.listen(ACCEPT_QUEUE)?, self.0.clone());
        let address = listener.local_addr()?;
        rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A connection that breaks is the sender's matter.
                rt::spawn(desk.clone().converse(stream, port));
            }
        });
        Ok(address)
    }
}

impl Desk {
    /// Takes what comes over a connection to the hooks of a port.
    async fn converse(self: Rc<Self>, mut stream: TcpStream, port: u32) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut input = BytesMut::new();
        loop {
            while let Some(Request { path, body, length }) = Request::read(&input)? {
                let reply = self.take(port + hook_of(path), body);
                input.advance(length);
                match reply {
                    Reply::Bytes(bytes) => stream.write_all(bytes).await?,
                    Reply::HangUp => return Ok(()),
                }
            }
            input.reserve(BUFFER);
            if stream.read_buf(&mut input).await? == 0 {
                return Ok(());
            }
        }
    }

    fn take(&self, hook: u32, body: &[u8]) -> Reply {
        self.taken.set(self.taken.get() + 1);
        let mut counting = self.counting.borrow_mut();
        // Nobody expects anything of what is only to be received.
        let Some(Counting { arrivals, fault }) = counting.as_mut() else {
            return Reply::Bytes(OK);
        };
        let told = Told::read(body);
        let met = fault.filter(|(_, number)| told.is_some_and(|told| told.number == *number));
        if let Some((Fault::Gone, _)) = met {
            return Reply::Bytes(GONE);
        }
        arrivals.note(hook, told, now_ns());
        if arrivals.are_complete() {
            self.complete.notify_one();
        }
        if let Some((Fault::HangsUp, _)) = met {
            // Once: it is to come again.
            *fault = None;
            return Reply::HangUp;
        }
        Reply::Bytes(OK)
    }

    /// Waits until all that is expected came, or nothing for so long.
    async fn wait(&self, patience: Duration) {
        let mut seen = self.taken.get();
        while !self.is_complete() {
            if timeout(patience, self.complete.notified()).await.is_err() {
                let taken = self.taken.get();
                if taken == seen {
                    break;
                }
                seen = taken;
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.counting.borrow().as_ref().is_some_and(|counting| counting.arrivals.are_complete())
    }
}
