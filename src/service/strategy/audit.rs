//! Under `lookup_first`: warns once if lookups cost more time than they save.

use std::sync::Once;

/// The number of lookups per verdict.
const WINDOW: usize = 1_000;

/// One warning per process: a loss on one prediction is reason enough.
static WARNED: Once = Once::new();

/// The cost and the hits of the lookups in the current window. Times are in seconds.
#[derive(Debug, Default)]
pub(super) struct Audit {
    lookups: usize,
    hits: usize,
    cost: f64,
    has_warned: bool,
}

impl Audit {
    /// Records a lookup of `keys` keys. A hit saves a run of the model, which takes `model`: 0 if not yet known.
    pub(super) fn record(&mut self, time: f64, keys: usize, hits: usize, model: f64) {
        self.lookups += keys;
        self.hits += hits;
        self.cost += time;
        if self.lookups < WINDOW {
            return;
        }
        let Self { lookups, hits, cost, has_warned } = *self;
        let saved = hits as f64 * model;
        let is_loss = model > 0.0 && cost > saved;
        if is_loss {
            WARNED.call_once(|| {
                let [lookup_ms, saved_ms] = [cost, saved].map(|seconds| (seconds * 1e4).round() / 10.0);
                tracing::warn!(
                    lookups,
                    hits,
                    lookup_ms,
                    saved_ms,
                    "cache lookups take longer than running the model; CACHE_STRATEGY=auto looks up only where it pays"
                );
            });
        }
        *self = Self { has_warned: has_warned || is_loss, ..Self::default() };
    }

    #[cfg(test)]
    pub(super) fn has_warned(&self) -> bool {
        self.has_warned
    }
}
