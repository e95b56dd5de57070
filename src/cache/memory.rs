//! The cache in this process.

use bytes::Bytes;
use quick_cache::sync::Cache;

use super::{CacheKey, Lookup, Tier};

/// A cache of at most so many entries. It needs no time to live: a prediction is a function of the model and its input,
/// both are in the key, and the process ends before the model changes.
pub struct MemoryCache(Cache<CacheKey, Bytes>);

impl MemoryCache {
    /// An empty cache. Beyond `entries` it evicts what is asked for least (S3-FIFO).
    pub fn new(entries: usize) -> Self {
        Self(Cache::new(entries))
    }

    pub(super) fn get(&self, key: &CacheKey) -> Lookup {
        self.0.get(key).map_or(Lookup::Miss, |value| Lookup::Hit(value, Tier::Memory))
    }

    pub(super) fn put(&self, key: CacheKey, value: Bytes) {
        self.0.insert(key, value);
    }
}
