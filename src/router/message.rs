//! What the router is asked by the face, and told by the writer.

use std::sync::Arc;

use actix::Message;
use tokio::sync::oneshot;

use crate::clock::Timestamp;
use crate::condition::Condition;
use crate::credit::Credit;
use crate::event::{Body, Recorded};
use crate::event_type::EventType;
use crate::filter::{Channel, Filter};
use crate::id::{AccountNo, SubscriptionNo};
use crate::router::index::{Numbers, State};
use crate::shard;
use crate::store::{Address, Edit, Error};
use crate::subscription::{
    ClientCertificate, CustomHeaders, DeliveryPolicy, EndpointUrl, Envelope, Matches, Profile, Secret,
    Status, Subscription,
};

/// Events became durable.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Committed {
    pub events: Vec<Arc<Recorded>>,
    pub credits: Vec<Credit>,
}

/// Makes a subscription, or brings one back.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Subscribe {
    pub account: AccountNo,
    pub url: EndpointUrl,
    pub filter: Filter,
    pub secret: Option<Secret>,
    /// Where it is new, or was deactivated; nothing leaves those that it has.
    pub headers: Option<CustomHeaders>,
    /// Where it is new.
    pub condition: Option<Condition>,
    /// Likewise.
    pub delivery: DeliveryPolicy,
    /// Likewise.
    pub client_certificate: Option<ClientCertificate>,
    /// Whether one that was deactivated also sends its dead letters.
    pub replay: bool,
    pub reply: oneshot::Sender<Result<Subscribed, Error>>,
}

/// Makes a subscription, whatever others there are; answers with the record.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Add {
    pub account: AccountNo,
    pub new: Box<New>,
    pub reply: oneshot::Sender<Result<Result<Box<Subscription>, Taken>, Error>>,
}

/// A subscription to be made.
#[derive(Clone, Debug)]
pub struct New {
    pub url: EndpointUrl,
    pub filter: Filter,
    pub condition: Option<Condition>,
    pub envelope: Envelope,
    /// A generated one when absent.
    pub secret: Option<Secret>,
    pub headers: CustomHeaders,
    pub client_certificate: Option<ClientCertificate>,
    pub profile: Profile,
    pub delivery: DeliveryPolicy,
    pub status: Status,
}

/// Changes what a subscription's owner says of it; answers with the record, or with none where there is none.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Change {
    pub at: Address,
    pub edit: Box<Edit>,
    /// Turns it on or off.
    pub enabled: Option<bool>,
    pub reply: oneshot::Sender<Result<Changed, Error>>,
}

/// A subscription as it was changed; none where there is none.
pub type Changed = Result<Option<Box<Subscription>>, Taken>;

/// Another subscription of the account has this uid, or is the hook of this URL and filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken;

/// The subscription, durable, and where it stood before, if it existed.
pub struct Subscribed {
    pub subscription: Box<Subscription>,
    pub was: Option<State>,
}

/// Names subscriptions of an account.
#[derive(Clone, Debug)]
pub enum Which {
    No(SubscriptionNo),
    These(Numbers),
    /// All of this URL, or the one with this filter.
    Url(EndpointUrl, Option<Filter>),
}

/// Forgets subscriptions; answers how many there were, once nothing is sent to them any more.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Unsubscribe {
    pub account: AccountNo,
    pub which: Which,
    pub reply: oneshot::Sender<Result<usize, Error>>,
}

/// Pauses a subscription, or resumes it; answers with the record, or with none where there is none.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SetPaused {
    pub at: Address,
    pub paused: bool,
    pub reply: oneshot::Sender<Result<Option<Box<Subscription>>, Error>>,
}

/// Gives a subscription a new secret, and those of its URL that share the old one; answers with its record, or with none
/// where there is none.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Rotate {
    pub at: Address,
    pub secret: Secret,
    pub overlap_until: Timestamp,
    /// How many old secrets are kept.
    pub kept: usize,
    pub reply: oneshot::Sender<Result<Option<Box<Subscription>>, Error>>,
}

/// Gives a subscription other headers; answers as [`Rotate`].
#[derive(Message)]
#[rtype(result = "()")]
pub struct SetHeaders {
    pub at: Address,
    pub headers: CustomHeaders,
    pub reply: oneshot::Sender<Result<Option<Box<Subscription>>, Error>>,
}

/// Makes a subscription's dead letters pending again; answers as [`Rotate`].
#[derive(Message)]
#[rtype(result = "()")]
pub struct Replay {
    pub at: Address,
    pub reply: oneshot::Sender<Result<Option<Box<Subscription>>, Error>>,
}

/// What waits for these subscriptions changed in the store.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Wake(pub Vec<SubscriptionNo>);

/// The subscriptions that an event of this type, with this body, would match now.
#[derive(Message)]
#[rtype(result = "Matches")]
pub struct Match {
    pub account: AccountNo,
    pub event_type: EventType,
    pub channels: Vec<Channel>,
    pub body: Body,
}

/// Passes it on to the shard of its subscription.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Again(pub shard::Again);

/// Passes an attempt on to the shard of its subscription.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Try(pub shard::Try);

/// Answered once everything that was sent before is handled.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Ping;

/// Ends the router; answered once everything that was sent before is handled.
#[derive(Message)]
#[rtype(result = "()")]
pub struct End;
