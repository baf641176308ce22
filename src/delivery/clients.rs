//! The clients of one thread: one for each account and authority, for as long as somebody uses it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use crate::delivery::client::{Client, Settings};
use crate::id::AccountNo;
use crate::subscription::EndpointUrl;

/// Finds and makes clients. Endpoints of an account that share scheme, host and port share one, and its connections;
/// accounts share none.
pub struct Clients {
    settings: Arc<Settings>,
    in_use: RefCell<HashMap<(AccountNo, String), Weak<Client>>>,
}

impl Clients {
    pub fn new(settings: Arc<Settings>) -> Self {
        Self { settings, in_use: RefCell::default() }
    }

    /// The client for this URL; when the last of its users drops it, its connections are closed.
    pub fn client(&self, account: AccountNo, url: &EndpointUrl) -> Rc<Client> {
        let mut in_use = self.in_use.borrow_mut();
        let place = (account, format!("{}://{}", url.url().scheme(), url.authority()));
        if let Some(client) = in_use.get(&place).and_then(Weak::upgrade) {
            return client;
        }
        if in_use.len() == in_use.capacity() {
            in_use.retain(|_, client| client.strong_count() > 0);
        }
        let client = Rc::new(Client::new(self.settings.clone()));
        in_use.insert(place, Rc::downgrade(&client));
        client
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::guard::Guard;
    use crate::delivery::tls::trusting_the_web;

    #[test]
    fn a_client_is_shared_by_the_endpoints_of_an_account_and_authority_alone() {
        let guard = Arc::new(Guard::new(true, Vec::new()));
        let timeout = std::time::Duration::from_secs(1);
        let settings = Settings::new(timeout, "x-signature", guard, trusting_the_web()).unwrap();
        let clients = Clients::new(Arc::new(settings));
        let client = |account, url: &str| clients.client(AccountNo(account), &url.parse().unwrap());
        let first = client(1, "https://example.com/a");
        assert!(Rc::ptr_eq(&first, &client(1, "https://example.com:443/b")));
        assert!(!Rc::ptr_eq(&first, &client(2, "https://example.com/a")));
        assert!(!Rc::ptr_eq(&first, &client(1, "https://example.com:8443/a")));
        let gone = Rc::downgrade(&first);
        drop(first);
        assert!(gone.upgrade().is_none());
    }
}
