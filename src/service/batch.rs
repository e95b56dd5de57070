//! Many inputs in one request: one lookup, one run of the model for what is missing, one write.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    Answer, CacheOutcome, CachePolicy, CacheWrite, NoPrediction, PredictionService, Served, Tally,
    flights::{Flight, Joined, Lead},
};
use crate::{
    after_response,
    cache::{CacheKey, Lookup, Tier},
    model::{Input, ModelError},
};

/// One of a request's distinct inputs.
struct Item<'a> {
    input: &'a Input,
    key: CacheKey,
    /// How often the request has it.
    times: usize,
    outcome: CacheOutcome,
    body: Option<Bytes>,
}

impl PredictionService {
    /// Answers a prediction for each of many inputs, in their order, as [`predict`](Self::predict) does for one.
    ///
    /// Equal inputs are looked up and computed once. What another request is computing is waited for.
    pub async fn predict_many(&self, prediction: usize, inputs: &[Input], policy: CachePolicy) -> Answer {
        let (mut items, order) = self.distinct(prediction, inputs, policy);
        let mut served = Served::new(CacheOutcome::Bypass);
        served.is_many = true;
        if policy.read && !self.cache.is_off() {
            let start = Instant::now();
            self.look_up_many(prediction, &mut items).await;
            served.cache_time = Some(start.elapsed());
        }
        served.tally = Tally::default();
        items.iter().for_each(|item| served.tally.add(item.outcome, item.times));
        served.outcome = summary(&items, served.tally);
        if policy.only_if_cached && items.iter().any(|item| item.body.is_none()) {
            return Answer { body: Err(NoPrediction::NotCached), served };
        }
        let store = policy.store && !self.cache.is_off();
        let run = match self.compute_missing(prediction, &mut items, store).await {
            Ok(run) => run,
            Err(error) => return Answer { body: Err(NoPrediction::Failed(error)), served },
        };
        served.model_time = run.time;
        served.runs = run.inputs;
        if !run.entries.is_empty() {
            served.write = Some(self.store_all_later(run.entries, run.leads));
        }
        let bodies = order.into_iter().map(|item| items[item].body.as_ref().expect("looked up or computed"));
        Answer { body: Ok(array(bodies)), served }
    }

    /// The distinct inputs, and for each input which of them it is.
    fn distinct<'a>(&self, prediction: usize, inputs: &'a [Input], policy: CachePolicy) -> (Vec<Item<'a>>, Vec<usize>) {
        let name = self.model.predictions()[prediction].name();
        let outcome = match policy.read {
            true if self.cache.is_off() => CacheOutcome::Off,
            true => CacheOutcome::Miss,
            false => CacheOutcome::Bypass,
        };
        let mut items: Vec<Item<'a>> = Vec::with_capacity(inputs.len());
        let mut positions = HashMap::with_capacity(inputs.len());
        let order = inputs.iter().map(|input| {
            let key = self.keys.key(name, input);
            match positions.entry(key.clone()) {
                Entry::Occupied(position) => {
                    let position: usize = *position.get();
                    items[position].times += 1;
                    position
                }
                Entry::Vacant(new) => {
                    items.push(Item { input, key, times: 1, outcome, body: None });
                    *new.insert(items.len() - 1)
                }
            }
        });
        let order = order.collect();
        (items, order)
    }

    /// Looks in memory, and then in Redis for all that is not there.
    async fn look_up_many(&self, prediction: usize, items: &mut [Item<'_>]) {
        for item in &mut *items {
            item.body = self.cache.get_here(&item.key).and_then(|entry| self.read(prediction, &entry));
            if item.body.is_some() {
                item.outcome = CacheOutcome::Hit(Tier::Memory);
            }
        }
        if self.cache.redis.is_none() {
            return;
        }
        let mut missing: Vec<_> = items.iter_mut().filter(|item| item.body.is_none()).collect();
        let keys: Vec<_> = missing.iter().map(|item| &item.key).collect();
        let found = self.cache.get_many(&keys).await;
        for (item, lookup) in missing.iter_mut().zip(found) {
            item.outcome = match lookup {
                Lookup::Hit(entry, tier) => {
                    item.body = self.read(prediction, &entry);
                    if item.body.is_some() {
                        self.cache.put_here(item.key.clone(), entry);
                        CacheOutcome::Hit(tier)
                    } else {
                        CacheOutcome::Corrupt
                    }
                }
                Lookup::Foreign => CacheOutcome::Corrupt,
                Lookup::Miss => CacheOutcome::Miss,
                Lookup::Unavailable(_) => CacheOutcome::Unavailable,
            };
        }
    }

    /// Computes what has no answer yet: here in one run, except for what another request computes already.
    async fn compute_missing(&self, prediction: usize, items: &mut [Item<'_>], store: bool) -> Result<Run, ModelError> {
        let (mut ours, mut theirs): (Vec<_>, Vec<(&mut Item<'_>, Flight<Bytes>)>) = (Vec::new(), Vec::new());
        for item in items.iter_mut().filter(|item| item.body.is_none()) {
            match store.then(|| self.runs.join(&item.key)) {
                None => ours.push((item, None)),
                Some(Joined::Lead(lead)) => ours.push((item, Some(lead))),
                Some(Joined::Follow(flight)) => theirs.push((item, flight)),
            }
        }
        let mut run = Run::default();
        if !ours.is_empty() {
            let start = Instant::now();
            let inputs: Vec<_> = ours.iter().map(|(item, _)| item.input).collect();
            let outputs = self.model.run_many(&inputs)?;
            for ((item, lead), output) in ours.into_iter().zip(outputs) {
                let (entry, body) = self.derive(prediction, &output)?;
                item.body = Some(body);
                if let (Some(lead), Some(entry)) = (lead, entry) {
                    lead.land(entry.clone());
                    run.entries.push((item.key.clone(), entry));
                    run.leads.push(lead);
                }
                run.inputs += 1;
            }
            run.time = Some(start.elapsed());
        }
        for (item, flight) in theirs {
            let joined = flight.landed().await.and_then(|entry| self.read(prediction, &entry));
            item.body = Some(match joined {
                Some(body) => body,
                // Whoever computed it has failed or was cancelled.
                None => self.run(prediction, item.input)?.1,
            });
        }
        Ok(run)
    }

    /// Stores entries after the response. Until that has ended, their runs are under way.
    fn store_all_later(&self, entries: Vec<(CacheKey, Bytes)>, leads: Vec<Lead<Bytes>>) -> Arc<OnceLock<CacheWrite>> {
        let write = Arc::new(OnceLock::new());
        let (cache, done) = (Arc::clone(&self.cache), Arc::clone(&write));
        after_response::defer(move |time_left| async move {
            let start = Instant::now();
            let stored = cache.put(&entries, time_left).await.is_ok();
            done.get_or_init(|| CacheWrite { time: start.elapsed(), stored });
            drop(leads);
        });
        write
    }
}

/// What was computed.
#[derive(Default)]
struct Run {
    inputs: usize,
    time: Option<Duration>,
    entries: Vec<(CacheKey, Bytes)>,
    leads: Vec<Lead<Bytes>>,
}

/// The outcome of the whole: that of all inputs, or the gravest of those that are no hits.
fn summary(items: &[Item<'_>], tally: Tally) -> CacheOutcome {
    let any = |outcome| items.iter().any(|item| item.outcome == outcome);
    if tally.hits > 0 && tally.hits < tally.inputs() {
        CacheOutcome::Partial { hits: tally.hits, others: tally.inputs() - tally.hits }
    } else if any(CacheOutcome::Hit(Tier::Redis)) {
        CacheOutcome::Hit(Tier::Redis)
    } else if any(CacheOutcome::Unavailable) {
        CacheOutcome::Unavailable
    } else if any(CacheOutcome::Miss) {
        CacheOutcome::Miss
    } else {
        items.first().map_or(CacheOutcome::Miss, |item| item.outcome)
    }
}

/// Objects → a JSON array of them.
fn array<'a>(objects: impl ExactSizeIterator<Item = &'a Bytes>) -> Bytes {
    let mut text = Vec::with_capacity(32 * objects.len() + 2);
    text.push(b'[');
    for (position, object) in objects.enumerate() {
        if position > 0 {
            text.push(b',');
        }
        text.extend_from_slice(object);
    }
    text.push(b']');
    text.into()
}
