//! Cache-aside: look up, else predict, answer, and store after the response. Work in progress in this process is not started
//! a second time.

mod afterwards;
mod audit;
mod batch;
mod costs;
mod find;
mod flights;
mod judge;
mod run_time;
mod scope;
mod served;
mod strategy;
mod warm;

use std::{sync::Arc, time::Instant};

use bytes::Bytes;

use self::{
    afterwards::New,
    find::{Afterwards, Found, Looked},
    flights::Flights,
    judge::Judge,
    run_time::RunTime,
};
pub use self::{
    served::{Answer, CacheOutcome, CachePolicy, CacheProbe, CacheWrite, NoPrediction, Served, Tally},
    strategy::Strategy,
    warm::Warmed,
};
use crate::{
    cache::{KeySpace, Layout, Namespace, PredictionCache, Tenant},
    model::{Input, Model, ModelError, Output},
};

/// The model behind its cache, for one thread.
pub struct PredictionService {
    model: Arc<Model>,
    cache: Arc<PredictionCache>,
    keys: KeySpace,
    per_tenant: bool,
    lookups: Arc<Flights<Looked>>,
    /// The runs of the model, each until its write has ended.
    runs: Arc<Flights<Bytes>>,
    /// For each prediction.
    judges: Arc<[Judge]>,
    /// How long the model has run so far, on this thread.
    run_time: Arc<RunTime>,
}

/// How predictions are cached.
#[derive(Clone, Debug, Default)]
pub struct Caching {
    /// `CACHE_NAMESPACE`: the first part of each key in the cache. 1 to 64 of A-Z, a-z, 0-9, `.`, `_` and `-`; default
    /// `predict-once`.
    pub namespace: Namespace,
    /// `CACHE_LAYOUT`: `string`, the default: an entry for each prediction; `hash`: a Redis Hash for each input, with a field for
    /// each prediction; `output`: the model's output for each input.
    pub layout: Layout,
    /// `CACHE_STRATEGY`: `lookup_first`, the default: Redis is asked before the model runs; `auto`: only where that is expected to
    /// be faster than the model.
    pub strategy: Strategy,
    /// `CACHE_PER_TENANT`: `true` if each tenant has its own entries, under Lambda's tenant isolation; default `false`.
    pub per_tenant: bool,
}

impl PredictionService {
    /// The service of this model, whose predictions are kept in `cache`.
    pub fn new(model: Model, cache: PredictionCache, caching: &Caching) -> Self {
        let &Caching { ref namespace, layout, strategy, per_tenant } = caching;
        let fingerprint = match layout {
            Layout::String | Layout::Hash => model.fingerprint(),
            Layout::Output => model.run_fingerprint(),
        };
        let keys = KeySpace::new(namespace, layout, fingerprint);
        // An environment may see too few requests to find out.
        let one_run = (strategy == Strategy::Auto && cache.redis.is_some()).then(|| model.run_time());
        let judges = model.predictions().iter().map(|_| Judge::new(strategy, one_run)).collect();
        let (lookups, runs, run_time) = Default::default();
        Self { model: Arc::new(model), cache: Arc::new(cache), keys, per_tenant, lookups, runs, judges, run_time }
    }

    /// The same service for another thread. They share the model, the memory, what is under way and what was learnt of costs; each
    /// has its own connections to Redis, and its own measure of the time in which its thread has heard of nothing.
    pub fn for_another_worker(&self) -> Self {
        Self {
            model: Arc::clone(&self.model),
            cache: Arc::new(self.cache.for_another_worker()),
            keys: self.keys.clone(),
            per_tenant: self.per_tenant,
            lookups: Arc::clone(&self.lookups),
            runs: Arc::clone(&self.runs),
            judges: Arc::clone(&self.judges),
            run_time: Arc::default(),
        }
    }

    /// Answers the prediction at this position for an input: from the cache if possible and allowed, otherwise from the model.
    /// `tenant` matters only where each tenant [has its own entries](Caching::per_tenant).
    ///
    /// The new prediction is stored [after the response](crate::after_response). A fault of the cache is an
    /// [outcome](CacheOutcome::Unavailable), not an error.
    pub async fn predict(
        &self,
        prediction: usize,
        input: &Input,
        policy: CachePolicy,
        tenant: Option<&Tenant>,
    ) -> Answer {
        let scope = self.scope(tenant);
        let key = scope.keys.key(self.model.predictions()[prediction].name(), input);
        let start = Instant::now();
        let found = match policy {
            CachePolicy { read: true, .. } if scope.is_off => Found::Nothing(CacheOutcome::Off, Afterwards::Nothing),
            CachePolicy { read: true, only_if_cached: false, .. } => self.find(prediction, &key).await,
            CachePolicy { read: true, only_if_cached: true, .. } => self.find_cached(prediction, &key).await,
            CachePolicy { read: false, only_if_cached: false, .. } => {
                self.find_run(prediction, &key, policy.store && !scope.is_off).await
            }
            CachePolicy { read: false, only_if_cached: true, .. } => {
                Found::Nothing(CacheOutcome::Bypass, Afterwards::Nothing)
            }
        };
        let time = Some(start.elapsed()).filter(|_| policy.read);
        let (outcome, afterwards) = match found {
            Found::Hit(body, tier) => {
                let outcome = CacheOutcome::Hit(tier);
                let served = Served { cache_start: Some(start), cache_time: time, ..Served::new(outcome) };
                return Answer { body: Ok(body), served };
            }
            Found::Joined(body, outcome) => {
                let (cache_start, cache_time) = (Some(start), Some(start.elapsed()));
                let served = Served { collapsed: true, cache_start, cache_time, ..Served::new(outcome) };
                return Answer { body: Ok(body), served };
            }
            Found::Nothing(outcome, afterwards) => (outcome, afterwards),
        };
        let was_looked_up = !matches!(outcome, CacheOutcome::Cost | CacheOutcome::Off);
        let cache_time = time.filter(|_| was_looked_up);
        let mut served = Served { cache_start: Some(start), cache_time, ..Served::new(outcome) };
        if policy.only_if_cached {
            return Answer { body: Err(NoPrediction::NotCached), served };
        }
        let start = Instant::now();
        let (entry, body) = match self.run(prediction, input) {
            Ok(predicted) => predicted,
            Err(error) => return Answer { body: Err(NoPrediction::Failed(error)), served },
        };
        let time = start.elapsed();
        served.model_start = Some(start);
        served.model_time = Some(time);
        served.runs = 1;
        self.judges[prediction].ran(time);
        self.run_time.add(time);
        match (afterwards, entry) {
            (Afterwards::Store(lead), Some(entry)) => {
                lead.land(entry.clone());
                served.write = Some(self.store_later(New { entries: vec![(key, entry)], leads: vec![lead] }));
            }
            (Afterwards::Keep(lead, probe), Some(entry)) => {
                lead.land(entry.clone());
                served.probe =
                    self.keep_later(prediction, New { entries: vec![(key, entry)], leads: vec![lead] }, probe);
            }
            _ => {}
        }
        Answer { body: Ok(body), served }
    }

    /// The answer that an entry of the cache gives, if it is one that this service would have written.
    fn read(&self, prediction: usize, entry: &Bytes) -> Option<Bytes> {
        match self.keys.layout() {
            Layout::String | Layout::Hash => Some(self.model.predictions()[prediction].read(entry)?.body),
            Layout::Output => Some(self.model.derive(prediction, &self.model.read_output(entry)?).ok()?.body),
        }
    }

    /// Runs the model: the entry to store, if it can be stored, and the answer.
    fn run(&self, prediction: usize, input: &Input) -> Result<(Option<Bytes>, Bytes), ModelError> {
        self.derive(prediction, &self.model.run(input)?)
    }

    /// What follows from the model's output: the entry to store, if it can be stored, and the answer.
    fn derive(&self, prediction: usize, output: &Output) -> Result<(Option<Bytes>, Bytes), ModelError> {
        let answer = self.model.derive(prediction, output)?;
        let entry = match self.keys.layout() {
            Layout::String | Layout::Hash => Some(answer.entry),
            Layout::Output => output.to_entry(),
        };
        Ok((entry, answer.body))
    }

    /// [Opens](PredictionCache::open_ahead) the connection to the cache.
    pub async fn open_ahead(&self) {
        self.cache.open_ahead().await;
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Whether the cache in Redis is only tried once per second, for `lookups` and for `writes`. `None` without one.
    pub fn breakers(&self) -> Option<[(&'static str, bool); 2]> {
        self.cache.breakers()
    }

    /// Closes the connection to the cache.
    pub fn close(&self) {
        self.cache.close();
    }
}
