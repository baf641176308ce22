//! Visits: a request to the operator's API whose sender is known.
//!
//! A key with the scope `admin` speaks for the organisation, which is all there is here; another one for its account,
//! which this API calls an application. Whoever speaks for one application learns nothing of the others, not even that
//! they exist.

use actix_web::HttpRequest;
use actix_web::web::Payload;
use bytes::Bytes;

use crate::account::{Account, Scope};
use crate::api::call::{Call, bearer};
use crate::api::error::Kind;
use crate::clock::Timestamp;
use crate::filter::NotAChannel;
use crate::hookyard::{Hookyard, Narrowed, Order, Period, Topics};
use crate::label::is_limited;

use super::input::{INSIDE, NOT_LIMITED};
use super::page::Wanted;
use super::refusal::{Fault, Refusal};

/// A request from someone with a token.
pub struct Visit<'a>(Call<'a>);

impl<'a> Visit<'a> {
    /// Finds out who comes.
    ///
    /// # Errors
    /// 401 without a valid token, 429 when it came too often.
    pub fn open(request: &'a HttpRequest) -> Result<Self, Refusal> {
        Call::open(request, &Scope::ALL).map(Self).map_err(|error| match error.kind() {
            Kind::Unauthorized if sends_the_secret(request) => Refusal::secret_for_a_token(),
            _ => error.into(),
        })
    }

    /// The same where only the organisation may come.
    ///
    /// # Errors
    /// As [`Self::open`], and 403 for an application.
    pub fn of_organisation(request: &'a HttpRequest) -> Result<Self, Refusal> {
        let visit = Self::open(request)?;
        if !visit.0.is_admin() {
            return Err(Refusal::forbidden());
        }
        Ok(visit)
    }

    /// Whether the visitor speaks for the organisation.
    pub fn is_organisation(&self) -> bool {
        self.0.is_admin()
    }

    /// Tells visitors apart by their tokens.
    pub fn sender(&self) -> &[u8; 32] {
        self.0.sender()
    }

    /// The router that is visited.
    pub fn hookyard(&self) -> &'a Hookyard {
        self.0.hookyard
    }

    /// Nothing, if the token has one of these scopes.
    ///
    /// # Errors
    /// 403 when it has not.
    pub fn permit(&self, scopes: &[Scope]) -> Result<(), Refusal> {
        let may = scopes.iter().any(|scope| self.0.may(*scope));
        if may { Ok(()) } else { Err(Refusal::forbidden()) }
    }

    /// A path of this server as the visitor may follow it, from the scheme on.
    pub fn public(&self, path: &str) -> String {
        let public = self.0.public(path);
        match public.starts_with('/') {
            true => self.0.full(&public),
            false => public,
        }
    }

    /// Whether the visitor is shown what stands behind this flag: the organisation is, whatever it is.
    pub fn has_flag(&self, flag: &str) -> bool {
        self.0.is_admin() || self.0.has_flag(flag)
    }

    /// The application that the path names.
    ///
    /// # Errors
    /// 403 when the token has none of `scopes`, 404 when there is no such application or it is not the visitor's.
    pub fn application(&self, scopes: &[Scope]) -> Result<Account, Refusal> {
        self.permit(scopes)?;
        let named = self.hookyard().find_account(self.segment("app_id"));
        let visible = |account: &Account| self.0.is_admin() || self.0.is_of(&account.id);
        named.filter(visible).ok_or_else(Refusal::not_found)
    }

    /// A piece of the path.
    pub fn segment(&self, name: &str) -> &str {
        self.0.segment(name)
    }

    /// A parameter of the query.
    pub fn asked(&self, name: &str) -> Option<&str> {
        self.0.query.get(name)
    }

    /// A parameter that is true or false, and false when it is absent.
    ///
    /// # Errors
    /// When it is something else.
    pub fn asked_flag(&self, name: &str, absent: bool) -> Result<bool, Refusal> {
        Ok(self.0.query.flag(name).map_err(|_| Refusal::query())?.unwrap_or(absent))
    }

    /// The order that a list is wanted in.
    ///
    /// # Errors
    /// When it is neither of the two.
    pub fn order(&self, absent: Order) -> Result<Order, Refusal> {
        match self.asked("order") {
            None => Ok(absent),
            Some("ascending") => Ok(Order::Ascending),
            Some("descending") => Ok(Order::Descending),
            Some(_) => Err(Refusal::query()),
        }
    }

    /// Which events a list is about.
    ///
    /// # Errors
    /// When a parameter breaks its rule.
    fn narrowed(&self) -> Result<Narrowed, Refusal> {
        let mut event_types = Vec::new();
        for name in self.0.query.all("event_types").flat_map(|names| names.split(',')) {
            if !is_limited(name) {
                return Err(Refusal::invalid(Fault::query(&["event_types", INSIDE], NOT_LIMITED)));
            }
            let wrong = |_| Refusal::invalid(Fault::query(&[INSIDE], "Invalid event type"));
            event_types.push(name.parse().map_err(wrong)?);
        }
        let channel = self.asked("channel").map(str::parse).transpose();
        let wrong =
            |error: NotAChannel| Refusal::invalid(Fault::query(&["channel", INSIDE], error.to_string()));
        let (since, until) = (self.moment("after")?, self.moment("before")?);
        Ok(Narrowed {
            topics: Topics { event_types, channel: channel.map_err(wrong)? },
            accepted: Period {
                since: since.unwrap_or(Period::ALWAYS.since),
                until: until.unwrap_or(Period::ALWAYS.until),
            },
            hide_own: !self.is_organisation(),
        })
    }

    /// A parameter that is a moment, also as some clients of the dialect write it: `2026-01-01 00:00:00 UTC`, or
    /// without an offset, which is UTC.
    ///
    /// # Errors
    /// When it is none.
    pub fn moment(&self, name: &str) -> Result<Option<Timestamp>, Refusal> {
        let Some(text) = self.asked(name) else { return Ok(None) };
        let plain = text.strip_suffix(" UTC").map(|text| format!("{}Z", text.replacen(' ', "T", 1)));
        let read = Timestamp::parse(plain.as_deref().unwrap_or(text));
        let read = read.or_else(|| Timestamp::parse(&format!("{text}Z")));
        read.map(Some).ok_or_else(Refusal::query)
    }

    /// Which page of a list of messages or attempts is wanted, and which events the list is about.
    ///
    /// # Errors
    /// When a parameter breaks its rule.
    pub fn narrowed_page(&self) -> Result<(Wanted, Narrowed), Refusal> {
        Ok((self.page()?.after(self.moment("after")?), self.narrowed()?))
    }

    /// Which page of a list is wanted.
    ///
    /// # Errors
    /// When the parameters for it break their rules.
    pub fn page(&self) -> Result<Wanted, Refusal> {
        Wanted::of(&self.0.query)
    }

    /// The body, whatever it is called.
    ///
    /// # Errors
    /// When it is too large or does not arrive.
    pub async fn body(&self, payload: Payload) -> Result<Bytes, Refusal> {
        Ok(self.0.any_body(payload).await?)
    }
}

/// Whether the secret that tokens are signed with was sent for one.
fn sends_the_secret(request: &HttpRequest) -> bool {
    let hookyard = request.app_data::<Hookyard>();
    let sent = hookyard.zip(bearer(request.headers()));
    sent.is_some_and(|(hookyard, sent)| hookyard.is_token_secret(sent))
}
