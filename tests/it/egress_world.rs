//! Names and what they lead to, asked of the real binary in a world in which every address would answer.

use std::net::{IpAddr, SocketAddr, TcpStream};

use serde_json::json;

use crate::support::api::{Api, Hook};
use crate::support::deliveries::Attempt;
use crate::support::names::{Names, Record};
use crate::support::patience::until;
use crate::support::server::Server;
use crate::support::settings::Settings;
use crate::support::world::{OWN, PUBLIC, REDIRECT, World};
use crate::support::{namespace, process};

const NAMES: &str = "egress_world::names_in_a_world_of_their_own";
const SETTINGS: &str = "egress_world::settings_in_a_world_of_their_own";

/// Addresses that may not be called.
const REFUSED: [&str; 46] = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.1.2.3",
    "168.63.129.16",
    "169.254.0.23",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.0.192",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.1.1",
    "192.175.48.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::a00:1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a00:1",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001:0:4136:e378:8000:63bf:f5ff:fffe",
    "2001:db8::1",
    "2002:a00:1::1",
    "2600::5efe:a00:1",
    "3fff::1",
    "5f00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fec0::1",
];

fn address(text: &str) -> Record {
    Record::Address(text.parse().expect("an address"))
}

/// `n0.refused.example` stands for the first of the refused addresses, `n0.first.example` for it and a public one.
fn zone(name: &str, asked: usize) -> Vec<Record> {
    let refused = || {
        let place: usize = name.strip_prefix('n')?.split('.').next()?.parse().ok()?;
        Some(address(REFUSED.get(place)?))
    };
    let public = || PUBLIC.map(address);
    match (name.split_once('.').map_or(name, |(_, parent)| parent), name) {
        ("refused.example", _) => refused().into_iter().collect(),
        ("first.example", _) => refused().into_iter().chain(public()).collect(),
        ("last.example", _) => public().into_iter().chain(refused()).collect(),
        (_, "public.example") => public().to_vec(),
        (_, "public-v4.example") => vec![address(PUBLIC[0])],
        (_, "public-v6.example") => vec![address(PUBLIC[1])],
        (_, "own.example") => vec![address(OWN[0])],
        (_, "own-v6.example") => vec![address(PUBLIC[0]), address(OWN[1])],
        (_, "many.example") => {
            let public = (1..=11).map(|last| Record::Address(IpAddr::from([8, 8, 8, last])));
            public.chain([address("10.0.0.1")]).collect()
        }
        (_, "alias.example") => vec![Record::Alias("public.example"), address(PUBLIC[0])],
        (_, "localhost-alias.example") => vec![Record::Alias("localhost"), address("127.0.0.1")],
        (_, "inside-alias.example") => vec![Record::Alias("db.internal"), address("10.0.0.1")],
        (_, "metadata.google.internal") => vec![address("169.254.169.254")],
        (_, "rebinding.example") if asked == 0 => vec![address(PUBLIC[0])],
        (_, "rebinding.example") => vec![address("10.0.0.1")],
        (_, "turning.example") if asked.is_multiple_of(2) => vec![address(PUBLIC[0])],
        (_, "turning.example") => vec![address("127.0.0.1")],
        _ => Vec::new(),
    }
}

fn settings() -> Settings {
    Settings::quick().without_dev().set("egress.https_only", "false").set("delivery.timeout", r#""10s""#)
}

#[track_caller]
fn attempt_at(api: &Api, hook: &Hook) -> Attempt {
    api.act(&format!("/api/v1/hooks/{}/test", hook.id)).expect(200)
}

#[track_caller]
fn attempt(api: &Api, url: &str) -> Attempt {
    attempt_at(api, &api.subscribe(url, "new_lead"))
}

#[track_caller]
fn is_blocked(api: &Api, url: &str) {
    let attempt = attempt(api, url);
    assert_eq!((attempt.error.as_deref(), attempt.status), (Some("blocked"), None), "{url}");
}

#[test]
fn no_name_leads_to_an_address_that_may_not_be_called() {
    namespace::run(NAMES);
}

#[test]
fn settings_decide_which_addresses_may_be_called() {
    namespace::run(SETTINGS);
}

#[test]
#[ignore = "run by the test above, in namespaces"]
fn names_in_a_world_of_their_own() {
    if !process::is_for(NAMES) {
        return;
    }
    let (world, _names) = (World::make(), Names::serve(zone));
    let server = Server::start_with(settings().late_schedule());
    let api = server.api();

    public_names_are_called(&api, &world);
    for (place, refused) in REFUSED.iter().enumerate() {
        for name in ["refused", "first", "last"] {
            is_blocked(&api, &format!("http://n{place}.{name}.example/?{refused}"));
        }
    }
    for name in [
        "localhost-alias.example",
        "inside-alias.example",
        "metadata.google.internal",
        "own.example",
        "own-v6.example",
        "many.example",
    ] {
        is_blocked(&api, &format!("http://{name}/"));
        is_blocked(&api, &format!("http://{name}.:8080/"));
    }
    names_that_change_are_followed_to_public_addresses_alone(&api);
    spelled_out_addresses_are_refused_at_once(&api);
    let redirected = attempt(&api, &format!("http://public.example{REDIRECT}"));
    assert_eq!(redirected.status, Some(302));
    let nameless = attempt(&api, "http://nobody.example/");
    assert_eq!(nameless.error.as_deref(), Some("dns"));
    deliveries_fare_like_tests(&api);

    assert_eq!(world.called_wrongly(), [], "no decoy is called");
    decoys_count_who_calls_them(&world);
}

fn public_names_are_called(api: &Api, world: &World) {
    for name in
        ["public.example", "public-v4.example", "public-v6.example", "alias.example", "PUBLIC.example."]
    {
        for port in ["", ":8080"] {
            let url = format!("http://{name}{port}/");
            assert_eq!(attempt(api, &url).status, Some(200), "{url}");
        }
    }
    let called = world.called();
    for public in PUBLIC {
        let public: IpAddr = public.parse().expect("an address");
        assert!(called.iter().any(|called| called.ip() == public), "{public}");
    }
}

fn names_that_change_are_followed_to_public_addresses_alone(api: &Api) {
    let rebinding = api.subscribe("http://rebinding.example/", "new_lead");
    assert_eq!(attempt_at(api, &rebinding).status, Some(200));
    // An answer serves for a moment.
    until("the second answer counts", || attempt_at(api, &rebinding).error.as_deref() == Some("blocked"));
    let turning = api.subscribe("http://turning.example/", "new_lead");
    let mut met = Vec::new();
    until("both answers have counted, twice", || {
        let attempt = attempt_at(api, &turning);
        assert!(attempt.status == Some(200) || attempt.error.as_deref() == Some("blocked"), "{attempt:?}");
        if met.last() != Some(&attempt.status) {
            met.push(attempt.status);
        }
        met.len() >= 4
    });
}

fn spelled_out_addresses_are_refused_at_once(api: &Api) {
    for text in REFUSED.iter().chain(&OWN) {
        let ip: IpAddr = text.parse().expect("an address");
        let url = format!("http://{}/", SocketAddr::new(ip, 8080));
        api.subscribing(&json!({"url": url, "event": "new_lead"})).refused(422);
    }
    let own =
        api.subscribing(&json!({"url": format!("http://{}/", OWN[0]), "event": "new_lead"})).refused(422);
    assert!(own.message.contains("addresses of this machine itself are off"), "{}", own.message);
    assert!(own.message.contains("egress.allow_networks = [\"93.184.216.33/32\"]"), "{}", own.message);
}

fn deliveries_fare_like_tests(api: &Api) {
    let hook = api.subscribe("http://public.example/events", "feedback_received");
    let event = api.emit("feedback_received", &json!({"n": 0})).id;
    api.wait_until_delivered(&hook.id, &event);
    let hook = api.subscribe("http://n9.refused.example/events", "feedback_received");
    let event = api.emit("feedback_received", &json!({"n": 1})).id;
    let delivery =
        api.wait_for_delivery(&hook.id, &event, "an attempt is made", |delivery| delivery.attempts == 1);
    assert_eq!(delivery.last_error.as_deref(), Some("blocked"));
}

/// Nothing was counted so far because nobody called, and not because nobody counts.
fn decoys_count_who_calls_them(world: &World) {
    let decoys = ["10.0.0.1", "169.254.169.254", "127.0.0.1", OWN[0], "::1", "fd00:ec2::254", OWN[1]];
    for decoy in decoys {
        let address = SocketAddr::new(decoy.parse().expect("an address"), 80);
        drop(TcpStream::connect(address).expect("every address answers"));
        until("the decoy has counted", || world.called_wrongly().contains(&address));
    }
    assert_eq!(world.called_wrongly().len(), decoys.len());
}

#[test]
#[ignore = "run by the test above, in namespaces"]
fn settings_in_a_world_of_their_own() {
    if !process::is_for(SETTINGS) {
        return;
    }
    let (world, _names) = (World::make(), Names::serve(zone));

    let own = format!("[\"{}/32\", \"198.51.100.0/24\"]", OWN[0]);
    let open = Server::start_with(settings().set("egress.allow_networks", &own));
    assert_eq!(attempt(&open.api(), "http://own.example/").status, Some(200));
    assert_eq!(attempt(&open.api(), &format!("http://{}:25/", OWN[0])).status, Some(200));
    world.forget();
    // Where a name leads is known when it is called, and its port is judged then.
    for port in [22, 25] {
        is_blocked(&open.api(), &format!("http://public.example:{port}/"));
    }
    is_blocked(&open.api(), "http://own-v6.example/");
    assert_eq!(world.called(), []);

    let denied = format!("[\"{}/32\"]", PUBLIC[0]);
    let narrow = Server::start_with(settings().set("egress.deny_networks", &denied));
    is_blocked(&narrow.api(), "http://public.example/");
    assert_eq!(world.called(), []);
    assert_eq!(attempt(&narrow.api(), "http://public-v6.example/").status, Some(200));

    let closed = Server::start_with(settings());
    for port in [1, 22, 25, 110, 1023] {
        let url = format!("http://public.example:{port}/");
        closed.api().subscribing(&json!({"url": url, "event": "new_lead"})).refused(422);
    }
}
