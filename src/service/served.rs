//! How a prediction came about: what a request allows, and what the headers, the log and the metrics tell of its answer.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use bytes::Bytes;
use model_package::ModelError;
use prediction_cache::Tier;

/// How a request allows the cache to be used.
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

/// How the cache was involved in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheOutcome {
    /// The prediction came from the cache.
    Hit(Tier),
    /// The cache had no entry.
    Miss,
    /// The cache had an invalid entry.
    Corrupt,
    /// The cache did not answer.
    Unavailable,
    /// The request did not allow a lookup.
    Bypass,
    /// There is no cache, or none for a request without a tenant.
    Off,
    /// Looking in Redis would have taken longer than the model.
    Cost,
    /// Of many inputs, some were hits and the others were not.
    Partial {
        /// How many came from the cache.
        hits: usize,
        /// How many did not.
        others: usize,
    },
}

/// How many of a request's predictions came about how. All of them add up to the request's inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// From the cache.
    pub hits: usize,
    /// Of these, from this process's memory.
    pub hits_in_memory: usize,
    /// Not in the cache.
    pub misses: usize,
    /// The cache did not answer.
    pub unavailable: usize,
    /// Not looked up.
    pub bypassed: usize,
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
    /// The request only allowed a cached one, and there was none.
    NotCached,
    /// The model failed.
    Failed(ModelError),
}

/// How an answer came about, as the headers, the log and the metrics report it.
#[derive(Clone, Debug)]
pub struct Served {
    /// The cache's part in it.
    pub outcome: CacheOutcome,
    /// How many predictions came about how.
    pub tally: Tally,
    /// Whether an array was asked, and answered.
    pub is_many: bool,
    /// Whether the answer comes from a run of the model that another request had begun.
    pub collapsed: bool,
    /// How long it took to look up the prediction or to wait for another request's, if either was done.
    pub cache_time: Option<Duration>,
    /// When that began.
    pub cache_start: Option<Instant>,
    /// How long the model took, if it ran for this request.
    pub model_time: Option<Duration>,
    /// When its first run began.
    pub model_start: Option<Instant>,
    /// For how many inputs it ran.
    pub runs: usize,
    /// The write after the response, if there is one; set when the write has ended.
    pub write: Option<Arc<OnceLock<CacheWrite>>>,
    /// The lookup that follows the response where none came before the model. It is there when that has ended.
    pub probe: Option<Arc<OnceLock<CacheProbe>>>,
}

/// How a write to the cache ended.
#[derive(Clone, Copy, Debug)]
pub struct CacheWrite {
    /// When it began.
    pub start: Instant,
    /// How long it took.
    pub time: Duration,
    /// Whether the prediction is stored.
    pub stored: bool,
}

/// A lookup after the response.
#[derive(Clone, Copy, Debug)]
pub struct CacheProbe {
    /// When it began.
    pub start: Instant,
    /// How long it took.
    pub time: Duration,
}

impl Tally {
    pub(super) fn add(&mut self, outcome: CacheOutcome, inputs: usize) {
        if outcome == CacheOutcome::Hit(Tier::Memory) {
            self.hits_in_memory += inputs;
        }
        *match outcome {
            CacheOutcome::Hit(_) | CacheOutcome::Partial { .. } => &mut self.hits,
            CacheOutcome::Miss | CacheOutcome::Corrupt => &mut self.misses,
            CacheOutcome::Unavailable => &mut self.unavailable,
            CacheOutcome::Bypass | CacheOutcome::Off | CacheOutcome::Cost => &mut self.bypassed,
        } += inputs;
    }

    /// How many inputs the request had.
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
