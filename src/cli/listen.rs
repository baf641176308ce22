//! `hookyard listen`: a receiver on this machine that verifies what arrives and prints it.
//!
//! It answers as it is told, whether it trusts a request or not: it stands in for a receiver, good or bad.

mod answers;
mod page;
mod record;
mod seen;

use std::collections::HashMap;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, rt};
use anyhow::{Context, anyhow};
use hookyard::signature::TOLERANCE;
use hookyard::subscription::Secret;
use tokio::select;
use tokio::sync::mpsc;

use self::answers::Answers;
use self::page::Page;
use self::seen::Seen;
use super::greeting::quoted;
use super::receiver::{self, Request};
use super::verification::{Verdict, Verifier};
use super::{Failure, admin_key, signals};

/// Receive deliveries on this machine, verify and print them.
///
/// Prints how to subscribe a hook to it, then every request: its event, how old it is, whether its signatures match,
/// whether it came before, and its body. The server must allow such a target, as `hookyard serve --dev` does.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Listen {
    /// The port of 127.0.0.1 to listen on; 0 takes a free one
    #[arg(long, default_value_t = PORT, conflicts_with = "listen")]
    port: u16,

    /// The address to listen on instead
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,

    /// The secret of the hook, as the answer to subscribing shows it; may be repeated
    ///
    /// Other users of this machine can see it on the command line; they cannot see the variable.
    #[arg(long = "secret", value_name = "SECRET", env = "HOOKYARD_SECRET", hide_env_values = true)]
    secrets: Vec<Secret>,

    /// What to answer; of several the last for ever, such as 500,500,200
    #[arg(long, value_name = "STATUS,…", default_value = "200", value_delimiter = ',',
        value_parser = clap::value_parser!(u16).range(200..=599))]
    status: Vec<u16>,

    /// The body of the answer
    #[arg(long, value_name = "BODY", default_value = "")]
    response: String,

    /// How long to wait before answering, such as 2s
    #[arg(long, value_name = "TIME", default_value = "0s")]
    delay: humantime::Duration,

    /// Print one line of JSON for each request, and all else to the standard error
    #[arg(long)]
    json: bool,

    /// End after so many requests, with status 1 if one of them did not pass verification
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

/// A request that arrived, what is thought of it and what it is answered.
struct Arrival {
    request: Request,
    verdict: Verdict,
    status: StatusCode,
}

/// How whoever pastes a line here calls the server.
struct Caller {
    server: String,
    /// What their shell puts in place of the key.
    key: String,
}

struct Desk {
    verifier: Verifier,
    answers: Answers,
    arrivals: mpsc::Sender<Arrival>,
}

const EXAMPLES: &str = "\
Examples:
  hookyard listen --secret whsec_…
  hookyard listen --port 0 --status 500,500,200      fail twice, then answer 200
  hookyard listen --status 410                       be gone
  hookyard listen --delay 11s                        answer too late
  hookyard listen --json --count 1 | jq .body";

/// Where greetings and documents expect a receiver.
const PORT: u16 = 9000;
/// Arrivals that are not printed yet; beyond that, senders wait for their answer.
const UNREAD: usize = 64;

impl Caller {
    /// As the environment has it; a key's file of the first start is there for those who set no variable.
    fn of(env: HashMap<String, String>) -> Self {
        let set = |name: &str| env.get(name).filter(|text| !text.is_empty());
        let server = set("HOOKYARD_URL").cloned().unwrap_or_else(|| "http://127.0.0.1:8080".to_owned());
        let data_dir = set("HOOKYARD_DATA_DIR").map_or("data", String::as_str);
        let file = Path::new(data_dir).join(admin_key::FILE);
        let key = match set("HOOKYARD_KEY").is_none() && file.exists() {
            true => format!("$(cat {})", quoted(&file.display().to_string())),
            false => "$HOOKYARD_KEY".to_owned(),
        };
        Self { server, key }
    }
}

impl Listen {
    /// Receives until a signal comes, or the last request that was asked for.
    ///
    /// # Errors
    /// When the port cannot be had, or one of a number of requests was not verified.
    pub fn run(self, env: impl Iterator<Item = (String, String)>) -> Result<(), Failure> {
        let address = self.listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)));
        let stop = signals::first().context("cannot listen for signals")?;
        let listener = TcpListener::bind(address)
            .with_context(|| format!("cannot listen on {address}; --port 0 takes a free port"))?;
        let caller = Caller::of(env.into_iter().collect());
        Ok(rt::System::new().block_on(self.receive(listener, &caller, stop))?)
    }

    async fn receive(
        self,
        listener: TcpListener,
        caller: &Caller,
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let mut page = Page::new(self.json);
        page.introduce(listener.local_addr()?, caller, self.secrets.len());
        let (sender, arrivals) = mpsc::channel(UNREAD);
        let desk = Desk {
            verifier: Verifier::new(self.secrets, TOLERANCE),
            answers: Answers::new(&self.status, self.response, *self.delay),
            arrivals: sender,
        };
        let receiver = receiver::start(listener, desk).context("cannot start the receiver")?;
        let printed = select! {
            printed = print(arrivals, &mut page, self.count) => printed,
            () = stop => Ok(()),
        };
        // What has arrived gets its answer.
        receiver.stop(true).await;
        printed
    }
}

/// Prints what arrives, to the last request that was asked for.
async fn print(
    mut arrivals: mpsc::Receiver<Arrival>,
    page: &mut Page,
    count: Option<u64>,
) -> anyhow::Result<()> {
    let (mut seen, mut refused, mut printed) = (Seen::default(), 0_u64, 0);
    while count.is_none_or(|count| printed < count) {
        let arrival = arrivals.recv().await.context("the receiver ended")?;
        let times = seen.note(&arrival.request);
        page.print(&arrival, times);
        refused += u64::from(matches!(arrival.verdict, Verdict::Refused(_)));
        printed += 1;
    }
    if refused > 0 {
        return Err(anyhow!("{refused} of {printed} requests not verified"));
    }
    Ok(())
}

impl receiver::Desk for Desk {
    async fn answer(&self, request: Request) -> HttpResponse {
        let verdict = self.verifier.verdict(&request.fields, &request.body, request.time);
        let status = self.answers.next();
        // Nobody reads them any more when it ends.
        let _ = self.arrivals.send(Arrival { request, verdict, status }).await;
        self.answers.give(status).await
    }
}
