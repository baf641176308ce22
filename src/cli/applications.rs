//! `hookyard applications`: accounts as the operator's API shows them.

use hookyard::clock::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::client::connection::APPLICATIONS as PATH;
use super::client::{Client, Connection, Query};
use super::listing::{self, Extent, Pages, Row};
use super::output::cell::Cell;
use super::output::{self, Output};
use super::shown::operator::{Application, PortalAccess};
use super::wish::{self, Manner, Wish};
use super::{Failure, only_with_list, word};

/// List, make and change applications: accounts, in the words of the operator's API; needs an admin key
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Applications {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: List,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List applications, the newest first
    #[command(alias = "ls")]
    List(List),
    /// Make an application
    Create {
        /// What people call it
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        fields: Fields,
        /// Show the one of this uid instead, if there is one
        #[arg(long)]
        get_if_exists: bool,
    },
    /// Show an application
    Get(One),
    /// Change an application
    Update {
        #[command(flatten)]
        one: One,
        /// What people call it
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        fields: Fields,
        #[command(flatten)]
        manner: Manner<Field>,
    },
    /// Delete an application with its endpoints and keys
    #[command(alias = "rm")]
    Delete(One),
    /// Make a token that speaks for an application, and print it
    PortalAccess {
        #[command(flatten)]
        one: One,
        /// How long it counts, up to 7d; a day when absent
        #[arg(long, value_name = "DURATION", value_parser = word::seconds)]
        expiry: Option<u64>,
        /// Show it the event types behind this flag too; may be given again for another
        #[arg(long = "feature-flag", value_name = "FLAG", value_delimiter = ',')]
        feature_flags: Vec<String>,
    },
}

#[derive(Debug, clap::Args)]
struct One {
    /// The application's uid, or its id
    #[arg(value_name = "APPLICATION", value_parser = word::name)]
    application: String,
}

#[derive(Debug, Default, PartialEq, Eq, clap::Args)]
struct List {
    #[command(flatten)]
    extent: Extent,
}

/// What is said of an application beside its name.
#[derive(Debug, clap::Args, Serialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    /// Its id of one's own, which is the account's id too
    #[arg(long)]
    uid: Option<String>,

    /// How many requests a second all its endpoints together may get
    #[arg(long, value_name = "N")]
    #[serde(rename = "throttleRate")]
    rate_limit: Option<u16>,

    /// How long the payloads of its messages are kept, such as 7d, where the configuration would keep them for longer
    #[arg(long, value_name = "AGE")]
    retention: Option<String>,

    /// Something to remember of it; may be given again, and is all that is remembered then
    #[arg(long, value_name = "NAME=VALUE", value_parser = word::pair)]
    #[serde(serialize_with = "wish::object")]
    metadata: Option<Vec<(String, String)>>,
}

/// What can be cleared.
#[derive(Clone, Debug, clap::ValueEnum, Serialize)]
#[serde(rename_all = "camelCase")]
enum Field {
    Uid,
    #[serde(rename = "throttleRate")]
    RateLimit,
    Retention,
    Metadata,
}

/// The fields with the name.
#[derive(Serialize)]
struct Named<'a> {
    name: Option<&'a str>,
    #[serde(flatten)]
    fields: &'a Fields,
}

const EXAMPLES: &str = "\
Examples:
  hookyard applications
  hookyard applications create 'Acme Inc.' --uid acme --metadata plan=pro
  hookyard applications update acme --name 'Acme Ltd.' --unset rate-limit
  hookyard applications portal-access acme --expiry 1h";

impl Applications {
    /// Runs the action.
    ///
    /// # Errors
    /// When it cannot be done.
    pub fn run(self) -> Result<(), Failure> {
        let (client, mut output) = (self.connection.client()?, self.connection.output());
        let show = listing::show_one::<Application>;
        match only_with_list(self.action, self.list, Action::List)? {
            Action::List(list) => {
                let query = Query::new().with("order", "descending");
                let pages = Pages::of_operator(&client, PATH, query, list.extent.count());
                listing::show::<Application>(pages, &mut output)
            }
            Action::Create { name, fields, get_if_exists } => {
                let query = Query::new().with("get_if_exists", get_if_exists);
                let wish = Wish::of(&Named { name: Some(&name), fields: &fields })?;
                show(&client.post(PATH, &query, &wish)?, &mut output)
            }
            Action::Get(one) => show(&client.get(&one.path(), &Query::new())?, &mut output),
            Action::Update { one, name, fields, manner } => {
                let named = Named { name: name.as_deref(), fields: &fields };
                show(&manner.change(&client, &one.path(), &named)?, &mut output)
            }
            Action::Delete(one) => {
                client.delete(&one.path(), &Query::new())?;
                output.done(format_args!("deleted {}", one.application))
            }
            Action::PortalAccess { one, expiry, feature_flags } => {
                portal_access(&client, &mut output, &one.application, expiry, &feature_flags)
            }
        }
    }
}

impl One {
    fn path(&self) -> String {
        format!("{PATH}/{}", self.application)
    }
}

fn portal_access(
    client: &Client,
    output: &mut Output,
    application: &str,
    expiry: Option<u64>,
    feature_flags: &[String],
) -> Result<(), Failure> {
    let path = format!("/api/v1/auth/app-portal-access/{application}");
    let wish = json!({"expiry": expiry, "featureFlags": feature_flags});
    let answer = client.post(&path, &Query::new(), &wish)?;
    if output.is_json() {
        return output.json(&answer.json);
    }
    output::note(format_args!("a token for {application}; it is not shown again"));
    output.line(answer.decode::<PortalAccess>()?.token)
}

impl Row for Application {
    const PLURAL: &'static str = "applications";
    const HEADINGS: &'static [&'static str] = &["ID", "UID", "NAME", "RATE LIMIT", "CREATED"];
    const FURTHER: &'static [&'static str] = &["RETENTION", "METADATA"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::new(&self.id),
            Cell::of(self.uid.as_ref()),
            Cell::new(&self.name).flexible(),
            Cell::of(self.throttle_rate),
            Cell::moment(Some(&self.created_at), Timestamp::now()),
            Cell::of(self.retention.as_ref()),
            Cell::new(&self.metadata),
        ]
    }
}
