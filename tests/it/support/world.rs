//! A world in which every address answers: a machine in a network namespace, and another that is everybody else.
//!
//! What must not be called would answer here like any other, and is counted.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use super::patience::until;

/// The rest of the world, as seen from this machine.
pub struct World {
    accepted: Arc<Mutex<Vec<SocketAddr>>>,
}

/// This machine's own addresses in it, on the interface that leads out.
pub const OWN: [&str; 2] = ["93.184.216.33", "2606:2800:220:1::33"];
/// Where the way out leads first; public like most of the others.
pub const PUBLIC: [&str; 2] = ["93.184.216.34", "2606:2800:220:1::34"];

/// The path that leads to a private address, by redirect.
pub const REDIRECT: &str = "/redirect";

const PORTS: [u16; 5] = [22, 25, 80, 443, 8080];

impl World {
    /// Makes it; only possible in a network namespace of which this process is root.
    pub fn make() -> Self {
        let world = Self { accepted: Arc::default() };
        let (arrive, arrived) = mpsc::channel();
        let (wire, wired) = mpsc::channel::<()>();
        ip("link set lo up");
        world.listen();
        let outside = Self { accepted: Arc::clone(&world.accepted) };
        thread::spawn(move || {
            // SAFETY: a plain system call, for this thread alone.
            assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0, "a namespace in a namespace");
            // SAFETY: it cannot fail.
            arrive.send(unsafe { libc::gettid() }).expect("it is waited for");
            wired.recv().expect("the interface is made");
            be_everybody();
            outside.listen();
            arrive.send(0).expect("it is waited for");
        });
        let everybody = arrived.recv().expect("the other namespace is made");
        ip(&format!("link add inside type veth peer name outside netns {everybody}"));
        ip(&format!("addr add {}/24 dev inside", OWN[0]));
        ip(&format!("addr add {}/64 dev inside nodad", OWN[1]));
        ip("link set inside up");
        wire.send(()).expect("the other thread waits");
        arrived.recv().expect("everybody listens");
        for gateway in PUBLIC {
            ip(&format!("route add default via {gateway}"));
            until("the world answers", || TcpStream::connect((gateway, 80)).is_ok());
        }
        world.forget();
        world
    }

    /// The addresses that have been connected to, as often as they were.
    pub fn called(&self) -> Vec<SocketAddr> {
        self.accepted.lock().expect("no listener panics").clone()
    }

    /// Those of them that are not among the world's public ones.
    pub fn called_wrongly(&self) -> Vec<SocketAddr> {
        let public = PUBLIC.map(|text| text.parse::<IpAddr>().expect("an address"));
        self.called().into_iter().filter(|called| !public.contains(&called.ip())).collect()
    }

    pub fn forget(&self) {
        self.accepted.lock().expect("no listener panics").clear();
    }

    /// Answers on every address of the calling thread's namespace.
    fn listen(&self) {
        for port in PORTS {
            let listener = TcpListener::bind(("::", port)).expect("the namespace is new");
            let accepted = Arc::clone(&self.accepted);
            thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    let called = stream.local_addr().expect("it is connected");
                    let called = SocketAddr::new(called.ip().to_canonical(), called.port());
                    accepted.lock().expect("nobody panics with it").push(called);
                    // One that breaks is the other side's business.
                    thread::spawn(move || drop(answer(stream)));
                }
            });
        }
    }
}

/// Takes every address there is, but for the other machine's.
fn be_everybody() {
    ip("link set lo up");
    ip(&format!("addr add {}/24 dev outside", PUBLIC[0]));
    ip(&format!("addr add {}/64 dev outside nodad", PUBLIC[1]));
    ip("link set outside up");
    ip("route add local 0.0.0.0/0 dev lo table main");
    ip("-6 route add local ::/0 dev lo table main");
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status();
    assert!(status.is_ok_and(|status| status.success()), "ip {arguments}");
}

fn answer(stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line.trim_end().is_empty() {
            break;
        }
        lines.push(line);
    }
    let length = lines.iter().find_map(|line| line.strip_prefix("content-length: ")?.trim_end().parse().ok());
    reader.read_exact(&mut vec![0; length.unwrap_or(0)])?;
    let redirected = lines.first().is_some_and(|line| line.contains(REDIRECT));
    let head = if redirected { "302 Found\r\nlocation: http://10.0.0.1/" } else { "200 OK" };
    write!(reader.get_mut(), "HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
}
