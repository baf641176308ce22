//! What can be tried while the demonstration serves: curl lines that can be pasted as they are.
//!
//! They carry the admin key, which opens nothing but this server, and that one's data are removed at its end.

use std::fmt;
use std::net::SocketAddr;

use super::consumer::{EVENTS, HOOKS, SUBSCRIBE};
use super::receiver::HEALTHY;

pub struct Paste<'a> {
    pub api: SocketAddr,
    pub receiver: SocketAddr,
    pub key: &'a str,
}

/// An event type that the story leaves alone.
const EVENT: &str = "feedback_received";
const DATA: &str = r#"{"agentId":"agent_abc123","feedback":{"rating":"positive"}}"#;

impl Paste<'_> {
    /// One command. `-w` adds the line's end that the answer lacks.
    fn curl(&self, f: &mut fmt::Formatter<'_>, what: &str, call: &str, body: &str) -> fmt::Result {
        let Self { api, key, .. } = self;
        let (method, path) = call.split_once(' ').unwrap_or(("GET", call));
        let method = if method == "GET" { String::new() } else { format!(" -X {method}") };
        writeln!(f, "# {what}")?;
        write!(f, "curl{method} http://{api}{path} -w '\\n' -H 'Authorization: Bearer {key}'")?;
        if !body.is_empty() {
            write!(f, " \\\n  -H 'Content-Type: application/json' -d '{body}'")?;
        }
        writeln!(f)
    }
}

impl fmt::Display for Paste<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hook = format!(r#"{{"url":"http://{}{HEALTHY}","event":"{EVENT}"}}"#, self.receiver);
        let event = format!(r#"{{"event":"{EVENT}","data":{DATA}}}"#);
        let subscribe = "subscribe, at a URL that has a hook already: the secret is the same";
        self.curl(f, subscribe, &format!("POST {SUBSCRIBE}"), &hook)?;
        self.curl(f, "emit, and see it arrive here", &format!("POST {EVENTS}"), &event)?;
        self.curl(f, "list the hooks", HOOKS, "")?;
        self.curl(f, "delete the hook", &format!("DELETE {SUBSCRIBE}"), &hook)
    }
}
