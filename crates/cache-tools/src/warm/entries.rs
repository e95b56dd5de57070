//! Stores the entries of inputs in Redis, as the service would.

use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    sync::Arc,
    time::{Duration, Instant},
};

use model_package::{EntryContent, Input};
use prediction_cache::{Fault, KeySpace, Lookup, PredictionCache, Tenant, redis::RedisStore};

use crate::{Model, Target, entry_content, nodes::with_tool_timeouts};

/// The outcome for some inputs.
#[derive(Debug, Default)]
pub(super) struct WarmResult {
    /// The number of entries stored.
    pub(super) stored: usize,
    /// The number of entries that already existed.
    pub(super) present: usize,
    /// The positions of the inputs for which the model failed.
    pub(super) failed: Vec<usize>,
    /// The positions of the inputs whose keys hold another program's value that cannot be overwritten.
    pub(super) blocked: BTreeSet<usize>,
    /// The time spent waiting for Redis.
    pub(super) cache_time: Duration,
}

/// Looks up, computes and stores entries.
pub(super) struct Entries {
    model: Arc<dyn Model>,
    cache: PredictionCache,
    keys: KeySpace,
    content: EntryContent,
    renew: bool,
}

impl Entries {
    /// With `renew`, existing entries are stored again.
    pub(super) fn new(target: &Target, tenant: Option<&Tenant>, renew: bool) -> Result<Self, Fault> {
        let redis = RedisStore::new(with_tool_timeouts(target.redis.clone()))?;
        let keys = KeySpace::new(&target.namespace, target.layout, target.fingerprint(target.layout));
        Ok(Self {
            model: Arc::clone(&target.model),
            cache: PredictionCache::new(None, Some(Box::new(redis))).signed_by(target.signer.clone()),
            keys: tenant.map_or(keys.clone(), |tenant| keys.of_tenant(tenant)),
            content: entry_content(target.layout),
            renew,
        })
    }

    /// The number of entries of one input.
    pub(super) fn per_input(&self) -> usize {
        self.content.entries_per_input(self.model.signature())
    }

    /// Stores every prediction of these inputs byte for byte as the service would: the model runs for each input separately.
    pub(super) async fn store(&self, inputs: &[Input]) -> Result<WarmResult, Fault> {
        let signature = self.model.signature();
        let mut result = WarmResult::default();
        let names = signature.predictions()[..self.per_input()].iter().map(|prediction| prediction.name());
        // The positions of the input and of the prediction, by key.
        let mut positions = HashMap::with_capacity(inputs.len() * self.per_input());
        for (position, input) in inputs.iter().enumerate() {
            for (prediction, name) in names.clone().enumerate() {
                if let Entry::Vacant(new) = positions.entry(self.keys.key(name, input)) {
                    new.insert((position, prediction));
                }
            }
        }
        let keys: Vec<_> = positions.keys().cloned().collect();
        let start = Instant::now();
        let found = self.cache.lookup(&keys.iter().collect::<Vec<_>>()).await;
        result.cache_time += start.elapsed();
        for (key, lookup) in keys.into_iter().zip(found) {
            let (position, prediction) = positions[&key];
            match lookup {
                Lookup::Hit(entry, _)
                    if !self.renew && self.content.read_stored(signature, prediction, &entry).is_some() =>
                {
                    result.present += 1;
                    positions.remove(&key);
                }
                // `SET` overwrites any type; `HSET` fails unless the key holds a Hash.
                Lookup::Foreign if key.field().is_some() => {
                    result.blocked.insert(position);
                    positions.remove(&key);
                }
                Lookup::Unavailable(fault) => return Err(fault),
                Lookup::Hit(..) | Lookup::Miss | Lookup::Corrupt | Lookup::Foreign => {}
            }
        }
        let mut missing: Vec<Vec<_>> = vec![Vec::new(); inputs.len()];
        positions.into_iter().for_each(|(key, (position, prediction))| missing[position].push((key, prediction)));
        let mut entries = Vec::new();
        for (position, missing) in missing.into_iter().enumerate().filter(|(_, missing)| !missing.is_empty()) {
            let expected = entries.len() + missing.len();
            let output = self.model.run(&inputs[position]).ok();
            if let Some(output) = output.filter(|output| self.content.may_store(signature, output)) {
                entries.extend(missing.into_iter().filter_map(|(key, prediction)| {
                    let (entry, _) = self.content.write(signature, prediction, &output).ok()?;
                    Some((key, entry?))
                }));
            }
            if entries.len() < expected {
                result.failed.push(position);
            }
        }
        if !entries.is_empty() {
            let start = Instant::now();
            self.cache.store(&entries, None).await?;
            result.cache_time += start.elapsed();
            result.stored = entries.len();
        }
        Ok(result)
    }

    pub(super) fn close(&self) {
        self.cache.close();
    }
}
