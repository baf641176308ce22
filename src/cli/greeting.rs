//! What `serve` prints when it is ready: where it listens, where the admin key is, and a line to paste.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hookyard::Config;
use serde_json::json;

use super::admin_key::Whereabouts;

pub struct Greeting<'a> {
    pub scheme: &'static str,
    pub address: SocketAddr,
    pub admin_key: Whereabouts,
    /// The event type to subscribe to in the example.
    pub event: &'a str,
    pub dev: bool,
}

impl fmt::Display for Greeting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, address, .. } = self;
        writeln!(f, "hookyard {} listening on {scheme}://{address}", env!("CARGO_PKG_VERSION"))?;
        writeln!(f, "admin key: {}", self.admin_key)?;
        let bearer = match &self.admin_key {
            Whereabouts::File(path) => format!("$(cat {})", quoted(&path.display().to_string())),
            Whereabouts::Configuration | Whereabouts::Unknown { .. } => "$HOOKYARD_KEY".to_owned(),
        };
        let url = if self.dev { "http://127.0.0.1:9000/" } else { "https://example.com/hook" };
        let body = quoted(&json!({"url": url, "event": self.event}).to_string());
        writeln!(f, "subscribe:")?;
        writeln!(f, "  curl {scheme}://{}/api/v1/hooks/subscribe \\", reachable(*address))?;
        writeln!(f, "    -H \"Authorization: Bearer {bearer}\" -H 'Content-Type: application/json' \\")?;
        writeln!(f, "    -d {body}")
    }
}

/// What the front door speaks.
pub fn scheme(config: &Config) -> &'static str {
    if config.tls.is_on() { "https" } else { "http" }
}

/// The address to call for one that listens on all.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The text as one word of a shell.
pub fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting(admin_key: Whereabouts, event: &str) -> String {
        Greeting { scheme: "http", address: "0.0.0.0:8080".parse().unwrap(), admin_key, event, dev: false }
            .to_string()
    }

    #[test]
    fn the_line_to_paste_calls_an_address_that_answers_and_reads_the_key_from_its_file() {
        let greeting = greeting(Whereabouts::File("my data/admin-key".into()), "new_lead");
        assert!(greeting.contains("listening on http://0.0.0.0:8080\n"), "{greeting}");
        assert!(greeting.contains("admin key: my data/admin-key\n"), "{greeting}");
        assert!(greeting.contains("curl http://127.0.0.1:8080/api/v1/hooks/subscribe"), "{greeting}");
        assert!(greeting.contains("Bearer $(cat 'my data/admin-key')\""), "{greeting}");
        assert!(
            greeting.contains(r#"-d '{"event":"new_lead","url":"https://example.com/hook"}'"#),
            "{greeting}"
        );
    }

    #[test]
    fn an_event_with_a_quote_stays_one_word() {
        let greeting = greeting(Whereabouts::Configuration, "it's");
        assert!(greeting.contains("admin key: from the configuration\n"), "{greeting}");
        assert!(greeting.contains(r#"{"event":"it'\''s""#), "{greeting}");
    }
}
