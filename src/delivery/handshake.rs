//! Handshakes: TLS over a connection, agreed upon before a server has said too much.
//!
//! A server's certificates are kept whole until they have been checked, and it may send as many as it likes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A connection that TLS reads from and writes to.
#[derive(Debug)]
pub struct Wire {
    tcp: TcpStream,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    /// Not agreed yet; the server may still say so many bytes.
    Handshake {
        left: usize,
    },
    Agreed,
}

/// The server sends more than a handshake may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server's side of the handshake has more than {LIMIT} bytes")]
struct TooLong;

/// What a server may say in a handshake, in bytes. A chain of certificates has 3 to 10 KiB.
const LIMIT: usize = 24 * 1024;

/// Agrees on TLS with a host, which must prove that it has this name.
///
/// It is named without the brackets that a URL puts around an IPv6 address, and without a name's last dot.
///
/// # Errors
/// When there is no such agreement.
pub async fn shake_hands(tls: &TlsConnector, host: &str, tcp: TcpStream) -> io::Result<TlsStream<Wire>> {
    let name = ServerName::try_from(host.strip_suffix('.').unwrap_or(host)).map_err(io::Error::other)?;
    let wire = Wire { tcp, progress: Progress::Handshake { left: LIMIT } };
    let mut stream = tls.connect(name.to_owned(), wire).await?;
    stream.get_mut().0.progress = Progress::Agreed;
    Ok(stream)
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { tcp, progress } = self.get_mut();
        let before = into.filled().len();
        ready!(Pin::new(tcp).poll_read(cx, into))?;
        if let Progress::Handshake { left } = progress {
            let read = into.filled().len() - before;
            *left =
                left.checked_sub(read).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, TooLong))?;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().tcp).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().tcp).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_shutdown(cx)
    }
}
