//! The prediction cache: a key-value cache in this process and in a store behind it. Values are opaque bytes.
//!
//! ```text
//! CacheKey ─► memory (this process) ─► signer ─► Store ─┬─► redis: lookups, writes ─► link ─► connection
//!                                                       └─► dynamodb: lookups, writes ─► requests to AWS
//! ```
//!
//! A slow, full or unavailable cache is never an error for the caller: a lookup without an answer is [`Lookup::Unavailable`], which
//! counts as a miss.

mod breaker;
pub mod dynamodb;
mod fault;
mod health;
mod key;
mod memory;
pub mod redis;
mod reply_log;
mod signer;
mod store;
mod ttl;

use std::time::Duration;

use bytes::Bytes;

pub use self::{
    fault::{Fault, Waited},
    key::{CacheKey, KeySpace, Layout, Namespace, ParsedKey, Tenant, UnknownLayout},
    memory::{MAX_MEMORY_CACHE_BYTES, MemoryCache, MemoryUsage},
    signer::{Signer, Unsigned},
    store::{BreakerState, Lookup, Store},
};

/// A cache in this process, in a store, in both or in neither.
///
/// An entry in memory cannot be stale: a prediction depends only on the parts of its key.
#[derive(Default)]
pub struct PredictionCache {
    memory: Option<MemoryCache>,
    store: Option<Box<dyn Store>>,
    /// Of the values in the store. A value in memory has been checked or computed.
    signer: Signer,
}

/// The tier that held an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// This process.
    Memory,
    /// Redis.
    Redis,
    /// A table in DynamoDB.
    DynamoDb,
}

impl Tier {
    pub const ALL: [Self; 3] = [Self::Memory, Self::Redis, Self::DynamoDb];

    /// The name in headers, logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Redis => "redis",
            Self::DynamoDb => "dynamodb",
        }
    }
}

impl PredictionCache {
    pub fn new(memory: Option<MemoryCache>, store: Option<Box<dyn Store>>) -> Self {
        Self { memory, store, signer: Signer::default() }
    }

    /// The same cache, whose values in the store are signed by `signer`.
    pub fn signed_by(self, signer: Signer) -> Self {
        Self { signer, ..self }
    }

    /// The same cache for another worker: shares the memory, with its own connections.
    pub fn for_another_worker(&self) -> Self {
        let store = self.store.as_ref().map(|store| store.for_another_worker());
        Self { memory: self.memory.clone(), store, signer: self.signer.clone() }
    }

    /// Connects to the store ahead of the first lookup. Waits at most as long as a lookup may take.
    pub async fn open(&self) {
        if let Some(store) = &self.store {
            store.open().await;
        }
    }

    /// Whether neither tier exists.
    pub fn is_off(&self) -> bool {
        self.memory.is_none() && self.store.is_none()
    }

    pub fn has_store(&self) -> bool {
        self.store.is_some()
    }

    /// Takes less than a microsecond.
    pub fn get_in_memory(&self, key: &CacheKey) -> Option<Bytes> {
        self.memory.as_ref()?.get(key)
    }

    pub fn keep_in_memory(&self, key: &CacheKey, value: &Bytes) {
        if let Some(memory) = &self.memory {
            memory.put(key.clone(), value.clone());
        }
    }

    /// Looks up entries in the store within its deadline, one result per key. Without a store, all are misses. A value that does not
    /// belong to its key is [corrupt](Lookup::Corrupt).
    pub async fn lookup(&self, keys: &[&CacheKey]) -> Vec<Lookup> {
        let Some(store) = self.store.as_ref().filter(|_| !keys.is_empty()) else {
            return keys.iter().map(|_| Lookup::Miss).collect();
        };
        let mut of_another_key = false;
        let mut found = store.lookup(keys).await;
        for (lookup, key) in found.iter_mut().zip(keys) {
            let Lookup::Hit(stored, tier) = lookup else { continue };
            *lookup = match self.signer.verify(key, std::mem::take(stored)) {
                Ok(value) => Lookup::Hit(value, *tier),
                Err(unsigned) => {
                    of_another_key |= unsigned == Unsigned::Wrong;
                    Lookup::Corrupt
                }
            };
        }
        if of_another_key {
            store.distrust();
        }
        found
    }

    /// Keeps entries in this process, and writes them to the store within its deadline and `time_left`.
    ///
    /// # Errors
    ///
    /// The reason why the entries were not written to the store. It has already been logged.
    pub async fn store(&self, entries: &[(CacheKey, Bytes)], time_left: Option<Duration>) -> Result<(), Fault> {
        entries.iter().for_each(|(key, value)| self.keep_in_memory(key, value));
        let Some(store) = &self.store else { return Ok(()) };
        let signed: Vec<_> = entries.iter().map(|(key, value)| (key, self.signer.sign(key, value))).collect();
        store.store(&signed, time_left).await
    }

    /// What the memory holds. `None` without a cache in memory.
    pub fn memory_usage(&self) -> Option<MemoryUsage> {
        self.memory.as_ref().map(MemoryCache::usage)
    }

    /// Which store there is, if any.
    pub fn store_tier(&self) -> Option<Tier> {
        self.store.as_ref().map(|store| store.tier())
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
