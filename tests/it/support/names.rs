//! A name server for one process's resolver: names and what they stand for, which may change with every question.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::process::Command;
use std::thread;

use tempfile::TempDir;

/// One thing that a name stands for.
#[derive(Clone, Debug)]
pub enum Record {
    Address(IpAddr),
    /// Another name; the records that follow are its.
    Alias(&'static str),
}

/// A name server; dropping it leaves it running, for the process that it serves ends with the test.
pub struct Names {
    _files: TempDir,
}

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
const INTERNET: u16 = 1;

impl Names {
    /// Answers every question of this mount namespace as `zone` says, which gets the name and how often it has been
    /// asked for before; nothing is an answer without records.
    pub fn serve(zone: impl Fn(&str, usize) -> Vec<Record> + Send + 'static) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 53)).expect("the namespace is new");
        let files = tempfile::tempdir().expect("a temporary directory");
        for (name, text) in
            [("resolv.conf", "nameserver 127.0.0.1\n"), ("nsswitch.conf", "hosts: files dns\n")]
        {
            let (own, theirs) = (files.path().join(name), format!("/etc/{name}"));
            fs::write(&own, text).expect("the directory is writable");
            let mounted = Command::new("mount").arg("--bind").arg(own).arg(&theirs).status();
            let mounted = mounted.is_ok_and(|status| status.success());
            assert!(mounted || !fs::exists(&theirs).unwrap_or(true), "{theirs} can be replaced");
        }
        thread::spawn(move || answer(&socket, zone));
        Self { _files: files }
    }
}

fn answer(socket: &UdpSocket, zone: impl Fn(&str, usize) -> Vec<Record>) {
    let mut asked: HashMap<(String, u16), usize> = HashMap::new();
    let mut question = [0; 512];
    while let Ok((length, who)) = socket.recv_from(&mut question) {
        let Some((name, kind, end)) = read(&question[..length]) else { continue };
        let before = asked.entry((name.clone(), kind)).or_default();
        let records = zone(&name, *before);
        *before += 1;
        drop(socket.send_to(&reply(&question[..end], &name, kind, &records), who));
    }
}

/// The name and type that a message asks for, and where its question ends.
fn read(message: &[u8]) -> Option<(String, u16, usize)> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*message.get(at)?);
        let label = message.get(at + 1..at + 1 + length)?;
        at += 1 + length;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(label).to_lowercase());
    }
    let kind = message.get(at..at + 2)?;
    Some((labels.join("."), u16::from_be_bytes([kind[0], kind[1]]), at + 4))
}

/// The answer (RFC 1035, 4.1), to be forgotten at once.
fn reply(question: &[u8], name: &str, kind: u16, records: &[Record]) -> Vec<u8> {
    let mut answers = Vec::new();
    let mut count: u16 = 0;
    let mut owner = name;
    for record in records {
        let (of, data) = match record {
            Record::Address(IpAddr::V4(ip)) => (A, ip.octets().to_vec()),
            Record::Address(IpAddr::V6(ip)) => (AAAA, ip.octets().to_vec()),
            Record::Alias(name) => (CNAME, encoded(name)),
        };
        if of == kind || of == CNAME {
            answers.extend(encoded(owner));
            answers.extend([of.to_be_bytes(), INTERNET.to_be_bytes(), [0, 0], [0, 0]].concat());
            answers.extend(u16::try_from(data.len()).expect("a short record").to_be_bytes());
            answers.extend(data);
            count += 1;
        }
        if let Record::Alias(name) = record {
            owner = name;
        }
    }
    // An answer with recursion: the question's id, one question, so many answers.
    let head = [&question[..2], &[0x81, 0x80, 0, 1], &count.to_be_bytes(), &[0; 4]].concat();
    [&head, &question[12..], &answers].concat()
}

fn encoded(name: &str) -> Vec<u8> {
    let labels = name.split('.').flat_map(|label| {
        let length = u8::try_from(label.len()).expect("a short label");
        [&[length], label.as_bytes()].concat()
    });
    labels.chain([0]).collect()
}
