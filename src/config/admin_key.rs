//! The admin key that a configuration may give: a secret, shown by nothing here but `reveal`.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// An admin key chosen beforehand, or none when empty.
#[derive(Clone, Default)]
pub struct AdminKey(Zeroizing<String>);

/// What stands for a key wherever a configuration is printed.
pub(super) const STARS: &str = "***";

impl AdminKey {
    /// Whether no key is given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key in clear.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for AdminKey {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for AdminKey {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl PartialEq for AdminKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for AdminKey {}

impl fmt::Debug for AdminKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "AdminKey(none)" } else { "AdminKey(***)" })
    }
}

impl Serialize for AdminKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.is_empty() { "" } else { STARS })
    }
}

impl<'de> Deserialize<'de> for AdminKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}
