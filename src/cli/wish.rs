//! Wishes: what the operator's API is sent of a record, one that is made or one that is changed.

use std::collections::BTreeMap;

use clap::ValueEnum;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::Failure;
use super::client::{Answer, Client, Query};

/// The members of a record that were said.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Wish(BTreeMap<String, Box<RawValue>>);

/// How a record is changed: what was not said stays as it is, unless it is replaced.
#[derive(Clone, Debug, clap::Args)]
pub struct Manner<F: ValueEnum + Clone + Send + Sync + 'static> {
    /// Clear a field; may be given again for another
    #[arg(long, value_name = "FIELD", value_delimiter = ',')]
    unset: Vec<F>,

    /// Put what is said here in place of all of it, or make it, if there is none
    #[arg(long, conflicts_with = "unset")]
    replace: bool,
}

impl Wish {
    /// What has a value among these fields; JSON among them keeps its bytes.
    ///
    /// # Errors
    /// When they cannot be written as an object.
    pub fn of(fields: &impl Serialize) -> Result<Self, Failure> {
        let text = serde_json::to_string(fields).map_err(anyhow::Error::from)?;
        let mut members: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(&text).map_err(anyhow::Error::from)?;
        members.retain(|_, value| value.get() != "null");
        Ok(Self(members))
    }
}

impl<F: ValueEnum + Clone + Send + Sync + Serialize> Manner<F> {
    /// Changes the record at a path, or replaces it.
    ///
    /// # Errors
    /// When it is refused.
    pub fn change(&self, client: &Client, path: &str, fields: &impl Serialize) -> Result<Answer, Failure> {
        let mut wish = Wish::of(fields)?;
        if self.replace {
            return client.put(path, &Query::new(), &wish);
        }
        for field in &self.unset {
            let name = serde_json::to_value(field).map_err(anyhow::Error::from)?;
            wish.0.insert(name.as_str().unwrap_or_default().to_owned(), RawValue::NULL.to_owned());
        }
        client.patch(path, &Query::new(), &wish)
    }
}

/// Writes pairs as an object.
pub fn object<S: Serializer>(pairs: &Option<Vec<(String, String)>>, to: S) -> Result<S::Ok, S::Error> {
    match pairs {
        Some(pairs) => to.collect_map(pairs.iter().map(|(name, value)| (name, value))),
        None => to.serialize_none(),
    }
}
