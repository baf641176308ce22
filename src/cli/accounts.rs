//! `hookyard accounts`: who owns hooks and events.

use hookyard::account::{AccountId, Retention};
use hookyard::clock::Timestamp;
use serde_json::json;

use super::client::{Client, Connection, Query};
use super::listing::{self, Extent, Pages, Row};
use super::output::Output;
use super::output::cell::Cell;
use super::shown::Account;
use super::{Failure, only_with_list};

/// List and make accounts; needs an admin key
///
/// An account owns hooks and events. Accounts never see each other.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Accounts {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: List,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List accounts, the newest first
    #[command(alias = "ls")]
    List(List),
    /// Make an account, unless there is one of this id
    Create {
        /// 1 to 128 of A-Z a-z 0-9 . _ -; a random one when absent
        #[arg(value_name = "ID")]
        id: Option<AccountId>,
        /// How long the data of its events is kept, such as 7d, where the configuration would keep it for longer
        #[arg(long, value_name = "AGE")]
        retention: Option<Retention>,
    },
    /// Say how long the data of an account's events is kept
    SetRetention {
        #[arg(value_name = "ID")]
        id: AccountId,
        /// Such as 7d or 12h; without one it is kept as long as events are
        #[arg(value_name = "AGE")]
        retention: Option<Retention>,
    },
}

#[derive(Debug, Default, PartialEq, Eq, clap::Args)]
struct List {
    #[command(flatten)]
    extent: Extent,
}

const EXAMPLES: &str = "\
Examples:
  hookyard accounts
  hookyard accounts create acme
  hookyard accounts set-retention acme 7d
  hookyard keys create --account acme --scope hooks --scope events";

const PATH: &str = "/api/v1/accounts";

impl Accounts {
    /// Runs the action.
    ///
    /// # Errors
    /// When it cannot be done.
    pub fn run(self) -> Result<(), Failure> {
        let (client, mut output) = (self.connection.client()?, self.connection.output());
        match only_with_list(self.action, self.list, Action::List)? {
            Action::List(list) => {
                let pages = Pages::new(&client, PATH, Query::new(), list.extent.count());
                listing::show::<Account>(pages, &mut output)
            }
            Action::Create { id, retention } => create(&client, &mut output, id, retention),
            Action::SetRetention { id, retention } => set_retention(&client, &mut output, &id, retention),
        }
    }
}

fn create(
    client: &Client,
    output: &mut Output,
    id: Option<AccountId>,
    retention: Option<Retention>,
) -> Result<(), Failure> {
    let mut wish = json!({"id": id});
    if let Some(retention) = retention {
        wish["retention"] = json!(retention.to_string());
    }
    let answer = client.post(PATH, &Query::new(), &wish)?;
    if output.is_json() {
        return output.json(&answer.json);
    }
    output.line(answer.decode::<Account>()?.id)
}

fn set_retention(
    client: &Client,
    output: &mut Output,
    id: &AccountId,
    retention: Option<Retention>,
) -> Result<(), Failure> {
    let wish = json!({"retention": retention.map(|age| age.to_string())});
    let answer = client.put(&format!("{PATH}/{id}/retention"), &Query::new(), &wish)?;
    if output.is_json() {
        return output.json(&answer.json);
    }
    let Account { id, retention, .. } = answer.decode()?;
    match retention {
        Some(age) => output.line(format_args!("the data of {id} is kept for {age}")),
        None => output.line(format_args!("the data of {id} is kept as long as events are")),
    }
}

impl Row for Account {
    const PLURAL: &'static str = "accounts";
    const HEADINGS: &'static [&'static str] = &["ID", "CREATED", "RETENTION"];

    fn cells(&self) -> Vec<Cell> {
        let created = Cell::moment(Some(&self.created_at), Timestamp::now());
        vec![Cell::new(&self.id), created, Cell::of(self.retention.as_ref())]
    }
}
