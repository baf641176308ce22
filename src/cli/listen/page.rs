//! The page: what `listen` prints, in colour on a terminal only.
//!
//! Receiving goes on when nobody reads it.

use std::fmt;
use std::io::Write;
use std::net::SocketAddr;

use anstyle::{AnsiColor, Style};
use serde_json::json;

use super::super::json_text;
use super::super::verification::{Age, Verdict};
use super::record::Record;
use super::{Arrival, Caller};

/// Writes what a person reads, or a line of JSON for each request.
pub enum Page {
    Person,
    Program,
}

const TITLE: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default();

/// More of a body than this nobody reads on a screen.
const SHOWN_BYTES: usize = 64 << 10;
/// What stands before each line that belongs to a request.
const MARGIN: &str = "  ";

impl Page {
    pub fn new(json: bool) -> Self {
        if json { Self::Program } else { Self::Person }
    }

    /// Says where it listens, how to subscribe, and whether it can verify.
    pub fn introduce(&mut self, address: SocketAddr, server: &Caller, secrets: usize) {
        let text = introduction(address, server, secrets);
        match self {
            Self::Person => put(anstream::stdout(), text),
            Self::Program => put(anstream::stderr(), text),
        }
    }

    /// Prints a request; `times` says how often its id has come.
    pub fn print(&mut self, arrival: &Arrival, times: Option<u64>) {
        let record = Record::of(arrival, times);
        match self {
            Self::Person => put(anstream::stdout(), entry(arrival, &record)),
            Self::Program => {
                let line = serde_json::to_string(&record).expect("a record serialises into memory");
                put(std::io::stdout(), format_args!("{line}\n"));
            }
        }
    }
}

fn introduction(address: SocketAddr, Caller { server, key }: &Caller, secrets: usize) -> String {
    let (url, event) = (format!("http://{address}/"), "new_lead");
    let body = json!({"url": url, "event": event});
    let mut text = format!("listening on {url}\n\nsubscribe, in another terminal, with either of:\n");
    text += &format!("  hookyard hooks subscribe {url} {event}\n");
    text += &format!("  curl {}/api/v1/hooks/subscribe \\\n", server.trim_end_matches('/'));
    text += &format!("    -H \"Authorization: Bearer {key}\" -H 'Content-Type: application/json' \\\n");
    text += &format!("    -d '{body}'\n\n");
    text += &match secrets {
        0 => format!(
            "{DOUBTFUL}Without a secret nothing can be verified.{DOUBTFUL:#} The answer to subscribing shows the \
             hook's secret:\ngive it with --secret, or in HOOKYARD_SECRET.\n"
        ),
        1 => "Requests are verified with the secret given.\n".to_owned(),
        n => format!("Requests are verified with any of the {n} secrets given.\n"),
    };
    text
}

fn entry(arrival: &Arrival, record: &Record<'_>) -> String {
    let Arrival { request, verdict, status } = arrival;
    let event = record.event.as_deref().unwrap_or("no event");
    let mut text = format!("\n{}  {} {}  ", request.time, request.method, request.target);
    text += &format!("{TITLE}{}{TITLE:#}\n", harmless(event));
    if let Some(id) = record.webhook_id {
        text += &format!("{MARGIN}webhook-id {}{}\n", harmless(id), Again(record.times));
    }
    let trust = match verdict {
        Verdict::Verified(_) => GOOD,
        Verdict::Refused(_) => BAD,
        Verdict::NoSecret => DOUBTFUL,
    };
    text += &format!("{MARGIN}{trust}{verdict}{trust:#}");
    if let Verdict::Verified(headers) = verdict {
        text += &format!(" by {}", headers.join(" and "));
    }
    if let Some(age) = record.age_seconds {
        text += &format!("; signed {}", Age(age));
    }
    let mood = if status.is_success() { GOOD } else { BAD };
    text +=
        &format!("\n{MARGIN}{}\n{MARGIN}answered {mood}{}{mood:#}\n", shown(&request.body), status.as_u16());
    text
}

/// A body as a person likes to read it.
fn shown(body: &[u8]) -> String {
    if body.is_empty() {
        return "no body".to_owned();
    }
    if body.len() <= SHOWN_BYTES && json_text::is_json(body) {
        return json_text::pretty(&harmless(&String::from_utf8_lossy(body)), MARGIN);
    }
    let text = harmless(&String::from_utf8_lossy(&body[..body.len().min(SHOWN_BYTES)]));
    if body.len() <= SHOWN_BYTES {
        return text;
    }
    format!("{text}\n{MARGIN}… {} bytes in all", body.len())
}

/// The text without what a terminal would obey.
fn harmless(text: &str) -> String {
    let obeyed = |letter: &char| letter.is_control() && !"\n\t\r".contains(*letter);
    text.chars().map(|letter| if obeyed(&letter) { char::REPLACEMENT_CHARACTER } else { letter }).collect()
}

fn put(mut place: impl Write, text: impl fmt::Display) {
    let _ = write!(place, "{text}").and_then(|()| place.flush());
}

/// Whether an id came before.
struct Again(Option<u64>);

impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None | Some(1) => Ok(()),
            Some(times) => {
                write!(f, "  {DOUBTFUL}a duplicate: it has come {times} times now{DOUBTFUL:#}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_cannot_command_the_terminal() {
        assert_eq!(shown(b"a\x1b[2Jb\x07\n"), "a\u{fffd}[2Jb\u{fffd}\n");
        assert!(!shown("\"\u{9b}2J\"".as_bytes()).contains('\u{9b}'));
    }

    #[test]
    fn a_long_body_is_cut_and_its_length_told() {
        let long = shown(&vec![b'x'; SHOWN_BYTES + 1]);
        assert!(long.ends_with("… 65537 bytes in all") && long.len() < SHOWN_BYTES + 50);
    }

    #[test]
    fn without_a_secret_it_says_how_to_give_one() {
        let address = "127.0.0.1:9000".parse().unwrap();
        let caller = Caller { server: "http://127.0.0.1:8080/".to_owned(), key: "$KEY".to_owned() };
        let text = introduction(address, &caller, 0);
        assert!(text.contains("--secret") && text.contains("HOOKYARD_SECRET"), "{text}");
        assert!(text.contains("curl http://127.0.0.1:8080/api/v1/hooks/subscribe"), "{text}");
        assert!(text.contains("hooks subscribe http://127.0.0.1:9000/ new_lead\n"), "{text}");
    }
}
