//! Cache-aside: look up, else predict, answer, and store after the response. Work in progress in this process is not started
//! a second time.

mod batch;
mod flights;
mod served;

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use bytes::Bytes;

use self::flights::{Flight, Flights, Joined, Lead};
pub use self::served::{Answer, CacheOutcome, CachePolicy, CacheWrite, NoPrediction, Served, Tally};
use crate::{
    after_response,
    cache::{CacheKey, KeySpace, Layout, Lookup, Namespace, PredictionCache, Tier},
    model::{Input, Model, ModelError, Output},
};

/// The model behind its cache.
pub struct PredictionService {
    model: Model,
    cache: Arc<PredictionCache>,
    keys: KeySpace,
    lookups: Arc<Flights<Looked>>,
    /// The runs of the model, each until its write has ended.
    runs: Arc<Flights<Bytes>>,
}

/// What a lookup in Redis came to, for everybody who waits for it.
#[derive(Clone)]
enum Looked {
    Hit(Bytes, Tier),
    /// Nothing that can be answered with; the model runs.
    Runs(CacheOutcome, Flight<Bytes>),
}

/// What can be done for a request without running the model for it.
enum Found {
    /// The answer, from the cache.
    Hit(Bytes, Tier),
    /// The answer, from a run that another request has begun.
    Joined(Bytes, CacheOutcome),
    /// Nothing: the model is to run, and whoever leads stores the prediction.
    Nothing(CacheOutcome, Option<Lead<Bytes>>),
}

impl PredictionService {
    /// The service of this model, whose predictions are kept in `cache` under `namespace`, in this layout.
    pub fn new(model: Model, cache: PredictionCache, namespace: &Namespace, layout: Layout) -> Self {
        let fingerprint = match layout {
            Layout::String | Layout::Hash => model.fingerprint(),
            Layout::Output => model.run_fingerprint(),
        };
        let keys = KeySpace::new(namespace, layout, fingerprint);
        Self { model, cache: Arc::new(cache), keys, lookups: Arc::default(), runs: Arc::default() }
    }

    /// Answers the prediction at this position for an input: from the cache if possible and allowed, otherwise from the model.
    ///
    /// The new prediction is stored [after the response](crate::after_response). A fault of the cache is an
    /// [outcome](CacheOutcome::Unavailable), not an error.
    pub async fn predict(&self, prediction: usize, input: &Input, policy: CachePolicy) -> Answer {
        let key = self.keys.key(self.model.predictions()[prediction].name(), input);
        let start = Instant::now();
        let found = match policy {
            CachePolicy { read: true, only_if_cached: false, .. } => self.find(prediction, &key).await,
            CachePolicy { read: true, only_if_cached: true, .. } => self.find_cached(prediction, &key).await,
            CachePolicy { read: false, .. } => self.find_run(prediction, &key, policy.store).await,
        };
        let time = Some(start.elapsed()).filter(|_| policy.read);
        let (outcome, lead) = match found {
            Found::Hit(body, tier) => {
                let served = Served { cache_time: time, ..Served::new(CacheOutcome::Hit(tier)) };
                return Answer { body: Ok(body), served };
            }
            Found::Joined(body, outcome) => {
                let cache_time = Some(start.elapsed());
                let served = Served { collapsed: true, cache_time, ..Served::new(outcome) };
                return Answer { body: Ok(body), served };
            }
            Found::Nothing(outcome, lead) => (outcome, lead),
        };
        let mut served = Served { cache_time: time, ..Served::new(outcome) };
        if policy.only_if_cached {
            return Answer { body: Err(NoPrediction::NotCached), served };
        }
        let start = Instant::now();
        let (entry, body) = match self.run(prediction, input) {
            Ok(predicted) => predicted,
            Err(error) => return Answer { body: Err(NoPrediction::Failed(error)), served },
        };
        served.model_time = Some(start.elapsed());
        served.runs = 1;
        if let (Some(lead), Some(entry)) = (lead, entry) {
            lead.land(entry.clone());
            served.write = Some(self.store_later(key, entry, lead));
        }
        Answer { body: Ok(body), served }
    }

    /// Looks everywhere: in memory, among the runs that are under way, and in Redis.
    async fn find(&self, prediction: usize, key: &CacheKey) -> Found {
        if let Some(body) = self.cache.get_here(key).and_then(|entry| self.read(prediction, &entry)) {
            return Found::Hit(body, Tier::Memory);
        }
        if self.cache.is_off() {
            return Found::Nothing(CacheOutcome::Off, None);
        }
        if self.cache.redis.is_none() {
            return self.find_run_or_lead(prediction, key, CacheOutcome::Miss).await;
        }
        loop {
            if let Some(run) = self.runs.under_way(key) {
                match run.landed().await {
                    Some(entry) => return self.joined(prediction, &entry, CacheOutcome::Miss),
                    None => continue,
                }
            }
            match self.lookups.join(key) {
                Joined::Lead(lookup) => {
                    let outcome = match self.look_up(prediction, key).await {
                        Ok((entry, body, tier)) => {
                            self.cache.put_here(key.clone(), entry.clone());
                            lookup.land(Looked::Hit(entry, tier));
                            return Found::Hit(body, tier);
                        }
                        Err(outcome) => outcome,
                    };
                    // Whoever has waited for the lookup waits for this run, even if the write ends before it wakes up.
                    let run = self.runs.join(key);
                    lookup.land(Looked::Runs(outcome, run.flight()));
                    drop(lookup);
                    match run {
                        Joined::Lead(lead) => return Found::Nothing(outcome, Some(lead)),
                        Joined::Follow(run) => {
                            if let Some(entry) = run.landed().await {
                                return self.joined(prediction, &entry, outcome);
                            }
                        }
                    }
                }
                Joined::Follow(lookup) => match lookup.landed().await {
                    Some(Looked::Hit(entry, tier)) => {
                        return match self.read(prediction, &entry) {
                            Some(body) => Found::Hit(body, tier),
                            None => Found::Nothing(CacheOutcome::Corrupt, None),
                        };
                    }
                    Some(Looked::Runs(outcome, run)) => {
                        if let Some(entry) = run.landed().await {
                            return self.joined(prediction, &entry, outcome);
                        }
                    }
                    None => {}
                },
            }
        }
    }

    /// Looks in memory and in Redis only, and for this request only.
    async fn find_cached(&self, prediction: usize, key: &CacheKey) -> Found {
        if let Some(body) = self.cache.get_here(key).and_then(|entry| self.read(prediction, &entry)) {
            return Found::Hit(body, Tier::Memory);
        }
        if self.cache.is_off() {
            return Found::Nothing(CacheOutcome::Off, None);
        }
        match self.look_up(prediction, key).await {
            Ok((_, body, tier)) => Found::Hit(body, tier),
            Err(outcome) => Found::Nothing(outcome, None),
        }
    }

    /// Looks among the runs that are under way only. A request that must not store does not lead one.
    async fn find_run(&self, prediction: usize, key: &CacheKey, store: bool) -> Found {
        if store && !self.cache.is_off() {
            return self.find_run_or_lead(prediction, key, CacheOutcome::Bypass).await;
        }
        let run = match self.runs.under_way(key) {
            Some(run) => run.landed().await,
            None => None,
        };
        match run {
            Some(entry) => self.joined(prediction, &entry, CacheOutcome::Bypass),
            None => Found::Nothing(CacheOutcome::Bypass, None),
        }
    }

    async fn find_run_or_lead(&self, prediction: usize, key: &CacheKey, outcome: CacheOutcome) -> Found {
        loop {
            match self.runs.join(key) {
                Joined::Lead(lead) => return Found::Nothing(outcome, Some(lead)),
                Joined::Follow(run) => {
                    if let Some(entry) = run.landed().await {
                        return self.joined(prediction, &entry, outcome);
                    }
                }
            }
        }
    }

    fn joined(&self, prediction: usize, entry: &Bytes, outcome: CacheOutcome) -> Found {
        match self.read(prediction, entry) {
            Some(body) => Found::Joined(body, outcome),
            None => Found::Nothing(outcome, None),
        }
    }

    /// Asks Redis: an entry, with the answer that it gives, or why there is none.
    async fn look_up(&self, prediction: usize, key: &CacheKey) -> Result<(Bytes, Bytes, Tier), CacheOutcome> {
        match self.cache.get(key).await {
            Lookup::Hit(entry, tier) => match self.read(prediction, &entry) {
                Some(body) => Ok((entry, body, tier)),
                None => Err(CacheOutcome::Corrupt),
            },
            Lookup::Foreign => Err(CacheOutcome::Corrupt),
            Lookup::Miss => Err(CacheOutcome::Miss),
            Lookup::Unavailable(_) => Err(CacheOutcome::Unavailable),
        }
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

    /// Stores an entry after the response. Until that has ended, the run is under way.
    fn store_later(&self, key: CacheKey, entry: Bytes, lead: Lead<Bytes>) -> Arc<OnceLock<CacheWrite>> {
        let write = Arc::new(OnceLock::new());
        let (cache, done) = (Arc::clone(&self.cache), Arc::clone(&write));
        after_response::defer(move |time_left| async move {
            let start = Instant::now();
            let stored = cache.put(&[(key, entry)], time_left).await.is_ok();
            done.get_or_init(|| CacheWrite { time: start.elapsed(), stored });
            drop(lead);
        });
        write
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Closes the connection to the cache.
    pub fn close(&self) {
        self.cache.close();
    }
}
