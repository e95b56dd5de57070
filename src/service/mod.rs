//! Cache-aside: look up; on a miss, run the model; answer, and store after the response. Lookups and runs in progress are shared by
//! concurrent requests. A run that takes long has a thread of its own.
//!
//! ```text
//! predict ─► Work ─┬─ memory ─► store (unless the strategy expects the model to be faster) ─┬─► answer
//!                  │  (joins lookups and runs in progress: flights)                         │
//!                  └─ run the model on a miss ────────────────────────────────────────► deferred: store
//! ```

mod answer;
mod caching;
mod commonest;
mod deferred_store;
mod flights;
mod question;
mod readers;
mod strategy;
mod thread_use;
mod threads;
pub mod unattended;
mod work;

use std::{
    borrow::Cow,
    io,
    num::NonZeroUsize,
    sync::{Arc, Once},
    time::Duration,
};

use bytes::Bytes;
use model_package::{EntryContent, Explained, Inputs, ModelError, Output};
use prediction_cache::{BreakerState, KeySpace, Layout, MemoryUsage, PredictionCache, Tenant, Tier};

pub use self::{
    answer::{Answer, Body, CacheOutcome, CachePolicy, CacheProbe, CacheWrite, NoPrediction, Served, Tally},
    caching::Caching,
    commonest::CommonestInputs,
    question::Question,
    strategy::Strategy,
    thread_use::ThreadUse,
    threads::ModelThreads,
};
use self::{
    flights::Flights,
    question::Derived,
    strategy::{Planner, RunTime},
    work::{LookupResult, Work},
};
use crate::model::Model;

/// The model and its cache, for one thread.
pub struct PredictionService {
    model: Arc<Model>,
    cache: Arc<PredictionCache>,
    keys: KeySpace,
    /// Contributions have keys of their own, in the form of [`Layout::String`] in every layout.
    contribution_keys: KeySpace,
    content: EntryContent,
    per_tenant: bool,
    lookups: Arc<Flights<LookupResult>>,
    /// Runs of the model; each stays in flight until its entry is stored.
    runs: Arc<Flights<Bytes>>,
    /// One per prediction, and one for contributions.
    planners: Arc<[Planner]>,
    /// The model's total run time on this thread.
    run_time: Arc<RunTime>,
    /// The threads for runs that take long. `None` if all runs are on the thread of their request.
    threads: Option<Arc<ModelThreads>>,
    /// The threads for bodies that take long to read: apart from the others, so that hits do not wait for runs.
    readers: Option<Arc<ModelThreads>>,
    commonest: Option<Arc<CommonestInputs>>,
}

impl PredictionService {
    pub fn new(model: Model, cache: PredictionCache, caching: &Caching) -> Self {
        let content = caching.entry_content();
        let &Caching { ref namespace, layout, strategy, per_tenant } = caching;
        let keys = KeySpace::new(namespace, layout, model.fingerprint(content));
        let contribution_keys = KeySpace::new(namespace, Layout::String, model.fingerprint(content));
        // Measured now: a short-lived environment may receive too few requests to measure it.
        let one_run = (strategy == Strategy::Auto && cache.has_store()).then(|| model.run_time());
        let questions = model.signature().predictions().len() + 1;
        let planners = (0..questions).map(|_| Planner::new(strategy, one_run)).collect();
        let (lookups, runs, run_time) = Default::default();
        Self {
            model: Arc::new(model),
            cache: Arc::new(cache),
            keys,
            contribution_keys,
            content,
            per_tenant,
            lookups,
            runs,
            planners,
            run_time,
            threads: None,
            readers: None,
            commonest: None,
        }
    }

    /// Counts how often each input is asked for, which takes a fraction of a microsecond per request.
    pub fn counting_inputs(self) -> Self {
        Self { commonest: Some(Arc::default()), ..self }
    }

    /// Runs that take long, and bodies that take long to read, leave the thread of their request: up to `threads` of each at once, and up
    /// to `queue` requests wait for them. Further ones are [refused](NoPrediction::Overloaded).
    ///
    /// Images are decoded by fewer threads if they would take more than half of the `memory` that the process may use.
    ///
    /// # Errors
    ///
    /// If the runtime for the threads cannot be built.
    pub fn with_threads(self, threads: NonZeroUsize, queue: usize, memory: Option<u64>) -> io::Result<Self> {
        let readers = readers::number(threads, memory, self.model.signature().decoding_memory());
        let readers = ModelThreads::new(readers, queue, Duration::ZERO)?;
        let threads = ModelThreads::new(threads, queue, self.model.run_time())?;
        Ok(Self { threads: Some(Arc::new(threads)), readers: Some(Arc::new(readers)), ..self })
    }

    /// The same service for another thread. Both share the model, its threads, the memory cache, the work in progress and the measured
    /// costs. Each has its own connections to the store and its own count of the model's run time, since a run blocks only its own thread.
    pub fn for_another_worker(&self) -> Self {
        Self {
            model: Arc::clone(&self.model),
            cache: Arc::new(self.cache.for_another_worker()),
            keys: self.keys.clone(),
            contribution_keys: self.contribution_keys.clone(),
            content: self.content,
            per_tenant: self.per_tenant,
            lookups: Arc::clone(&self.lookups),
            runs: Arc::clone(&self.runs),
            planners: Arc::clone(&self.planners),
            run_time: Arc::default(),
            threads: self.threads.clone(),
            readers: self.readers.clone(),
            commonest: self.commonest.clone(),
        }
    }

    /// Answers a question about one input or many: from the cache if possible and allowed, otherwise from
    /// the model. Equal inputs are looked up and computed once. `tenant` matters only if each tenant
    /// [has its own entries](Caching::per_tenant).
    ///
    /// New predictions are stored [after the response](crate::after_response). A cache fault is an
    /// [outcome](CacheOutcome::Unavailable), not an error.
    pub async fn predict(
        &self,
        question: Question,
        inputs: &Inputs,
        policy: CachePolicy,
        tenant: Option<&Tenant>,
    ) -> Answer {
        let (keys, is_off) = self.keys(question, tenant);
        let work = Work::new(self, question, inputs, &keys);
        if let Some(commonest) = &self.commonest {
            work.count_in(commonest);
        }
        work.answer(policy, is_off).await
    }

    /// The key space of a request, and whether the cache is off for it. If each tenant has its own entries, it is off for a request
    /// without a tenant, whose entries would be shared by all tenants.
    fn keys(&self, question: Question, tenant: Option<&Tenant>) -> (Cow<'_, KeySpace>, bool) {
        static WARNED: Once = Once::new();
        let is_off = self.cache.is_off();
        let keys = match question {
            Question::Prediction(_) | Question::Vector(_) => &self.keys,
            Question::Contributions => &self.contribution_keys,
        };
        match tenant {
            _ if !self.per_tenant => (Cow::Borrowed(keys), is_off),
            Some(tenant) => (Cow::Owned(keys.of_tenant(tenant)), is_off),
            None => {
                WARNED.call_once(|| {
                    tracing::warn!(
                        "CACHE_PER_TENANT is set, but a request has no tenant: it is answered without the cache"
                    );
                });
                (Cow::Borrowed(keys), true)
            }
        }
    }

    /// The name in the key of an answer.
    fn name(&self, question: Question) -> &str {
        let signature = self.model.signature();
        match question {
            Question::Prediction(position) | Question::Vector(position) => signature.predictions()[position].name(),
            Question::Contributions => signature.contributions().map_or("", |contributions| &contributions.name),
        }
    }

    fn planner(&self, question: Question) -> &Planner {
        &self.planners[self.position(question)]
    }

    /// The position of a question's planner.
    fn position(&self, question: Question) -> usize {
        match question {
            Question::Prediction(position) | Question::Vector(position) => position,
            Question::Contributions => self.planners.len() - 1,
        }
    }

    /// The response's body for an entry that this process made. `None` if the answer cannot be derived from it.
    fn body_of(&self, question: Question, entry: &Bytes) -> Option<Bytes> {
        let signature = self.model.signature();
        match question {
            Question::Prediction(position) => self.content.read(signature, position, entry),
            Question::Vector(position) => self.content.read_vector(signature, position, entry),
            Question::Contributions => Explained::from_entry(entry, signature.fields().len()).map(|_| entry.clone()),
        }
    }

    /// The response's body for an entry from the store. `None` if this service would not have stored it.
    fn body_of_stored(&self, question: Question, entry: &Bytes) -> Option<Bytes> {
        match question {
            Question::Prediction(position) => self.content.read_stored(self.model.signature(), position, entry),
            Question::Vector(_) | Question::Contributions => self.body_of(question, entry),
        }
    }

    /// Derives a prediction from the model's output. `as_bytes` if the body is the entry of a vector.
    fn derive(&self, prediction: usize, as_bytes: bool, output: &Output) -> Result<Derived, ModelError> {
        let signature = self.model.signature();
        let (entry, answer) = self.content.write(signature, prediction, output)?;
        let body = if as_bytes { answer.entry } else { answer.body };
        Ok(Derived { entry, may_store: self.content.may_store(signature, output), body })
    }

    /// The entry of contributions, which is also the body.
    fn explained(explained: &Explained) -> Result<Derived, ModelError> {
        let entry = explained.to_entry();
        let entry = entry.ok_or_else(|| ModelError::Output("a contribution is not finite".to_owned()))?;
        Ok(Derived { entry: Some(entry.clone()), may_store: true, body: entry })
    }

    /// [Connects](PredictionCache::open) to the store.
    pub async fn open(&self) {
        self.cache.open().await;
    }

    pub fn model(&self) -> &Model {
        &self.model
    }

    pub fn is_per_tenant(&self) -> bool {
        self.per_tenant
    }

    /// What the cache in memory holds. `None` without one.
    pub fn memory_usage(&self) -> Option<MemoryUsage> {
        self.cache.memory_usage()
    }

    /// The commonest inputs, if they are [counted](Self::counting_inputs).
    pub fn commonest_inputs(&self) -> Option<&CommonestInputs> {
        self.commonest.as_deref()
    }

    /// The store behind the memory, if any.
    pub fn store_tier(&self) -> Option<Tier> {
        self.cache.store_tier()
    }

    /// The state of the store's circuit breakers. `None` without a store.
    pub fn breakers(&self) -> Option<[BreakerState; 2]> {
        self.cache.breakers()
    }

    /// The use of the model's threads, and of those that read bodies; zero if it has none.
    pub fn thread_use(&self) -> ThreadUse {
        [&self.threads, &self.readers].into_iter().flatten().map(|threads| threads.in_use()).sum()
    }

    /// Closes the connections to the store.
    pub fn close(&self) {
        self.cache.close();
    }
}
