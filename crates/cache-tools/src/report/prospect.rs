//! What more memory would bring: as much as can be said without knowing which inputs will come.

use serde::Serialize;

use super::{
    super::{
        Subject,
        sample::Kind,
        words::{about, bytes, percent},
    },
    Figures, NodeReport, SampleReport,
};
use prediction_cache::Layout;

/// From this share of its limit on, Redis counts as full.
const FULL: f64 = 0.98;

/// From this share of the keys on, what the keys use is what ours use.
const NEARLY_ALL: f64 = 0.95;

/// With fewer keys, what the server itself uses is too large a part of what is in use.
const ENOUGH_KEYS: u64 = 10_000;

/// What 100 MiB are, for a rule of thumb.
const STEP: f64 = 104_857_600.0;

/// What more memory would bring.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Prospect {
    /// How much an entry takes. `None` if there are none to tell.
    pub(super) entry_bytes: Option<f64>,
    /// Whether that includes its share of the tables of keys, which `MEMORY USAGE` does not.
    pub(super) with_tables: bool,
    /// Whether there is no room left.
    pub(super) is_full: bool,
    /// How many entries fit into what is left. `None` without a limit.
    pub(super) entries_that_fit: Option<u64>,
    /// How many more fit into each 100 MiB more.
    pub(super) entries_per_100_mib: Option<u64>,
    /// What the hit ratio could have been with any amount of memory, at most: an evicted entry can have caused one miss, or in a Hash
    /// one for each prediction. `None` if nothing was evicted.
    pub(super) hit_ratio_at_most: Option<f64>,
    /// The same in a sentence.
    pub(super) summary: String,
    /// What the size of an entry is based on.
    pub(super) basis: &'static str,
}

impl Prospect {
    pub(super) fn of(
        subject: &Subject,
        nodes: &[NodeReport],
        total: &Figures,
        sample: Option<&SampleReport>,
        used_by_keys: u64,
    ) -> Self {
        let foreign = sample.and_then(|sample| sample.kind(Kind::Foreign)).map_or(0, |kind| kind.sampled);
        let ours = sample.map_or(0.0, |sample| 1.0 - foreign as f64 / sample.keys.max(1) as f64);
        let with_tables = ours >= NEARLY_ALL && total.keys >= ENOUGH_KEYS;
        let weighed = sample.and_then(|sample| sample.kind(Kind::Current)).and_then(|kind| kind.mean_bytes);
        let entry_bytes = if with_tables { Some(used_by_keys as f64 / total.keys as f64) } else { weighed };
        let is_full = nodes
            .iter()
            .any(|node| node.figures.fullness().is_some_and(|share| share >= FULL) || node.figures.recent.evicted > 0);
        let limited = nodes.iter().all(|node| node.figures.maxmemory_bytes > 0);
        let free = nodes.iter().map(|node| node.figures.maxmemory_bytes.saturating_sub(node.figures.used_memory_bytes));
        let free: u64 = free.sum();
        let hit_ratio_at_most = (total.evicted > 0 && total.hits + total.misses > 0).then(|| {
            let misses_of_each =
                if subject.layout == Layout::Hash { subject.model.signature().predictions().len() as u64 } else { 1 };
            let avoided = total.misses.min(total.evicted.saturating_mul(misses_of_each));
            (total.hits + avoided) as f64 / (total.hits + total.misses) as f64
        });
        let fit = |memory: f64| entry_bytes.map(|entry| (memory / entry) as u64);
        let mut prospect = Self {
            entry_bytes: entry_bytes.map(|bytes| (bytes * 10.0).round() / 10.0),
            with_tables,
            is_full,
            entries_that_fit: fit(free as f64).filter(|_| limited).map(|fit| if is_full { 0 } else { fit }),
            entries_per_100_mib: fit(STEP),
            hit_ratio_at_most,
            summary: String::new(),
            basis: match (entry_bytes, with_tables) {
                (None, _) => "there are no entries of this model to tell how large one is",
                (Some(_), true) => "the size of an entry is what all keys use, divided by their number",
                (Some(_), false) => "the size of an entry is MEMORY USAGE, without its share of the tables of keys",
            },
        };
        prospect.summary = prospect.summarise(limited, free);
        prospect
    }

    fn summarise(&self, limited: bool, free: u64) -> String {
        let (Some(entry), Some(step)) = (self.entry_bytes, self.entries_per_100_mib) else {
            return "unknown".to_owned();
        };
        let at_most = if self.with_tables { "about" } else { "at most" };
        let each = format!("each 100 MiB hold {at_most} {} entries of {entry:.0} bytes", about(step as f64));
        match (self.hit_ratio_at_most, limited, self.is_full) {
            (Some(most), _, full) => {
                let now = if full { "; Redis is full now" } else { "" };
                format!("a hit ratio of {} at most, if nothing had been evicted{now}; {each}", percent(most))
            }
            (None, false, _) => format!("there is no limit to raise; {each}"),
            (None, true, true) => format!("more entries: Redis is full; {each}"),
            (None, true, false) => {
                let fit = about(self.entries_that_fit.unwrap_or_default() as f64);
                format!(
                    "nothing yet: {at_most} {fit} more entries of {entry:.0} bytes fit into the free {}",
                    bytes(free)
                )
            }
        }
    }
}
