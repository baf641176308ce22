//! Endpoints: subscriptions that the operator's API makes and changes, and those of the hooks API too.

use std::fmt;

use tokio::sync::oneshot;

use crate::account::AccountId;
use crate::condition::Condition;
use crate::filter::Filter;
use crate::id::{EndpointId, HookId, SubscriptionNo};
use crate::router;
use crate::store::{Address, Edit};
use crate::subscription::{
    ClientCertificate, DeliveryPolicy, EndpointUrl, Envelope, NotAClientCertificate, NotADeliveryPolicy,
    NotAnEndpoint, NotHeaders, Profile, Secret, Status, Subscription, TURNED_OFF,
};

use super::{Hookyard, Listed, LookupError, Stretch, SubscribeError, Unavailable};

/// An endpoint to be made.
#[derive(Clone)]
pub struct NewEndpoint {
    pub url: EndpointUrl,
    pub filter: Filter,
    /// What must hold of an event's data besides.
    pub condition: Option<Condition>,
    pub envelope: Envelope,
    /// What its requests are signed with; a generated secret when absent.
    pub secret: Option<Secret>,
    /// Names and values of headers that its requests carry beside ours.
    pub headers: Vec<(String, String)>,
    /// What it shows receivers that ask who calls.
    pub client_certificate: Option<ClientCertificate>,
    pub profile: Profile,
    /// How it is served.
    pub delivery: DeliveryPolicy,
    /// Whether it is made deactivated.
    pub disabled: bool,
}

/// Why an endpoint was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    #[error("not found")]
    NotFound,
    /// Another endpoint of the account has this uid, or is the hook of this URL and event.
    #[error("another endpoint has this uid, or is the hook of this url and event")]
    Taken,
    #[error(transparent)]
    Url(#[from] NotAnEndpoint),
    /// The egress guard refuses the target; says what to do.
    #[error("{0}")]
    Blocked(String),
    /// It would get nothing.
    #[error("an endpoint names an event type, or gets every one")]
    NoEventType,
    #[error(transparent)]
    Headers(#[from] NotHeaders),
    #[error(transparent)]
    Delivery(#[from] NotADeliveryPolicy),
    #[error(transparent)]
    ClientCertificate(#[from] NotAClientCertificate),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Without what is secret.
impl fmt::Debug for NewEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, filter, condition, envelope, profile, delivery, disabled, .. } = self;
        let mut fields = f.debug_struct("NewEndpoint");
        fields.field("url", url).field("filter", filter).field("condition", condition);
        fields.field("envelope", envelope);
        fields.field("profile", profile).field("delivery", delivery).field("disabled", disabled);
        fields.finish_non_exhaustive()
    }
}

impl From<LookupError> for EndpointError {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::NotFound | LookupError::Cursor => Self::NotFound,
            LookupError::Unavailable(why) => why.into(),
        }
    }
}

fn vet_filter(filter: &Filter) -> Result<(), EndpointError> {
    match filter.event_types() {
        Some([]) => Err(EndpointError::NoEventType),
        _ => Ok(()),
    }
}

/// A client certificate is shown over TLS alone.
fn vet_shown(
    certificate: Option<&ClientCertificate>,
    url: &EndpointUrl,
) -> Result<(), NotAClientCertificate> {
    match certificate {
        Some(_) if url.url().scheme() != "https" => Err(NotAClientCertificate::Plain),
        _ => Ok(()),
    }
}

impl Hookyard {
    /// Makes an endpoint, whatever others there are of this URL.
    ///
    /// When it returns, the endpoint is durable, and every event that is emitted from then on matches it.
    ///
    /// # Errors
    /// When there is no such account, another endpoint has the uid, the client certificate cannot be shown, or nothing can
    /// be changed now.
    pub async fn add_endpoint(
        &self,
        account: &AccountId,
        new: NewEndpoint,
    ) -> Result<Subscription, EndpointError> {
        let account = self.0.registry.account(account).ok_or(EndpointError::NotFound)?;
        vet_filter(&new.filter)?;
        new.delivery.vet()?;
        self.vet_certificate(new.client_certificate.as_ref(), &new.url)?;
        let headers = self.custom_headers(new.headers)?;
        let status = match new.disabled {
            true => Status::Deactivated { at: self.0.store.now().wall, reason: TURNED_OFF.to_owned() },
            false => Status::Active,
        };
        let new = router::New {
            url: new.url,
            filter: new.filter,
            condition: new.condition,
            envelope: new.envelope,
            secret: new.secret,
            headers,
            client_certificate: new.client_certificate,
            profile: new.profile,
            delivery: new.delivery,
            status,
        };
        let (reply, answer) = oneshot::channel();
        self.router()?.do_send(router::Add { account, new: Box::new(new), reply });
        let added = self.answer(answer).await?.map_err(|router::Taken| EndpointError::Taken)?;
        Ok(*added)
    }

    /// Changes an endpoint, and turns it off or on if asked to: what it has not delivered when it is turned off is dead
    /// letters.
    ///
    /// When it returns, the change is durable, and what is emitted from then on is matched as it says; a request that is
    /// just being made is finished as it was.
    ///
    /// # Errors
    /// When the account has no such endpoint, another one has the uid, or nothing can be changed now.
    pub async fn edit_endpoint(
        &self,
        account: &AccountId,
        id: HookId,
        disabled: Option<bool>,
        change: impl FnOnce(&mut Edit),
    ) -> Result<Subscription, EndpointError> {
        let account = self.0.registry.account(account).ok_or(EndpointError::NotFound)?;
        // Whoever changes one next must see this change.
        let _turn = self.0.editing.lock().await;
        let subscription = self.record(account, id).await?.ok_or(EndpointError::NotFound)?;
        let at = Address { account, subscription: subscription.no };
        let mut edit = Box::new(Edit::of(&subscription));
        change(&mut edit);
        edit.moved = edit.url != subscription.url;
        vet_filter(&edit.filter)?;
        edit.delivery.vet()?;
        vet_shown(edit.client_certificate.as_ref(), &edit.url)?;
        let (reply, answer) = oneshot::channel();
        let enabled = disabled.map(|disabled| !disabled);
        self.router()?.do_send(router::Change { at, edit, enabled, reply });
        let changed = self.answer(answer).await?.map_err(|router::Taken| EndpointError::Taken)?;
        Ok(*changed.ok_or(EndpointError::NotFound)?)
    }

    /// Checks a client certificate that is given to what is at a URL.
    pub(super) fn vet_certificate(
        &self,
        given: Option<&ClientCertificate>,
        url: &EndpointUrl,
    ) -> Result<(), NotAClientCertificate> {
        given.into_iter().try_for_each(|given| given.vet(self.0.store.now().wall))?;
        vet_shown(given, url)
    }

    /// An endpoint by its id in the operator's API, its uid, or its id in the hooks API.
    ///
    /// # Errors
    /// When the account has no such endpoint.
    pub async fn find_endpoint(&self, account: &AccountId, named: &str) -> Result<Subscription, LookupError> {
        let account = self.0.registry.account(account).ok_or(LookupError::NotFound)?;
        let id = named.parse::<EndpointId>().map(HookId::of).or_else(|_| named.parse::<HookId>());
        let found = match (id, named.parse()) {
            (Ok(id), _) => self.record(account, id).await?,
            (Err(_), Ok(uid)) => {
                let no = self.desk()?.board().index.of_uid(account, &uid);
                let Some(subscription) = no else { return Err(LookupError::NotFound) };
                self.read(move |reader| reader.subscription(Address { account, subscription })).await?
            }
            (Err(_), Err(_)) => None,
        };
        found.ok_or(LookupError::NotFound)
    }

    /// A stretch of an account's endpoints, in the order in which they were made; without those for the router's own events
    /// if they are to be hidden.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn list_endpoints(
        &self,
        account: &AccountId,
        stretch: Stretch<EndpointId>,
        hide_own: bool,
    ) -> Result<Listed<Subscription>, LookupError> {
        let account = self.0.registry.account(account).ok_or(LookupError::NotFound)?;
        let Stretch { order, behind, limit } = stretch.map(|id| SubscriptionNo(self.0.seal.open(&id).0));
        let found = self.read(move |reader| {
            let mut found = Vec::new();
            reader.subscriptions(account, order, behind, &mut |subscription| {
                if !(hide_own && subscription.filter.has_own_type()) {
                    found.push(subscription);
                }
                found.len() <= limit
            })?;
            Ok(found)
        });
        Ok(Listed::of(found.await?, limit))
    }

    /// A URL that an endpoint may have, as the configuration is now.
    ///
    /// # Errors
    /// When it is none, or the egress guard refuses it.
    pub fn endpoint_url(&self, url: &str) -> Result<EndpointUrl, EndpointError> {
        self.endpoint(url).map_err(|error| match error {
            SubscribeError::Url(error) => error.into(),
            error => EndpointError::Blocked(error.to_string()),
        })
    }
}
