//! The cache in this process.

use std::sync::Arc;

use bytes::Bytes;
use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, UnitWeighter,
    sync::{Cache, DefaultLifecycle},
};

use crate::CacheKey;

/// A cache with a limited number of entries. It needs no time to live: a prediction is a function of the model and its input,
/// both are in the key, and the process ends before the model changes. A clone is the same cache.
#[derive(Clone)]
pub struct MemoryCache(Arc<Cache<CacheKey, Bytes>>);

impl MemoryCache {
    /// An empty cache. Beyond `entries` it evicts the least-used ones (S3-FIFO). It grows as it fills.
    pub fn new(entries: usize) -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(entries)
            .weight_capacity(entries as u64)
            // A function's only thread needs one shard, and finding out how many threads there could be costs a cold start 0.2 ms.
            .shards(1)
            .build()
            .expect("both capacities are set");
        let lifecycle = DefaultLifecycle::default();
        Self(Arc::new(Cache::with_options(options, UnitWeighter, DefaultHashBuilder::default(), lifecycle)))
    }

    /// The entry under a key, if it is still kept.
    pub fn get(&self, key: &CacheKey) -> Option<Bytes> {
        self.0.get(key)
    }

    /// Keeps an entry.
    pub fn put(&self, key: CacheKey, value: Bytes) {
        self.0.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeySpace, Layout};

    #[test]
    fn it_never_holds_more_than_its_entries() {
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
