//! `hookyard event-types`: the catalogue as the operator's API shows and changes it.

use std::collections::BTreeMap;

use hookyard::clock::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use super::client::{Connection, Query};
use super::emit::data;
use super::listing::{self, Extent, Pages, Row};
use super::output::cell::Cell;
use super::shown::operator::EventType;
use super::wish::{Manner, Wish};
use super::{Failure, only_with_list, word};

/// List, declare and change event types; changing them needs an admin key
///
/// Those of the configuration are among them.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct EventTypes {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: List,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List event types by name
    #[command(alias = "ls")]
    List(List),
    /// Declare an event type, or bring back an archived one
    Create {
        #[command(flatten)]
        one: One,
        /// What such an event means
        #[arg(value_name = "DESCRIPTION")]
        description: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Show an event type, an archived one too
    Get(One),
    /// Change an event type
    Update {
        #[command(flatten)]
        one: One,
        /// What such an event means
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        #[command(flatten)]
        fields: Fields,
        #[command(flatten)]
        manner: Manner<Field>,
    },
    /// Archive an event type: it is no longer listed, and endpoints can no longer name it
    Archive(One),
    /// Forget an event type
    #[command(alias = "rm")]
    Delete(One),
}

#[derive(Debug, clap::Args)]
struct One {
    /// The event type, such as user.signup
    #[arg(value_name = "EVENT_TYPE", value_parser = word::name)]
    name: String,
}

#[derive(Debug, Default, PartialEq, Eq, clap::Args)]
struct List {
    /// Those that are archived too
    #[arg(long)]
    archived: bool,

    /// With their schemas
    #[arg(long)]
    schemas: bool,

    #[command(flatten)]
    extent: Extent,
}

/// What is said of an event type beside its description.
#[derive(Debug, clap::Args)]
struct Fields {
    /// A JSON Schema for its payloads, - for the standard input; may be given again for the next version
    #[arg(long = "schema", value_name = "FILE|-")]
    schemas: Vec<String>,

    /// Whether it should no longer be used
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    deprecated: Option<bool>,

    /// Whether it is archived
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    archived: Option<bool>,

    /// Show it only to tokens with this flag
    #[arg(long, value_name = "FLAG")]
    feature_flag: Option<String>,
}

/// What can be cleared.
#[derive(Clone, Debug, clap::ValueEnum, Serialize)]
#[serde(rename_all = "camelCase")]
enum Field {
    Schemas,
    FeatureFlag,
}

/// An event type on its way to the API.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outgoing<'a> {
    name: Option<&'a str>,
    description: Option<&'a str>,
    deprecated: Option<bool>,
    archived: Option<bool>,
    feature_flag: Option<&'a str>,
    /// By their versions.
    schemas: Option<BTreeMap<usize, Box<RawValue>>>,
}

const EXAMPLES: &str = "\
Examples:
  hookyard event-types
  hookyard event-types create user.signup 'A user signed up' --schema user.json
  hookyard event-types update user.signup --deprecated
  hookyard event-types archive user.signup";

const PATH: &str = "/api/v1/event-type";

impl EventTypes {
    /// Runs the action.
    ///
    /// # Errors
    /// When it cannot be done.
    pub fn run(self) -> Result<(), Failure> {
        let (client, mut output) = (self.connection.client()?, self.connection.output());
        let show = listing::show_one::<EventType>;
        match only_with_list(self.action, self.list, Action::List)? {
            Action::List(List { archived, schemas, extent }) => {
                let query = Query::new().with("include_archived", archived).with("with_content", schemas);
                let pages = Pages::of_operator(&client, PATH, query, extent.count());
                listing::show::<EventType>(pages, &mut output)
            }
            Action::Create { one, description, fields } => {
                let wish = fields.outgoing(Some(&one.name), Some(&description))?;
                show(&client.post(PATH, &Query::new(), &Wish::of(&wish)?)?, &mut output)
            }
            Action::Get(one) => show(&client.get(&one.path(), &Query::new())?, &mut output),
            Action::Update { one, description, fields, manner } => {
                let wish = fields.outgoing(None, description.as_deref())?;
                show(&manner.change(&client, &one.path(), &wish)?, &mut output)
            }
            Action::Archive(one) => {
                client.delete(&one.path(), &Query::new())?;
                output.done(format_args!("archived {}", one.name))
            }
            Action::Delete(one) => {
                client.delete(&one.path(), &Query::new().with("expunge", true))?;
                output.done(format_args!("deleted {}", one.name))
            }
        }
    }
}

impl One {
    fn path(&self) -> String {
        format!("{PATH}/{}", self.name)
    }
}

impl Fields {
    /// All of it, with what the files hold.
    fn outgoing<'a>(
        &'a self,
        name: Option<&'a str>,
        description: Option<&'a str>,
    ) -> Result<Outgoing<'a>, Failure> {
        let mut schemas = BTreeMap::new();
        for (file, version) in self.schemas.iter().zip(1..) {
            schemas.insert(version, data::of_file(file)?);
        }
        let schemas = Some(schemas).filter(|schemas| !schemas.is_empty());
        let (deprecated, archived) = (self.deprecated, self.archived);
        let feature_flag = self.feature_flag.as_deref();
        Ok(Outgoing { name, description, deprecated, archived, feature_flag, schemas })
    }
}

impl Row for EventType {
    const PLURAL: &'static str = "event types";
    const HEADINGS: &'static [&'static str] = &["NAME", "STATUS", "DESCRIPTION"];
    const FURTHER: &'static [&'static str] = &["FEATURE FLAG", "CREATED", "SCHEMAS"];

    fn cells(&self) -> Vec<Cell> {
        let status = match (self.archived, self.deprecated) {
            (true, _) => "archived",
            (false, true) => "deprecated",
            (false, false) => "active",
        };
        vec![
            Cell::new(&self.name),
            Cell::status(status),
            Cell::new(&self.description).flexible(),
            Cell::of(self.feature_flag.as_ref()),
            Cell::moment(Some(&self.created_at), Timestamp::now()),
            Cell::of(self.schemas.as_ref()),
        ]
    }
}
