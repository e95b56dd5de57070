//! Cache-aside: look up, else predict, answer, and store once the response has left.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{
    after_response,
    cache::{KeySpace, Lookup, Namespace, PredictionCache, Tier},
    model::{Input, Model, ModelError, prediction},
};

/// The model behind its cache.
pub struct PredictionService {
    model: Model,
    cache: Arc<PredictionCache>,
    keys: KeySpace,
}

/// How far a request lets the cache take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CachePolicy {
    /// A cached prediction will do.
    pub read: bool,
    /// A new prediction may be stored.
    pub store: bool,
    /// Nothing but a cached prediction will do.
    pub only_if_cached: bool,
}

impl Default for CachePolicy {
    fn default() -> Self {
        Self { read: true, store: true, only_if_cached: false }
    }
}

/// What the cache had to do with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheOutcome {
    /// The prediction came from the cache.
    Hit(Tier),
    /// The cache had no entry.
    Miss,
    /// The cache had an entry that is no prediction.
    Corrupt,
    /// The cache did not answer.
    Unavailable,
    /// The request asked not to look.
    Bypass,
    /// There is no cache.
    Off,
}

/// A prediction, or why there is none, and how it came about.
#[derive(Debug)]
pub struct Answer {
    /// The response's body: a JSON object of one member, the prediction's name.
    pub body: Result<Bytes, NoPrediction>,
    /// How it came about.
    pub served: Served,
}

/// Why a valid input has no prediction.
#[derive(Debug)]
pub enum NoPrediction {
    /// The request would have nothing but a cached one, and there was none.
    NotCached,
    /// The model failed.
    Failed(ModelError),
}

/// How an answer came about: what the headers, the log and the metrics tell.
#[derive(Clone, Debug)]
pub struct Served {
    /// The cache's part in it.
    pub outcome: CacheOutcome,
    /// How long the lookup took, if there was one.
    pub cache_time: Option<Duration>,
    /// How long the model took, if it ran.
    pub model_time: Option<Duration>,
    /// The write that follows the response, if one does. It is there when the write has ended.
    pub write: Option<Arc<OnceLock<CacheWrite>>>,
}

/// How a write to the cache ended.
#[derive(Clone, Copy, Debug)]
pub struct CacheWrite {
    /// How long it took.
    pub time: Duration,
    /// Whether the prediction is stored.
    pub stored: bool,
}

impl PredictionService {
    /// The service of this model, whose predictions are kept in `cache` under `namespace`.
    pub fn new(model: Model, cache: PredictionCache, namespace: &Namespace) -> Self {
        let keys = KeySpace::new(namespace, model.fingerprint());
        Self { model, cache: Arc::new(cache), keys }
    }

    /// Answers the model's prediction of this position for an input: from the cache if it is there and may be used, from the
    /// model if not.
    ///
    /// The new prediction is stored [after the response](crate::after_response). A fault of the cache is an
    /// [outcome](CacheOutcome::Unavailable), not an error.
    pub async fn predict(&self, prediction: usize, input: &Input, policy: CachePolicy) -> Answer {
        let asked = &self.model.predictions()[prediction];
        let key = self.keys.key(asked.name(), input);
        let mut served = Served { outcome: CacheOutcome::Bypass, cache_time: None, model_time: None, write: None };

        if policy.read {
            let start = Instant::now();
            let lookup = self.cache.get(&key).await;
            served.cache_time = Some(start.elapsed());
            served.outcome = match lookup {
                Lookup::Hit(entry, tier) => match asked.read(&entry) {
                    Some(cached) => {
                        served.outcome = CacheOutcome::Hit(tier);
                        return Answer { body: Ok(cached.body), served };
                    }
                    None => CacheOutcome::Corrupt,
                },
                Lookup::Foreign => CacheOutcome::Corrupt,
                Lookup::Miss => CacheOutcome::Miss,
                Lookup::Unavailable(_) => CacheOutcome::Unavailable,
                Lookup::Off => CacheOutcome::Off,
            };
        }
        if policy.only_if_cached {
            return Answer { body: Err(NoPrediction::NotCached), served };
        }

        let start = Instant::now();
        let prediction::Answer { entry, body } = match self.model.predict(prediction, input) {
            Ok(answer) => answer,
            Err(error) => return Answer { body: Err(NoPrediction::Failed(error)), served },
        };
        served.model_time = Some(start.elapsed());

        if policy.store && self.cache.stores() {
            let cache = Arc::clone(&self.cache);
            let write = Arc::new(OnceLock::new());
            served.write = Some(Arc::clone(&write));
            after_response::defer(move |time_left| async move {
                let start = Instant::now();
                let stored = cache.put(key, entry, time_left).await.is_ok();
                write.get_or_init(|| CacheWrite { time: start.elapsed(), stored });
            });
        }
        Answer { body: Ok(body), served }
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
