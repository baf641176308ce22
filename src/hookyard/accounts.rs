//! Accounts and keys: who may call, known in memory, recorded in the store.

use std::collections::{BTreeMap, HashMap};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::Mutex;

use crate::account::{Account, AccountId, AccountNames, ApiKey, KeyHash, KeyText, Profile, Retention, Scope};
use crate::clock::{Clock, Timestamp};
use crate::forgetting::Ages;
use crate::id::{AccountNo, ApplicationId, KeyId};
use crate::label::Uid;
use crate::store::writer::{Store, Verbs};
use crate::store::{Answer, Error as StoreError, NewAccount, Verb};
use crate::subscriber::AccountPaces;

use super::{Hookyard, Listed, LookupError, Order, Page, PageRequest, Stretch, Unavailable};

/// How precisely the last use of a key is recorded.
const LAST_USE_STEP: Duration = Duration::from_secs(60);

/// The one who sent an API key: what it may do, and for which account.
#[derive(Clone, Debug)]
pub struct Caller {
    pub account: AccountId,
    pub scopes: Vec<Scope>,
    /// The flags of what a token shows its bearer besides.
    pub flags: Vec<String>,
    /// Tells keys apart, that of the configuration included.
    pub key: KeyHash,
}

/// All accounts and keys.
pub(super) struct Registry {
    known: RwLock<Known>,
    names: AccountNames,
    paces: AccountPaces,
    ages: Ages,
    clock: Clock,
    /// Held by whoever makes, changes or deletes an account: no two get one uid.
    changing: Mutex<()>,
}

#[derive(Default)]
struct Known {
    accounts: BTreeMap<AccountNo, Account>,
    ids: HashMap<AccountId, AccountNo>,
    uids: HashMap<Uid, AccountNo>,
    keys: HashMap<KeyHash, ApiKey>,
}

/// Why an account was not made, changed or deleted.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("not found")]
    NotFound,
    /// Another account has this uid.
    #[error("another account has this uid")]
    UidTaken,
    #[error("the account \"default\" always exists")]
    Default,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Registry {
    /// Reads what the store knows; makes the account `default` if it is missing.
    pub(super) async fn read(
        store: &Store,
        names: AccountNames,
        paces: AccountPaces,
        ages: Ages,
    ) -> Result<Self, StoreError> {
        let id = AccountId::default_account();
        store.commit(Verb::CreateAccount(Box::new(NewAccount { profile: Profile::of(&id), id }))).await?;
        let (accounts, keys) = store.read(|reader| Ok((reader.accounts()?, reader.keys()?))).await?;
        let keys = keys.into_iter().map(|key| (key.hash, key)).collect();
        let known = RwLock::new(Known { keys, ..Known::default() });
        let clock = store.clock().clone();
        let registry = Self { known, names, paces, ages, clock, changing: Mutex::default() };
        accounts.into_iter().for_each(|account| registry.put(account));
        Ok(registry)
    }

    /// Knows an account as it is now.
    fn put(&self, account: Account) {
        self.names.add(account.no, account.id.clone());
        self.paces.set(account.no, account.profile.rate_limit, self.clock.now().steady);
        self.ages.set(account.no, account.profile.retention.map(Retention::length));
        let mut known = self.change();
        known.forget(account.no);
        known.ids.insert(account.id.clone(), account.no);
        known.uids.extend(account.profile.uid.clone().map(|uid| (uid, account.no)));
        known.accounts.insert(account.no, account);
    }

    /// Knows an account no more: nobody can name it, and its keys are worth nothing.
    fn forget(&self, account: AccountNo) {
        self.names.remove(account);
        self.paces.set(account, None, self.clock.now().steady);
        self.ages.set(account, None);
        self.change().forget(account);
    }

    /// The number of an account.
    pub(super) fn account(&self, id: &AccountId) -> Option<AccountNo> {
        self.known().ids.get(id).copied()
    }

    fn has_uid(&self, uid: Option<&Uid>, other_than: Option<AccountNo>) -> bool {
        let known = self.known();
        let has_it = uid.and_then(|uid| known.uids.get(uid)).copied();
        has_it.is_some() && has_it != other_than
    }

    fn accounts(&self, stretch: Stretch<AccountNo>) -> Listed<Account> {
        stretch.of(&self.known().accounts)
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn forget(&mut self, account: AccountNo) {
        if let Some(account) = self.accounts.remove(&account) {
            self.ids.remove(&account.id);
            account.profile.uid.map(|uid| self.uids.remove(&uid));
        }
    }
}

impl Hookyard {
    /// Makes an account; says whether it is new. Without an id it gets a random one. One that there is stays as it is.
    ///
    /// # Errors
    /// When nothing can be changed now.
    pub async fn create_account(&self, id: Option<AccountId>) -> Result<(Account, bool), Unavailable> {
        self.create_account_that_keeps(id, None).await
    }

    /// The same, of an account that has the data of its events kept for so long.
    ///
    /// # Errors
    /// When nothing can be changed now.
    pub async fn create_account_that_keeps(
        &self,
        id: Option<AccountId>,
        retention: Option<Retention>,
    ) -> Result<(Account, bool), Unavailable> {
        let registry = &self.0.registry;
        let _turn = registry.changing.lock().await;
        let id = id.unwrap_or_else(AccountId::random);
        let mut profile = Profile { retention, ..Profile::of(&id) };
        profile.uid = profile.uid.filter(|uid| !registry.has_uid(Some(uid), None));
        self.record_account(NewAccount { id, profile }).await
    }

    /// Makes an account of this profile. Its uid becomes its id, where it can be one and no other account has it.
    ///
    /// # Errors
    /// When another account has the uid, or nothing can be changed now.
    pub async fn make_account(&self, profile: Profile) -> Result<Account, AccountError> {
        let registry = &self.0.registry;
        let _turn = registry.changing.lock().await;
        if registry.has_uid(profile.uid.as_ref(), None) {
            return Err(AccountError::UidTaken);
        }
        let named: Option<AccountId> = profile.uid.as_ref().and_then(|uid| uid.as_str().parse().ok());
        let id = named.filter(|id| registry.account(id).is_none()).unwrap_or_else(AccountId::random);
        Ok(self.record_account(NewAccount { id, profile }).await?.0)
    }

    async fn record_account(&self, new: NewAccount) -> Result<(Account, bool), Unavailable> {
        let Answer::Account(account, is_new) = self.commit(Verb::CreateAccount(Box::new(new))).await? else {
            return Err(Unavailable::Store);
        };
        self.0.registry.put(account.clone());
        Ok((account, is_new))
    }

    /// Changes an account's profile.
    ///
    /// # Errors
    /// When there is no such account, another one has the uid, or nothing can be changed now.
    pub async fn update_account(
        &self,
        id: &AccountId,
        change: impl FnOnce(&mut Profile),
    ) -> Result<Account, AccountError> {
        let registry = &self.0.registry;
        let _turn = registry.changing.lock().await;
        let mut account = self.account(id).ok_or(AccountError::NotFound)?;
        change(&mut account.profile);
        if registry.has_uid(account.profile.uid.as_ref(), Some(account.no)) {
            return Err(AccountError::UidTaken);
        }
        account.updated_at = Timestamp::now();
        self.commit(Verb::PutAccount(Box::new(account.clone()))).await?;
        registry.put(account.clone());
        Ok(account)
    }

    /// Deletes an account with its hooks, what waits for them, and its keys. Its events stay until they expire, for
    /// nobody to see.
    ///
    /// From when it is called, nobody can do anything for the account. Should it fail half-way, the account is there
    /// again with fewer hooks; to be tried again.
    ///
    /// # Errors
    /// When there is no such account, it is `default`, or nothing can be changed now.
    pub async fn delete_account(&self, id: &AccountId) -> Result<(), AccountError> {
        let registry = &self.0.registry;
        let _turn = registry.changing.lock().await;
        let account = self.account(id).ok_or(AccountError::NotFound)?;
        if *id == AccountId::default_account() {
            return Err(AccountError::Default);
        }
        registry.forget(account.no);
        let deleted = self.delete_all_of(&account).await;
        if deleted.is_err() {
            registry.put(account);
        }
        Ok(deleted?)
    }

    async fn delete_all_of(&self, account: &Account) -> Result<(), Unavailable> {
        // What was decided for it before it was forgotten is committed behind this.
        self.commit_all(Verbs::new()).await?;
        while self.unsubscribe_some(account.no).await? {}
        let keys = self.read(|reader| reader.keys()).await?;
        let keys: Vec<KeyHash> =
            keys.iter().filter(|key| key.account == account.no).map(|key| key.hash).collect();
        // Before their end is queued: the use of one must not be recorded behind it.
        self.0.registry.change().keys.retain(|_, key| key.account != account.no);
        let mut verbs: Verbs = keys.into_iter().map(Verb::DeleteKey).collect();
        verbs.push(Verb::DeleteAccount(account.id.clone()));
        self.commit_all(verbs).await?;
        Ok(())
    }

    /// All accounts, newest first.
    ///
    /// # Errors
    /// When the cursor is none of this list.
    pub async fn accounts(&self, page: PageRequest) -> Result<Page<Account>, LookupError> {
        let behind = match &page.cursor {
            None => None,
            Some(cursor) => {
                let id = cursor.parse().map_err(|_| LookupError::Cursor)?;
                Some(self.0.registry.account(&id).ok_or(LookupError::Cursor)?)
            }
        };
        let stretch = Stretch { order: Order::Descending, behind, limit: page.limit };
        let Listed { items, more } = self.0.registry.accounts(stretch);
        Ok(Page::part(items, more, |account: &Account| account.id.to_string()))
    }

    /// A stretch of all accounts, in the order in which they were made.
    pub fn list_accounts(&self, stretch: Stretch<ApplicationId>) -> Listed<Account> {
        let number = |id| AccountNo(self.0.seal.open(&id).0.try_into().unwrap_or(u32::MAX));
        self.0.registry.accounts(stretch.map(number))
    }

    /// An account by its id.
    pub fn account(&self, id: &AccountId) -> Option<Account> {
        let known = self.0.registry.known();
        known.accounts.get(known.ids.get(id)?).cloned()
    }

    /// An account by its id in the operator's API, by its uid, or by an id that was made up for want of one.
    pub fn find_account(&self, named: &str) -> Option<Account> {
        let known = self.0.registry.known();
        if let Ok(id) = named.parse::<ApplicationId>() {
            let no = self.0.seal.open(&id).0.try_into().ok()?;
            let account = known.accounts.get(&AccountNo(no));
            return account.filter(|account| self.application_id(account) == id).cloned();
        }
        let by_uid = named.parse().ok().and_then(|uid: Uid| known.uids.get(&uid));
        let by_id = || named.parse().ok().filter(AccountId::is_random).and_then(|id| known.ids.get(&id));
        let no = by_uid.or_else(by_id)?;
        known.accounts.get(no).cloned()
    }

    /// The id of an account in the operator's API.
    pub fn application_id(&self, account: &Account) -> ApplicationId {
        self.0.seal.close_account(account.no, account.created_at)
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
            return Some(Caller { account, scopes: vec![Scope::Admin], flags: Vec::new(), key: hash });
        }
        #[cfg(feature = "server")]
        if let Some(caller) = self.bearer(key, hash) {
            return Some(caller);
        }
        let now = Timestamp::now();
        let known = self.0.registry.known();
        let key = known.keys.get(&hash)?;
        let account = self.0.registry.names.get(key.account)?;
        let caller = Caller { account, scopes: key.scopes.clone(), flags: Vec::new(), key: hash };
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
            self.0.store.settle(Verbs::from_buf([Verb::PutKey(Box::new(key.clone()))]));
        }
    }
}
