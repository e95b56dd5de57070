//! Cache-aside: look up, else predict, answer, and store after the response. Work in progress in this process is not started
//! a second time.
//!
//! ```text
//! predict ─► Work ─┬─ memory ─► store (unless the strategy says that the model is faster) ─┬─► answer
//!                  │  (lookups and runs under way are joined: flights)                     │
//!                  └─ run what is missing ──────────────────────────────────────────► afterwards: store
//! ```

mod afterwards;
mod flights;
mod served;
mod strategy;
mod work;

use std::{
    borrow::Cow,
    sync::{Arc, Once},
};

use bytes::Bytes;
use model_package::{Inputs, ModelError, Output, Stored};
use prediction_cache::{BreakerState, KeySpace, Layout, Namespace, PredictionCache, Tenant};

use self::{
    flights::Flights,
    strategy::{Judge, RunTime},
    work::{Looked, Work},
};
pub use self::{
    served::{Answer, CacheOutcome, CachePolicy, CacheProbe, CacheWrite, NoPrediction, Served, Tally},
    strategy::Strategy,
};
use crate::model::Model;

/// The model behind its cache, for one thread.
pub struct PredictionService {
    model: Arc<Model>,
    cache: Arc<PredictionCache>,
    keys: KeySpace,
    stored: Stored,
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
    /// `CACHE_STRATEGY`: `lookup_first`, the default: the store is asked before the model runs; `auto`: only where that is expected
    /// to be faster than the model.
    pub strategy: Strategy,
    /// `CACHE_PER_TENANT`: `true` if each tenant has its own entries, under Lambda's tenant isolation; default `false`.
    pub per_tenant: bool,
}

impl Caching {
    /// What the entries hold.
    pub fn stored(&self) -> Stored {
        match self.layout {
            Layout::String | Layout::Hash => Stored::Answer,
            Layout::Output => Stored::Output,
        }
    }
}

impl PredictionService {
    /// The service of this model, whose predictions are kept in `cache`.
    pub fn new(model: Model, cache: PredictionCache, caching: &Caching) -> Self {
        let stored = caching.stored();
        let &Caching { ref namespace, layout, strategy, per_tenant } = caching;
        let keys = KeySpace::new(namespace, layout, model.fingerprint(stored));
        // An environment may see too few requests to find out.
        let one_run = (strategy == Strategy::Auto && cache.has_store()).then(|| model.run_time());
        let judges = model.signature().predictions().iter().map(|_| Judge::new(strategy, one_run)).collect();
        let (lookups, runs, run_time) = Default::default();
        Self {
            model: Arc::new(model),
            cache: Arc::new(cache),
            keys,
            stored,
            per_tenant,
            lookups,
            runs,
            judges,
            run_time,
        }
    }

    /// The same service for another thread. They share the model, the memory, the work under way and the costs learnt. Each has its
    /// own connections to the store, and its own measure of the time that the model keeps its thread busy.
    pub fn for_another_worker(&self) -> Self {
        Self {
            model: Arc::clone(&self.model),
            cache: Arc::new(self.cache.for_another_worker()),
            keys: self.keys.clone(),
            stored: self.stored,
            per_tenant: self.per_tenant,
            lookups: Arc::clone(&self.lookups),
            runs: Arc::clone(&self.runs),
            judges: Arc::clone(&self.judges),
            run_time: Arc::default(),
        }
    }

    /// Answers the prediction at this position for one input or many: from the cache if possible and allowed, otherwise from the
    /// model. Equal inputs are looked up and computed once. `tenant` matters only where each tenant
    /// [has its own entries](Caching::per_tenant).
    ///
    /// New predictions are stored [after the response](crate::after_response). A fault of the cache is an
    /// [outcome](CacheOutcome::Unavailable), not an error.
    pub async fn predict(
        &self,
        prediction: usize,
        inputs: &Inputs,
        policy: CachePolicy,
        tenant: Option<&Tenant>,
    ) -> Answer {
        let (keys, is_off) = self.keys(tenant);
        Work::new(self, prediction, inputs, &keys).answer(policy, is_off).await
    }

    /// The keys that a request may use, and whether it may use no cache. Where each tenant has its own entries, a request without a
    /// tenant may use none: its entries would be shared by all tenants.
    fn keys(&self, tenant: Option<&Tenant>) -> (Cow<'_, KeySpace>, bool) {
        static TOLD: Once = Once::new();
        let is_off = self.cache.is_off();
        match tenant {
            _ if !self.per_tenant => (Cow::Borrowed(&self.keys), is_off),
            Some(tenant) => (Cow::Owned(self.keys.of_tenant(tenant)), is_off),
            None => {
                TOLD.call_once(|| {
                    tracing::warn!(
                        "CACHE_PER_TENANT is set, but a request has no tenant: it is answered without the cache"
                    );
                });
                (Cow::Borrowed(&self.keys), true)
            }
        }
    }

    /// The response's body that an entry of the cache gives, if this service would have written the entry.
    fn read(&self, prediction: usize, entry: &Bytes) -> Option<Bytes> {
        self.stored.read(self.model.signature(), self.model.output_columns(), prediction, entry)
    }

    /// Derives a prediction from the model's output: the entry to store, if the output can be stored, and the response's body.
    fn derive(&self, prediction: usize, output: &Output) -> Result<(Option<Bytes>, Bytes), ModelError> {
        self.stored.write(self.model.signature(), prediction, output)
    }

    /// [Connects](PredictionCache::open) to the store.
    pub async fn open(&self) {
        self.cache.open().await;
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Whether each tenant has its own entries.
    pub fn is_per_tenant(&self) -> bool {
        self.per_tenant
    }

    /// The state of the store's circuit breakers. `None` without a store.
    pub fn breakers(&self) -> Option<[BreakerState; 2]> {
        self.cache.breakers()
    }

    /// Closes the connections to the store.
    pub fn close(&self) {
        self.cache.close();
    }
}
