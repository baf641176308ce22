//! Sockets: a connection to a receiver, with TLS or without, that bounds what is read of each response.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::delivery::handshake::Wire;
use crate::delivery::intake::Intake;

/// A connection to a receiver. Each request that is written on it begins a response.
#[derive(Debug)]
pub struct Socket {
    stream: Stream,
    intake: Intake,
}

#[derive(Debug)]
pub enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<Wire>>),
}

impl From<Stream> for Socket {
    fn from(stream: Stream) -> Self {
        Self { stream, intake: Intake::default() }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { stream, intake } = self.get_mut();
        let too_long = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        intake.goes_on().map_err(too_long)?;
        let known = into.filled().len();
        ready!(match stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(cx, into),
            Stream::Tls(tls) => Pin::new(tls).poll_read(cx, into),
        })?;
        let come = &into.filled()[known..];
        let passed = intake.pass(come).map_err(too_long)?;
        if passed == 0 && !come.is_empty() {
            // Nothing would look like the end of the connection.
            intake.goes_on().map_err(too_long)?;
        }
        into.set_filled(known + passed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { stream, intake } = self.get_mut();
        *intake = Intake::default();
        match stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Stream::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
