//! The in-process cache.

use std::sync::Arc;

use bytes::Bytes;
use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};

use crate::CacheKey;

/// What an entry takes beyond the bytes of its key and value, measured: its place in the table, which grows by doubling and remembers
/// half as many evicted keys, and the allocator's share of three allocations.
const OVERHEAD: u64 = 256;

/// The largest limit in bytes, 64 GiB, with which no sum of weights overflows.
pub const MAX_MEMORY_CACHE_BYTES: u64 = 1 << 36;

/// A cache with a limited number of entries, which also take a limited number of bytes. Clones share them. Entries need no time to live:
/// a prediction depends only on the model and its input, both are in the key, and the process ends before the model changes.
#[derive(Clone)]
pub struct MemoryCache(Arc<Cache<CacheKey, Bytes, Shares>>);

/// Weighs an entry by the larger of its two shares: of the entries, and of the bytes. If the weights are within the capacity, so are both
/// sums; once they reach it, at least one of the limits is more than half used.
///
/// A share is in units of 1 / (`entries` × `bytes`), which makes both shares whole numbers.
#[derive(Clone)]
struct Shares {
    entries: u64,
    bytes: u64,
}

impl Weighter<CacheKey, Bytes> for Shares {
    fn weight(&self, key: &CacheKey, value: &Bytes) -> u64 {
        (size(key, value) * self.entries).max(self.bytes)
    }
}

/// The memory that an entry takes, in bytes.
fn size(key: &CacheKey, value: &Bytes) -> u64 {
    OVERHEAD + (key.len() + value.len()) as u64
}

impl MemoryCache {
    /// `entries` limits their number, and `bytes`, at most [`MAX_MEMORY_CACHE_BYTES`], their memory; beyond either, the least-used ones
    /// are evicted (S3-FIFO). An entry that alone takes nearly all of `bytes` is not kept. Memory is allocated as the cache fills.
    pub fn new(entries: usize, bytes: u64) -> Self {
        let bytes = bytes.min(MAX_MEMORY_CACHE_BYTES);
        let shares = Shares { entries: entries as u64, bytes };
        // The cache remembers evicted keys in proportion to the entries that fit.
        let estimate = (bytes / OVERHEAD).clamp(1, shares.entries.max(1));
        let options = OptionsBuilder::new()
            .estimated_items_capacity(estimate as usize)
            .weight_capacity(shares.entries.saturating_mul(bytes))
            // By default, no entry may weigh more than 97 % of the capacity, and a single one weighs all of it.
            .hot_allocation(if entries == 1 { 1.0 } else { 0.97 })
            // A function's only thread needs one shard, and querying the number of threads costs a cold start 0.2 ms.
            .shards(1)
            .build()
            .expect("both capacities are set");
        let lifecycle = DefaultLifecycle::default();
        Self(Arc::new(Cache::with_options(options, shares, DefaultHashBuilder::default(), lifecycle)))
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

    fn keys() -> KeySpace {
        KeySpace::new(&Default::default(), Layout::String, "model")
    }

    /// The bytes that the entries take.
    fn size_of(cache: &MemoryCache) -> u64 {
        cache.0.iter().map(|(key, value)| size(&key, &value)).sum()
    }

    #[test]
    fn it_never_exceeds_its_number_of_entries() {
        for entries in [1, 10, 1000] {
            let cache = MemoryCache::new(entries, 1 << 26);
            for n in 0..3 * entries {
                cache.put(keys().key("decision", n), Bytes::from_static(b"ACCEPT"));
                assert!(cache.0.len() <= entries);
            }
            assert!(cache.0.len() * 10 >= entries * 9, "{} of {entries} are used", cache.0.len());
        }
    }

    #[test]
    fn it_never_exceeds_its_bytes() {
        const BYTES: u64 = 1 << 20;
        let keys = keys();
        for (length, entries) in [(0, 10_000_000), (100, 10_000), (10_000, 10_000), (100_000, 50)] {
            let cache = MemoryCache::new(entries, BYTES);
            for n in 0..3 * BYTES / (length as u64 + OVERHEAD) {
                cache.put(keys.key("probabilities", n), vec![0; length].into());
                // Adding up is slow.
                assert!(n % 50 > 0 || size_of(&cache) <= BYTES);
            }
            assert!(size_of(&cache) * 10 >= BYTES * 8, "{} of {BYTES} bytes are used", size_of(&cache));
        }
    }

    #[test]
    fn both_limits_hold_for_entries_of_very_different_sizes_and_one_is_at_least_half_used() {
        const BYTES: u64 = 1 << 20;
        let cache = MemoryCache::new(100, BYTES);
        for n in 0..10_000 {
            cache.put(keys().key("probabilities", n), vec![0; if n % 2 == 0 { 40_000 } else { 10 }].into());
            assert!(size_of(&cache) <= BYTES && cache.0.len() <= 100);
        }
        let used = (size_of(&cache) as f64 / BYTES as f64).max(cache.0.len() as f64 / 100.0);
        assert!(used > 0.45, "{used}");
    }

    #[test]
    fn an_entry_larger_than_the_cache_is_not_kept_and_evicts_nothing() {
        let cache = MemoryCache::new(10, 10_000);
        let (small, large) = (keys().key("decision", 1), keys().key("decision", 2));
        cache.put(small.clone(), Bytes::from_static(b"ACCEPT"));
        cache.put(large.clone(), vec![0; 20_000].into());
        assert!(cache.get(&small).is_some() && cache.get(&large).is_none());
    }
}
