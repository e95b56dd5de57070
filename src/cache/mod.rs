//! The prediction cache. It knows keys and bytes, and nothing of what is predicted.
//!
//! A cache can be slow, full, or gone; none of that is an error to a caller. A lookup that the cache did not answer is
//! [`Lookup::Unavailable`], which the caller treats as a miss with a name.

mod breaker;
mod connection;
mod iam;
mod key;
mod memory;
mod redis;
mod reply_log;

use std::time::Duration;

use bytes::Bytes;

pub use self::{
    connection::RedisConfig,
    iam::{IamError, IamTokens},
    key::{CacheKey, KeySpace, Namespace},
    memory::MemoryCache,
    redis::{Fault, RedisCache},
};

/// Where predictions are kept.
#[allow(clippy::large_enum_variant, reason = "there is one of these in a process")]
pub enum PredictionCache {
    /// Nowhere.
    Off,
    /// In this process, bounded by entries.
    Memory(MemoryCache),
    /// In Redis, shared by every process that asks it.
    Redis(RedisCache),
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
#[derive(Debug)]
pub enum Lookup {
    /// An entry, and where.
    Hit(Bytes, Tier),
    /// No entry.
    Miss,
    /// Something under this key that is no entry of ours, such as another Redis type.
    Foreign,
    /// The cache did not answer in time, or not with an answer.
    Unavailable(Fault),
    /// There is no cache.
    Off,
}

impl PredictionCache {
    /// Looks up an entry, within the cache's own deadline.
    pub async fn get(&self, key: &CacheKey) -> Lookup {
        match self {
            Self::Off => Lookup::Off,
            Self::Memory(memory) => memory.get(key),
            Self::Redis(redis) => redis.get(key).await,
        }
    }

    /// Whether [`Self::put`] stores anything.
    pub fn stores(&self) -> bool {
        !matches!(self, Self::Off)
    }

    /// Stores an entry, within the cache's own deadline and at most `time_left`.
    ///
    /// # Errors
    ///
    /// Says why it was not stored; the log has it already.
    pub async fn put(&self, key: CacheKey, value: Bytes, time_left: Option<Duration>) -> Result<(), Fault> {
        match self {
            Self::Off => Ok(()),
            Self::Memory(memory) => {
                memory.put(key, value);
                Ok(())
            }
            Self::Redis(redis) => redis.put(&key, &value, time_left).await,
        }
    }

    /// Closes what is open. A later request opens it again.
    pub fn close(&self) {
        if let Self::Redis(redis) = self {
            redis.close();
        }
    }
}
