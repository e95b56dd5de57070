//! Inputs → entries in Redis, as the service would store them.

use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    sync::Arc,
    time::{Duration, Instant},
};

use model_package::{Input, Stored};
use prediction_cache::{Fault, KeySpace, Lookup, PredictionCache, Tenant, redis::RedisStore};

use crate::{Model, Subject, nodes::patient, stored};

/// The outcome for some inputs.
#[derive(Debug, Default)]
pub(super) struct Warmed {
    /// The number of entries stored.
    pub(super) stored: usize,
    /// The number of entries that existed before.
    pub(super) present: usize,
    /// The positions of the inputs that the model could not answer.
    pub(super) failed: Vec<usize>,
    /// The positions of the inputs under whose keys another program has put a value that cannot be overwritten.
    pub(super) blocked: BTreeSet<usize>,
    /// The time spent waiting for Redis.
    pub(super) cache_time: Duration,
}

/// The entries of a service, without its requests.
pub(super) struct Entries {
    model: Arc<dyn Model>,
    cache: PredictionCache,
    keys: KeySpace,
    stored: Stored,
    renew: bool,
}

impl Entries {
    /// The entries of `tenant`, where each has its own. With `renew`, existing entries are stored again.
    pub(super) fn new(subject: &Subject, tenant: Option<&Tenant>, renew: bool) -> Result<Self, Fault> {
        let redis = RedisStore::new(patient(subject.redis.clone()))?;
        let keys = KeySpace::new(&subject.namespace, subject.layout, subject.fingerprint(subject.layout));
        Ok(Self {
            model: Arc::clone(&subject.model),
            cache: PredictionCache::new(None, Some(Box::new(redis))),
            keys: tenant.map_or(keys.clone(), |tenant| keys.of_tenant(tenant)),
            stored: stored(subject.layout),
            renew,
        })
    }

    /// The number of entries of one input.
    pub(super) fn per_input(&self) -> usize {
        self.stored.entries_per_input(self.model.signature())
    }

    /// Stores every prediction of these inputs as the service would, byte for byte: the model runs for each input alone.
    pub(super) async fn store(&self, inputs: &[Input]) -> Result<Warmed, Fault> {
        let (signature, columns) = (self.model.signature(), self.model.output_columns());
        let mut warmed = Warmed::default();
        let names = signature.predictions()[..self.per_input()].iter().map(|prediction| prediction.name());
        // Key → which input and which prediction it is.
        let mut wanted = HashMap::with_capacity(inputs.len() * self.per_input());
        for (position, input) in inputs.iter().enumerate() {
            for (prediction, name) in names.clone().enumerate() {
                if let Entry::Vacant(new) = wanted.entry(self.keys.key(name, input)) {
                    new.insert((position, prediction));
                }
            }
        }
        let keys: Vec<_> = wanted.keys().cloned().collect();
        let start = Instant::now();
        let found = self.cache.lookup(&keys.iter().collect::<Vec<_>>()).await;
        warmed.cache_time += start.elapsed();
        for (key, lookup) in keys.into_iter().zip(found) {
            let (position, prediction) = wanted[&key];
            match lookup {
                Lookup::Hit(entry, _)
                    if !self.renew && self.stored.read(signature, columns, prediction, &entry).is_some() =>
                {
                    warmed.present += 1;
                    wanted.remove(&key);
                }
                // A String is overwritten, but nothing else becomes a Hash.
                Lookup::Foreign if key.field().is_some() => {
                    warmed.blocked.insert(position);
                    wanted.remove(&key);
                }
                Lookup::Unavailable(fault) => return Err(fault),
                Lookup::Hit(..) | Lookup::Miss | Lookup::Foreign => {}
            }
        }
        let mut missing: Vec<Vec<_>> = vec![Vec::new(); inputs.len()];
        wanted.into_iter().for_each(|(key, (position, prediction))| missing[position].push((key, prediction)));
        let mut entries = Vec::new();
        for (position, missing) in missing.into_iter().enumerate().filter(|(_, missing)| !missing.is_empty()) {
            let expected = entries.len() + missing.len();
            if let Ok(output) = self.model.run(&inputs[position]) {
                entries.extend(missing.into_iter().filter_map(|(key, prediction)| {
                    let (entry, _) = self.stored.write(signature, prediction, &output).ok()?;
                    Some((key, entry?))
                }));
            }
            if entries.len() < expected {
                warmed.failed.push(position);
            }
        }
        if !entries.is_empty() {
            let start = Instant::now();
            self.cache.store(&entries, None).await?;
            warmed.cache_time += start.elapsed();
            warmed.stored = entries.len();
        }
        Ok(warmed)
    }

    pub(super) fn close(&self) {
        self.cache.close();
    }
}
