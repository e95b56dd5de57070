//! The prediction cache: bytes under keys, in this process and in a store behind it. It knows nothing of predictions.
//!
//! ```text
//! CacheKey ─► memory (this process) ─► Store: redis ─► lookups, writes ─► link ─► connection
//! ```
//!
//! A cache can be slow, full or unavailable, and none of that is an error for the caller. A lookup that the cache did not answer is
//! [`Lookup::Unavailable`]: a miss with a name.

mod breaker;
mod fault;
mod key;
mod memory;
pub mod redis;
mod reply_log;
mod store;

use std::time::Duration;

use bytes::Bytes;

pub use self::{
    fault::Fault,
    key::{CacheKey, KeySpace, Layout, Namespace, ParsedKey, Tenant, UnknownLayout},
    memory::MemoryCache,
    store::{BreakerState, Lookup, Store},
};

/// Where predictions are kept: in this process, in a store, in both or nowhere.
///
/// An entry in memory cannot be stale: a prediction depends only on what is in its key.
#[derive(Default)]
pub struct PredictionCache {
    memory: Option<MemoryCache>,
    store: Option<Box<dyn Store>>,
}

/// The tier that held an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// This process.
    Memory,
    /// Redis.
    Redis,
}

impl Tier {
    /// The tier's name, in headers, logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Redis => "redis",
        }
    }
}

impl PredictionCache {
    /// A cache of these tiers.
    pub fn new(memory: Option<MemoryCache>, store: Option<Box<dyn Store>>) -> Self {
        Self { memory, store }
    }

    /// The same cache for another worker: they share the memory, and each has its own connections.
    pub fn for_another_worker(&self) -> Self {
        Self { memory: self.memory.clone(), store: self.store.as_ref().map(|store| store.for_another_worker()) }
    }

    /// Connects to the store, so that the first lookup need not. Waits no longer than a lookup may take.
    pub async fn open(&self) {
        if let Some(store) = &self.store {
            store.open().await;
        }
    }

    /// Whether neither tier exists.
    pub fn is_off(&self) -> bool {
        self.memory.is_none() && self.store.is_none()
    }

    /// Whether a store exists.
    pub fn has_store(&self) -> bool {
        self.store.is_some()
    }

    /// Looks up an entry in this process: in less than a microsecond.
    pub fn get_in_memory(&self, key: &CacheKey) -> Option<Bytes> {
        self.memory.as_ref()?.get(key)
    }

    /// Keeps an entry in this process.
    pub fn keep_in_memory(&self, key: &CacheKey, value: &Bytes) {
        if let Some(memory) = &self.memory {
            memory.put(key.clone(), value.clone());
        }
    }

    /// Looks up entries in the store within its deadline, one result per key. Without a store, all are misses.
    pub async fn lookup(&self, keys: &[&CacheKey]) -> Vec<Lookup> {
        match &self.store {
            Some(store) if !keys.is_empty() => store.lookup(keys).await,
            _ => keys.iter().map(|_| Lookup::Miss).collect(),
        }
    }

    /// Keeps entries in this process, and stores them within the store's deadline and at most `time_left`.
    ///
    /// # Errors
    ///
    /// Says why they were not stored, which has already been logged.
    pub async fn store(&self, entries: &[(CacheKey, Bytes)], time_left: Option<Duration>) -> Result<(), Fault> {
        entries.iter().for_each(|(key, value)| self.keep_in_memory(key, value));
        match &self.store {
            Some(store) => store.store(entries, time_left).await,
            None => Ok(()),
        }
    }

    /// The state of the store's circuit breakers. `None` without a store.
    pub fn breakers(&self) -> Option<[BreakerState; 2]> {
        self.store.as_ref().map(|store| store.breakers())
    }

    /// Closes the store's connections. A later request opens them again.
    pub fn close(&self) {
        if let Some(store) = &self.store {
            store.close();
        }
    }
}
