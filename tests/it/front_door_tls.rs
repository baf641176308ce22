//! TLS at the front door: what it speaks, with whom, and that its certificate changes while it is open.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, StreamOwned, SupportedProtocolVersion, version,
};
use serde_json::json;

use crate::support::certificates::{Authority, provider, toml};
use crate::support::command::{hookyard, run};
use crate::support::patience::until;
use crate::support::raw;
use crate::support::receiver::Receiver;
use crate::support::server::{Server, start_in_vain};
use crate::support::settings::{ADMIN_KEY, Settings};

/// A connection to the front door.
type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A server that speaks TLS, and what it needs for that.
struct Secured {
    server: Server,
    settings: Settings,
    authority: Authority,
    directory: tempfile::TempDir,
}

impl Secured {
    fn start() -> Self {
        Self::start_with(Settings::quick())
    }

    fn start_with(settings: Settings) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let authority = Authority::new();
        let files = authority.certify("127.0.0.1").write(directory.path(), "front");
        let settings = settings.https(&files, &authority);
        Self { server: Server::start_with(settings.clone()), settings, authority, directory }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn ca(&self) -> PathBuf {
        self.authority.write(self.path())
    }

    fn url(&self) -> String {
        format!("https://{}", self.server.address())
    }

    /// Shakes hands with these versions of TLS, offering these protocols.
    fn handshake(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        protocols: &[&[u8]],
    ) -> Result<Tls, String> {
        let config = ClientConfig::builder_with_provider(provider()).with_protocol_versions(versions);
        let roots = self.authority.roots();
        let mut config = config.expect("known versions").with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let name = "127.0.0.1".try_into().expect("an address");
        let mut tls = ClientConnection::new(Arc::new(config), name).expect("sound settings");
        let mut tcp = raw::connect(self.server.address());
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp).map_err(|error| error.to_string())?;
        }
        Ok(StreamOwned::new(tls, tcp))
    }

    fn connect(&self) -> Tls {
        self.handshake(rustls::ALL_VERSIONS, &[]).expect("both speak TLS")
    }
}

/// Whether the connection is of use: a request on it is answered.
fn is_answered(tls: &mut Tls) -> bool {
    tls.write_all(b"GET /health/live HTTP/1.1\r\nhost: here\r\n\r\n").expect("it is open");
    let mut answer = [0; 2048];
    let read = tls.read(&mut answer).expect("it is open");
    answer[..read].starts_with(b"HTTP/1.1 200 OK\r\n")
}

fn shown(tls: &Tls) -> Vec<u8> {
    tls.conn.peer_certificates().expect("it showed one")[0].to_vec()
}

#[test]
fn the_whole_api_is_there_over_tls() {
    let secured = Secured::start();
    let (server, receiver) = (&secured.server, Receiver::answering([200]));
    assert!(server.printed().contains(&format!("listening on {}\n", secured.url())), "{}", server.printed());
    assert!(server.printed().contains(&format!("curl {}/api", secured.url())), "{}", server.printed());

    server.api().subscribe(&receiver.url("/"), "new_lead");
    server.api().emit("new_lead", &json!({"large": "x".repeat(300_000)}));

    assert!(receiver.wait_for(1)[0].body.len() > 300_000);
    assert_eq!(server.anonymous().get("/api/v1/hooks").status, 401);
}

#[test]
fn it_speaks_tls_1_2_and_1_3_and_http_1_1_alone() {
    let secured = Secured::start();
    for (version, spoken) in
        [(&version::TLS12, ProtocolVersion::TLSv1_2), (&version::TLS13, ProtocolVersion::TLSv1_3)]
    {
        let mut tls = secured.handshake(&[version], &[b"h2", b"http/1.1"]).expect("it is spoken");
        assert_eq!(tls.conn.protocol_version(), Some(spoken));
        assert_eq!(tls.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert!(is_answered(&mut tls));
    }
    let refused = secured.handshake(rustls::ALL_VERSIONS, &[b"h2"]).expect_err("it is not spoken");
    assert!(refused.contains("NoApplicationProtocol"), "{refused}");
    assert!(is_answered(&mut secured.connect()), "who offers nothing speaks HTTP/1.1");
}

#[test]
fn tls_1_1_is_refused() {
    let secured = Secured::start();
    let mut hello = vec![3, 2];
    hello.extend([7; 32]); // what is random
    hello.extend([0, 0, 2, 0xc0, 0x13, 1, 0]); // no session, one cipher suite, no compression
    let mut record = vec![0x16, 3, 1, 0, hello.len() as u8 + 4, 1, 0, 0, hello.len() as u8];
    record.extend(hello);
    let mut stream = raw::connect(secured.server.address());
    stream.write_all(&record).expect("the server listens");

    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the server hangs up");

    const ALERT: u8 = 21;
    assert_eq!(answer.first(), Some(&ALERT), "{answer:?}");
}

#[test]
fn who_does_not_speak_tls_is_hung_up_on() {
    let secured = Secured::start();
    let address = secured.server.address();
    assert_eq!(raw::exchange(address, b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"), None);
    assert!(matches!(raw::connect(address).read(&mut [0]), Ok(0)), "one who says nothing is hung up on too");
}

#[test]
fn those_who_connect_and_say_nothing_hold_up_nobody() {
    let secured = Secured::start();
    // On a machine that is busy they may be hung up on before anybody else is answered, which says nothing.
    until("one is answered while they are silent", || {
        // More than shake hands at a time unless told.
        let silent: Vec<_> = (0..600).map(|_| raw::connect(secured.server.address())).collect();
        assert_eq!(secured.server.anonymous().get("/health/live").status, 200);
        silent.iter().all(is_open)
    });
}

/// Whether the server has not hung up.
fn is_open(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("it is a socket");
    stream.peek(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn a_reload_changes_the_certificate_and_leaves_connections_alone() {
    let mut secured = Secured::start();
    let mut before = secured.connect();
    assert!(is_answered(&mut before));
    let new = secured.authority.certify("127.0.0.1");

    let [_, key] = new.write(secured.path(), "front");
    secured.server.reload(secured.settings.clone());

    assert!(is_answered(&mut before));
    assert_ne!(shown(&before), &*new.certificate);
    assert_eq!(shown(&secured.connect()), &*new.certificate);
    let said = secured.server.complaints();
    assert!(said.contains("the front door shows another certificate"), "{said}");

    // A mistake changes nothing.
    std::fs::write(&key, "not a key").expect("the directory is writable");
    secured.server.reload(secured.settings.clone().set("limits.batch_events", "1"));
    assert_eq!(shown(&secured.connect()), &*new.certificate);
    let said = secured.server.complaints();
    assert!(said.contains("the configuration is refused") && said.contains("tls.key_file"), "{said}");
    let two = json!([{"event": "new_lead", "data": 1}, {"event": "new_lead", "data": 2}]);
    assert_eq!(secured.server.api().emitting(&two).status, 202, "the limit is as it was");
    assert!(is_answered(&mut before));
}

#[test]
fn other_files_can_be_named_at_a_reload_but_tls_stays_on() {
    let mut secured = Secured::start();
    let new = secured.authority.certify("127.0.0.1");
    let files = new.write(secured.path(), "other");

    secured.server.reload(secured.settings.clone().https(&files, &secured.authority));
    assert_eq!(shown(&secured.connect()), &*new.certificate);
    secured.server.reload(secured.settings.clone().unset("tls.cert_file").unset("tls.key_file"));

    assert_eq!(shown(&secured.connect()), &*new.certificate);
    let said = secured.server.complaints();
    assert!(said.contains("keys=\"tls.cert_file, tls.key_file\""), "{said}");
}

#[test]
fn a_stop_does_not_wait_for_idle_connections() {
    let mut secured = Secured::start();
    let mut idle = secured.connect();
    assert!(is_answered(&mut idle));

    secured.server.terminate();

    assert!(secured.server.wait_for_exit().success());
    assert!(!secured.server.complaints().contains("ERROR"), "{}", secured.server.complaints());
}

#[test]
fn a_certificate_of_no_use_stops_the_start_and_is_named() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let authority = Authority::new();
    let [cert, key] = authority.certify("127.0.0.1").write(directory.path(), "front");
    let [_, others_key] = authority.certify("127.0.0.1").write(directory.path(), "other");
    let (nothing, empty) = (directory.path().join("nothing"), directory.path().join("empty"));
    std::fs::write(&empty, "").expect("the directory is writable");
    let mistakes = [
        ("tls.cert_file", [&nothing, &key], "No such file"),
        ("tls.key_file", [&cert, &nothing], "No such file"),
        ("tls.cert_file", [&empty, &key], "there is none in it"),
        ("tls.key_file", [&cert, &cert], "there is none in it"),
        ("tls.key_file", [&cert, &others_key], "it is not the key of"),
    ];
    for (named, files, why) in mistakes {
        let settings = Settings::quick().https(&files.map(Clone::clone), &authority);
        let ended = start_in_vain(&settings);
        assert_eq!(ended.status.code(), Some(2), "{named} {why}: {}", ended.output);
        assert!(ended.output.contains(&format!("{named} = ")), "{named} {why}: {}", ended.output);
        assert!(ended.output.contains(why), "{named} {why}: {}", ended.output);
        assert!(!ended.output.contains("PRIVATE KEY"), "{}", ended.output);
    }
    let ended = start_in_vain(&Settings::quick().set("tls.cert_file", &toml(&cert)));
    assert_eq!(ended.status.code(), Some(2), "{}", ended.output);
    assert!(ended.output.contains("tls.key_file = \"\""), "{}", ended.output);

    let file = directory.path().join("hookyard.toml");
    std::fs::write(&file, format!("tls.cert_file = {}\ntls.key_file = {}\n", toml(&cert), toml(&others_key)))
        .expect("the directory is writable");
    let checked = run(&mut hookyard(&["config", "check", &file.display().to_string()]), b"");
    assert_eq!(checked.status.code(), Some(2), "{checked:?}");
    assert!(checked.complaints.contains("tls.key_file"), "{checked:?}");
}

#[test]
fn the_commands_believe_an_authority_that_they_are_told_of() {
    let secured = Secured::start();
    let (url, ca) = (secured.url(), secured.ca().display().to_string());
    let emit = |environment: &[(&str, &str)], options: &[&str]| {
        let mut command = hookyard(&["emit", "new_lead", "1", "--url", &url, "--key", ADMIN_KEY]);
        run(command.args(options).envs(environment.iter().copied()), b"")
    };

    for ended in [emit(&[], &["--ca", &ca]), emit(&[("HOOKYARD_CA", &ca)], &[])] {
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    }
    for ended in [emit(&[], &[]), emit(&[("HOOKYARD_CA", "")], &[])] {
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(ended.complaints.contains("--ca or HOOKYARD_CA"), "{ended:?}");
    }
    let nothing = emit(&[], &["--ca", "nothing.pem"]);
    assert_eq!(nothing.status.code(), Some(2), "{nothing:?}");
    assert!(nothing.complaints.contains("--ca"), "{nothing:?}");
}

#[test]
fn the_health_command_asks_over_tls() {
    let secured = Secured::start();
    let (url, ca) = (secured.url(), secured.ca().display().to_string());
    let address = secured.server.address().to_string();
    let [cert, key] = ["front.pem", "front.key"].map(|name| secured.path().join(name));

    let by_url = run(&mut hookyard(&["health", "--url", &url, "--ca", &ca]), b"");
    let unknown = run(&mut hookyard(&["health", "--url", &url]), b"");
    // An image's health check has the server's own environment, and calls it by no name that is certified.
    let mut here = hookyard(&["health"]);
    here.env("HOOKYARD_LISTEN", address.replace("127.0.0.1", "localhost"));
    let by_key = run(here.env("HOOKYARD_TLS__CERT_FILE", cert).env("HOOKYARD_TLS__KEY_FILE", key), b"");

    for ended in [by_url, by_key] {
        assert_eq!((ended.status.code(), ended.printed.as_str()), (Some(0), "ready\n"), "{ended:?}");
    }
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
}
