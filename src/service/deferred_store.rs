//! The work after the response: storing new predictions, or probing the store for them.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use bytes::Bytes;
use prediction_cache::{CacheKey, Fault, Lookup};
use tokio::time::timeout;

use super::{
    CacheProbe, CacheWrite, PredictionService, Question,
    flights::Lead,
    strategy::{Probe, is_sample},
};
use crate::after_response;

/// The entries that a request has computed.
#[derive(Default)]
pub(super) struct NewEntries {
    pub(super) entries: Vec<(CacheKey, Bytes)>,
    /// Held until the entries are stored: until then, other requests join these runs.
    pub(super) leads: Vec<Lead<Bytes>>,
}

impl PredictionService {
    /// Stores entries after the response. The returned cell is filled when the write ends.
    pub(super) fn defer_store(&self, NewEntries { entries, leads }: NewEntries) -> Arc<OnceLock<CacheWrite>> {
        let write = Arc::new(OnceLock::new());
        let (cache, done) = (Arc::clone(&self.cache), Arc::clone(&write));
        after_response::defer(move |time_left| async move {
            let start = Instant::now();
            let stored = cache.store(&entries, time_left).await.is_ok();
            done.get_or_init(|| CacheWrite { start, time: start.elapsed(), stored });
            drop(leads);
        });
        write
    }

    /// After the response, keeps entries in memory and looks them up in the store as planned; of several entries, only the samples.
    /// The returned cell is filled when the lookup ends.
    pub(super) fn defer_probe(
        &self,
        question: Question,
        new: NewEntries,
        probe: Probe,
    ) -> Option<Arc<OnceLock<CacheProbe>>> {
        let NewEntries { mut entries, leads } = new;
        let are_many = entries.len() > 1;
        let is_probed = move |(key, _): &(CacheKey, Bytes)| probe != Probe::No && (!are_many || is_sample(key));
        let result: Option<Arc<OnceLock<CacheProbe>>> = entries.iter().any(is_probed).then(Arc::default);
        let (cache, planners, done) = (Arc::clone(&self.cache), Arc::clone(&self.planners), result.clone());
        let (run_time, position) = (Arc::clone(&self.run_time), self.position(question));
        after_response::defer(move |time_left| async move {
            let _leads = leads;
            entries.iter().for_each(|(key, entry)| cache.keep_in_memory(key, entry));
            entries.retain(is_probed);
            let Some(done) = done else { return };
            let (start, stopwatch) = (Instant::now(), run_time.stopwatch());
            let keys: Vec<_> = entries.iter().map(|(key, _)| key).collect();
            let lookup = timeout(time_left.unwrap_or(Duration::MAX), cache.lookup(&keys));
            // A lookup that the end of the invocation interrupts says nothing about the store.
            let Ok(found) = lookup.await else { return };
            let time = run_time.since(&stopwatch);
            done.get_or_init(|| CacheProbe { start, time: time.total });
            if found.iter().any(|lookup| !matches!(lookup, Lookup::Unavailable(Fault::Paused))) {
                let hits = found.iter().map(|lookup| matches!(lookup, Lookup::Hit(..)));
                planners[position].record_lookup(time, keys.into_iter().zip(hits));
            }
            let mut lookups = found.iter();
            entries.retain(|_| matches!(lookups.next(), Some(Lookup::Miss | Lookup::Corrupt)));
            if probe == Probe::LookUpAndStore && !entries.is_empty() {
                // The cache logs why a write failed; the next sample tries again.
                let _ = cache.store(&entries, time_left.map(|left| left.saturating_sub(time.total))).await;
            }
        });
        result
    }
}
