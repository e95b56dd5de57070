//! Cache-aside: look up, else predict, answer, and store once the response has left.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    after_response,
    cache::{KeySpace, Lookup, Namespace, PredictionCache, Tier},
    credit::{CreditApplication, CreditRiskModel, ModelError, Prediction},
    telemetry,
};

/// The model behind its cache.
pub struct PredictionService {
    model: CreditRiskModel,
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
}

/// A prediction and how it came about.
#[derive(Clone, Copy, Debug)]
pub struct Answer<P> {
    /// `None` if the request would have nothing but a cached prediction, and there was none.
    pub prediction: Option<P>,
    /// How it came about.
    pub served: Served,
}

/// How an answer came about: what the headers, the log and the metrics tell.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    /// The cache's part in it.
    pub outcome: CacheOutcome,
    /// How long the lookup took, if there was one.
    pub cache_time: Option<Duration>,
    /// How long the model took, if it ran.
    pub model_time: Option<Duration>,
}

impl PredictionService {
    /// The service of this model, whose predictions are kept in `cache` under `namespace`.
    pub fn new(model: CreditRiskModel, cache: PredictionCache, namespace: &Namespace) -> Self {
        let keys = KeySpace::new(namespace, model.fingerprint());
        Self { model, cache: Arc::new(cache), keys }
    }

    /// Predicts `P` for an application: from the cache if it is there and may be used, from the model if not.
    ///
    /// The new prediction is stored [after the response](crate::after_response). A fault of the cache is an
    /// [outcome](CacheOutcome::Unavailable), not an error.
    ///
    /// # Errors
    ///
    /// Only if the model fails.
    pub async fn predict<P: Prediction>(
        &self,
        application: &CreditApplication,
        policy: CachePolicy,
    ) -> Result<Answer<P>, ModelError> {
        let key = self.keys.key(P::NAME, application);
        let mut served = Served { outcome: CacheOutcome::Bypass, cache_time: None, model_time: None };

        if policy.read {
            let start = Instant::now();
            let lookup = self.cache.get(&key).await;
            served.cache_time = Some(start.elapsed());
            served.outcome = match lookup {
                Lookup::Hit(entry, tier) => match P::from_bytes(&entry) {
                    prediction @ Some(_) => {
                        served.outcome = CacheOutcome::Hit(tier);
                        return Ok(Answer { prediction, served });
                    }
                    None => CacheOutcome::Corrupt,
                },
                Lookup::Foreign => CacheOutcome::Corrupt,
                Lookup::Miss => CacheOutcome::Miss,
                Lookup::Unavailable(fault) => {
                    tracing::warn!(%fault, "the cache did not answer");
                    CacheOutcome::Unavailable
                }
            };
        }
        if policy.only_if_cached {
            return Ok(Answer { prediction: None, served });
        }

        let start = Instant::now();
        let probability = self.model.predict(application)?;
        served.model_time = Some(start.elapsed());
        let prediction = P::derive(probability, self.model.thresholds());

        if policy.store {
            let cache = Arc::clone(&self.cache);
            after_response::defer(move |time_left| async move {
                let start = Instant::now();
                let written = cache.put(key, prediction.to_bytes(), time_left).await;
                telemetry::cache_written(start.elapsed(), written.err().as_ref());
            });
        }
        Ok(Answer { prediction: Some(prediction), served })
    }

    /// Closes the connection to the cache.
    pub fn close(&self) {
        self.cache.close();
    }
}
