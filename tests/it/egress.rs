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
