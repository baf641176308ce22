//! A receiver on a port of its own, which keeps what comes.

use std::sync::mpsc::{Receiver as Inbox, channel};
use std::thread;

use crate::PATIENCE;

pub struct Receiver {
    pub url: String,
    inbox: Inbox<Received>,
}

pub struct Received {
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Receiver {
    /// One that answers 200.
    pub fn start() -> Self {
        let server = tiny_http::Server::http("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/", server.server_addr());
        let (outbox, inbox) = channel();
        thread::spawn(move || {
            for mut request in server.incoming_requests() {
                let headers = request.headers().iter();
                let headers = headers.map(|header| (header.field.to_string(), header.value.to_string())).collect();
                let mut body = Vec::new();
                request.as_reader().read_to_end(&mut body).expect("the body arrives");
                request.respond(tiny_http::Response::empty(200)).expect("the answer is taken");
                if outbox.send(Received { headers, body }).is_err() {
                    return;
                }
            }
        });
        Self { url, inbox }
    }

    /// What comes next.
    pub fn next(&self) -> Received {
        self.inbox.recv_timeout(PATIENCE).expect("something arrives")
    }
}
