//! Which URLs may be called: no private address and no plain http in production, and nothing that is no URL ever.

use serde_json::json;

use crate::support::server::Server;
use crate::support::settings::Settings;

#[test]
fn private_targets_and_plain_http_are_refused_in_production() {
    let server = Server::start_with(Settings::quick().without_dev());
    let blocked = [
        "http://example.com/",
        "http://127.0.0.1:9000/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0.0.0.0/",
        "https://10.1.2.3/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://100.64.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fd00::1]/",
        "https://[fe80::1]/",
    ];

    for url in blocked {
        let reply = server.api().subscribing(&json!({"url": url, "event": "new_lead"}));
        assert_eq!(reply.status, 422, "{url}: {}", reply.describe());
        assert!(reply.refused(422).message.contains("refused"), "{url}: {}", reply.describe());
    }
    let open = server.api().subscribing(&json!({"url": "https://example.com/hook", "event": "new_lead"}));
    assert_eq!(open.status, 201, "{}", open.describe());
}

/// Ways to write this machine's loopback address, or another that may not be called.
const SPELLED: [&str; 68] = [
    // One number, and in bases other than ten.
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0X7F000001/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://00000177.0x0.0.01/",
    "https://0x7f.0x0.0x0.0x1/",
    "https://0xa9fea9fe/",
    "https://2852039166/",
    "https://0/",
    "https://0x/",
    // Fewer parts, and a dot too many.
    "https://127.1/",
    "https://127.0.1/",
    "https://0x7f.1/",
    "https://10.1/",
    "https://127.0.0.1./",
    "https://localhost./",
    // Other scripts' digits, letters and dots.
    "https://\u{ff11}\u{ff12}\u{ff17}.\u{ff10}.\u{ff10}.\u{ff11}/",
    "https://127\u{3002}0\u{3002}0\u{3002}1/",
    "https://127\u{ff0e}0\u{ff0e}0\u{ff0e}1/",
    "https://127\u{ff61}0\u{ff61}0\u{ff61}1/",
    "https://\u{2460}\u{2461}\u{2466}.\u{24ea}.\u{24ea}.\u{2460}/",
    "https://\u{1d7cf}27.0.0.1/",
    "https://\u{ff4c}\u{ff4f}\u{ff43}\u{ff41}\u{ff4c}\u{ff48}\u{ff4f}\u{ff53}\u{ff54}/",
    "https://loc\u{ad}alhost/",
    "https://local\u{200b}host/",
    "https://a\u{3002}localhost/",
    // Escapes.
    "https://%31%32%37.0.0.1/",
    "https://127%2e0%2e0%2e1/",
    "https://%6c%6f%63alhost/",
    "https://127.0.0.1%00.example.com/",
    "https://127.0.0.1%2f.example.com/",
    // IPv6, and IPv4 within it.
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[0000::0001]/",
    "https://[::]/",
    "https://[::127.0.0.1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::FFFF:7f00:1]/",
    "https://[0:0:0:0:0:ffff:127.0.0.1]/",
    "https://[64:ff9b::127.0.0.1]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[2600::5efe:127.0.0.1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[::1%251]/",
    "https://[fec0::1]/",
    "https://[fd00:ec2::254]/",
    "https://[ff02::1]/",
    // Userinfo, and what looks like it.
    "https://example.com@127.0.0.1/",
    "https://example.com:443@127.0.0.1/",
    "https://@127.0.0.1/",
    "https://127.0.0.1?@example.com/",
    "https://127.0.0.1#@example.com/",
    // Slashes, backslashes and white space.
    "https:127.0.0.1",
    "https:/127.0.0.1/",
    "https:///127.0.0.1/",
    "https:\\\\127.0.0.1\\",
    "https://127.0.0.1\\@example.com/",
    "https://example.com\\@127.0.0.1/",
    "https://127.0\t.0.1/",
    "https://127.0\n.0.1/",
    "ht\ntps://127.0.0.1/",
    "https://example.com\r\n.127.0.0.1/",
    "\nhttps://127.0.0.1/",
    "https://127.0.0.1 /",
];

#[test]
fn no_spelling_leads_inside() {
    let server = Server::start_with(Settings::quick().without_dev());
    for url in SPELLED {
        let reply = server.api().subscribing(&json!({"url": url, "event": "new_lead"}));
        assert_eq!(reply.status, 422, "{url:?}: {}", reply.describe());
    }
}

#[test]
fn ordinary_public_urls_pass() {
    let server = Server::start_with(Settings::quick().without_dev());
    for url in [
        "https://example.com",
        "https://example.com./hook",
        "https://EXAMPLE.com:8443/Hook?a=b&c[]=d#e",
        "https://example.com:80/",
        "https://a_b.example.com/",
        "https://127.0.0.1.example.com/",
        "https://localhost.example.com/",
        "https://m\u{fc}ller.example/\u{fc}",
        "https://xn--mller-kva.example/",
        "https://\u{4f8b}\u{3048}\u{3002}\u{30c6}\u{30b9}\u{30c8}/",
        "https://example.com/?url=http://user@127.0.0.1/",
        "https://example.com/@127.0.0.1",
        "https://example.com/a%0d%0ab%5c",
        "https://hooks.example.com/catch/123/abc/?token=x%20y+z|{}^",
        "https://93.184.216.34/",
        "https://134744072/",
        "https://[2606:2800:220:1:248:1893:25c8:1946]:8443/",
    ] {
        let reply = server.api().subscribing(&json!({"url": url, "event": "new_lead"}));
        assert_eq!(reply.status, 201, "{url:?}: {}", reply.describe());
    }
}

#[test]
fn ports_of_other_services_are_refused() {
    let server = Server::start_with(Settings::quick().without_dev());
    for port in [0, 1, 22, 25, 79, 81, 110, 442, 444, 465, 587, 993, 1023] {
        for host in ["example.com", "93.184.216.34", "[2606:2800:220:1::1]"] {
            let url = format!("https://{host}:{port}/");
            let refusal = server.api().subscribing(&json!({"url": url, "event": "new_lead"})).refused(422);
            assert!(refusal.message.contains("ports below 1024"), "{url}: {}", refusal.message);
        }
    }
}

#[test]
fn the_refusal_of_a_target_says_what_to_do() {
    let server = Server::start_with(Settings::quick().without_dev());

    let refusal =
        server.api().subscribing(&json!({"url": "http://127.0.0.1:9000/", "event": "new_lead"})).refused(422);

    let expected = "http://127.0.0.1:9000/ is refused: plain http and loopback addresses are off. \
                    Trying it out? start with --dev. In production set egress.https_only = false and \
                    egress.allow_networks = [\"127.0.0.0/8\"].";
    assert_eq!(refusal.message, expected);
}

#[test]
fn the_configuration_opens_what_it_names_and_no_more() {
    let settings = Settings::quick()
        .without_dev()
        .set("egress.https_only", "false")
        .set("egress.allow_networks", r#"["127.0.0.0/8"]"#);
    let server = Server::start_with(settings);
    let subscribing = |url: &str| server.api().subscribing(&json!({"url": url, "event": "new_lead"})).status;

    assert_eq!(subscribing("http://127.0.0.1:9000/"), 201);
    assert_eq!(subscribing("http://10.0.0.1/"), 422);
}

#[test]
fn dev_says_loudly_that_it_opens_everything() {
    let server = Server::start();

    let said = format!("{}{}", server.printed(), server.complaints()).to_lowercase();

    assert!(said.contains("--dev") || said.contains("dev mode") || said.contains("development"), "{said}");
}

#[test]
fn a_url_with_userinfo_is_refused() {
    let server = Server::start();

    for url in ["https://user:pass@example.com/", "https://user@example.com/", "https://:pass@example.com/"] {
        let reply = server.api().subscribing(&json!({"url": url, "event": "new_lead"}));
        assert_eq!(reply.status, 422, "{url}: {}", reply.describe());
    }
}

#[test]
fn a_url_may_have_2048_characters_and_no_more() {
    let server = Server::start();
    let url_of = |length: usize| format!("https://example.com/{}", "a".repeat(length - 20));

    let longest = server.api().subscribing(&json!({"url": url_of(2048), "event": "new_lead"}));
    let longer = server.api().subscribing(&json!({"url": url_of(2049), "event": "new_lead"}));

    assert_eq!(longest.status, 201, "{}", longest.describe());
    longer.refused(422);
}

#[test]
fn what_is_no_url_to_call_is_refused() {
    let server = Server::start();

    for url in
        ["", " ", "example.com", "/hook", "https://", "ftp://example.com/", "file:///etc/passwd", "data:,x"]
    {
        let reply = server.api().subscribing(&json!({"url": url, "event": "new_lead"}));
        assert_eq!(reply.status, 422, "{url:?}: {}", reply.describe());
        reply.refused(422);
    }
}
