//! The work of one request: its distinct inputs, from lookup to answer. A single input is the case n = 1.

mod compute;
mod lookup;

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Instant,
};

use bytes::Bytes;
use model_package::{Input, Inputs, ModelError};
use prediction_cache::{CacheKey, KeySpace, Tier};

use self::compute::Run;
pub(super) use self::lookup::LookupResult;
use super::{
    Answer, Body, CacheOutcome, CachePolicy, CommonestInputs, NoPrediction, PredictionService, Question, Served, Tally,
    strategy::Plan,
};
use crate::after_response;

pub(super) struct Work<'a> {
    service: &'a PredictionService,
    question: Question,
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
    /// The response's body, or the model's error.
    body: Option<Result<Bytes, ModelError>>,
}

impl<'a> Work<'a> {
    pub(super) fn new(service: &'a PredictionService, question: Question, inputs: &'a Inputs, keys: &KeySpace) -> Self {
        let name = service.name(question);
        let item = |input, key| Item { input, key, times: 1, outcome: CacheOutcome::Miss, run: Run::Open, body: None };
        let inputs = match inputs {
            Inputs::One(input) => {
                return Self { service, question, items: vec![item(input, keys.key(name, input))], order: None };
            }
            Inputs::Many(inputs) => inputs,
        };
        let mut items: Vec<Item<'a>> = Vec::with_capacity(inputs.len());
        let mut positions = HashMap::with_capacity(inputs.len());
        let mut last: Option<usize> = None;
        let order = inputs.iter().map(|input| {
            // An array of many short objects, all alike, does not need a key for each.
            if let Some(position) = last.filter(|position| items[*position].input == input) {
                items[position].times += 1;
                return position;
            }
            let key = keys.key(name, input);
            let position = match positions.entry(key.clone()) {
                Entry::Occupied(position) => {
                    let position: usize = *position.get();
                    items[position].times += 1;
                    position
                }
                Entry::Vacant(new) => {
                    items.push(item(input, key));
                    *new.insert(items.len() - 1)
                }
            };
            last = Some(position);
            position
        });
        let order = Some(order.collect());
        Self { service, question, items, order }
    }

    /// Counts the request's inputs.
    pub(super) fn count_in(&self, commonest: &CommonestInputs) {
        self.items.iter().for_each(|item| commonest.count(item.key.as_str(), item.times as u64));
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
            let mut computed = self.compute(policy.store && !is_off, policy.read).await;
            let (new, is_refused) = (std::mem::take(&mut computed.new), computed.is_refused);
            computed.record(&mut served);
            if new.entries.is_empty() && !new.leads.is_empty() {
                // Until the response has been sent, other requests join these runs, too.
                after_response::defer(move |_| async move { drop(new.leads) });
            } else if !new.entries.is_empty() {
                match plan {
                    Plan::LookUp => served.write = Some(self.service.defer_store(new)),
                    Plan::Compute(probe) => served.probe = self.service.defer_probe(self.question, new, probe),
                }
            }
            if is_refused {
                return Answer { body: Err(NoPrediction::Overloaded), served };
            }
        }
        Answer { body: self.body(), served }
    }

    fn is_answered(&self) -> bool {
        self.items.iter().all(|item| item.body.is_some())
    }

    /// The report on the answer so far, before the model runs.
    fn served(&self, start: Instant) -> Served {
        let mut tally = Tally::default();
        self.items.iter().for_each(|item| tally.add(item.outcome, item.times));
        let outcome = self.outcome(tally);
        let looked_up = |outcome| match outcome {
            CacheOutcome::Bypass | CacheOutcome::Off | CacheOutcome::Cost => false,
            CacheOutcome::Hit(_)
            | CacheOutcome::Miss
            | CacheOutcome::Corrupt
            | CacheOutcome::Unavailable
            | CacheOutcome::Partial { .. } => true,
        };
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
        let worst = [CacheOutcome::Unavailable, CacheOutcome::Miss];
        let worst = worst.into_iter().find(|outcome| self.items.iter().any(|item| item.outcome == *outcome));
        outcomes.find(is_in_store).or(worst).unwrap_or(first)
    }

    fn body(self) -> Result<Body, NoPrediction> {
        let Self { items, order, .. } = self;
        let mut bodies = items.into_iter().map(|item| item.body.expect("looked up or computed"));
        match order {
            None => bodies.next().expect("there is one item").map(Body::One).map_err(NoPrediction::Failed),
            Some(order) => {
                let mut distinct: Vec<_> = bodies.collect();
                if distinct.iter().all(Result::is_err) {
                    return distinct.swap_remove(0).map(Body::One).map_err(NoPrediction::Failed);
                }
                Ok(Body::Many { distinct, order })
            }
        }
    }
}

impl Item<'_> {
    fn hit(&mut self, body: Bytes, tier: Tier) {
        (self.body, self.outcome) = (Some(Ok(body)), CacheOutcome::Hit(tier));
    }
}
