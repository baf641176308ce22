//! A list of networks in the configuration, each a CIDR such as `10.0.0.0/8` or a single address.
//!
//! To be named in `#[serde(with = …)]`.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serializer};

struct Entry(IpNet);

struct Written;

pub(super) fn serialize<S: Serializer>(list: &[IpNet], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(list.iter().map(IpNet::to_string))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let entries = Vec::<Entry>::deserialize(deserializer)?;
    Ok(entries.into_iter().map(|entry| entry.0).collect())
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Written)
    }
}

impl Visitor<'_> for Written {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a network such as "10.0.0.0/8" or "fd00::/8", or an address"#)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Entry, E> {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(Entry).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}
