//! What is done with new predictions after the response.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use bytes::Bytes;
use prediction_cache::{CacheKey, Fault, Lookup};
use tokio::time::timeout;

use super::{
    CacheProbe, CacheWrite, PredictionService,
    flights::Lead,
    strategy::{Probe, is_sample},
};
use crate::after_response;

/// What a request has computed.
#[derive(Default)]
pub(super) struct New {
    pub(super) entries: Vec<(CacheKey, Bytes)>,
    /// Until these are dropped, the runs are under way.
    pub(super) leads: Vec<Lead<Bytes>>,
}

impl PredictionService {
    /// Stores entries. What is returned is there when that has ended.
    pub(super) fn store_later(&self, New { entries, leads }: New) -> Arc<OnceLock<CacheWrite>> {
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

    /// Keeps entries in memory, and looks them up in Redis as planned; of many, the samples. What is returned is there when that has
    /// ended.
    pub(super) fn keep_later(&self, prediction: usize, new: New, probe: Probe) -> Option<Arc<OnceLock<CacheProbe>>> {
        let New { mut entries, leads } = new;
        let are_many = entries.len() > 1;
        let is_probed = move |(key, _): &(CacheKey, Bytes)| probe != Probe::No && (!are_many || is_sample(key));
        let taken: Option<Arc<OnceLock<CacheProbe>>> = entries.iter().any(is_probed).then(Arc::default);
        let (cache, judges, done) = (Arc::clone(&self.cache), Arc::clone(&self.judges), taken.clone());
        let run_time = Arc::clone(&self.run_time);
        after_response::defer(move |time_left| async move {
            let _leads = leads;
            entries.iter().for_each(|(key, entry)| cache.keep_in_memory(key, entry));
            entries.retain(is_probed);
            let Some(done) = done else { return };
            let (start, watch) = (Instant::now(), run_time.watch());
            let keys: Vec<_> = entries.iter().map(|(key, _)| key).collect();
            let looking = timeout(time_left.unwrap_or(Duration::MAX), cache.lookup(&keys));
            // An invocation that ends first says nothing about Redis.
            let Ok(found) = looking.await else { return };
            let took = run_time.since(&watch);
            done.get_or_init(|| CacheProbe { start, time: took.time });
            if found.iter().any(|lookup| !matches!(lookup, Lookup::Unavailable(Fault::Paused))) {
                let hits = found.iter().map(|lookup| matches!(lookup, Lookup::Hit(..)));
                judges[prediction].looked_up(took, keys.into_iter().zip(hits));
            }
            let mut lookups = found.iter();
            entries.retain(|_| matches!(lookups.next(), Some(Lookup::Miss)));
            if probe == Probe::LookUpAndStore && !entries.is_empty() {
                // The log has why it was not stored; the next sample finds out.
                let _ = cache.store(&entries, time_left.map(|left| left.saturating_sub(took.time))).await;
            }
        });
        taken
    }
}
