//! Looks up the items of a request: in memory, then in the store.

use bytes::Bytes;
use prediction_cache::{CacheKey, Fault, Lookup, Tier};

use super::{Run, Work};
use crate::service::{
    CacheOutcome, PredictionService, Question,
    flights::{Flight, Joined},
    strategy::Plan,
};

/// The result of a lookup in the store, for all requests that wait for it.
#[derive(Clone)]
pub(in crate::service) enum LookupResult {
    /// An entry, and the tier that held it.
    Hit(Bytes, Tier),
    /// No usable entry: the flight of the model run.
    Computing(CacheOutcome, Flight<Bytes>),
}

impl Work<'_> {
    /// Looks in this process's memory. Returns whether all items were found.
    pub(super) fn look_in_memory(&mut self) -> bool {
        for item in &mut self.items {
            let entry = self.service.cache.get_in_memory(&item.key);
            item.body = entry.and_then(|entry| self.service.body_of(self.question, &entry)).map(Ok);
            if item.body.is_some() {
                item.outcome = CacheOutcome::Hit(Tier::Memory);
            }
        }
        self.is_answered()
    }

    /// Looks in the store for the items that are not in memory, if the plan is to do so or if `always`. Returns the plan.
    pub(super) async fn look_in_store(&mut self, always: bool) -> Plan {
        let service = self.service;
        if !service.cache.has_store() {
            return Plan::LookUp;
        }
        if always {
            // Joins no flight: this request must not wait for a run.
            let missing: Vec<_> = self.items.iter_mut().filter(|item| item.body.is_none()).collect();
            let keys: Vec<_> = missing.iter().map(|item| &item.key).collect();
            let found = service.query_store(self.question, &keys).await;
            for (item, found) in missing.into_iter().zip(found) {
                match found {
                    Ok((_, body, tier)) => item.hit(body, tier),
                    Err(outcome) => item.outcome = outcome,
                }
            }
            return Plan::LookUp;
        }
        let missing = self.items.iter().filter(|item| item.body.is_none());
        let plan = service.planner(self.question).plan(missing.map(|item| &item.key));
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
        let (service, question) = (self.service, self.question);
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
        let found = service.query_store(question, &keys).await;
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
                Some(LookupResult::Hit(entry, tier)) => match service.body_of(question, &entry) {
                    Some(body) => item.hit(body, tier),
                    None => (item.outcome, item.run) = (CacheOutcome::Corrupt, Run::Alone),
                },
                Some(LookupResult::Computing(outcome, run)) => (item.outcome, item.run) = (outcome, Run::Follow(run)),
                None => is_given_up = true,
            }
        }
        is_given_up
    }
}

/// An entry, its response body, and the tier that held it; otherwise the outcome.
type Found = Result<(Bytes, Bytes, Tier), CacheOutcome>;

impl PredictionService {
    /// Looks in the store. Entries that are found are kept in memory, and the lookup's time is recorded.
    async fn query_store(&self, question: Question, keys: &[&CacheKey]) -> Vec<Found> {
        if keys.is_empty() {
            return Vec::new();
        }
        let stopwatch = self.run_time.stopwatch();
        let lookups = self.cache.lookup(keys).await;
        let time = self.run_time.since(&stopwatch);
        // While the circuit breaker is open, no lookup takes place, so its time says nothing.
        let was_queried = lookups.iter().any(|lookup| !matches!(lookup, Lookup::Unavailable(Fault::Paused)));
        let found = lookups.into_iter().zip(keys).map(|(lookup, key)| match lookup {
            Lookup::Hit(entry, tier) => match self.body_of_stored(question, &entry) {
                Some(body) => {
                    self.cache.keep_in_memory(key, &entry);
                    Ok((entry, body, tier))
                }
                None => Err(CacheOutcome::Corrupt),
            },
            Lookup::Corrupt | Lookup::Foreign => Err(CacheOutcome::Corrupt),
            Lookup::Miss => Err(CacheOutcome::Miss),
            Lookup::Unavailable(_) => Err(CacheOutcome::Unavailable),
        });
        let found: Vec<Found> = found.collect();
        if was_queried {
            self.planner(question).record_lookup(time, keys.iter().copied().zip(found.iter().map(Result::is_ok)));
        }
        found
    }
}
