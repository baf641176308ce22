//! The clients of one thread: one for each account, authority and client certificate, for as long as somebody uses it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use crate::delivery::client::{Client, HttpClock, Settings};
use crate::id::AccountNo;
use crate::subscription::{ClientCertificate, EndpointUrl, NotAClientCertificate};

/// Finds and makes clients. Endpoints of an account that share scheme, host and port share one, and its connections, unless
/// they show receivers different certificates; accounts share none.
pub struct Clients {
    settings: Arc<Settings>,
    clock: Rc<HttpClock>,
    in_use: RefCell<HashMap<(AccountNo, String), Weak<Client>>>,
}

impl Clients {
    pub fn new(settings: Arc<Settings>) -> Self {
        Self { settings, clock: Rc::default(), in_use: RefCell::default() }
    }

    /// The client for this URL, which shows this certificate; when the last of its users drops it, its connections are
    /// closed.
    ///
    /// # Errors
    /// When the certificate's key is of a kind that cannot be used.
    pub fn client(
        &self,
        account: AccountNo,
        url: &EndpointUrl,
        certificate: Option<&ClientCertificate>,
    ) -> Result<Rc<Client>, NotAClientCertificate> {
        let mut in_use = self.in_use.borrow_mut();
        let mut shared = format!("{}://{}", url.url().scheme(), url.authority());
        shared.extend(certificate.map(ClientCertificate::identity));
        let place = (account, shared);
        if let Some(client) = in_use.get(&place).and_then(Weak::upgrade) {
            return Ok(client);
        }
        if in_use.len() == in_use.capacity() {
            in_use.retain(|_, client| client.strong_count() > 0);
        }
        let settings = match certificate {
            None => self.settings.clone(),
            Some(certificate) => Arc::new(self.settings.showing(certificate)?),
        };
        let client = Rc::new(Client::new(settings, self.clock.clone()));
        in_use.insert(place, Rc::downgrade(&client));
        Ok(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::guard::Guard;
    use crate::delivery::tls::trusting_the_web;
    use crate::subscription::client_certificate::examples::{one, other};

    #[test]
    fn a_client_is_shared_by_the_endpoints_of_an_account_authority_and_certificate_alone() {
        let guard = Arc::new(Guard::new(true, Vec::new()));
        let timeout = std::time::Duration::from_secs(1);
        let settings = Settings::new(timeout, "x-signature", guard, trusting_the_web()).unwrap();
        let clients = Clients::new(Arc::new(settings));
        let showing = |account, url: &str, certificate: Option<ClientCertificate>| {
            clients.client(AccountNo(account), &url.parse().unwrap(), certificate.as_ref()).unwrap()
        };
        let client = |account, url: &str| showing(account, url, None);
        let first = client(1, "https://example.com/a");
        assert!(Rc::ptr_eq(&first, &client(1, "https://example.com:443/b")));
        assert!(!Rc::ptr_eq(&first, &client(2, "https://example.com/a")));
        assert!(!Rc::ptr_eq(&first, &client(1, "https://example.com:8443/a")));
        let known = showing(1, "https://example.com/a", Some(one()));
        assert!(!Rc::ptr_eq(&first, &known));
        assert!(Rc::ptr_eq(&known, &showing(1, "https://example.com/b", Some(one()))));
        assert!(!Rc::ptr_eq(&known, &showing(1, "https://example.com/a", Some(other()))));
        assert!(!Rc::ptr_eq(&known, &showing(2, "https://example.com/a", Some(one()))));
        let gone = Rc::downgrade(&first);
        drop(first);
        assert!(gone.upgrade().is_none());
    }
}
