//! A receiver that misbehaves.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How it does.
#[derive(Clone, Copy, Debug)]
pub enum Manner {
    /// Takes the request and never answers.
    Hangs,
    /// Takes the request and resets the connection.
    Resets,
    /// Answers 200 at once, and then a byte a second.
    Dribbles,
}

/// One that listens, until the runtime ends.
pub struct Misbehaving {
    pub url: String,
    manner: Manner,
    connections: Rc<Cell<u32>>,
}

impl Misbehaving {
    /// Starts one on a port of its own.
    ///
    /// # Errors
    /// When there is no port.
    pub fn start(manner: Manner) -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}/", listener.local_addr()?);
        let listener = TcpListener::from_std(listener)?;
        let connections = Rc::new(Cell::new(0));
        let counted = connections.clone();
        actix_web::rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.set(counted.get() + 1);
                actix_web::rt::spawn(async move {
                    // A connection that breaks is what it is about.
                    drop(manner.meet(stream).await);
                });
            }
        });
        Ok(Self { url, manner, connections })
    }

    /// What it met, in a few words.
    pub fn met(&self) -> String {
        let manner = format!("{:?}", self.manner).to_lowercase();
        format!("one that {manner} had {} connections", self.connections.get())
    }
}

impl Manner {
    async fn meet(self, mut stream: TcpStream) -> std::io::Result<()> {
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
                    actix_web::rt::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
        Ok(())
    }
}
