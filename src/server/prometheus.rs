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
use model_package::Stored;
use prediction_cache::BreakerState;
use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

use super::exposition::Format;
use crate::{
    after_response,
    http::Api,
    observe::{log, outcome::Series},
    service::{CacheWrite, PredictionService, Served, Tally},
};

/// Bucket limits of the histograms, in seconds. They begin at 1 µs, the time of a small model or a lookup in memory.
const TIMES: [f64; 22] = [
    1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0,
];

/// Buckets of request durations begin at 50 µs: a request takes longer than a lookup.
const FIRST_OF_REQUESTS: usize = 5;

type Labels<const N: usize> = [(&'static str, String); N];

/// The metrics of this process.
pub struct Metrics {
    registry: Registry,
    services: Vec<Arc<PredictionService>>,
    requests: Family<Labels<2>, Counter>,
    request_duration: Family<Labels<1>, Histogram, fn() -> Histogram>,
    predictions: Family<Labels<1>, Counter>,
    lookup_duration: Histogram,
    model_run_duration: Histogram,
    writes: Family<Labels<1>, Counter>,
    write_duration: Histogram,
    breakers: Family<Labels<1>, Gauge>,
    connections: Gauge,
    log_lines_dropped: Counter,
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
            ("fingerprint", model.fingerprint(Stored::Answer).to_owned()),
        ];
        prefixed.register("build", "Version of the service, and its model", Info::new(build));
        let requests = Family::default();
        prefixed.register("http_requests", "Requests", requests.clone());
        let request_duration: Family<_, _, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(TIMES.into_iter().skip(FIRST_OF_REQUESTS)));
        let help = "Time from a request's headers to its response";
        prefixed.register_with_unit("http_request_duration", help, Unit::Seconds, request_duration.clone());
        let predictions = Family::default();
        prefixed.register("predictions", "Predictions, by cache outcome", predictions.clone());
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

        let connections = Gauge::default();
        prefixed.register("http_connections", "Open connections", connections.clone());
        let log_lines_dropped = Counter::default();
        let help = "Log lines dropped because their reader was too slow";
        prefixed.register("log_lines_dropped", help, log_lines_dropped.clone());

        let metrics = Self {
            registry,
            services,
            requests,
            request_duration,
            predictions,
            lookup_duration,
            model_run_duration,
            writes,
            write_duration,
            breakers,
            connections,
            log_lines_dropped,
        };
        // Export the counters as 0 from the start: a rate needs a value before the first increase.
        metrics.count_predictions(Tally::default());
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
        self.count_request(&endpoint, response.status(), start.elapsed());
        if let Some(served) = response.extensions().get::<Served>() {
            self.count_predictions(served.tally);
            self.count_times(served);
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
        self.connections.set(connections as i64);
        self.log_lines_dropped.inner().store(log::dropped(), Relaxed);
        let mut open = BTreeMap::new();
        for BreakerState { commands, is_open } in
            self.services.iter().filter_map(|service| service.breakers()).flatten()
        {
            *open.entry(commands).or_insert(false) |= is_open;
        }
        for (commands, is_open) in open {
            self.breakers.get_or_create(&label("commands", commands)).set(is_open.into());
        }
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = text::encode(&mut text, &self.registry);
        let format = Format::of(request);
        ([(header::CONTENT_TYPE, format.content_type())], format.of_open_metrics(text))
    }

    fn count_request(&self, endpoint: &str, status: StatusCode, time: Duration) {
        let [endpoint] = label("endpoint", endpoint);
        self.request_duration.get_or_create(std::array::from_ref(&endpoint)).observe(time.as_secs_f64());
        self.requests.get_or_create(&[endpoint, ("status", status.as_str().to_owned())]).inc();
    }

    fn count_predictions(&self, tally: Tally) {
        for Series { label: cache, predictions, .. } in tally.series() {
            self.predictions.get_or_create(&label("cache", cache)).inc_by(predictions as u64);
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
