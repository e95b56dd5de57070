//! The in-process cache.

use std::sync::Arc;

use bytes::Bytes;
use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, UnitWeighter,
    sync::{Cache, DefaultLifecycle},
};

use crate::CacheKey;

/// A cache with a limited number of entries. Clones share them. Entries need no time to live: a prediction depends only on the model
/// and its input, both are in the key, and the process ends before the model changes.
#[derive(Clone)]
pub struct MemoryCache(Arc<Cache<CacheKey, Bytes>>);

impl MemoryCache {
    /// `entries` is the limit; beyond it, the least-used ones are evicted (S3-FIFO). Memory is allocated as the cache fills.
    pub fn new(entries: usize) -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(entries)
            .weight_capacity(entries as u64)
            // A function's only thread needs one shard, and querying the number of threads costs a cold start 0.2 ms.
            .shards(1)
            .build()
            .expect("both capacities are set");
        let lifecycle = DefaultLifecycle::default();
        Self(Arc::new(Cache::with_options(options, UnitWeighter, DefaultHashBuilder::default(), lifecycle)))
    }

    pub fn get(&self, key: &CacheKey) -> Option<Bytes> {
        self.0.get(key)
    }

    pub fn put(&self, key: CacheKey, value: Bytes) {
        self.0.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeySpace, Layout};

    #[test]
    fn it_never_exceeds_its_limit() {
        let keys = KeySpace::new(&Default::default(), Layout::String, "model");
        for entries in [1, 10, 1000] {
            let cache = MemoryCache::new(entries);
            for n in 0..3 * entries {
                cache.put(keys.key("decision", n), Bytes::from_static(b"ACCEPT"));
                assert!(cache.0.len() <= entries);
            }
            assert!(cache.0.len() * 10 >= entries * 9, "{} of {entries} are used", cache.0.len());
        }
    }
}
