//! Predictions computed before anybody asks for them.

use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    time::{Duration, Instant},
};

use super::PredictionService;
use crate::{
    cache::{Fault, Layout, Lookup, Tenant},
    model::Input,
};

/// What came of warming the cache with some inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Warmed {
    /// How many entries were stored.
    pub stored: usize,
    /// How many were there already.
    pub present: usize,
    /// The positions of the inputs that the model could not answer.
    pub failed: Vec<usize>,
    /// The positions of the inputs under whose keys another program has put a value that cannot be overwritten.
    pub blocked: BTreeSet<usize>,
    /// How long the cache took.
    pub cache_time: Duration,
}

impl PredictionService {
    /// How many entries an input has: one for each prediction, or one in all.
    pub fn entries_per_input(&self) -> usize {
        match self.keys.layout() {
            Layout::String | Layout::Hash => self.model.predictions().len(),
            Layout::Output => 1,
        }
    }

    /// Stores every prediction of these inputs as answering a tenant's requests for them would, byte for byte: the model runs for each input
    /// alone. Entries that are there already are left as they are, unless they are to be `renew`ed.
    ///
    /// # Errors
    ///
    /// If the cache does not answer.
    pub async fn warm(&self, inputs: &[Input], renew: bool, tenant: Option<&Tenant>) -> Result<Warmed, Fault> {
        let mut warmed = Warmed::default();
        let keys = self.scope(tenant).keys;
        let names = self.model.predictions()[..self.entries_per_input()].iter().map(|prediction| prediction.name());
        // Key → which input and which prediction it is.
        let mut wanted = HashMap::with_capacity(inputs.len() * self.entries_per_input());
        for (position, input) in inputs.iter().enumerate() {
            for (prediction, name) in names.clone().enumerate() {
                if let Entry::Vacant(new) = wanted.entry(keys.key(name, input)) {
                    new.insert((position, prediction));
                }
            }
        }
        let keys: Vec<_> = wanted.keys().cloned().collect();
        let start = Instant::now();
        let found = self.cache.get_many(&keys.iter().collect::<Vec<_>>()).await;
        warmed.cache_time += start.elapsed();
        for (key, lookup) in keys.into_iter().zip(found) {
            let (position, prediction) = wanted[&key];
            match lookup {
                Lookup::Hit(entry, _) if !renew && self.read(prediction, &entry).is_some() => {
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
            let predictions = missing.len();
            let before = entries.len();
            if let Ok(output) = self.model.run(&inputs[position]) {
                entries.extend(missing.into_iter().filter_map(|(key, prediction)| {
                    let (entry, _) = self.derive(prediction, &output).ok()?;
                    Some((key, entry?))
                }));
            }
            if entries.len() < before + predictions {
                warmed.failed.push(position);
            }
        }
        if !entries.is_empty() {
            let start = Instant::now();
            self.cache.put(&entries, None).await?;
            warmed.cache_time += start.elapsed();
            warmed.stored = entries.len();
        }
        Ok(warmed)
    }
}
