//! The prediction cache. It knows keys and bytes, but nothing about predictions.
//!
//! ```text
//! CacheKey ─► memory (this process) ─► redis ─► lookups, writes ─► link ─► connection ◄─ nodes (tools only)
//! ```
//!
//! A cache can be slow, full or unavailable; for the caller, none of that is an error. A lookup that the cache did not answer is
//! [`Lookup::Unavailable`], which the caller treats as a miss with a name.

mod breaker;
mod connection;
mod fault;
mod iam;
mod key;
mod layout;
mod link;
mod memory;
mod nodes;
mod parsed_key;
mod redis;
mod reply_log;
mod tenant;

use std::time::Duration;

use bytes::Bytes;

pub use self::{
    connection::RedisConfig,
    fault::Fault,
    iam::{IamError, IamTokens},
    key::{CacheKey, KeySpace, Namespace},
    layout::{Layout, UnknownLayout},
    memory::MemoryCache,
    nodes::{Node, RedisNodes},
    parsed_key::ParsedKey,
    redis::RedisCache,
    tenant::Tenant,
};

/// Where predictions are kept: in this process, in Redis, in both or nowhere.
///
/// An entry in memory cannot be stale: a prediction depends only on what is in its key.
#[derive(Default)]
pub struct PredictionCache {
    /// In this process, with a limited number of entries.
    pub memory: Option<MemoryCache>,
    /// In Redis, shared by every process that uses it.
    pub redis: Option<RedisCache>,
}

/// The tier that held an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// This process.
    Memory,
    /// Redis.
    Redis,
}

/// What a lookup found.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// An entry, and where.
    Hit(Bytes, Tier),
    /// No entry.
    Miss,
    /// The key holds something that is not an entry of ours, such as another Redis type.
    Foreign,
    /// The cache did not answer in time, or answered with an error.
    Unavailable(Fault),
}

impl PredictionCache {
    /// The same cache for another thread: the memory is shared, and the connections to Redis are its own.
    pub fn for_another_worker(&self) -> Self {
        Self { memory: self.memory.clone(), redis: self.redis.as_ref().map(RedisCache::for_another_worker) }
    }

    /// Connects to Redis, if there is one, so that the first lookup need not. Waits for that no longer than for a lookup.
    pub async fn open_ahead(&self) {
        if let Some(redis) = &self.redis {
            redis.open_ahead().await;
        }
    }

    /// Whether there is none.
    pub fn is_off(&self) -> bool {
        self.memory.is_none() && self.redis.is_none()
    }

    /// Looks up an entry in this process: in less than a microsecond.
    pub fn get_here(&self, key: &CacheKey) -> Option<Bytes> {
        self.memory.as_ref()?.get(key)
    }

    /// Looks up an entry in Redis, if there is one, within its deadline.
    pub async fn get(&self, key: &CacheKey) -> Lookup {
        match &self.redis {
            Some(redis) => redis.get(key).await,
            None => Lookup::Miss,
        }
    }

    /// Looks up many entries in Redis, if there is one, within its deadline.
    pub async fn get_many(&self, keys: &[&CacheKey]) -> Vec<Lookup> {
        match &self.redis {
            Some(redis) if !keys.is_empty() => redis.get_many(keys).await,
            _ => keys.iter().map(|_| Lookup::Miss).collect(),
        }
    }

    /// Keeps an entry in this process.
    pub fn put_here(&self, key: &CacheKey, value: &Bytes) {
        if let Some(memory) = &self.memory {
            memory.put(key.clone(), value.clone());
        }
    }

    /// Stores entries, in Redis within its deadline and at most `time_left`.
    ///
    /// # Errors
    ///
    /// Says why they were not stored, which has already been logged.
    pub async fn put(&self, entries: &[(CacheKey, Bytes)], time_left: Option<Duration>) -> Result<(), Fault> {
        entries.iter().for_each(|(key, value)| self.put_here(key, value));
        match &self.redis {
            Some(redis) => redis.put(entries, time_left).await,
            None => Ok(()),
        }
    }

    /// Whether Redis is only tried once per second, for `lookups` and for `writes`. `None` without Redis.
    pub fn breakers(&self) -> Option<[(&'static str, bool); 2]> {
        self.redis.as_ref().map(RedisCache::breakers)
    }

    /// Closes open connections. A later request opens them again.
    pub fn close(&self) {
        if let Some(redis) = &self.redis {
            redis.close();
        }
    }
}
