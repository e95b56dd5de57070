//! Predicts the benefit of more memory, as far as possible without knowing future inputs.

use serde::Serialize;

use super::{
    super::{
        Target,
        format::{approximate, bytes, percent},
        sample::KeyKind,
    },
    NodeReport, SampleReport, Stats,
};
use prediction_cache::Layout;

/// Above this share of its limit, a server counts as full.
const FULL: f64 = 0.98;

/// If at least this share of the keys are the service's entries, the mean memory of all keys stands for that of an entry.
const NEARLY_ALL: f64 = 0.95;

/// With fewer keys, the server's own memory distorts the size of an entry.
const ENOUGH_KEYS: u64 = 10_000;

/// 100 MiB.
const STEP: f64 = 104_857_600.0;

#[derive(Clone, Debug, Serialize)]
pub(super) struct MemoryForecast {
    /// The mean size of an entry. `None` without entries.
    pub(super) entry_bytes: Option<f64>,
    /// Whether `entry_bytes` includes a share of Redis's key tables, which `MEMORY USAGE` excludes.
    pub(super) with_tables: bool,
    /// Whether a node is full or evicting.
    pub(super) is_full: bool,
    /// The number of entries that fit into the free memory. `None` without a limit.
    pub(super) entries_that_fit: Option<u64>,
    /// The number of entries that fit into each additional 100 MiB.
    pub(super) entries_per_100_mib: Option<u64>,
    /// An upper bound of the hit ratio with unlimited memory: an evicted entry has caused at most one miss, or in a Hash one for each
    /// prediction. `None` if nothing was evicted.
    pub(super) hit_ratio_at_most: Option<f64>,
    /// The forecast in a sentence.
    pub(super) summary: String,
    /// How `entry_bytes` was determined.
    pub(super) basis: &'static str,
}

impl MemoryForecast {
    pub(super) fn of(
        target: &Target,
        nodes: &[NodeReport],
        total: &Stats,
        sample: Option<&SampleReport>,
        used_by_keys: u64,
    ) -> Self {
        let foreign = sample.and_then(|sample| sample.kind(KeyKind::Foreign)).map_or(0, |kind| kind.sampled);
        let ours = sample.map_or(0.0, |sample| 1.0 - foreign as f64 / sample.keys.max(1) as f64);
        let with_tables = ours >= NEARLY_ALL && total.keys >= ENOUGH_KEYS;
        let weighed = sample.and_then(|sample| sample.kind(KeyKind::Current)).and_then(|kind| kind.mean_bytes);
        let entry_bytes = if with_tables { Some(used_by_keys as f64 / total.keys as f64) } else { weighed };
        let is_full = nodes
            .iter()
            .any(|node| node.stats.fullness().is_some_and(|share| share >= FULL) || node.stats.recent.evicted > 0);
        let limited = nodes.iter().all(|node| node.stats.maxmemory_bytes > 0);
        let free = nodes.iter().map(|node| node.stats.maxmemory_bytes.saturating_sub(node.stats.used_memory_bytes));
        let free: u64 = free.sum();
        let hit_ratio_at_most = (total.evicted > 0 && total.hits + total.misses > 0).then(|| {
            let misses_per_eviction = match target.layout {
                Layout::Hash => target.model.signature().predictions().len() as u64,
                Layout::String | Layout::Output => 1,
            };
            let avoided = total.misses.min(total.evicted.saturating_mul(misses_per_eviction));
            (total.hits + avoided) as f64 / (total.hits + total.misses) as f64
        });
        let fit = |memory: f64| entry_bytes.map(|entry| (memory / entry) as u64);
        let mut forecast = Self {
            entry_bytes: entry_bytes.map(|bytes| (bytes * 10.0).round() / 10.0),
            with_tables,
            is_full,
            entries_that_fit: fit(free as f64).filter(|_| limited).map(|fit| if is_full { 0 } else { fit }),
            entries_per_100_mib: fit(STEP),
            hit_ratio_at_most,
            summary: String::new(),
            basis: match (entry_bytes, with_tables) {
                (None, _) => "this Redis has no entries of this model, so their size is unknown",
                (Some(_), true) => "entry size: memory of all keys, divided by their number",
                (Some(_), false) => "entry size: MEMORY USAGE, without a share of the key tables",
            },
        };
        forecast.summary = forecast.summarise(limited, free);
        forecast
    }

    fn summarise(&self, limited: bool, free: u64) -> String {
        let (Some(entry), Some(step)) = (self.entry_bytes, self.entries_per_100_mib) else {
            return "unknown".to_owned();
        };
        let at_most = if self.with_tables { "about" } else { "at most" };
        let each =
            format!("each additional 100 MiB hold {at_most} {} entries of {entry:.0} bytes", approximate(step as f64));
        match (self.hit_ratio_at_most, limited, self.is_full) {
            (Some(most), _, full) => {
                let now = if full { "; Redis is full now" } else { "" };
                format!("hit ratio at most {} without evictions{now}; {each}", percent(most))
            }
            (None, false, _) => format!("maxmemory is not set; {each}"),
            (None, true, true) => format!("Redis is full; {each}"),
            (None, true, false) => {
                let fit = approximate(self.entries_that_fit.unwrap_or_default() as f64);
                format!(
                    "not needed yet: {at_most} {fit} more entries of {entry:.0} bytes fit into the free {}",
                    bytes(free)
                )
            }
        }
    }
}
