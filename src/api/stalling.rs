//! Stalling callers: a connection on which nothing comes to an end is hung up.
//!
//! The HTTP server below times the head of a connection's first request, and a connection that is idle between two.
//! One that sends part of a further head, or more of a body that was answered already, or does not read its answer, is
//! timed by nobody else.

use std::any::Any;
use std::cell::Cell;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::dev::Extensions;
use actix_web::rt;
use actix_web::rt::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Hangs up on a connection that stalls. Dropped with its connection.
pub struct Watch {
    /// Since when nothing is being worked on for the caller.
    idle_since: Rc<Cell<Option<Instant>>>,
    task: JoinHandle<()>,
}

/// What to do with a new connection: give it a watch with this much patience.
pub fn watch(patience: Duration) -> impl Fn(&dyn Any, &mut Extensions) + Send + Sync {
    move |connection, extensions| {
        if let Some(stream) = connection.downcast_ref::<TcpStream>() {
            extensions.insert(Watch::of(stream, patience));
        }
    }
}

impl Watch {
    /// A watch over this connection, which is to be kept for as long as the connection and no longer.
    pub fn of(stream: &TcpStream, patience: Duration) -> Self {
        let idle_since = Rc::new(Cell::new(Some(Instant::now())));
        let (socket, seen) = (stream.as_raw_fd(), Rc::clone(&idle_since));
        let task = rt::spawn(async move {
            wait(&seen, patience).await;
            // SAFETY: the connection owns both the socket and the watch and drops them in one go, on this thread. The
            // watch ends this task, so as long as it runs the socket is open.
            let socket = unsafe { BorrowedFd::borrow_raw(socket) };
            // It may be closed from the other side already.
            drop(socket2::SockRef::from(&socket).shutdown(Shutdown::Both));
        });
        Self { idle_since, task }
    }

    /// A request has come whole, but for its body, which has a time of its own.
    pub fn begin(&self) {
        self.idle_since.set(None);
    }

    /// It is answered; what is left is to send the answer.
    pub fn end(&self) {
        self.idle_since.set(Some(Instant::now()));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits until the connection has been idle for so long.
async fn wait(idle_since: &Cell<Option<Instant>>, patience: Duration) {
    loop {
        let idle = idle_since.get().map_or(Duration::ZERO, |since| since.elapsed());
        if idle >= patience {
            return;
        }
        sleep(patience - idle).await;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::pin::Pin;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, mpsc};
    use std::task::{Context, Poll};
    use std::thread;

    use actix_web::body::{BodySize, MessageBody};
    use actix_web::dev::ServerHandle;
    use actix_web::middleware::from_fn;
    use actix_web::{App, Error, HttpResponse, HttpServer, web};
    use bytes::Bytes;

    use super::super::envelope;
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(300);
    /// What a test waits at most.
    const AMPLE: Duration = Duration::from_secs(20);
    const PIECE: &[u8] = &[b' '; 1 << 16];

    /// A body of a gigabyte, piece by piece.
    struct Large {
        left: usize,
        dropped: Arc<AtomicBool>,
    }

    impl MessageBody for Large {
        type Error = Error;

        fn size(&self) -> BodySize {
            BodySize::Sized((self.left * PIECE.len()) as u64)
        }

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
            self.left -= 1;
            Poll::Ready(Some(Ok(Bytes::from_static(PIECE))))
        }
    }

    impl Drop for Large {
        fn drop(&mut self) {
            self.dropped.store(true, Ordering::Release);
        }
    }

    /// A server whose answers are large, or come late; how to stop it, and whether a large answer was given up.
    fn serve() -> (SocketAddr, ServerHandle, Arc<AtomicBool>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let dropped = Arc::new(AtomicBool::new(false));
        let (tell, told) = mpsc::channel();
        let flag = dropped.clone();
        let app = move || {
            let flag = flag.clone();
            let large = move || {
                let body = Large { left: 1 << 14, dropped: flag.clone() };
                async { HttpResponse::Ok().body(body) }
            };
            let late = || async {
                sleep(3 * PATIENCE).await;
                HttpResponse::Ok().finish()
            };
            App::new()
                .wrap(from_fn(envelope::wrap))
                .route("/", web::get().to(HttpResponse::Ok))
                .route("/large", web::get().to(large))
                .route("/late", web::get().to(late))
        };
        thread::spawn(move || {
            rt::System::new().block_on(async {
                let server = HttpServer::new(app).workers(1).keep_alive(3 * AMPLE);
                let server = server.on_connect(watch(PATIENCE)).listen(listener).unwrap().run();
                tell.send(server.handle()).unwrap();
                server.await
            })
        });
        (address, told.recv().unwrap(), dropped)
    }

    fn ask(address: SocketAddr, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(AMPLE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        stream
    }

    #[test]
    fn whoever_does_not_finish_a_further_head_is_hung_up_on() {
        let (address, server, _) = serve();
        let mut stream = ask(address, "/");
        assert!(stream.read(&mut [0; 1024]).unwrap() > 0, "the first is answered");
        stream.write_all(b"G").unwrap();
        assert_eq!(stream.read_to_end(&mut Vec::new()).unwrap(), 0);
        drop(server.stop(false));
    }

    #[test]
    fn whoever_does_not_read_the_answer_is_hung_up_on() {
        let (address, server, dropped) = serve();
        let stream = ask(address, "/large");
        let began = Instant::now();
        while !dropped.load(Ordering::Acquire) {
            assert!(began.elapsed() < AMPLE);
            thread::sleep(PATIENCE / 10);
        }
        drop(stream);
        drop(server.stop(false));
    }

    #[test]
    fn whoever_waits_for_an_answer_is_not() {
        let (address, server, _) = serve();
        assert!(ask(address, "/late").read(&mut [0; 1024]).unwrap() > 0);
        drop(server.stop(false));
    }
}
