//! `hookyard hooks`: who is told of which events, and where.

pub mod client_certificate;
pub mod delivery;
mod filter;
pub mod headers;
mod naming;
mod replay;
mod stats;
mod subscribe;
mod trial;

use hookyard::clock::Timestamp;

use self::client_certificate::SetClientCertificate;
use self::delivery::SetDelivery;
use self::filter::SetFilter;
use self::headers::SetHeaders;
use self::naming::Naming;
use self::replay::Replay;
use self::stats::Stats;
use self::subscribe::{RotateSecret, Subscribe};
use super::client::{Client, Connection, Query};
use super::listing::{self, Extent, Pages, Row};
use super::output::Output;
use super::output::cell::Cell;
use super::shown::Hook;
use super::{Failure, only_with_list, word};

/// List, make and change hooks: who is told of which events, and where
///
/// Without an action it lists them. It needs a key with the scope hooks.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Hooks {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: List,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List hooks, the newest first
    #[command(alias = "ls")]
    List(List),
    /// Show a hook
    Get(One),
    /// Subscribe a URL to an event type, and print the secret that its requests are signed with
    Subscribe(Subscribe),
    /// Remove a hook, or all hooks of a URL; what waits for it is dropped
    #[command(alias = "rm")]
    Unsubscribe(Naming),
    /// Start no more attempts; events gather until it is resumed
    Pause(One),
    /// Go on after a pause
    Resume(One),
    /// Send the catalogue's example once, and show what came back
    Test(One),
    /// Give a hook, and those that share its secret, a new one, and print it
    RotateSecret(RotateSecret),
    /// Replace the headers that a hook's requests carry beside those of hookyard; without any, remove them
    SetHeaders(SetHeaders),
    /// Give a hook a certificate to show receivers that ask who calls (mutual TLS), or take it away
    SetClientCertificate(SetClientCertificate),
    /// Say what must hold of an event's data for a hook to get it
    SetFilter(SetFilter),
    /// Say how a hook is served: how fast, in which order, how often a delivery is tried; what is left out is as configured
    SetDelivery(SetDelivery),
    /// Deliver again what was given up, or everything that is kept
    Replay(Replay),
    /// Count a hook's attempts by the hour, or those of all hooks
    Stats(Stats),
    /// Show payloads as a hook would get them: recent events, or the catalogue's example
    Sample {
        /// The event type
        #[arg(value_name = "EVENT")]
        event: String,
    },
}

#[derive(Debug, clap::Args)]
struct One {
    /// The hook's id
    #[arg(value_name = "HOOK_ID", value_parser = word::hook_id)]
    hook: String,
}

#[derive(Debug, Default, PartialEq, Eq, clap::Args)]
struct List {
    /// Only hooks with this URL
    #[arg(long = "target", value_name = "URL")]
    target: Option<String>,

    /// Only hooks of this event type
    #[arg(long)]
    event: Option<String>,

    /// Only hooks with this status
    #[arg(long, value_parser = ["active", "paused", "deactivated"])]
    status: Option<String>,

    #[command(flatten)]
    extent: Extent,
}

const EXAMPLES: &str = "\
Examples:
  hookyard hooks --status deactivated
  hookyard hooks subscribe https://example.com/webhook new_lead
  hookyard hooks set-delivery hook_… --fifo --retry 10s --retry 1m --deactivate never
  hookyard hooks test hook_…
  hookyard hooks replay hook_… --since 24h --wait
  hookyard hooks unsubscribe https://example.com/webhook";

pub const PATH: &str = "/api/v1/hooks";

impl Hooks {
    /// Runs the action.
    ///
    /// # Errors
    /// When it cannot be done.
    pub fn run(self) -> Result<(), Failure> {
        let (client, mut output) = (self.connection.client()?, self.connection.output());
        match only_with_list(self.action, self.list, Action::List)? {
            Action::List(list) => list.show(&client, &mut output),
            Action::Get(one) => get(&client, &mut output, &one.hook),
            Action::Subscribe(subscribe) => subscribe.run(&client, &mut output),
            Action::Unsubscribe(naming) => naming.unsubscribe(&client, &mut output),
            Action::Pause(one) => change(&client, &mut output, &one.hook, "pause"),
            Action::Resume(one) => change(&client, &mut output, &one.hook, "resume"),
            Action::Test(one) => trial::test(&client, &mut output, &one.hook),
            Action::RotateSecret(rotate) => rotate.run(&client, &mut output),
            Action::SetHeaders(set) => set.run(&client, &mut output),
            Action::SetClientCertificate(set) => set.run(&client, &mut output),
            Action::SetFilter(set) => set.run(&client, &mut output),
            Action::SetDelivery(set) => set.run(&client, &mut output),
            Action::Replay(replay) => replay.run(&client, &mut output),
            Action::Stats(stats) => stats.run(&client, &mut output),
            Action::Sample { event } => trial::sample(&client, &mut output, &event),
        }
    }
}

impl List {
    fn show(&self, client: &Client, output: &mut Output) -> Result<(), Failure> {
        let query = Query::new()
            .with_some("url", self.target.as_ref())
            .with_some("event", self.event.as_ref())
            .with_some("status", self.status.as_ref());
        listing::show::<Hook>(Pages::new(client, PATH, query, self.extent.count()), output)
    }
}

fn get(client: &Client, output: &mut Output, id: &str) -> Result<(), Failure> {
    let answer = client.get(&format!("{PATH}/{id}"), &Query::new())?;
    if output.is_json() {
        return output.json(&answer.json);
    }
    output.fields(&fields(&answer.decode()?))
}

fn change(client: &Client, output: &mut Output, id: &str, action: &str) -> Result<(), Failure> {
    let answer = client.act(&format!("{PATH}/{id}/{action}"))?;
    if output.is_json() {
        return output.json(&answer.json);
    }
    let Hook { id, status, pending, .. } = answer.decode()?;
    output.line(format_args!("{id} is {status}, with {pending} deliveries waiting"))
}

/// A hook, field by field.
fn fields(hook: &Hook) -> Vec<(&'static str, Cell)> {
    let now = Timestamp::now();
    let moment = |text: &Option<String>| Cell::moment(text.as_deref(), now);
    let mut fields = vec![
        ("id", Cell::new(&hook.id)),
        ("url", Cell::new(&hook.url)),
        ("event", Cell::of(hook.event.as_ref())),
        ("status", Cell::status(&hook.status)),
        ("created", Cell::moment(Some(&hook.created_at), now)),
    ];
    if hook.deactivated_at.is_some() {
        fields.push(("deactivated", moment(&hook.deactivated_at)));
        fields.push(("reason", Cell::of(hook.reason.as_ref())));
    }
    fields.extend([
        ("pending", Cell::new(hook.pending)),
        ("replaying", Cell::new(hook.replaying)),
        ("dead", Cell::new(hook.dead)),
        ("last attempt", moment(&hook.last_attempt_at)),
        ("next attempt", moment(&hook.next_attempt_at)),
    ]);
    if !hook.headers.is_empty() {
        fields.push(("headers", Cell::new(hook.headers.join(", "))));
    }
    if hook.filter.is_some() {
        fields.push(("filter", Cell::of(hook.filter.as_ref())));
    }
    if let Some(delivery) = &hook.delivery {
        fields.push(("delivery", Cell::new(delivery)));
    }
    if let Some(certificate) = &hook.client_certificate {
        fields.push(("client certificate", Cell::new(&certificate.fingerprint)));
        fields.push(("valid until", Cell::moment(Some(&certificate.not_after), now)));
    }
    if hook.secret.is_some() {
        fields.push(("secret", Cell::of(hook.secret.as_ref())));
    }
    fields
}

impl Row for Hook {
    const PLURAL: &'static str = "hooks";
    const HEADINGS: &'static [&'static str] =
        &["ID", "STATUS", "EVENT", "URL", "PENDING", "DEAD", "LAST", "NEXT"];

    fn cells(&self) -> Vec<Cell> {
        let now = Timestamp::now();
        vec![
            Cell::new(&self.id),
            Cell::status(&self.status),
            Cell::of(self.event.as_ref()),
            Cell::new(&self.url).flexible(),
            Cell::new(self.pending),
            Cell::new(self.dead),
            Cell::moment(self.last_attempt_at.as_deref(), now),
            Cell::moment(self.next_attempt_at.as_deref(), now),
        ]
    }
}
