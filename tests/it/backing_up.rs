//! Backups: what a running server held at one moment, in one file that is whole or not there, and a server made of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::api::{Api, JSON, Receipt};
use crate::support::patience::{found_in_time, until, until_some};
use crate::support::raw;
use crate::support::receiver::Receiver;
use crate::support::server::Server;
use crate::support::settings::{ADMIN_KEY, Settings};

/// More than the connection and the server between them hold back: some 32 MiB.
const LARGE: usize = 32;

#[test]
fn what_was_acknowledged_before_a_backup_began_is_in_it() {
    let mut server = Server::start_with(Settings::quick().steady_schedule("50ms"));
    let (receiver, aside) = (Receiver::answering([200]), directory());
    let api = server.api();
    let hook = api.subscribe(&receiver.url("/"), "new_lead");
    // Deliveries and retries are settled all the while.
    let (served, failing) = (Receiver::answering([200]), Receiver::answering([500]));
    api.subscribe(&served.url("/"), "new_lead");
    api.subscribe(&failing.url("/"), "new_lead");
    // Events wait, so that the restored server delivers each of them once.
    api.pause(&hook.id);
    let (receipts, done) = (Mutex::new(BTreeMap::new()), AtomicBool::new(false));
    let file = aside.path().join("a.backup");
    let mut before = BTreeMap::new();
    thread::scope(|scope| {
        for emitter in 0..2 {
            let (api, receipts, done) = (&api, &receipts, &done);
            scope.spawn(move || emit_until(api, emitter, receipts, done));
        }
        let enough = found_in_time(|| (receipts.lock().expect("no panic").len() >= 300).then_some(()));
        before = receipts.lock().expect("no panic").clone();
        let made = enough.map(|()| back_up(&server, &file));
        done.store(true, Ordering::Relaxed);
        assert_success(&made.expect("events are accepted"));
    });
    server.kill();

    let restored = restored(&file);
    let api = restored.api();
    assert_eq!(api.hook(&hook.id).url, hook.url);
    let pending = api.hook(&hook.id).pending.expect("it is counted") as usize;
    let first_new = api.emit("new_lead", &json!({"n": "new"}));
    api.resume(&hook.id);
    let requests = receiver.wait_for(pending + 1);

    let emitted = receipts.into_inner().expect("no panic");
    let mut arrived = BTreeMap::new();
    for request in &requests {
        request.assert_signed_with(hook.secret.as_deref().expect("it is shown once"));
        arrived.insert(request.webhook_id().to_owned(), request.data()["n"].clone());
    }
    assert_eq!(arrived.len(), pending + 1);
    assert_eq!(arrived.remove(&first_new.id), Some(json!("new")));
    for (id, number) in &arrived {
        assert!(emitted.get(id).is_none_or(|emitted| emitted == number), "{id} is another event");
    }
    assert!(before.keys().all(|id| arrived.contains_key(id)), "an event is missing");
    assert!(!emitted.contains_key(&first_new.id));
}

#[test]
fn a_backup_is_its_owners_alone_and_replaced_only_on_demand() {
    let (server, aside) = (Server::start(), directory());
    let file = aside.path().join("a.backup");

    let made = back_up(&server, &file);

    assert_success(&made);
    assert!(String::from_utf8_lossy(&made.stdout).contains("rows"));
    assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    fs::write(&file, "mine").expect("it is writable");
    assert_refused(&back_up(&server, &file), "is there already; --force replaces it");
    assert_eq!(fs::read(&file).expect("it is there"), b"mine");
    assert_success(&run(backing_up(&server.address().to_string(), &file).arg("--force")));
    assert!(fs::read(&file).expect("it is there").len() > 100);
    assert_eq!(names(aside.path()), ["a.backup"]);
}

#[test]
fn only_admin_keys_get_a_backup() {
    let server = Server::start();
    assert_eq!(server.anonymous().get("/api/v1/backup").status, 401);
    assert_eq!(server.api().account("acme").get("/api/v1/backup").refused(403).code, "forbidden");
    assert_eq!(server.api().get("/api/v1/backup").header("content-type"), Some("application/octet-stream"));
}

#[test]
fn one_backup_is_made_at_a_time_and_ends_with_its_connection() {
    let server = Server::start();
    fill(&server.api());
    let mut connection = raw::connect(server.address());
    let request =
        format!("GET /api/v1/backup HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {ADMIN_KEY}\r\n\r\n");
    connection.write_all(request.as_bytes()).expect("the server reads");
    assert_eq!(raw::status(&mut connection), Some(200));

    assert_eq!(server.api().get("/api/v1/backup").refused(409).code, "backup_running");
    drop(connection);

    until("another can be made", || server.api().get("/api/v1/backup").status == 200);
    assert!(server.complaints().contains("hung up"), "{}", server.complaints());
}

#[test]
fn a_backup_that_is_interrupted_leaves_no_trace() {
    let aside = directory();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let mut client = backing_up(&address, &aside.path().join("a.backup"));
    let child = client.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary is built");
    let _connection = answer_with_the_beginning(&listener, false);
    until("it has begun to write", || !names(aside.path()).is_empty());

    let ended = terminated(child);

    assert_eq!(ended.status.code(), Some(128 + libc::SIGTERM));
    assert_eq!(String::from_utf8_lossy(&ended.stderr).lines().count(), 1);
    assert_eq!(names(aside.path()), [""; 0]);
}

#[test]
fn a_backup_that_the_server_does_not_finish_is_none() {
    let aside = directory();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let server = thread::spawn(move || {
        for in_order in [true, false] {
            drop(answer_with_the_beginning(&listener, in_order));
        }
    });

    for expected in ["cut off at byte", "broke off"] {
        let ended = run(&mut backing_up(&address, &aside.path().join("a.backup")));
        assert_refused(&ended, expected);
        assert_eq!(names(aside.path()), [""; 0]);
    }
    server.join().expect("it does not panic");
}

#[test]
fn a_full_disk_ends_backup_and_restore_without_a_trace() {
    let (server, aside) = (Server::start(), directory());
    fill(&server.api());
    let file = aside.path().join("a.backup");

    let ended = run(&mut limited(&backing_up(&server.address().to_string(), &file)));
    assert_refused(&ended, "cannot write");
    assert_eq!(names(aside.path()), [""; 0]);

    until("the server has noticed", || back_up(&server, &file).status.success());
    let ended = run(&mut limited(&restoring(&file, &aside.path().join("data"))));
    assert_refused(&ended, "File too large");
    assert_eq!(names(aside.path()), ["a.backup"]);
}

#[test]
fn only_a_whole_backup_is_restored_and_never_over_a_store() {
    let (server, aside) = (Server::start(), directory());
    server.api().emit("new_lead", &json!("x".repeat(200_000)));
    let (file, data) = (aside.path().join("a.backup"), aside.path().join("data"));
    assert_success(&back_up(&server, &file));
    let whole = fs::read(&file).expect("it is there");

    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    let cases = [
        (damaged, "it is damaged at byte"),
        (whole[..whole.len() - 1].to_vec(), "it is cut off at byte"),
        (b"something else".to_vec(), "it is not a backup of hookyard"),
    ];
    for (bytes, expected) in cases {
        let other = aside.path().join("other");
        fs::write(&other, bytes).expect("it is writable");
        assert_refused(&run(&mut restoring(&other, &data)), expected);
        fs::remove_file(other).expect("it is there");
        assert_eq!(names(aside.path()), ["a.backup"]);
    }
    assert_success(&run(&mut restoring(&file, &data)));
    assert_eq!(names(&data), ["ledger"]);
    assert_refused(&run(&mut restoring(&file, &data)), "is there already");
    let none = run(&mut restoring(&aside.path().join("none"), &data));
    assert_eq!(none.status.code(), Some(2), "{}", String::from_utf8_lossy(&none.stderr));
}

#[test]
fn a_restore_that_is_interrupted_leaves_no_trace() {
    let (server, aside) = (Server::start(), directory());
    let (file, data) = (aside.path().join("a.backup"), aside.path().join("data"));
    assert_success(&back_up(&server, &file));
    let whole = fs::read(&file).expect("it is there");
    let mut client = restoring(Path::new("-"), &data);
    client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = client.spawn().expect("the binary is built");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(&whole[..whole.len() - 1]).expect("it reads");
    until("it has begun to build", || data.join("ledger.restoring").exists());

    let ended = terminated(child);

    assert_eq!(ended.status.code(), Some(128 + libc::SIGTERM));
    assert_eq!(names(aside.path()), ["a.backup"]);
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// Emits numbered events one by one until `done`; a receipt comes with its number.
fn emit_until(api: &Api, emitter: u64, receipts: &Mutex<BTreeMap<String, Value>>, done: &AtomicBool) {
    for n in 0.. {
        let data = json!({"n": n * 2 + emitter, "fill": "x".repeat(n as usize % 50 * 400)});
        let body = json!({"event": "new_lead", "data": data}).to_string();
        let reply = api.send("POST", "/api/v1/events", JSON, Some(body.as_bytes()));
        let receipt: Receipt = reply.expect(202);
        receipts.lock().expect("no panic").insert(receipt.id, data["n"].clone());
        if done.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// Emits so much that a backup is not over at once.
fn fill(api: &Api) {
    for _ in 0..LARGE {
        api.emit("new_message", &json!("x".repeat(1_000_000)));
    }
}

fn back_up(server: &Server, file: &Path) -> Output {
    run(&mut backing_up(&server.address().to_string(), file))
}

fn backing_up(address: &str, file: &Path) -> Command {
    let mut command = hookyard();
    command.arg("backup").arg(file).args(["--url", &format!("http://{address}"), "--key", ADMIN_KEY]);
    command
}

fn restoring(file: &Path, data_dir: &Path) -> Command {
    let mut command = hookyard();
    command.arg("restore").arg(file).arg("--data-dir").arg(data_dir);
    command
}

/// A server made of a backup.
fn restored(file: &Path) -> Server {
    let directory = directory();
    let data = directory.path().join("data");
    assert_success(&run(&mut restoring(file, &data)));
    assert_success(&run(hookyard().arg("check").arg("--data-dir").arg(data)));
    Server::start_on(directory, Settings::quick())
}

fn hookyard() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookyard"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOOKYARD_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// The same command, none of whose files may grow beyond some kilobytes.
fn limited(command: &Command) -> Command {
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -f 64; exec \"$0\" \"$@\""])
        .arg(command.get_program())
        .args(command.get_args());
    limited.stdin(Stdio::null());
    limited
}

fn run(command: &mut Command) -> Output {
    command.output().expect("the binary is built")
}

/// Accepts a connection and begins a backup; closes it in the order of HTTP, or leaves it to the caller.
fn answer_with_the_beginning(listener: &TcpListener, in_order: bool) -> std::net::TcpStream {
    let (mut stream, _) = listener.accept().expect("the client calls");
    let mut request = [0; 1024];
    let read = stream.read(&mut request).expect("the client asks");
    assert!(request[..read].starts_with(b"GET /api/v1/backup "));
    let header = br#"{"schema":1,"made_ms":1768473000000,"version":"0.1.0"}"#;
    let mut body = b"\x89HKYBK\r\n\0\0\0\x01".to_vec();
    body.extend_from_slice(&(header.len() as u32).to_be_bytes());
    let mut checksum = flate2::Crc::new();
    checksum.update(b"h");
    checksum.update(header);
    body.extend_from_slice(&checksum.sum().to_be_bytes());
    body.push(b'h');
    body.extend_from_slice(header);
    let head = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n", body.len());
    let end: &[u8] = if in_order { b"\r\n0\r\n\r\n" } else { b"\r\n" };
    stream.write_all(&[head.as_bytes(), &body, end].concat()).expect("the client reads");
    stream
}

fn terminated(mut child: Child) -> Output {
    let pid = libc::pid_t::try_from(child.id()).expect("a process id");
    // SAFETY: a plain system call; the child is not reaped before, so the id is still its own.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0, "it runs");
    until_some("it has ended", || child.try_wait().expect("it is our child"));
    child.wait_with_output().expect("its pipes can be read")
}

/// The names in a directory.
fn names(directory: &Path) -> Vec<String> {
    let files = fs::read_dir(directory).expect("it is there");
    let mut names: Vec<String> =
        files.map(|file| file.expect("it can be read").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[track_caller]
fn assert_success(ended: &Output) {
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

/// It failed, and said why in one line.
#[track_caller]
fn assert_refused(ended: &Output, why: &str) {
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains(why) && said.lines().count() == 1, "{said}");
}
