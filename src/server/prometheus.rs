//! Metrics of the local server, in Prometheus's format. Under Lambda, metrics are in the [log line](crate::observe).

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum_core::{
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use model_package::EntryContent;
use prediction_cache::BreakerState;
use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

use super::exposition::Format;
use crate::{
    after_response,
    http::{Api, ProblemKind, endpoint_paths},
    observe::{log, outcome::Series, request_line::Refusal},
    service::{CacheWrite, PredictionService, Served, Tally, ThreadUse},
};

/// Bucket limits of the histograms, in seconds. They begin at 1 µs, the time of a small model or a lookup in memory.
const TIMES: [f64; 22] = [
    1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0,
];

/// Buckets of request durations begin at 50 µs: a request takes longer than a lookup.
pub(super) const REQUEST_TIMES: [f64; 17] =
    [5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

type Labels<const N: usize> = [(&'static str, String); N];

/// The metrics of this process.
pub struct Metrics {
    registry: Registry,
    services: Vec<Arc<PredictionService>>,
    requests: Family<Labels<2>, Counter>,
    request_duration: Family<Labels<1>, Histogram, fn() -> Histogram>,
    predictions: Family<Labels<2>, Counter>,
    prediction_duration: Family<Labels<1>, Histogram, fn() -> Histogram>,
    errors: Family<Labels<1>, Counter>,
    lookup_duration: Histogram,
    model_run_duration: Histogram,
    writes: Family<Labels<1>, Counter>,
    write_duration: Histogram,
    breakers: Family<Labels<1>, Gauge>,
    memory_entries: Gauge,
    memory_bytes: Gauge,
    connections: Gauge,
    log_lines_dropped: Counter,
    model_runs_in_progress: Gauge,
    model_runs_waiting: Gauge,
    model_requests_refused: Counter,
}

impl Metrics {
    /// `services` has one service per worker, all of one model; `started` is the start of the process.
    ///
    /// # Panics
    ///
    /// If `services` is empty.
    pub fn new(services: Vec<Arc<PredictionService>>, started: SystemTime) -> Self {
        let mut registry = Registry::default();
        let process_start: Gauge<f64, AtomicU64> = Gauge::default();
        process_start.set(started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64());
        registry.register_with_unit("process_start_time", "Start time of the process", Unit::Seconds, process_start);

        let prefixed = registry.sub_registry_with_prefix("predict_once");
        let model = services[0].model();
        let build = [
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("model", model.signature().name.clone()),
            ("fingerprint", model.fingerprint(EntryContent::Answer).to_owned()),
        ];
        prefixed.register("build", "Version of the service, and its model", Info::new(build));
        let requests = Family::default();
        prefixed.register("http_requests", "Requests", requests.clone());
        let mut request_times = |name: &str, help: &str| {
            let family: Family<_, _, fn() -> Histogram> =
                Family::new_with_constructor(|| Histogram::new(REQUEST_TIMES));
            prefixed.register_with_unit(name, help, Unit::Seconds, family.clone());
            family
        };
        let request_duration = request_times("http_request_duration", "Time from a request's headers to its response");
        let help = "The same for answered requests for predictions, by cache outcome";
        let prediction_duration = request_times("prediction_duration", help);
        let errors = Family::default();
        prefixed.register("errors", "Requests that were answered with an error, by its type", errors.clone());
        let predictions = Family::default();
        prefixed.register("predictions", "Predictions, by endpoint and cache outcome", predictions.clone());
        let mut times = |name: &str, help: &str| {
            let histogram = Histogram::new(TIMES);
            prefixed.register_with_unit(name, help, Unit::Seconds, histogram.clone());
            histogram
        };
        let lookup_duration = times("cache_lookup_duration", "Cache lookups, and waits for another request's result");
        let model_run_duration = times("model_run_duration", "Model runs; for an array, the time per input");
        let write_duration = times("cache_write_duration", "Cache writes after the response");
        let writes = Family::default();
        prefixed.register("cache_writes", "Cache writes, by result", writes.clone());
        let breakers = Family::default();
        prefixed.register(
            "cache_breaker_open",
            "1 while a worker tries the store only once per second",
            breakers.clone(),
        );

        let (memory_entries, memory_bytes) = (Gauge::default(), Gauge::default());
        prefixed.register("memory_cache_entries", "Entries of the cache in memory", memory_entries.clone());
        let help = "Memory of these entries, estimated";
        prefixed.register_with_unit("memory_cache_size", help, Unit::Bytes, memory_bytes.clone());
        let connections = Gauge::default();
        prefixed.register("http_connections", "Open connections", connections.clone());
        let log_lines_dropped = Counter::default();
        let help = "Log lines dropped because their reader was too slow";
        prefixed.register("log_lines_dropped", help, log_lines_dropped.clone());

        let (model_runs_in_progress, model_runs_waiting, model_requests_refused) = <(Gauge, Gauge, Counter)>::default();
        let help = "Long model runs and slow bodies in progress, each on a thread of its own";
        prefixed.register("model_runs_in_progress", help, model_runs_in_progress.clone());
        let help = "Long model runs and slow bodies that wait for a thread";
        prefixed.register("model_runs_waiting", help, model_runs_waiting.clone());
        let help = "Requests refused because too many waited for the model";
        prefixed.register("model_requests_refused", help, model_requests_refused.clone());

        let metrics = Self {
            registry,
            services,
            requests,
            request_duration,
            predictions,
            prediction_duration,
            errors,
            lookup_duration,
            model_run_duration,
            writes,
            write_duration,
            breakers,
            memory_entries,
            memory_bytes,
            connections,
            log_lines_dropped,
            model_runs_in_progress,
            model_runs_waiting,
            model_requests_refused,
        };
        // Export the counters as 0 from the start: a rate needs a value before the first increase.
        for path in endpoint_paths(metrics.services[0].model()) {
            metrics.count_predictions(&path, Tally::default());
        }
        for kind in ProblemKind::ALL {
            drop(metrics.errors.get_or_create(&label("type", kind.slug())));
        }
        for result in ["stored", "failed"] {
            drop(metrics.writes.get_or_create(&label("result", result)));
        }
        metrics
    }

    /// Answers a request with `api` and counts it; its cache write is counted [after the response](after_response).
    pub async fn count(self: &Arc<Self>, api: &Api, request: Request) -> Response {
        let start = Instant::now();
        let endpoint = api.endpoint(request.uri().path()).to_owned();
        let response = api.answer(request).await;
        let time = start.elapsed();
        self.count_request(&endpoint, response.status(), time);
        if let Some(Refusal { error, .. }) = response.extensions().get() {
            self.errors.get_or_create(&label("type", error)).inc();
        }
        if let Some(served) = response.extensions().get::<Served>() {
            self.count_predictions(&endpoint, served.tally);
            self.count_times(served);
            if response.status().is_success() {
                self.prediction_duration.get_or_create(&label("cache", served.word())).observe(time.as_secs_f64());
            }
            if let Some(write) = served.write.clone() {
                let metrics = Arc::clone(self);
                after_response::defer(move |_| async move {
                    if let Some(write) = write.get() {
                        metrics.count_write(write);
                    }
                });
            }
        }
        response
    }

    /// All metrics, in the format that the request's `accept` asks for. `connections` is the number of open connections.
    pub fn show(&self, connections: usize, request: &HeaderMap) -> impl IntoResponse + use<> {
        let format = Format::of(request);
        ([(header::CONTENT_TYPE, format.content_type())], format.of_open_metrics(self.text(connections)))
    }

    /// The service of one of the workers, for what all of them share.
    pub(super) fn service(&self) -> &PredictionService {
        &self.services[0]
    }

    /// Whether the circuit breaker of any worker is open, for `lookups` and `writes`. Empty without a store.
    pub(super) fn open_breakers(&self) -> BTreeMap<&'static str, bool> {
        let mut open = BTreeMap::new();
        for BreakerState { commands, is_open } in
            self.services.iter().filter_map(|service| service.breakers()).flatten()
        {
            *open.entry(commands).or_insert(false) |= is_open;
        }
        open
    }

    /// All metrics, in OpenMetrics.
    pub(super) fn text(&self, connections: usize) -> String {
        self.connections.set(connections as i64);
        if let Some(usage) = self.service().memory_usage() {
            self.memory_entries.set(usage.entries as i64);
            self.memory_bytes.set(usage.bytes as i64);
        }
        self.log_lines_dropped.inner().store(log::dropped(), Relaxed);
        // All workers share the threads.
        let ThreadUse { running, waiting, refused } = self.service().thread_use();
        self.model_runs_in_progress.set(running as i64);
        self.model_runs_waiting.set(waiting as i64);
        self.model_requests_refused.inner().store(refused, Relaxed);
        for (commands, is_open) in self.open_breakers() {
            self.breakers.get_or_create(&label("commands", commands)).set(is_open.into());
        }
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }

    fn count_request(&self, endpoint: &str, status: StatusCode, time: Duration) {
        let [endpoint] = label("endpoint", endpoint);
        self.request_duration.get_or_create(std::array::from_ref(&endpoint)).observe(time.as_secs_f64());
        self.requests.get_or_create(&[endpoint, ("status", status.as_str().to_owned())]).inc();
    }

    fn count_predictions(&self, endpoint: &str, tally: Tally) {
        for Series { label: cache, predictions, .. } in tally.series() {
            let labels = [("endpoint", endpoint.to_owned()), ("cache", cache.to_owned())];
            self.predictions.get_or_create(&labels).inc_by(predictions as u64);
        }
    }

    fn count_times(&self, served: &Served) {
        if let Some(time) = served.cache_time {
            self.lookup_duration.observe(time.as_secs_f64());
        }
        if let Some(time) = served.model_time {
            let per_input = time.as_secs_f64() / served.runs as f64;
            (0..served.runs).for_each(|_| self.model_run_duration.observe(per_input));
        }
    }

    fn count_write(&self, write: &CacheWrite) {
        self.write_duration.observe(write.time.as_secs_f64());
        self.writes.get_or_create(&label("result", if write.stored { "stored" } else { "failed" })).inc();
    }
}

fn label(name: &'static str, value: &str) -> Labels<1> {
    [(name, value.to_owned())]
}
