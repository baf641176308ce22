//! Admitting: whether the front door lets a caller through just now, by the rates of the configuration.
//!
//! Only callers from outside are held to them; what a program emits in-process is its own business.

use std::net::IpAddr;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::account::{Account, AccountId, KeyHash, Scope};
use crate::clock::Timestamp;
use crate::config::RateLimits;
use crate::id::AccountNo;
use crate::metrics::requests::Limited;
use crate::repeats::Repeats;
use crate::throttle::{AddressThrottle, Excess, Throttle};
use crate::token::Subject;

use super::{Caller, Hookyard};

/// What the rates have been used for so far.
pub(super) struct Throttles {
    keys: Throttle<KeyHash>,
    accounts: Throttle<AccountNo>,
    strangers: AddressThrottle,
}

impl Throttles {
    /// As after a quiet time.
    pub(super) fn new(rates: &RateLimits) -> Self {
        Self {
            keys: Throttle::new(rates.key_requests_per_second, rates.key_requests_burst),
            accounts: Throttle::new(rates.account_events_per_second, rates.account_events_burst),
            strangers: AddressThrottle::new(rates.unknown_keys_per_second, rates.unknown_keys_burst),
        }
    }

    /// Lets go of what is kept of keys that are no more.
    pub(super) fn forget_quiet_keys(&self) {
        self.keys.forget_quiet();
    }
}

impl Hookyard {
    /// Lets one request of a caller through.
    ///
    /// # Errors
    /// When its key has had too many.
    pub(crate) fn admit_request(&self, caller: &Caller) -> Result<(), Excess> {
        self.count(Limited::Key, self.0.throttles.load().keys.pass(&caller.key, 1))
    }

    /// Lets events of an account through, all or none of them. Those of an unknown account are refused elsewhere.
    ///
    /// # Errors
    /// When the account has had too many.
    pub(crate) fn admit_events(&self, account: &AccountId, events: usize) -> Result<(), Excess> {
        let Some(account) = self.0.registry.account(account) else {
            return Ok(());
        };
        let events = u32::try_from(events).unwrap_or(u32::MAX);
        self.count(Limited::Account, self.0.throttles.load().accounts.pass(&account, events))
    }

    /// Lets someone through, to hear that their key is unknown.
    ///
    /// # Errors
    /// When too many have come from there with keys that are unknown.
    pub(crate) fn admit_stranger(&self, address: IpAddr) -> Result<(), Excess> {
        self.count(Limited::Address, self.0.throttles.load().strangers.pass(address))
    }

    /// Whom the bearer of a token speaks for: a JSON Web Token that is signed with the configured secret, or with one of
    /// this store.
    pub(super) fn bearer(&self, token: &str, hash: KeyHash) -> Option<Caller> {
        // Three parts; none of our keys has any.
        if token.split('.').count() != 3 {
            return None;
        }
        match self.0.live.load().tokens.iter().find_map(|tokens| tokens.read(token))? {
            Subject::Organisation => {
                let account = AccountId::default_account();
                Some(Caller { account, scopes: vec![Scope::Admin], flags: Vec::new(), key: hash })
            }
            Subject::Application { named, flags } => {
                let account = self.find_account(&named)?.id;
                // All tokens of an application share its rate, however many there are.
                let key = KeyHash::of(&format!("application {account}"));
                Some(Caller { account, scopes: vec![Scope::Hooks], flags, key })
            }
        }
    }

    /// Whether somebody sent the secret that tokens are signed with, instead of one.
    pub(crate) fn is_token_secret(&self, sent: &str) -> bool {
        self.0.live.load().tokens.iter().any(|tokens| tokens.is_secret(sent))
    }

    /// A token that speaks for an account for some time: for its hooks, and what became of its events.
    pub(crate) fn application_token(
        &self,
        account: &Account,
        flags: Vec<String>,
        lifetime: Duration,
    ) -> Option<Zeroizing<String>> {
        let live = self.0.live.load();
        let id = self.application_id(account).to_string();
        live.tokens.first()?.of_application(id, flags, Timestamp::now(), lifetime).ok()
    }

    /// What requests were answered with.
    pub(crate) fn repeats(&self) -> &Repeats {
        &self.0.repeats
    }

    fn count(&self, limited: Limited, passed: Result<(), Excess>) -> Result<(), Excess> {
        if let Err(Excess::Now { .. }) = passed {
            self.figures().requests.limit(limited);
        }
        passed
    }
}
