//! The catalogue: which event types are declared, and the seven documented ones that are unless told otherwise.

use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use crate::event_type::EventTypeSpec;

/// The declared event types, in order; reads as a slice.
#[derive(Clone, Debug)]
pub struct Catalogue(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// The default, which the first declaration replaces.
    Documented(Vec<EventTypeSpec>),
    /// One's own.
    Own(Vec<EventTypeSpec>),
}

impl Catalogue {
    /// Adds an event type; the first one added replaces the documented catalogue.
    pub fn declare(&mut self, spec: EventTypeSpec) {
        match &mut self.0 {
            Kind::Documented(_) => self.0 = Kind::Own(vec![spec]),
            Kind::Own(specs) => specs.push(spec),
        }
    }
}

impl Default for Catalogue {
    fn default() -> Self {
        Self(Kind::Documented(documented()))
    }
}

impl From<Vec<EventTypeSpec>> for Catalogue {
    fn from(specs: Vec<EventTypeSpec>) -> Self {
        Self(Kind::Own(specs))
    }
}

impl Deref for Catalogue {
    type Target = [EventTypeSpec];

    fn deref(&self) -> &[EventTypeSpec] {
        match &self.0 {
            Kind::Documented(specs) | Kind::Own(specs) => specs,
        }
    }
}

/// Two catalogues are equal when they declare the same.
impl PartialEq for Catalogue {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Serialize for Catalogue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Catalogue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}

fn documented() -> Vec<EventTypeSpec> {
    vec![
        spec(
            "new_lead",
            "A visitor submits their contact information",
            json!({"agentId": "agent_abc123", "lead": {"name": "Jane Doe", "email": "jane@example.com"}}),
        ),
        spec(
            "new_message",
            "A new message is sent in a conversation",
            json!({"agentId": "agent_abc123", "conversationId": "conv_def456", "message": {
                "id": "msg_ghi789", "role": "user", "content": "Do you ship to Canada?"
            }}),
        ),
        spec(
            "new_conversation",
            "A new chat session starts",
            json!({"agentId": "agent_abc123", "conversation": {"id": "conv_def456", "channel": "website"}}),
        ),
        spec(
            "feedback_received",
            "A visitor rates a response",
            json!({"agentId": "agent_abc123", "conversationId": "conv_def456", "feedback": {
                "messageId": "msg_ghi789", "rating": "positive", "comment": "That helped, thanks"
            }}),
        ),
        spec(
            "training_completed",
            "Agent training finishes",
            json!({"agentId": "agent_abc123", "training": {"status": "completed", "sources": 12}}),
        ),
        spec(
            "agent_created",
            "An agent is created",
            json!({"agentId": "agent_abc123", "agent": {"name": "Support"}}),
        ),
        spec(
            "agent_deleted",
            "An agent is deleted",
            json!({"agentId": "agent_abc123", "agent": {"name": "Support"}}),
        ),
    ]
}

fn spec(name: &str, description: &str, example: Value) -> EventTypeSpec {
    EventTypeSpec { name: name.to_owned(), description: description.to_owned(), example, schema: None }
}
