//! Which messages a list of the operator's API is about.

use super::client::Query;
use super::word::{self, Moment};

/// The options of lists of messages, and of what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct Narrowed {
    /// Only messages of this event type; may be given again for another
    #[arg(long = "event-type", value_name = "TYPE", value_delimiter = ',')]
    event_types: Vec<String>,

    /// Only messages on this channel
    #[arg(long)]
    channel: Option<String>,

    /// Only those since then: a time, a date, or how long ago, such as 1h
    #[arg(long, value_name = "TIME", value_parser = word::moment)]
    since: Option<Moment>,

    /// Only those until then
    #[arg(long, value_name = "TIME", value_parser = word::moment)]
    until: Option<Moment>,
}

/// Where messages stand at an endpoint, by the numbers that the API has for it.
pub const STATUSES: [&str; 4] = ["success", "pending", "fail", "sending"];

impl Narrowed {
    /// The parameters of the list.
    pub fn query(&self) -> Query {
        let types = Some(&self.event_types).filter(|types| !types.is_empty());
        Query::new()
            .with_some("event_types", types.map(|types| types.join(",")))
            .with_some("channel", self.channel.as_ref())
            .with_some("after", self.since.as_ref())
            .with_some("before", self.until.as_ref())
    }
}

/// The number of a status.
pub fn number(status: &str) -> Option<usize> {
    STATUSES.iter().position(|known| *known == status)
}
