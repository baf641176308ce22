//! A receiver on a port of its own, which answers as it is told and keeps what comes.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver as Inbox, Sender as Outbox, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use http::{HeaderMap, HeaderName};
use tiny_http::{Request, Response, Server};

use crate::patience::PATIENCE;

/// What every answer says, but for one that may not say anything.
pub const THANKS: &str = "thank you";

pub struct Receiver {
    pub url: String,
    statuses: Statuses,
    inbox: Inbox<Received>,
}

pub struct Received {
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Those that are answered in turn, the last of them from then on.
#[derive(Clone)]
struct Statuses(Arc<Mutex<VecDeque<u16>>>);

impl Receiver {
    pub fn answering<const N: usize>(statuses: [u16; N]) -> Self {
        let server = Server::http("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/hook", server.server_addr());
        let statuses = Statuses(Arc::new(Mutex::new(statuses.into())));
        let (outbox, inbox) = channel();
        let answers = statuses.clone();
        thread::spawn(move || serve(&server, &answers, &outbox));
        Self { url, statuses, inbox }
    }

    /// Answers this from now on.
    pub fn answer_with(&self, status: u16) {
        *self.statuses.0.lock().expect("no holder panics") = [status].into();
    }

    /// What comes next.
    pub fn next(&self) -> Received {
        self.inbox.recv_timeout(PATIENCE).expect("something arrives in time")
    }

    /// The next that carries this message. What came before it is forgotten.
    pub fn next_of(&self, message_id: &str) -> Received {
        loop {
            let received = self.next();
            if received.message_id() == message_id {
                return received;
            }
        }
    }

    /// What has come and nobody looked at.
    pub fn unread(&self) -> Vec<Received> {
        self.inbox.try_iter().collect()
    }
}

impl Received {
    pub fn message_id(&self) -> &str {
        self.header("webhook-id")
    }

    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no {name} among {:?}", self.headers));
        value.to_str().expect("a header that can be read")
    }

    /// The three that sign it under this name, and no other header.
    pub fn headers_of(&self, brand: &str) -> HeaderMap {
        let names = ["id", "timestamp", "signature"].map(|part| format!("{brand}-{part}"));
        names.iter().map(|name| (header_name(name), self.headers[name].clone())).collect()
    }
}

impl Statuses {
    fn next(&self) -> u16 {
        let mut statuses = self.0.lock().expect("no holder panics");
        if statuses.len() > 1 { statuses.pop_front().expect("one of several") } else { statuses[0] }
    }
}

/// Answers until nobody looks at what comes.
fn serve(server: &Server, statuses: &Statuses, outbox: &Outbox<Received>) {
    for mut request in server.incoming_requests() {
        let (received, status) = (received(&mut request), statuses.next());
        // Before the answer, so that whoever knows of the delivery finds it here.
        if outbox.send(received).is_err() {
            return;
        }
        let says = if status == 204 { "" } else { THANKS };
        // Who asked may be gone, which is no matter of a receiver's.
        drop(request.respond(Response::from_string(says).with_status_code(status)));
    }
}

fn received(request: &mut Request) -> Received {
    let headers = request.headers().iter().map(|header| {
        let value = header.value.as_str().parse().expect("a header's value");
        (header_name(header.field.as_str().as_str()), value)
    });
    let headers = headers.collect();
    let mut body = Vec::new();
    request.as_reader().read_to_end(&mut body).expect("the body arrives");
    Received { headers, body }
}

fn header_name(name: &str) -> HeaderName {
    HeaderName::try_from(name).expect("a header's name")
}
