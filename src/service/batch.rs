//! Many inputs in one request: one lookup, batched runs of the model for what is missing, one write.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    Answer, CacheOutcome, CachePolicy, NoPrediction, PredictionService, Served, Tally,
    afterwards::New,
    costs::Plan,
    flights::{Flight, Joined, Lead},
    scope::Scope,
};
use crate::{
    cache::{CacheKey, Fault, Lookup, Tenant, Tier},
    model::{Input, ModelError},
};

/// So many inputs are run together first. The next run has twice as many, or half as many if this one
const FIRST_RUN: usize = 16;
/// took longer than this: meanwhile, nobody else is answered.
const LONG_RUN: Duration = Duration::from_millis(5);

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
    pub async fn predict_many(
        &self,
        prediction: usize,
        inputs: &[Input],
        policy: CachePolicy,
        tenant: Option<&Tenant>,
    ) -> Answer {
        let scope = self.scope(tenant);
        let (mut items, order) = self.distinct(prediction, inputs, policy, &scope);
        let mut served = Served::new(CacheOutcome::Bypass);
        served.is_many = true;
        let mut plan = Plan::LookUp;
        if policy.read && !scope.is_off {
            let start = Instant::now();
            plan = self.look_up_many(prediction, &mut items, policy.only_if_cached).await;
            served.cache_start = Some(start);
            served.cache_time = Some(start.elapsed());
        }
        served.tally = Tally::default();
        items.iter().for_each(|item| served.tally.add(item.outcome, item.times));
        served.outcome = summary(&items, served.tally);
        if policy.only_if_cached && items.iter().any(|item| item.body.is_none()) {
            return Answer { body: Err(NoPrediction::NotCached), served };
        }
        let leads = policy.store && !scope.is_off;
        let run = match self.compute_missing(prediction, &mut items, leads).await {
            Ok(run) => run,
            Err(error) => return Answer { body: Err(NoPrediction::Failed(error)), served },
        };
        if run.inputs > 0 {
            served.model_start = run.start;
            served.model_time = Some(run.time);
            served.runs = run.inputs;
        }
        if leads && !run.new.entries.is_empty() {
            match plan {
                Plan::LookUp => served.write = Some(self.store_later(run.new)),
                Plan::Compute(probe) => served.probe = self.keep_later(prediction, run.new, probe),
            }
        }
        let bodies = order.into_iter().map(|item| items[item].body.as_ref().expect("looked up or computed"));
        Answer { body: Ok(array(bodies)), served }
    }

    /// The distinct inputs, and for each input which of them it is.
    fn distinct<'a>(
        &self,
        prediction: usize,
        inputs: &'a [Input],
        policy: CachePolicy,
        scope: &Scope<'_>,
    ) -> (Vec<Item<'a>>, Vec<usize>) {
        let name = self.model.predictions()[prediction].name();
        let outcome = match policy.read {
            true if scope.is_off => CacheOutcome::Off,
            true => CacheOutcome::Miss,
            false => CacheOutcome::Bypass,
        };
        let mut items: Vec<Item<'a>> = Vec::with_capacity(inputs.len());
        let mut positions = HashMap::with_capacity(inputs.len());
        let order = inputs.iter().map(|input| {
            let key = scope.keys.key(name, input);
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

    /// Looks in memory, and then in Redis for all that is not there, if that pays or must be. What was planned for these.
    async fn look_up_many(&self, prediction: usize, items: &mut [Item<'_>], must: bool) -> Plan {
        for item in &mut *items {
            item.body = self.cache.get_here(&item.key).and_then(|entry| self.read(prediction, &entry));
            if item.body.is_some() {
                item.outcome = CacheOutcome::Hit(Tier::Memory);
            }
        }
        // What another request computes is not looked up.
        let is_looked_up =
            |item: &&mut Item<'_>| item.body.is_none() && (must || self.runs.under_way(&item.key).is_none());
        let mut missing: Vec<_> = items.iter_mut().filter(is_looked_up).collect();
        if missing.is_empty() || self.cache.redis.is_none() {
            return Plan::LookUp;
        }
        let judge = &self.judges[prediction];
        if !must && let plan @ Plan::Compute(_) = judge.plan_many(missing.len()) {
            missing.iter_mut().for_each(|item| item.outcome = CacheOutcome::Cost);
            return plan;
        }
        let keys: Vec<_> = missing.iter().map(|item| &item.key).collect();
        let watch = self.run_time.watch();
        let found = self.cache.get_many(&keys).await;
        let took = self.run_time.since(&watch);
        // Where Redis was not asked, nothing was spent or learnt.
        let asked = found.iter().any(|lookup| !matches!(lookup, Lookup::Unavailable(Fault::Paused)));
        for (item, lookup) in missing.iter_mut().zip(found) {
            item.outcome = match lookup {
                Lookup::Hit(entry, tier) => {
                    item.body = self.read(prediction, &entry);
                    if item.body.is_some() {
                        self.cache.put_here(&item.key, &entry);
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
        if asked {
            judge.looked_up(took, missing.iter().map(|item| (&item.key, item.body.is_some())));
        }
        Plan::LookUp
    }

    /// Computes what has no answer yet, except for what another request computes already. Whether others may wait for it: `leads`.
    async fn compute_missing(&self, prediction: usize, items: &mut [Item<'_>], leads: bool) -> Result<Run, ModelError> {
        let mut run = Run::default();
        loop {
            let (mut ours, mut theirs): (Vec<_>, Vec<(&mut Item<'_>, Flight<Bytes>)>) = (Vec::new(), Vec::new());
            for item in items.iter_mut().filter(|item| item.body.is_none()) {
                match leads.then(|| self.runs.join(&item.key)) {
                    None => ours.push((item, None)),
                    Some(Joined::Lead(lead)) => ours.push((item, Some(lead))),
                    Some(Joined::Follow(flight)) => theirs.push((item, flight)),
                }
            }
            if ours.is_empty() && theirs.is_empty() {
                return Ok(run);
            }
            self.compute(prediction, ours, &mut run).await?;
            for (item, flight) in theirs {
                // If whoever computes it fails or is cancelled, we do in the next round.
                let Some(entry) = flight.landed().await else { continue };
                item.body = Some(match self.read(prediction, &entry) {
                    Some(body) => body,
                    None => self.run(prediction, item.input)?.1,
                });
            }
        }
    }

    /// Runs the model for these, and gives each answer to those who wait for it.
    async fn compute(&self, prediction: usize, items: Vec<Ours<'_, '_>>, run: &mut Run) -> Result<(), ModelError> {
        let (mut items, mut size) = (items.into_iter().peekable(), FIRST_RUN);
        while items.peek().is_some() {
            let part: Vec<_> = items.by_ref().take(size).collect();
            let start = Instant::now();
            run.start.get_or_insert(start);
            let outputs = self.model.run_many(&part.iter().map(|(item, _)| item.input).collect::<Vec<_>>())?;
            for ((item, lead), output) in part.into_iter().zip(outputs) {
                let (entry, body) = self.derive(prediction, &output)?;
                item.body = Some(body);
                if let Some(entry) = entry {
                    if let Some(lead) = lead {
                        lead.land(entry.clone());
                        run.new.leads.push(lead);
                    }
                    run.new.entries.push((item.key.clone(), entry));
                }
                run.inputs += 1;
            }
            let time = start.elapsed();
            self.run_time.add(time);
            run.time += time;
            size = if time < LONG_RUN { size * 2 } else { (size / 2).max(1) };
            tokio::task::yield_now().await;
        }
        if run.inputs > 1 {
            self.judges[prediction].ran_many(run.time, run.inputs);
        }
        Ok(())
    }
}

/// An input that this request computes, for everybody who waits for it if it leads.
type Ours<'i, 'm> = (&'m mut Item<'i>, Option<Lead<Bytes>>);

/// What was computed.
#[derive(Default)]
struct Run {
    inputs: usize,
    start: Option<Instant>,
    time: Duration,
    new: New,
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
