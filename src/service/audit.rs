//! Whether looking up first pays, where it is always done: the log says once if it does not.

/// Over how many lookups that is judged.
const WINDOW: u32 = 1_000;

/// What the last lookups have cost and saved. Times are in seconds.
#[derive(Debug, Default)]
pub(super) struct Audit {
    lookups: u32,
    hits: u32,
    cost: f64,
    has_warned: bool,
}

impl Audit {
    /// Notes a lookup. A hit saves a run of the model, which takes `model`; 0 if that is not known yet.
    pub(super) fn note(&mut self, time: f64, is_hit: bool, model: f64) {
        self.lookups += 1;
        self.hits += u32::from(is_hit);
        self.cost += time;
        if self.lookups < WINDOW {
            return;
        }
        let Self { lookups, hits, cost, has_warned } = *self;
        let saved = f64::from(hits) * model;
        let is_loss = model > 0.0 && cost > saved;
        if is_loss && !has_warned {
            let [lookup_ms, saved_ms] = [cost, saved].map(|seconds| (seconds * 1e4).round() / 10.0);
            tracing::warn!(
                lookups,
                hits,
                lookup_ms,
                saved_ms,
                "looking up predictions in Redis takes longer than computing them; CACHE_STRATEGY=auto looks up only where it pays"
            );
        }
        *self = Self { has_warned: has_warned || is_loss, ..Self::default() };
    }

    #[cfg(test)]
    pub(super) fn has_warned(&self) -> bool {
        self.has_warned
    }
}
