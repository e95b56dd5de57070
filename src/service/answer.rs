//! What a request allows, and what the headers, the log and the metrics report about its answer.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use bytes::Bytes;
use model_package::ModelError;
use prediction_cache::Tier;

/// How a request may use the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CachePolicy {
    /// A cached prediction may be returned.
    pub read: bool,
    /// A new prediction may be stored.
    pub store: bool,
    /// Only a cached prediction may be returned.
    pub only_if_cached: bool,
}

impl Default for CachePolicy {
    fn default() -> Self {
        Self { read: true, store: true, only_if_cached: false }
    }
}

/// The cache's part in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheOutcome {
    Hit(Tier),
    /// No entry in the cache.
    Miss,
    /// The cache had an invalid entry.
    Corrupt,
    /// The cache did not answer.
    Unavailable,
    /// The request did not allow a lookup.
    Bypass,
    /// The service has no cache, or the request has no tenant and so may not use it.
    Off,
    /// The model was expected to be faster than a lookup in the store.
    Cost,
    /// Some of several inputs were hits.
    Partial {
        hits: usize,
        others: usize,
    },
}

/// The number of a request's predictions by source. `hits`, `misses`, `unavailable` and `bypassed` sum to the number of inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub hits: usize,
    /// The hits by tier, in the order of [`Tier::ALL`]. The hits of an array are all included.
    pub hits_by_tier: [usize; Tier::ALL.len()],
    pub misses: usize,
    /// The cache did not answer.
    pub unavailable: usize,
    /// Not looked up.
    pub bypassed: usize,
}

#[derive(Debug)]
pub struct Answer {
    pub body: Result<Body, NoPrediction>,
    pub served: Served,
}

/// The predictions of a request, each a JSON object whose only member is the prediction.
#[derive(Debug)]
pub enum Body {
    One(Bytes),
    /// For an array of inputs.
    Many {
        /// For each distinct input, the prediction, or the reason why the model has none. At least one is a prediction.
        distinct: Vec<Result<Bytes, ModelError>>,
        /// The position in `distinct` of each of the request's inputs.
        order: Vec<usize>,
    },
}

/// The reason why a valid input has no prediction.
#[derive(Debug)]
pub enum NoPrediction {
    /// The request allowed only a cached prediction, and the cache had none.
    NotCached,
    /// Too many requests wait for the model, or the client disconnected while this one did.
    Overloaded,
    /// The model failed, on every input if there are several.
    Failed(ModelError),
}

/// How an answer was produced, for the headers, the log and the metrics.
#[derive(Clone, Debug)]
pub struct Served {
    pub outcome: CacheOutcome,
    pub tally: Tally,
    /// Whether the request was an array.
    pub is_many: bool,
    /// Whether the answer comes from a model run that another request had begun.
    pub collapsed: bool,
    /// The time spent on lookups and on waiting for other requests' results, if either was done.
    pub cache_time: Option<Duration>,
    pub cache_start: Option<Instant>,
    /// The model's run time, if it ran for this request.
    pub model_time: Option<Duration>,
    /// The start of the model's first run.
    pub model_start: Option<Instant>,
    /// The number of inputs for which the model ran.
    pub runs: usize,
    /// The write after the response, if any; filled when the write ends.
    pub write: Option<Arc<OnceLock<CacheWrite>>>,
    /// The lookup after the response, made for some requests that were computed without one; filled when the lookup ends.
    pub probe: Option<Arc<OnceLock<CacheProbe>>>,
}

/// A finished write to the cache.
#[derive(Clone, Copy, Debug)]
pub struct CacheWrite {
    pub start: Instant,
    pub time: Duration,
    /// Whether the write succeeded.
    pub stored: bool,
}

/// A finished lookup after the response.
#[derive(Clone, Copy, Debug)]
pub struct CacheProbe {
    pub start: Instant,
    pub time: Duration,
}

impl Tally {
    pub(super) fn add(&mut self, outcome: CacheOutcome, inputs: usize) {
        if let CacheOutcome::Hit(tier) = outcome {
            self.hits_by_tier[tier as usize] += inputs;
        }
        *match outcome {
            CacheOutcome::Hit(_) | CacheOutcome::Partial { .. } => &mut self.hits,
            CacheOutcome::Miss | CacheOutcome::Corrupt => &mut self.misses,
            CacheOutcome::Unavailable => &mut self.unavailable,
            CacheOutcome::Bypass | CacheOutcome::Off | CacheOutcome::Cost => &mut self.bypassed,
        } += inputs;
    }

    /// The number of the request's inputs.
    pub fn inputs(&self) -> usize {
        self.hits + self.misses + self.unavailable + self.bypassed
    }
}

impl Served {
    pub(super) fn new(outcome: CacheOutcome) -> Self {
        let mut tally = Tally::default();
        tally.add(outcome, 1);
        Self {
            outcome,
            tally,
            is_many: false,
            collapsed: false,
            cache_time: None,
            cache_start: None,
            model_time: None,
            model_start: None,
            runs: 0,
            write: None,
            probe: None,
        }
    }
}
