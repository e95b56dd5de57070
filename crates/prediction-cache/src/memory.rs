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
pub struct MemoryCache {
    cache: Arc<Cache<CacheKey, Bytes, Shares>>,
    limits: Shares,
}

/// What the cache holds, and its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryUsage {
    pub entries: u64,
    pub max_entries: u64,
    /// Estimated from a thousand entries if there are more.
    pub bytes: u64,
    pub max_bytes: u64,
}

/// Weighs an entry by the larger of its two shares: of the entries, and of the bytes. If the weights are within the capacity, so are both
/// sums; once they reach it, at least one of the limits is more than half used.
///
/// A share is in units of 1 / (`entries` × `bytes`), which makes both shares whole numbers.
#[derive(Clone, Copy)]
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
        let cache = Cache::with_options(options, shares, DefaultHashBuilder::default(), lifecycle);
        Self { cache: Arc::new(cache), limits: shares }
    }

    pub fn get(&self, key: &CacheKey) -> Option<Bytes> {
        self.cache.get(key)
    }

    pub fn put(&self, key: CacheKey, value: Bytes) {
        self.cache.insert(key, value);
    }

    /// What it holds now. Takes time for at most a thousand entries.
    pub fn usage(&self) -> MemoryUsage {
        const SAMPLE: usize = 1_000;
        let entries = self.cache.len() as u64;
        let (count, bytes) = self
            .cache
            .iter()
            .take(SAMPLE)
            .fold((0, 0), |(count, bytes), (key, value)| (count + 1, bytes + size(&key, &value)));
        let Shares { entries: max_entries, bytes: max_bytes } = self.limits;
        // Sampled entries may be evicted meanwhile, and others added.
        let bytes = if entries > count && count > 0 { bytes * entries / count } else { bytes };
        MemoryUsage { entries, max_entries, bytes: bytes.min(max_bytes), max_bytes }
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
        cache.cache.iter().map(|(key, value)| size(&key, &value)).sum()
    }

    #[test]
    fn it_never_exceeds_its_number_of_entries() {
        for entries in [1, 10, 1000] {
            let cache = MemoryCache::new(entries, 1 << 26);
            for n in 0..3 * entries {
                cache.put(keys().key("decision", n), Bytes::from_static(b"ACCEPT"));
                assert!(cache.cache.len() <= entries);
            }
            assert!(cache.cache.len() * 10 >= entries * 9, "{} of {entries} are used", cache.cache.len());
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
            assert!(size_of(&cache) <= BYTES && cache.cache.len() <= 100);
        }
        let used = (size_of(&cache) as f64 / BYTES as f64).max(cache.cache.len() as f64 / 100.0);
        assert!(used > 0.45, "{used}");
    }

    #[test]
    fn its_usage_is_exact_up_to_a_thousand_entries_and_close_beyond() {
        let cache = MemoryCache::new(100_000, 1 << 26);
        let empty = MemoryUsage { entries: 0, max_entries: 100_000, bytes: 0, max_bytes: 1 << 26 };
        assert_eq!(cache.usage(), empty);
        for n in 0..1_000 {
            cache.put(keys().key("decision", n), vec![0; n % 100].into());
        }
        assert_eq!((cache.usage().entries, cache.usage().bytes), (1_000, size_of(&cache)));
        for n in 1_000..20_000 {
            cache.put(keys().key("decision", n), vec![0; n % 100].into());
        }
        let ratio = cache.usage().bytes as f64 / size_of(&cache) as f64;
        assert!(cache.usage().entries == 20_000 && (0.9..1.1).contains(&ratio), "{ratio}");
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
