//! `hookyard accounts`: who owns hooks and events.

use hookyard::account::AccountId;
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
            Action::Create { id } => create(&client, &mut output, id),
        }
    }
}

fn create(client: &Client, output: &mut Output, id: Option<AccountId>) -> Result<(), Failure> {
    let answer = client.post(PATH, &Query::new(), &json!({"id": id}))?;
    if output.is_json() {
        return output.json(&answer.json);
    }
    output.line(answer.decode::<Account>()?.id)
}

impl Row for Account {
    const PLURAL: &'static str = "accounts";
    const HEADINGS: &'static [&'static str] = &["ID", "CREATED"];

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::new(&self.id), Cell::moment(Some(&self.created_at), Timestamp::now())]
    }
}
