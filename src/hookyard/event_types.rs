//! Event types that are declared at run time, beside those of the configuration.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::Mutex;

use crate::clock::Timestamp;
use crate::event_type::{Declaration, EventType, EventTypeSpec, stands_for};
use crate::schema::{NotASchema, Schema};
use crate::store::writer::Store;
use crate::store::{Error as StoreError, Verb};

use super::{Hookyard, Unavailable};

/// What was said of event types at run time.
pub(super) struct Declarations {
    known: RwLock<BTreeMap<String, Declaration>>,
    /// The newest schemas of those that have any.
    schemas: RwLock<HashMap<String, Arc<Schema>>>,
    /// Held by whoever changes one.
    changing: Mutex<()>,
    /// When those of the configuration are said to have been made.
    opened_at: Timestamp,
}

/// Why an event type was not declared.
#[derive(Debug, thiserror::Error)]
pub enum DeclareError {
    /// There is one of this name that is in use.
    #[error("there is an event type of this name")]
    Exists,
    #[error("not found")]
    NotFound,
    #[error("schemas: {0}")]
    Schema(#[from] NotASchema),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Declarations {
    /// Reads what the store knows.
    pub(super) async fn read(store: &Store) -> Result<Self, StoreError> {
        let known = store.read(|reader| reader.event_types()).await?;
        let schema = |one: &Declaration| Some((one.name.to_string(), Arc::new(newest_schema(one)?.ok()?)));
        let schemas = RwLock::new(known.iter().filter_map(schema).collect());
        let known = known.into_iter().map(|one| (one.name.to_string(), one)).collect();
        let (changing, opened_at) = (Mutex::default(), Timestamp::now());
        Ok(Self { known: RwLock::new(known), schemas, changing, opened_at })
    }

    /// The event type of this name, if it is declared and in use.
    pub(super) fn in_use(&self, name: &str) -> Option<EventType> {
        self.known().get(name).filter(|declared| !declared.archived).map(|declared| declared.name.clone())
    }

    /// Whether a pattern stands for one that is in use.
    pub(super) fn is_any_below(&self, pattern: &str) -> bool {
        let known = self.known();
        known.values().any(|one| !one.archived && stands_for(pattern, one.name.as_str()))
    }

    /// The newest schema that was declared for this type.
    pub(super) fn schema(&self, name: &str) -> Option<Arc<Schema>> {
        self.schemas.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Knows the newest schema of this type, or that there is none.
    fn put_schema(&self, name: &str, schema: Option<Schema>) {
        let mut schemas = self.schemas.write().unwrap_or_else(PoisonError::into_inner);
        match schema {
            Some(schema) => drop(schemas.insert(name.to_owned(), Arc::new(schema))),
            None => drop(schemas.remove(name)),
        }
    }

    fn known(&self) -> RwLockReadGuard<'_, BTreeMap<String, Declaration>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Declaration>> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hookyard {
    /// All event types, those of the configuration and those that were declared at run time, by name.
    pub fn list_event_types(&self) -> BTreeMap<String, Declaration> {
        let config = self.config();
        let of_config = config.event_types.iter().filter_map(|spec| self.of_config(spec));
        let mut all: BTreeMap<String, Declaration> =
            of_config.map(|one| (one.name.to_string(), one)).collect();
        all.extend(self.0.declarations.known().iter().map(|(name, one)| (name.clone(), one.clone())));
        all
    }

    /// An event type by its name.
    pub fn find_event_type(&self, name: &str) -> Option<Declaration> {
        if let Some(declared) = self.0.declarations.known().get(name) {
            return Some(declared.clone());
        }
        let config = self.config();
        self.of_config(config.event_types.iter().find(|spec| spec.name == name)?)
    }

    /// Whether events of this type may be subscribed to and emitted without further ado, or a pattern stands for such a
    /// type.
    pub fn has_event_type(&self, name: &str) -> bool {
        if let Some(declared) = self.0.declarations.known().get(name) {
            return !declared.archived;
        }
        let is_meant = |spec: &EventTypeSpec| spec.name == name || stands_for(name, &spec.name);
        self.config().event_types.iter().any(is_meant) || self.0.declarations.is_any_below(name)
    }

    /// An example of the data of an event type: the configuration's, or the first of its schema.
    pub fn example_of(&self, declared: &Declaration) -> Option<serde_json::Value> {
        let config = self.config();
        let spec = config.event_types.iter().find(|spec| spec.name == declared.name.as_str());
        if let Some(spec) = spec.filter(|spec| spec.example.is_object()) {
            return Some(spec.example.clone());
        }
        let schemas: serde_json::Value = serde_json::from_str(declared.schemas.as_deref()?).ok()?;
        schemas.pointer("/1/examples/0").cloned()
    }

    /// Declares an event type that there is not, or that is archived.
    ///
    /// # Errors
    /// When there is one of this name in use, or nothing can be changed now.
    pub async fn declare_event_type(&self, declared: Declaration) -> Result<Declaration, DeclareError> {
        let _turn = self.0.declarations.changing.lock().await;
        let known = self.find_event_type(declared.name.as_str());
        if known.as_ref().is_some_and(|known| !known.archived) {
            return Err(DeclareError::Exists);
        }
        let created_at = known.map_or(declared.created_at, |known| known.created_at);
        self.put_event_type(Declaration { created_at, ..declared }).await
    }

    /// Declares an event type, whatever was said of it before; says whether there was one.
    ///
    /// # Errors
    /// When nothing can be changed now.
    pub async fn replace_event_type(
        &self,
        declared: Declaration,
    ) -> Result<(Declaration, bool), DeclareError> {
        let _turn = self.0.declarations.changing.lock().await;
        let known = self.find_event_type(declared.name.as_str());
        let was_there = known.is_some();
        let created_at = known.map_or(declared.created_at, |known| known.created_at);
        Ok((self.put_event_type(Declaration { created_at, ..declared }).await?, was_there))
    }

    /// Changes what is said of an event type.
    ///
    /// # Errors
    /// When there is none of this name, or nothing can be changed now.
    pub async fn change_event_type(
        &self,
        name: &str,
        change: impl FnOnce(&mut Declaration),
    ) -> Result<Declaration, DeclareError> {
        let _turn = self.0.declarations.changing.lock().await;
        let mut declared = self.find_event_type(name).ok_or(DeclareError::NotFound)?;
        change(&mut declared);
        declared.updated_at = Timestamp::now();
        self.put_event_type(declared).await
    }

    /// Forgets what was said of an event type at run time; what the configuration says of it counts again.
    ///
    /// # Errors
    /// When there is none of this name, or nothing can be changed now.
    pub async fn forget_event_type(&self, name: &str) -> Result<(), DeclareError> {
        let _turn = self.0.declarations.changing.lock().await;
        let declared = self.find_event_type(name).ok_or(DeclareError::NotFound)?;
        self.commit(Verb::DeleteEventType(declared.name)).await?;
        self.0.declarations.change().remove(name);
        self.0.declarations.put_schema(name, None);
        Ok(())
    }

    async fn put_event_type(&self, declared: Declaration) -> Result<Declaration, DeclareError> {
        let schema = newest_schema(&declared).transpose()?;
        self.commit(Verb::PutEventType(Box::new(declared.clone()))).await?;
        self.0.declarations.put_schema(declared.name.as_str(), schema);
        self.0.declarations.change().insert(declared.name.to_string(), declared.clone());
        Ok(declared)
    }

    fn of_config(&self, spec: &EventTypeSpec) -> Option<Declaration> {
        let schemas =
            spec.schema.as_ref().map(|schema| serde_json::json!({ "1": schema }).to_string().into());
        let at = self.0.declarations.opened_at;
        Some(Declaration {
            name: spec.name.parse().ok()?,
            description: spec.description.clone(),
            schemas,
            feature_flag: None,
            archived: false,
            deprecated: false,
            created_at: at,
            updated_at: at,
        })
    }
}

/// The schema of the newest version that is declared: of the greatest number, or of the last name.
fn newest_schema(declared: &Declaration) -> Option<Result<Schema, NotASchema>> {
    let schemas: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(declared.schemas.as_deref()?).ok()?;
    let newest = schemas.iter().max_by_key(|(version, _)| (version.parse::<u64>().ok(), *version));
    newest.map(|(_, schema)| Schema::new(schema))
}
