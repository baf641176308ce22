//! Accounts and keys: who may call, known in memory, recorded in the store.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use crate::account::{Account, AccountId, AccountNames, ApiKey, KeyHash, KeyText, Scope};
use crate::clock::Timestamp;
use crate::id::{AccountNo, KeyId};
use crate::store::writer::Store;
use crate::store::{Answer, Error as StoreError, Verb};

use super::{Hookyard, LookupError, Page, PageRequest, Unavailable};

/// How precisely the last use of a key is recorded.
const LAST_USE_STEP: Duration = Duration::from_secs(60);

/// The one who sent an API key: what it may do, and for which account.
#[derive(Clone, Debug)]
pub struct Caller {
    pub account: AccountId,
    pub scopes: Vec<Scope>,
    /// Tells keys apart, that of the configuration included.
    pub key: KeyHash,
}

/// All accounts and keys.
pub(super) struct Registry {
    known: RwLock<Known>,
    names: AccountNames,
}

#[derive(Default)]
struct Known {
    accounts: HashMap<AccountId, Account>,
    keys: HashMap<KeyHash, ApiKey>,
}

impl Registry {
    /// Reads what the store knows; makes the account `default` if it is missing.
    pub(super) async fn read(store: &Store, names: AccountNames) -> Result<Self, StoreError> {
        store.commit(Verb::CreateAccount(AccountId::default_account())).await?;
        let (accounts, keys) = store.read(|reader| Ok((reader.accounts()?, reader.keys()?))).await?;
        let keys = keys.into_iter().map(|key| (key.hash, key)).collect();
        let known = RwLock::new(Known { accounts: HashMap::new(), keys });
        let registry = Self { known, names };
        accounts.into_iter().for_each(|account| registry.add(account));
        Ok(registry)
    }

    fn add(&self, account: Account) {
        self.names.add(&account);
        self.change().accounts.insert(account.id.clone(), account);
    }

    /// The number of an account.
    pub(super) fn account(&self, id: &AccountId) -> Option<AccountNo> {
        self.known().accounts.get(id).map(|account| account.no)
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hookyard {
    /// Makes an account; says whether it is new. Without an id it gets a random one.
    ///
    /// # Errors
    /// When nothing can be changed now.
    pub async fn create_account(&self, id: Option<AccountId>) -> Result<(Account, bool), Unavailable> {
        let id = id.unwrap_or_else(AccountId::random);
        let Answer::Account(account, is_new) = self.commit(Verb::CreateAccount(id)).await? else {
            return Err(Unavailable::Store);
        };
        self.0.registry.add(account.clone());
        Ok((account, is_new))
    }

    /// All accounts, newest first.
    ///
    /// # Errors
    /// When the cursor is none of this list.
    pub async fn accounts(&self, page: PageRequest) -> Result<Page<Account>, LookupError> {
        let known = self.0.registry.known();
        let below = match &page.cursor {
            None => AccountNo(u32::MAX),
            Some(cursor) => {
                let id: AccountId = cursor.parse().map_err(|_| LookupError::Cursor)?;
                known.accounts.get(&id).ok_or(LookupError::Cursor)?.no
            }
        };
        let mut accounts: Vec<Account> =
            known.accounts.values().filter(|account| account.no < below).cloned().collect();
        accounts.sort_by_key(|account| std::cmp::Reverse(account.no));
        accounts.truncate(page.limit + 1);
        Ok(Page::of(accounts, page.limit, |account: &Account| account.id.to_string()))
    }

    /// Makes a key; its text is returned here and never again.
    ///
    /// # Errors
    /// When there is no such account, or nothing can be changed now.
    pub async fn create_key(
        &self,
        account: &AccountId,
        scopes: Vec<Scope>,
        name: String,
    ) -> Result<(ApiKey, KeyText), LookupError> {
        let account = self.0.registry.account(account).ok_or(LookupError::NotFound)?;
        let text = KeyText::generate(&self.config().key_prefix);
        let key = ApiKey {
            id: KeyId::random(),
            hash: KeyHash::of(text.reveal()),
            account,
            scopes,
            name,
            created_at: Timestamp::now(),
            last_used_at: None,
        };
        self.commit(Verb::PutKey(Box::new(key.clone()))).await?;
        self.0.registry.change().keys.insert(key.hash, key.clone());
        Ok((key, text))
    }

    /// All keys, newest first, each with the id of its account.
    ///
    /// # Errors
    /// When the cursor is none of this list.
    pub async fn keys(&self, page: PageRequest) -> Result<Page<(ApiKey, AccountId)>, LookupError> {
        let known = self.0.registry.known();
        let place = |key: &ApiKey| std::cmp::Reverse((key.created_at, key.id));
        let behind = match &page.cursor {
            None => None,
            Some(cursor) => {
                let id: KeyId = cursor.parse().map_err(|_| LookupError::Cursor)?;
                let key = known.keys.values().find(|key| key.id == id);
                Some(place(key.ok_or(LookupError::Cursor)?))
            }
        };
        let mut keys: Vec<&ApiKey> =
            known.keys.values().filter(|key| behind.is_none_or(|behind| place(key) > behind)).collect();
        keys.sort_by_key(|key| place(key));
        let with_account =
            |key: &ApiKey| self.0.registry.names.get(key.account).map(|account| (key.clone(), account));
        let keys = keys.into_iter().take(page.limit + 1).filter_map(with_account).collect();
        Ok(Page::of(keys, page.limit, |(key, _): &(ApiKey, AccountId)| key.id.to_string()))
    }

    /// Revokes a key. Once this returns `Ok`, and on this process as soon as it is called, it is worth nothing.
    ///
    /// # Errors
    /// When there is no such key, or nothing can be changed now.
    pub async fn delete_key(&self, id: KeyId) -> Result<(), LookupError> {
        self.router()?;
        let key = {
            let mut known = self.0.registry.change();
            let hash = known.keys.values().find(|key| key.id == id).map(|key| key.hash);
            hash.and_then(|hash| known.keys.remove(&hash)).ok_or(LookupError::NotFound)?
        };
        #[cfg(feature = "server")]
        self.0.throttles.load().forget_quiet_keys();
        let deleted = self.commit(Verb::DeleteKey(key.hash)).await;
        if deleted.is_err() {
            // It may be there after a restart: whoever tries again must find it.
            self.0.registry.change().keys.insert(key.hash, key);
        }
        deleted?;
        Ok(())
    }

    /// Who holds this key, if anyone. Does not wait for the store.
    ///
    /// The time that it takes tells nothing of the keys that there are: see [`KeyHash`].
    pub fn authenticate(&self, key: &str) -> Option<Caller> {
        let hash = KeyHash::of(key);
        if self.0.live.load().admin == Some(hash) {
            let account = AccountId::default_account();
            return Some(Caller { account, scopes: vec![Scope::Admin], key: hash });
        }
        let now = Timestamp::now();
        let known = self.0.registry.known();
        let key = known.keys.get(&hash)?;
        let account = self.0.registry.names.get(key.account)?;
        let caller = Caller { account, scopes: key.scopes.clone(), key: hash };
        if key.last_used_at.is_none_or(|last| now >= last.after(LAST_USE_STEP)) {
            drop(known);
            self.note_use(hash, now);
        }
        Some(caller)
    }

    /// Records the use of a key; nobody waits for it.
    fn note_use(&self, hash: KeyHash, now: Timestamp) {
        let mut known = self.0.registry.change();
        // Queued under the lock: a key that is revoked meanwhile must not be recorded behind its end.
        if let Some(key) = known.keys.get_mut(&hash) {
            key.last_used_at = Some(now);
            self.0.store.settle(Verb::PutKey(Box::new(key.clone())));
        }
    }
}
