//! Replays requests in caches of several sizes: the caches that the service has in memory.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use model_package::Input;
use prediction_cache::{CacheKey, MAX_MEMORY_CACHE_BYTES, MemoryCache};

use super::{
    Service,
    report::{LookupTimes, RequestsReport, Saving, Size},
};
use crate::{ToolError, rows::Rows};

/// The numbers of entries that are tried, if there are more distinct inputs.
const SIZES: [usize; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];

/// The inputs that are kept, for runs of the model.
const KEPT_INPUTS: usize = 300;

/// Requests in their order, each as the position of its key.
#[derive(Default)]
pub(super) struct Requests {
    positions: Vec<u32>,
    keys: Vec<CacheKey>,
    inputs: Vec<Input>,
    invalid: u64,
}

impl Requests {
    pub(super) async fn read(file: &str, service: &Service) -> Result<Self, ToolError> {
        const BATCH: usize = 1_000;
        let mut rows = Rows::open(file, 1, BATCH, Arc::clone(&service.model))?;
        let mut requests = Self::default();
        let mut known: HashMap<CacheKey, u32> = HashMap::new();
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            requests.invalid += batch.problems.len() as u64;
            for input in batch.inputs {
                let new = requests.keys.len() as u32;
                let position = match known.entry(service.key(&input)) {
                    Entry::Occupied(position) => *position.get(),
                    Entry::Vacant(vacant) => {
                        requests.keys.push(vacant.key().clone());
                        if requests.inputs.len() < KEPT_INPUTS {
                            requests.inputs.push(input);
                        }
                        *vacant.insert(new)
                    }
                };
                requests.positions.push(position);
            }
        }
        if requests.positions.is_empty() {
            let problem = "has no valid input; `predict-once check` lists the model's fields".to_owned();
            return Err(ToolError::File { file: file.to_owned(), problem });
        }
        Ok(requests)
    }

    /// The first distinct inputs.
    pub(super) fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    pub(super) fn replayed(
        self,
        service: &Service,
        lookups: &LookupTimes,
        saving: impl Fn(f64, f64) -> Saving,
    ) -> RequestsReport {
        let (all, distinct) = (self.positions.len(), self.keys.len());
        let entry = entry(service, &self.inputs);
        let smaller = SIZES.into_iter().filter(|entries| *entries < distinct);
        let sizes = smaller.map(Some).chain([None]).map(|limit| {
            // Without evictions if it has room for twice as many.
            let cache = MemoryCache::new(limit.unwrap_or(2 * distinct), MAX_MEMORY_CACHE_BYTES);
            let hit_ratio = self.hits(&cache, &entry) as f64 / all as f64;
            let bytes = cache.usage().bytes;
            Size { entries: limit.unwrap_or(distinct), bytes, hit_ratio, saved: saving(hit_ratio, lookups.memory_ms) }
        });
        let sizes: Vec<_> = sizes.collect();
        let repeated = 1.0 - distinct as f64 / all as f64;
        RequestsReport {
            valid: all as u64,
            invalid: self.invalid,
            distinct: distinct as u64,
            repeated,
            memory: sizes,
            redis: saving(repeated, lookups.redis.ms),
        }
    }

    /// The number of requests that the cache answers, starting empty.
    fn hits(&self, cache: &MemoryCache, entry: &Bytes) -> usize {
        let is_hit = |position: &&u32| {
            let key = &self.keys[**position as usize];
            let is_hit = cache.get(key).is_some();
            if !is_hit {
                cache.put(key.clone(), entry.clone());
            }
            is_hit
        };
        self.positions.iter().filter(is_hit).count()
    }
}

/// An entry of the model's first prediction, whose size stands for all.
fn entry(service: &Service, inputs: &[Input]) -> Bytes {
    let written = inputs.iter().find_map(|input| {
        let output = service.model.run(input).ok()?;
        service.content.write(service.model.signature(), 0, &output).ok()?.0
    });
    written.unwrap_or_default()
}

/// The mean time of a lookup of these inputs in memory, the making of the key included.
pub(super) fn lookup_time(service: &Service, inputs: &[Input]) -> Duration {
    const TIMES: usize = 10_000;
    let cache = MemoryCache::new(TIMES, MAX_MEMORY_CACHE_BYTES);
    let entry = entry(service, inputs);
    inputs.iter().for_each(|input| cache.put(service.key(input), entry.clone()));
    let start = Instant::now();
    let hits = inputs.iter().cycle().take(TIMES).filter(|input| cache.get(&service.key(input)).is_some()).count();
    start.elapsed() / hits.max(1) as u32
}
