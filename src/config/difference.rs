//! What differs between two configurations, by key.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Config;

impl Config {
    /// The dotted keys that have other values in `other`; the event types are one key.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let (own, others) = (self.leaves(), other.leaves());
        let mut keys: Vec<String> = own
            .into_iter()
            .filter(|(key, value)| others.get(key) != Some(value))
            .map(|(key, _)| key)
            .collect();
        // They are written in stars.
        let (ours, theirs) = (&self.encryption, &other.encryption);
        let hidden = [
            ("admin_key", self.admin_key != other.admin_key),
            ("encryption.master_key", ours.master_key != theirs.master_key),
            ("encryption.previous_master_keys", ours.previous_master_keys != theirs.previous_master_keys),
            ("operator.jwt_secret", self.operator != other.operator),
        ];
        for (key, differs) in hidden {
            if differs && !keys.iter().any(|known| known == key) {
                keys.push(key.to_owned());
            }
        }
        keys
    }

    fn leaves(&self) -> BTreeMap<String, Value> {
        let mut leaves = BTreeMap::new();
        gather(String::new(), serde_json::to_value(self).unwrap_or_default(), &mut leaves);
        leaves
    }
}

fn gather(key: String, value: Value, leaves: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(table) => {
            for (name, value) in table {
                let key = if key.is_empty() { name } else { format!("{key}.{name}") };
                gather(key, value, leaves);
            }
        }
        leaf => drop(leaves.insert(key, leaf)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named_by_their_keys() {
        let one = Config { admin_key: "0123456789abcdef".into(), ..Config::default() };
        let mut other = Config { admin_key: "fedcba9876543210".into(), workers: 3, ..Config::default() };
        assert_eq!(one.differences(&one), [""; 0]);
        other.limits.data_bytes = 7;
        other.event_types = Vec::new().into();
        let key = "0".repeat(64);
        other.encryption.master_key = key.as_str().into();
        other.encryption.previous_master_keys = vec![key.as_str().into()];
        let mut keys = vec!["encryption.master_key", "encryption.previous_master_keys", "event_type"];
        keys.extend(["limits.data_bytes", "workers", "admin_key"]);
        assert_eq!(one.differences(&other), keys);
        assert_eq!(other.differences(&one), keys);
        assert_eq!(one.differences(&Config::default()), ["admin_key"]);
    }
}
