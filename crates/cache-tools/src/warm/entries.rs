//! Stores the entries of inputs in Redis, as the service would.

use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use model_package::{EntryContent, Explained, Input};
use prediction_cache::{CacheKey, Fault, KeySpace, Layout, Lookup, PredictionCache, Tenant, redis::RedisStore};

use crate::{Model, Target, WarmOptions, entry_content, nodes::with_tool_timeouts};

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
    /// Those of contributions, if they are stored: in the form of [`Layout::String`] in every layout.
    contribution_keys: Option<KeySpace>,
    content: EntryContent,
    renew: bool,
}

/// What an entry is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// The position of the prediction.
    Prediction(usize),
    Contributions,
}

impl Entries {
    pub(super) fn new(target: &Target, tenant: Option<&Tenant>, options: &WarmOptions) -> Result<Self, Fault> {
        let redis = RedisStore::new(with_tool_timeouts(target.redis.clone()))?;
        let keys = |layout| {
            let keys = KeySpace::new(&target.namespace, layout, target.fingerprint(target.layout));
            tenant.map_or(keys.clone(), |tenant| keys.of_tenant(tenant))
        };
        Ok(Self {
            model: Arc::clone(&target.model),
            cache: PredictionCache::new(None, Some(Box::new(redis))).signed_by(target.signer.clone()),
            keys: keys(target.layout),
            contribution_keys: options.explain.then(|| keys(Layout::String)),
            content: entry_content(target.layout),
            renew: options.renew,
        })
    }

    /// The number of entries of one input.
    pub(super) fn per_input(&self) -> usize {
        self.content.entries_per_input(self.model.signature()) + usize::from(self.contribution_keys.is_some())
    }

    /// The keys of an input.
    fn keys<'a>(&'a self, input: &'a Input) -> impl Iterator<Item = (CacheKey, Of)> + 'a {
        let signature = self.model.signature();
        let predictions = signature.predictions()[..self.content.entries_per_input(signature)].iter().enumerate();
        let predictions = predictions
            .map(move |(position, prediction)| (self.keys.key(prediction.name(), input), Of::Prediction(position)));
        let contributions = self.contribution_keys.as_ref().zip(signature.contributions());
        predictions.chain(contributions.map(move |(keys, of)| (keys.key(&of.name, input), Of::Contributions)))
    }

    /// Whether the service answers from this entry.
    fn is_valid(&self, of: Of, entry: &Bytes) -> bool {
        let signature = self.model.signature();
        match of {
            Of::Prediction(position) => self.content.read_stored(signature, position, entry).is_some(),
            Of::Contributions => Explained::from_entry(entry, signature.fields().len()).is_some(),
        }
    }

    /// Runs the model for these entries of an input. Entries that it fails for are left out.
    fn compute(&self, input: &Input, missing: Vec<(CacheKey, Of)>) -> Vec<(CacheKey, Bytes)> {
        let signature = self.model.signature();
        let has_predictions = missing.iter().any(|(_, of)| *of != Of::Contributions);
        let output = if has_predictions { self.model.run(input).ok() } else { None };
        let output = output.filter(|output| self.content.may_store(signature, output));
        let entry = |of| match of {
            Of::Prediction(position) => self.content.write(signature, position, output.as_ref()?).ok()?.0,
            Of::Contributions => self.model.explain(input).ok()?.to_entry(),
        };
        missing.into_iter().filter_map(|(key, of)| Some((key, entry(of)?))).collect()
    }

    /// Stores every prediction of these inputs byte for byte as the service would: the model runs for each input separately.
    pub(super) async fn store(&self, inputs: &[Input]) -> Result<WarmResult, Fault> {
        let mut result = WarmResult::default();
        // The position of the input and what the entry is about, by key.
        let mut positions = HashMap::with_capacity(inputs.len() * self.per_input());
        for (position, input) in inputs.iter().enumerate() {
            for (key, of) in self.keys(input) {
                if let Entry::Vacant(new) = positions.entry(key) {
                    new.insert((position, of));
                }
            }
        }
        let keys: Vec<_> = positions.keys().cloned().collect();
        let start = Instant::now();
        let found = self.cache.lookup(&keys.iter().collect::<Vec<_>>()).await;
        result.cache_time += start.elapsed();
        for (key, lookup) in keys.into_iter().zip(found) {
            let (position, of) = positions[&key];
            match lookup {
                Lookup::Hit(entry, _) if !self.renew && self.is_valid(of, &entry) => {
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
        positions.into_iter().for_each(|(key, (position, of))| missing[position].push((key, of)));
        let mut entries = Vec::new();
        for (position, missing) in missing.into_iter().enumerate().filter(|(_, missing)| !missing.is_empty()) {
            let expected = entries.len() + missing.len();
            entries.extend(self.compute(&inputs[position], missing));
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
