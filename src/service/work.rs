//! The work of one request: its distinct inputs, from lookup to answer. A single input is the case n = 1.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::{Duration, Instant},
};

use bytes::Bytes;
use model_package::{Input, Inputs, ModelError};
use prediction_cache::{CacheKey, Fault, KeySpace, Lookup, Tier};

use super::{
    Answer, CacheOutcome, CachePolicy, NoPrediction, PredictionService, Served, Tally,
    deferred::NewEntries,
    flights::{Flight, Joined, Lead},
    strategy::Plan,
};

/// Batch size of the first model run. Each run doubles it for the next one, or halves it if the run took [`LONG_RUN`] or longer.
const FIRST_RUN: usize = 16;

/// A run blocks every other request on this thread, so keep runs below this.
const LONG_RUN: Duration = Duration::from_millis(5);

/// The result of a lookup in the store, for all requests that wait for it.
#[derive(Clone)]
pub(super) enum LookupResult {
    /// An entry, and the tier that held it.
    Hit(Bytes, Tier),
    /// No usable entry: the flight of the model run.
    Computing(CacheOutcome, Flight<Bytes>),
}

pub(super) struct Work<'a> {
    service: &'a PredictionService,
    prediction: usize,
    items: Vec<Item<'a>>,
    /// The position of each array input's item. `None` for a single input.
    order: Option<Vec<usize>>,
}

/// One of a request's distinct inputs.
struct Item<'a> {
    input: &'a Input,
    key: CacheKey,
    /// The number of inputs in the request that are equal to this one.
    times: usize,
    outcome: CacheOutcome,
    run: Run,
    body: Option<Bytes>,
}

/// The request that runs the model for an item.
enum Run {
    /// Undecided: this request, unless another one is already running it.
    Open,
    /// This request; others may wait for it.
    Lead(Lead<Bytes>),
    /// Another request.
    Follow(Flight<Bytes>),
    /// This request; no other waits for it, and the result is not stored.
    Alone,
}

impl From<Joined<Bytes>> for Run {
    fn from(joined: Joined<Bytes>) -> Self {
        match joined {
            Joined::Lead(lead) => Self::Lead(lead),
            Joined::Follow(flight) => Self::Follow(flight),
        }
    }
}

/// The model runs of a request.
#[derive(Default)]
struct Computed {
    inputs: usize,
    start: Option<Instant>,
    time: Duration,
    new: NewEntries,
    /// The time spent waiting for other requests' runs.
    waited: Option<Duration>,
}

impl<'a> Work<'a> {
    pub(super) fn new(service: &'a PredictionService, prediction: usize, inputs: &'a Inputs, keys: &KeySpace) -> Self {
        let name = service.model.signature().predictions()[prediction].name();
        let item = |input, key| Item { input, key, times: 1, outcome: CacheOutcome::Miss, run: Run::Open, body: None };
        let inputs = match inputs {
            Inputs::One(input) => {
                return Self { service, prediction, items: vec![item(input, keys.key(name, input))], order: None };
            }
            Inputs::Many(inputs) => inputs,
        };
        let mut items: Vec<Item<'a>> = Vec::with_capacity(inputs.len());
        let mut positions = HashMap::with_capacity(inputs.len());
        let order = inputs.iter().map(|input| {
            let key = keys.key(name, input);
            match positions.entry(key.clone()) {
                Entry::Occupied(position) => {
                    let position: usize = *position.get();
                    items[position].times += 1;
                    position
                }
                Entry::Vacant(new) => {
                    items.push(item(input, key));
                    *new.insert(items.len() - 1)
                }
            }
        });
        let order = Some(order.collect());
        Self { service, prediction, items, order }
    }

    /// Looks up the items, runs the model for the missing ones, and defers storing until after the response.
    pub(super) async fn answer(mut self, policy: CachePolicy, is_off: bool) -> Answer {
        let start = Instant::now();
        let mut plan = Plan::LookUp;
        if !policy.read {
            self.items.iter_mut().for_each(|item| item.outcome = CacheOutcome::Bypass);
        } else if is_off {
            self.items.iter_mut().for_each(|item| item.outcome = CacheOutcome::Off);
        } else if !self.look_in_memory() {
            plan = self.look_in_store(policy.only_if_cached).await;
        }
        let mut served = self.served(start);
        if policy.only_if_cached && !self.is_answered() {
            return Answer { body: Err(NoPrediction::NotCached), served };
        }
        if !self.is_answered() {
            let mut computed = match self.compute(policy.store && !is_off, policy.read).await {
                Ok(computed) => computed,
                Err(error) => return Answer { body: Err(NoPrediction::Failed(error)), served },
            };
            let new = std::mem::take(&mut computed.new);
            computed.record(&mut served);
            if !new.entries.is_empty() {
                match plan {
                    Plan::LookUp => served.write = Some(self.service.defer_store(new)),
                    Plan::Compute(probe) => served.probe = self.service.defer_probe(self.prediction, new, probe),
                }
            }
        }
        Answer { body: Ok(self.body()), served }
    }

    fn is_answered(&self) -> bool {
        self.items.iter().all(|item| item.body.is_some())
    }

    /// Looks in this process's memory. Returns whether all items were found.
    fn look_in_memory(&mut self) -> bool {
        for item in &mut self.items {
            let entry = self.service.cache.get_in_memory(&item.key);
            item.body = entry.and_then(|entry| self.service.read(self.prediction, &entry));
            if item.body.is_some() {
                item.outcome = CacheOutcome::Hit(Tier::Memory);
            }
        }
        self.is_answered()
    }

    /// Looks in the store for the items that are not in memory, if the plan is to do so or if `always`. Returns the plan.
    async fn look_in_store(&mut self, always: bool) -> Plan {
        let service = self.service;
        if !service.cache.has_store() {
            return Plan::LookUp;
        }
        if always {
            // Joins no flight: this request must not wait for a run.
            let missing: Vec<_> = self.items.iter_mut().filter(|item| item.body.is_none()).collect();
            let keys: Vec<_> = missing.iter().map(|item| &item.key).collect();
            let found = service.query_store(self.prediction, &keys).await;
            for (item, found) in missing.into_iter().zip(found) {
                match found {
                    Ok((_, body, tier)) => item.hit(body, tier),
                    Err(outcome) => item.outcome = outcome,
                }
            }
            return Plan::LookUp;
        }
        let missing = self.items.iter().filter(|item| item.body.is_none());
        let plan = service.planners[self.prediction].plan(missing.map(|item| &item.key));
        if let Plan::Compute(_) = plan {
            let missing = self.items.iter_mut().filter(|item| item.body.is_none());
            missing.for_each(|item| item.outcome = CacheOutcome::Cost);
            return plan;
        }
        while self.look_up_once().await {}
        plan
    }

    /// Joins lookups in progress, and makes all others in one round trip. Returns whether another request gave up a joined lookup, so
    /// that it must be repeated.
    async fn look_up_once(&mut self) -> bool {
        let (service, prediction) = (self.service, self.prediction);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for item in &mut self.items {
            if item.body.is_some() || !matches!(item.run, Run::Open) {
                continue;
            }
            if let Some(run) = service.runs.get(&item.key) {
                item.run = Run::Follow(run);
                continue;
            }
            match service.lookups.join(&item.key) {
                Joined::Lead(lead) => ours.push((item, lead)),
                Joined::Follow(lookup) => theirs.push((item, lookup)),
            }
        }
        let keys: Vec<_> = ours.iter().map(|(item, _)| &item.key).collect();
        let found = service.query_store(prediction, &keys).await;
        for ((item, lookup), found) in ours.into_iter().zip(found) {
            match found {
                Ok((entry, body, tier)) => {
                    lookup.complete(LookupResult::Hit(entry, tier));
                    item.hit(body, tier);
                }
                Err(outcome) => {
                    // Followers of the lookup get this run's flight here: the run may have left `runs` before they wake up.
                    let run = service.runs.join(&item.key);
                    lookup.complete(LookupResult::Computing(outcome, run.flight()));
                    (item.outcome, item.run) = (outcome, run.into());
                }
            }
        }
        let mut is_given_up = false;
        for (item, lookup) in theirs {
            match lookup.result().await {
                Some(LookupResult::Hit(entry, tier)) => match service.read(prediction, &entry) {
                    Some(body) => item.hit(body, tier),
                    None => (item.outcome, item.run) = (CacheOutcome::Corrupt, Run::Alone),
                },
                Some(LookupResult::Computing(outcome, run)) => (item.outcome, item.run) = (outcome, Run::Follow(run)),
                None => is_given_up = true,
            }
        }
        is_given_up
    }

    /// Runs the model for items without an answer, and waits for runs of other requests. If `leads`, other requests may wait for this
    /// one. A request that does not look up joins runs in progress, too.
    async fn compute(&mut self, leads: bool, looked_up: bool) -> Result<Computed, ModelError> {
        let service = self.service;
        let mut computed = Computed::default();
        loop {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for item in self.items.iter_mut().filter(|item| item.body.is_none()) {
                if let Run::Open = item.run {
                    item.run = match leads {
                        true => service.runs.join(&item.key).into(),
                        false if looked_up => Run::Alone,
                        false => service.runs.get(&item.key).map_or(Run::Alone, Run::Follow),
                    };
                }
                match std::mem::replace(&mut item.run, Run::Open) {
                    Run::Lead(lead) => ours.push((item, Some(lead))),
                    Run::Open | Run::Alone => ours.push((item, None)),
                    Run::Follow(run) => theirs.push((item, run)),
                }
            }
            if ours.is_empty() && theirs.is_empty() {
                return Ok(computed);
            }
            service.run(self.prediction, ours, &mut computed).await?;
            if theirs.is_empty() {
                return Ok(computed);
            }
            let start = Instant::now();
            for (item, run) in theirs {
                // If the leader gives up, this request leads in the next round, without another lookup.
                let Some(entry) = run.result().await else { continue };
                item.body = service.read(self.prediction, &entry);
                if item.body.is_none() {
                    item.run = Run::Alone;
                }
            }
            computed.waited = Some(computed.waited.unwrap_or_default() + start.elapsed());
        }
    }

    /// The report on the answer so far, before the model runs.
    fn served(&self, start: Instant) -> Served {
        let mut tally = Tally::default();
        self.items.iter().for_each(|item| tally.add(item.outcome, item.times));
        let outcome = self.outcome(tally);
        let looked_up = |outcome| !matches!(outcome, CacheOutcome::Bypass | CacheOutcome::Off | CacheOutcome::Cost);
        let looked_up = self.items.iter().any(|item| looked_up(item.outcome));
        let cache_time = looked_up.then(|| start.elapsed());
        Served { tally, is_many: self.order.is_some(), cache_start: Some(start), cache_time, ..Served::new(outcome) }
    }

    /// The outcome of all inputs together. A hit in the store takes precedence over one in memory, and `Unavailable` over `Miss`.
    fn outcome(&self, tally: Tally) -> CacheOutcome {
        if let [item] = &self.items[..] {
            return item.outcome;
        }
        if tally.hits > 0 && tally.hits < tally.inputs() {
            return CacheOutcome::Partial { hits: tally.hits, others: tally.inputs() - tally.hits };
        }
        let mut outcomes = self.items.iter().map(|item| item.outcome);
        let first = outcomes.clone().next().unwrap_or(CacheOutcome::Miss);
        let is_in_store = |outcome: &CacheOutcome| matches!(outcome, CacheOutcome::Hit(tier) if *tier != Tier::Memory);
        let worst = [CacheOutcome::Unavailable, CacheOutcome::Miss].into_iter();
        let worst = worst.filter(|outcome| self.items.iter().any(|item| item.outcome == *outcome)).next();
        outcomes.find(is_in_store).or(worst).unwrap_or(first)
    }

    /// The response's body: a JSON object, or an array of them.
    fn body(self) -> Bytes {
        let Self { items, order, .. } = self;
        let mut bodies: Vec<Bytes> = items.into_iter().map(|item| item.body.expect("looked up or computed")).collect();
        match order {
            None => bodies.swap_remove(0),
            Some(order) => array(order.iter().map(|position| &bodies[*position])),
        }
    }
}

impl Item<'_> {
    fn hit(&mut self, body: Bytes, tier: Tier) {
        (self.body, self.outcome) = (Some(body), CacheOutcome::Hit(tier));
    }
}

/// An entry, its response body, and the tier that held it; otherwise the outcome.
type Found = Result<(Bytes, Bytes, Tier), CacheOutcome>;

impl PredictionService {
    /// Looks in the store. Entries that are found are kept in memory, and the lookup's time is recorded.
    async fn query_store(&self, prediction: usize, keys: &[&CacheKey]) -> Vec<Found> {
        if keys.is_empty() {
            return Vec::new();
        }
        let stopwatch = self.run_time.stopwatch();
        let lookups = self.cache.lookup(keys).await;
        let time = self.run_time.since(&stopwatch);
        // While the circuit breaker is open, no lookup takes place, so its time says nothing.
        let was_queried = lookups.iter().any(|lookup| !matches!(lookup, Lookup::Unavailable(Fault::Paused)));
        let found = lookups.into_iter().zip(keys).map(|(lookup, key)| match lookup {
            Lookup::Hit(entry, tier) => match self.read(prediction, &entry) {
                Some(body) => {
                    self.cache.keep_in_memory(key, &entry);
                    Ok((entry, body, tier))
                }
                None => Err(CacheOutcome::Corrupt),
            },
            Lookup::Foreign => Err(CacheOutcome::Corrupt),
            Lookup::Miss => Err(CacheOutcome::Miss),
            Lookup::Unavailable(_) => Err(CacheOutcome::Unavailable),
        });
        let found: Vec<Found> = found.collect();
        if was_queried {
            self.planners[prediction].record_lookup(time, keys.iter().copied().zip(found.iter().map(Result::is_ok)));
        }
        found
    }

    /// Runs the model for `items` in batches, and gives each answer to its followers.
    async fn run(
        &self,
        prediction: usize,
        items: Vec<(&mut Item<'_>, Option<Lead<Bytes>>)>,
        computed: &mut Computed,
    ) -> Result<(), ModelError> {
        let (mut items, mut size) = (items.into_iter().peekable(), FIRST_RUN);
        let before = (computed.time, computed.inputs);
        while items.peek().is_some() {
            let batch: Vec<_> = items.by_ref().take(size).collect();
            let start = Instant::now();
            computed.start.get_or_insert(start);
            let outputs = self.model.run_many(&batch.iter().map(|(item, _)| item.input).collect::<Vec<_>>())?;
            for ((item, lead), output) in batch.into_iter().zip(outputs) {
                let (entry, body) = self.derive(prediction, &output)?;
                item.body = Some(body);
                if let (Some(lead), Some(entry)) = (lead, entry) {
                    lead.complete(entry.clone());
                    computed.new.leads.push(lead);
                    computed.new.entries.push((item.key.clone(), entry));
                }
                computed.inputs += 1;
            }
            let time = start.elapsed();
            self.run_time.add(time);
            computed.time += time;
            size = if time < LONG_RUN { size * 2 } else { (size / 2).max(1) };
            if items.peek().is_some() {
                tokio::task::yield_now().await;
            }
        }
        self.planners[prediction].record_runs(computed.time - before.0, computed.inputs - before.1);
        Ok(())
    }
}

impl Computed {
    fn record(self, served: &mut Served) {
        if self.inputs > 0 {
            served.model_start = self.start;
            served.model_time = Some(self.time);
            served.runs = self.inputs;
        }
        if let Some(waited) = self.waited {
            served.cache_time = Some(served.cache_time.unwrap_or_default() + waited);
        }
        served.collapsed = !served.is_many && self.inputs == 0;
    }
}

/// Joins JSON objects into an array.
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
