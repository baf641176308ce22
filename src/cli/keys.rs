//! `hookyard keys`: API keys, each shown once, when it is made.

use hookyard::clock::Timestamp;
use serde_json::json;

use super::client::{Client, Connection, Query};
use super::listing::{self, Extent, Pages, Row};
use super::output::cell::Cell;
use super::output::{self, Output};
use super::shown::Key;
use super::{Failure, only_with_list, word};

/// List, make and delete API keys; needs an admin key
///
/// A key belongs to one account (--account) and has scopes: hooks (manage hooks, look at deliveries), events (emit and
/// read events), admin (everything, for every account).
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Keys {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: List,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List keys, the newest first; the keys themselves are kept nowhere
    #[command(alias = "ls")]
    List(List),
    /// Make a key and print it, this once
    ///
    /// The key alone goes to the standard output, so that it can be put in a file or a variable.
    Create {
        /// What the key may do: hooks, events or admin; may be given several times
        #[arg(long = "scope", alias = "scopes", required = true, value_delimiter = ',', value_parser = word::scope)]
        scopes: Vec<&'static str>,
        /// What to call it
        #[arg(long)]
        name: Option<String>,
    },
    /// Delete a key, which takes effect at once
    #[command(alias = "rm")]
    Delete {
        /// The key's id, which is not the key
        #[arg(value_name = "KEY_ID", value_parser = word::key_id)]
        id: String,
    },
}

#[derive(Debug, Default, PartialEq, Eq, clap::Args)]
struct List {
    #[command(flatten)]
    extent: Extent,
}

const EXAMPLES: &str = "\
Examples:
  hookyard keys
  hookyard keys create --scope hooks,events --name ci
  HOOKYARD_KEY=$(hookyard keys create --account acme --scope events) hookyard emit new_lead '{}'
  hookyard keys delete key_…";

const PATH: &str = "/api/v1/keys";

impl Keys {
    /// Runs the action.
    ///
    /// # Errors
    /// When it cannot be done.
    pub fn run(self) -> Result<(), Failure> {
        let (client, mut output) = (self.connection.client()?, self.connection.output());
        match only_with_list(self.action, self.list, Action::List)? {
            Action::List(list) => {
                let pages = Pages::new(&client, PATH, Query::new(), list.extent.count());
                listing::show::<Key>(pages, &mut output)
            }
            Action::Create { scopes, name } => create(&client, &mut output, &scopes, name.as_deref()),
            Action::Delete { id } => delete(&client, &mut output, &id),
        }
    }
}

fn create(client: &Client, output: &mut Output, scopes: &[&str], name: Option<&str>) -> Result<(), Failure> {
    let answer = client.post(PATH, &Query::new(), &json!({"scopes": scopes, "name": name}))?;
    if output.is_json() {
        return output.json(&answer.json);
    }
    let made: Key = answer.decode()?;
    output::note(format_args!("{} for the account {}; it is not shown again", made.id, made.account));
    output.line(made.key.unwrap_or_default())
}

fn delete(client: &Client, output: &mut Output, id: &str) -> Result<(), Failure> {
    let answer = client.delete(&format!("{PATH}/{id}"), &Query::new())?;
    if output.is_json() {
        return output.json(&answer.json);
    }
    output.line(format_args!("deleted {id}"))
}

impl Row for Key {
    const PLURAL: &'static str = "keys";
    const HEADINGS: &'static [&'static str] = &["ID", "ACCOUNT", "SCOPES", "NAME", "CREATED", "LAST USED"];

    fn cells(&self) -> Vec<Cell> {
        let now = Timestamp::now();
        vec![
            Cell::new(&self.id),
            Cell::new(&self.account),
            Cell::new(self.scopes.join(",")),
            Cell::of(self.name.as_ref()).flexible(),
            Cell::moment(Some(&self.created_at), now),
            Cell::moment(self.last_used_at.as_deref(), now),
        ]
    }
}
