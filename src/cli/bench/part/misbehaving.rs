//! Receivers that misbehave.

use std::cell::Cell;
use std::io;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use actix_web::rt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::orders::Duty;

/// What they are told.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// One of each manner is to listen; the report is their URLs.
    Listen,
    /// The report is what each met, in a few words.
    Met,
}

/// All of them.
#[derive(Default)]
pub struct Misbehaving(Vec<One>);

struct One {
    manner: Manner,
    connections: Rc<Cell<u32>>,
}

/// How one misbehaves.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// Takes the request and never answers.
    Hangs,
    /// Takes the request and resets the connection.
    Resets,
    /// Answers 200 at once, and then a byte a second.
    Dribbles,
}

impl Duty for Misbehaving {
    type Order = Order;

    async fn carry_out(&mut self, order: Order) -> anyhow::Result<Value> {
        Ok(match order {
            Order::Listen => {
                let manners = [Manner::Hangs, Manner::Resets, Manner::Dribbles];
                let urls: io::Result<Vec<String>> =
                    manners.into_iter().map(|manner| self.listen(manner)).collect();
                json!(urls?)
            }
            Order::Met => json!(self.0.iter().map(One::met).collect::<Vec<_>>()),
        })
    }
}

impl Misbehaving {
    fn listen(&mut self, manner: Manner) -> io::Result<String> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}/", listener.local_addr()?);
        let (listener, connections) = (TcpListener::from_std(listener)?, Rc::new(Cell::new(0)));
        let counted = connections.clone();
        rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.set(counted.get() + 1);
                // A connection that breaks is what it is about.
                rt::spawn(manner.meet(stream));
            }
        });
        self.0.push(One { manner, connections });
        Ok(url)
    }
}

impl One {
    fn met(&self) -> String {
        let manner = format!("{:?}", self.manner).to_lowercase();
        format!("one that {manner} had {} connections", self.connections.get())
    }
}

impl Manner {
    async fn meet(self, mut stream: TcpStream) -> io::Result<()> {
        let mut buffer = [0; 4096];
        if stream.read(&mut buffer).await? == 0 {
            return Ok(());
        }
        match self {
            Self::Hangs => while stream.read(&mut buffer).await? > 0 {},
            Self::Resets => SockRef::from(&stream).set_linger(Some(Duration::ZERO))?,
            Self::Dribbles => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await?;
                loop {
                    stream.write_all(b".").await?;
                    rt::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
        Ok(())
    }
}
