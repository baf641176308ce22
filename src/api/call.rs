//! A call: a request whose sender is known and may make it, for an account that the sender may act for.
//!
//! Opening one is the first thing that a handler does, before it judges anything else about the request.

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};

use crate::account::{AccountId, Scope};
use crate::hookyard::{Caller, Hookyard};
use crate::throttle::Excess;

use super::error::{Error, Kind};
use super::query::Query;

/// A request from someone with a key that has the scope for it.
pub struct Call<'a> {
    pub hookyard: &'a Hookyard,
    pub query: Query<'a>,
    request: &'a HttpRequest,
    caller: Caller,
}

impl<'a> Call<'a> {
    /// Finds out who calls.
    ///
    /// # Errors
    /// 401 without a valid key, 429 when it came too often, 403 when the key has none of `scopes` nor `admin`.
    pub fn open(request: &'a HttpRequest, scopes: &[Scope]) -> Result<Self, Error> {
        let hookyard = request.app_data::<Hookyard>().expect("the routes are built with it");
        let caller = identify(request, hookyard)?;
        hookyard.admit_request(&caller).map_err(Error::too_fast("this key"))?;
        permit(&caller, scopes)?;
        Ok(Self { hookyard, query: Query::parse(request.query_string()), request, caller })
    }

    /// The account that this call is for; `named` is the one in its body, if any, and outweighs the query's.
    ///
    /// # Errors
    /// 403 when the key is another account's, 422 when a name, outweighed or not, cannot be an account's.
    pub fn account(&self, named: Option<&str>) -> Result<AccountId, Error> {
        let asked = self.query.get("account");
        if named.is_some() && asked.is_some() {
            account(&self.caller, asked)?;
        }
        account(&self.caller, named.or(asked))
    }

    /// Whether the key has this scope, or `admin`.
    pub fn may(&self, scope: Scope) -> bool {
        self.is_admin() || self.caller.scopes.contains(&scope)
    }

    /// Whether the caller is shown what stands behind this flag.
    pub fn has_flag(&self, flag: &str) -> bool {
        self.caller.flags.iter().any(|own| own == flag)
    }

    /// Tells callers apart by their keys.
    pub fn sender(&self) -> &[u8; 32] {
        &self.caller.key.0
    }

    /// Whether the key belongs to this account.
    pub fn is_of(&self, account: &AccountId) -> bool {
        self.caller.account == *account
    }

    /// Whether an `admin` key was sent.
    pub fn is_admin(&self) -> bool {
        is_admin(&self.caller)
    }

    /// A piece of the path.
    pub fn segment(&self, name: &str) -> &str {
        self.request.match_info().get(name).unwrap_or_default()
    }

    pub fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    /// A path of this server as the caller may follow it.
    pub fn public(&self, path: &str) -> String {
        self.hookyard.config().public(path)
    }

    /// A path of this server from the scheme on, as the caller reached it.
    pub fn full(&self, path: &str) -> String {
        let reached = self.request.connection_info();
        format!("{}://{}{path}", reached.scheme(), reached.host())
    }

    /// The path as it was asked for, without a trailing slash.
    pub fn path(&self) -> &str {
        self.request.path()
    }
}

/// Who sent the request. Those who try keys are told after a while that they come too often; a valid key passes.
fn identify(request: &HttpRequest, hookyard: &Hookyard) -> Result<Caller, Error> {
    let key = bearer(request.headers());
    if let Some(caller) = key.and_then(|key| hookyard.authenticate(key)) {
        return Ok(caller);
    }
    if key.is_some()
        && let Some(peer) = request.peer_addr()
        && let Err(Excess::Now { seconds }) = hookyard.admit_stranger(peer.ip())
    {
        let kind = Kind::Guessing { retry_after_seconds: seconds };
        return Err(Error::new(kind, "too many unknown keys have come from this address"));
    }
    Err(Error::new(Kind::Unauthorized, "an API key is needed: Authorization: Bearer <key>"))
}

/// The key in `Authorization: Bearer <key>`; the scheme's case does not matter (RFC 9110, 11.1).
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

fn permit(caller: &Caller, scopes: &[Scope]) -> Result<(), Error> {
    if is_admin(caller) || scopes.iter().any(|scope| caller.scopes.contains(scope)) {
        return Ok(());
    }
    let names: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    Err(Error::new(Kind::Forbidden, format!("this needs a key with the scope {}", names.join(" or "))))
}

fn account(caller: &Caller, named: Option<&str>) -> Result<AccountId, Error> {
    match named {
        None if is_admin(caller) => Ok(AccountId::default_account()),
        None => Ok(caller.account.clone()),
        Some(name) if name == caller.account.as_str() => Ok(caller.account.clone()),
        Some(name) if is_admin(caller) => {
            name.parse().map_err(|error| Error::field(format!("account: {error}")))
        }
        Some(_) => Err(Error::new(Kind::Forbidden, "this key belongs to another account")),
    }
}

fn is_admin(caller: &Caller) -> bool {
    caller.scopes.contains(&Scope::Admin)
}

#[cfg(test)]
pub mod tests {
    use actix_web::http::header::HeaderValue;

    use crate::account::KeyHash;

    use super::*;

    /// Someone with a key of `account`.
    pub fn caller(account: &str, scopes: &[Scope]) -> Caller {
        let (account, key) = (account.parse().unwrap(), KeyHash::of(account));
        Caller { account, scopes: scopes.to_vec(), flags: Vec::new(), key }
    }

    fn chosen(caller: &Caller, named: Option<&str>) -> Result<String, Kind> {
        account(caller, named).map(|account| account.to_string()).map_err(|error| error.kind())
    }

    #[test]
    fn a_key_acts_for_its_own_account_alone() {
        let acme = caller("acme", &[Scope::Hooks, Scope::Events]);
        assert_eq!(chosen(&acme, None), Ok("acme".into()));
        assert_eq!(chosen(&acme, Some("acme")), Ok("acme".into()));
        assert_eq!(chosen(&acme, Some("default")), Err(Kind::Forbidden));
        assert_eq!(chosen(&acme, Some("no account/")), Err(Kind::Forbidden));
    }

    #[test]
    fn an_admin_names_any_account_or_means_default() {
        let admin = caller("acme", &[Scope::Admin]);
        assert_eq!(chosen(&admin, None), Ok("default".into()));
        assert_eq!(chosen(&admin, Some("other")), Ok("other".into()));
        assert_eq!(chosen(&admin, Some("no account/")), Err(Kind::InvalidField));
    }

    #[test]
    fn a_missing_scope_is_named() {
        let emitter = caller("acme", &[Scope::Events]);
        assert!(permit(&emitter, &[Scope::Hooks, Scope::Events]).is_ok());
        let error = permit(&emitter, &[Scope::Hooks]).unwrap_err();
        assert_eq!((error.kind(), error.to_string().ends_with("hooks")), (Kind::Forbidden, true));
        assert!(permit(&caller("acme", &[Scope::Admin]), &[Scope::Hooks]).is_ok());
    }

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        let key = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(key("Bearer fp_1"), Some("fp_1".into()));
        assert_eq!(key("bEARER  fp_1"), Some("fp_1".into()));
        assert_eq!(key("Basic fp_1"), None);
        assert_eq!(key("fp_1"), None);
    }
}
