//! The work of one request: its distinct inputs, from lookup to answer. One input is the case of one.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::{Duration, Instant},
};

use bytes::Bytes;
use model_package::{Input, Inputs, ModelError};
use prediction_cache::{CacheKey, Fault, KeySpace, Lookup, Tier};

use super::{
    Answer, CacheOutcome, CachePolicy, NoPrediction, PredictionService, Served, Tally,
    afterwards::New,
    flights::{Flight, Joined, Lead},
    strategy::Plan,
};

/// The size of the first batch that the model runs. Each next batch is twice as large, or half as large if this one exceeded
/// [`LONG_RUN`].
const FIRST_RUN: usize = 16;

/// A run blocks every other request on this thread, so keep runs below this.
const LONG_RUN: Duration = Duration::from_millis(5);

/// The result of a lookup in the store, for every request that waits for it.
#[derive(Clone)]
pub(super) enum Looked {
    /// An entry, and the tier that held it.
    Hit(Bytes, Tier),
    /// No usable entry; the model runs.
    Runs(CacheOutcome, Flight<Bytes>),
}

/// The work of one request.
pub(super) struct Work<'a> {
    service: &'a PredictionService,
    prediction: usize,
    items: Vec<Item<'a>>,
    /// For each input of an array, its item. `None` for a single input.
    order: Option<Vec<usize>>,
}

/// One of a request's distinct inputs.
struct Item<'a> {
    input: &'a Input,
    key: CacheKey,
    /// The number of the request's inputs that are equal to this one.
    times: usize,
    outcome: CacheOutcome,
    run: Run,
    body: Option<Bytes>,
}

/// Who runs the model for an item.
enum Run {
    /// Undecided: this request, unless another has begun to.
    Open,
    /// This request, and others may wait for it.
    Lead(Lead<Bytes>),
    /// Another request.
    Follow(Flight<Bytes>),
    /// This request, and no other waits for it: the result is not stored.
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

/// What a request computed, and how long it took.
#[derive(Default)]
struct Computed {
    inputs: usize,
    start: Option<Instant>,
    time: Duration,
    new: New,
    /// The time spent waiting for other requests' runs, if any was waited for.
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

    /// Looks up, runs what is missing, and leaves the storing for after the response.
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
            computed.note(&mut served);
            if !new.entries.is_empty() {
                match plan {
                    Plan::LookUp => served.write = Some(self.service.store_later(new)),
                    Plan::Compute(probe) => served.probe = self.service.keep_later(self.prediction, new, probe),
                }
            }
        }
        Answer { body: Ok(self.body()), served }
    }

    fn is_answered(&self) -> bool {
        self.items.iter().all(|item| item.body.is_some())
    }

    /// Looks in this process. Whether everything was found.
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

    /// Looks in the store for what was not in memory, if that pays or `must` be. The plan for these.
    async fn look_in_store(&mut self, must: bool) -> Plan {
        let service = self.service;
        if !service.cache.has_store() {
            return Plan::LookUp;
        }
        if must {
            // For this request only: it must not wait for a run.
            let missing: Vec<_> = self.items.iter_mut().filter(|item| item.body.is_none()).collect();
            let keys: Vec<_> = missing.iter().map(|item| &item.key).collect();
            let found = service.ask_store(self.prediction, &keys).await;
            for (item, found) in missing.into_iter().zip(found) {
                match found {
                    Ok((_, body, tier)) => item.hit(body, tier),
                    Err(outcome) => item.outcome = outcome,
                }
            }
            return Plan::LookUp;
        }
        let missing = self.items.iter().filter(|item| item.body.is_none());
        let plan = service.judges[self.prediction].plan(missing.map(|item| &item.key));
        if let Plan::Compute(_) = plan {
            let missing = self.items.iter_mut().filter(|item| item.body.is_none());
            missing.for_each(|item| item.outcome = CacheOutcome::Cost);
            return plan;
        }
        while self.look_up_once().await {}
        plan
    }

    /// Joins the lookups under way, and makes the others in one round trip. Whether any of them was given up by the request that
    /// made it, so that it must be made again.
    async fn look_up_once(&mut self) -> bool {
        let (service, prediction) = (self.service, self.prediction);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for item in &mut self.items {
            if item.body.is_some() || !matches!(item.run, Run::Open) {
                continue;
            }
            if let Some(run) = service.runs.under_way(&item.key) {
                item.run = Run::Follow(run);
                continue;
            }
            match service.lookups.join(&item.key) {
                Joined::Lead(lead) => ours.push((item, lead)),
                Joined::Follow(lookup) => theirs.push((item, lookup)),
            }
        }
        let keys: Vec<_> = ours.iter().map(|(item, _)| &item.key).collect();
        let found = service.ask_store(prediction, &keys).await;
        for ((item, lookup), found) in ours.into_iter().zip(found) {
            match found {
                Ok((entry, body, tier)) => {
                    lookup.land(Looked::Hit(entry, tier));
                    item.hit(body, tier);
                }
                Err(outcome) => {
                    // Whoever has waited for the lookup waits for this run, even if the write ends before it wakes up.
                    let run = service.runs.join(&item.key);
                    lookup.land(Looked::Runs(outcome, run.flight()));
                    (item.outcome, item.run) = (outcome, run.into());
                }
            }
        }
        let mut is_given_up = false;
        for (item, lookup) in theirs {
            match lookup.landed().await {
                Some(Looked::Hit(entry, tier)) => match service.read(prediction, &entry) {
                    Some(body) => item.hit(body, tier),
                    None => (item.outcome, item.run) = (CacheOutcome::Corrupt, Run::Alone),
                },
                Some(Looked::Runs(outcome, run)) => (item.outcome, item.run) = (outcome, Run::Follow(run)),
                None => is_given_up = true,
            }
        }
        is_given_up
    }

    /// Runs the model for what has no answer yet, and waits for what other requests compute. Others may wait for this request if it
    /// `leads`. A request that does not look up joins a run under way, too.
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
                        false => service.runs.under_way(&item.key).map_or(Run::Alone, Run::Follow),
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
                // If whoever leads it gives up, this request leads in the next round: nothing is looked up again.
                let Some(entry) = run.landed().await else { continue };
                item.body = service.read(self.prediction, &entry);
                if item.body.is_none() {
                    item.run = Run::Alone;
                }
            }
            computed.waited = Some(computed.waited.unwrap_or_default() + start.elapsed());
        }
    }

    /// How the answer came about, before the model runs.
    fn served(&self, start: Instant) -> Served {
        let mut tally = Tally::default();
        self.items.iter().for_each(|item| tally.add(item.outcome, item.times));
        let outcome = self.outcome(tally);
        let looked_up = |outcome| !matches!(outcome, CacheOutcome::Bypass | CacheOutcome::Off | CacheOutcome::Cost);
        let looked_up = self.items.iter().any(|item| looked_up(item.outcome));
        let cache_time = looked_up.then(|| start.elapsed());
        Served { tally, is_many: self.order.is_some(), cache_start: Some(start), cache_time, ..Served::new(outcome) }
    }

    /// The outcome of the whole: that of all inputs, or the gravest of those that are no hits.
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
        let gravest = [CacheOutcome::Unavailable, CacheOutcome::Miss].into_iter();
        let gravest = gravest.filter(|outcome| self.items.iter().any(|item| item.outcome == *outcome)).next();
        outcomes.find(is_in_store).or(gravest).unwrap_or(first)
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

/// An entry, the body that it gives, and the tier that held it; or why there is none.
type Found = Result<(Bytes, Bytes, Tier), CacheOutcome>;

impl PredictionService {
    /// Asks the store. What it has is kept in memory, and the judge is told.
    async fn ask_store(&self, prediction: usize, keys: &[&CacheKey]) -> Vec<Found> {
        if keys.is_empty() {
            return Vec::new();
        }
        let watch = self.run_time.watch();
        let lookups = self.cache.lookup(keys).await;
        let took = self.run_time.since(&watch);
        // Where the store was not asked, nothing was spent or learnt.
        let asked = lookups.iter().any(|lookup| !matches!(lookup, Lookup::Unavailable(Fault::Paused)));
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
        if asked {
            self.judges[prediction].looked_up(took, keys.iter().copied().zip(found.iter().map(Result::is_ok)));
        }
        found
    }

    /// Runs the model for these, in batches, and gives each answer to those who wait for it.
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
                    lead.land(entry.clone());
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
        self.judges[prediction].ran(computed.time - before.0, computed.inputs - before.1);
        Ok(())
    }
}

impl Computed {
    /// Adds to how the answer came about.
    fn note(self, served: &mut Served) {
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
