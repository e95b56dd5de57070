//! Metrics for Prometheus, which asks the local server for them. Under Lambda, the [log line](crate::observe) has them.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum_core::{
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use model_package::Stored;
use prediction_cache::BreakerState;
use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

use crate::{
    after_response,
    http::Api,
    observe::outcome::Series,
    service::{CacheWrite, PredictionService, Served, Tally},
};

/// The limits of the histograms' buckets, in seconds: a small model or a lookup in memory takes a microsecond.
const TIMES: [f64; 22] = [
    1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0,
];

/// A request takes longer: from 50 µs.
const FIRST_OF_REQUESTS: usize = 5;

type Labels<const N: usize> = [(&'static str, String); N];

/// What is counted in this process.
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
}

impl Metrics {
    /// Nothing has been counted yet, in a process that was started then. Each worker has one of these services, of one model.
    ///
    /// # Panics
    ///
    /// Without a service.
    pub fn new(services: Vec<Arc<PredictionService>>, started: SystemTime) -> Self {
        let mut registry = Registry::default();
        let process_start: Gauge<f64, AtomicU64> = Gauge::default();
        process_start.set(started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64());
        registry.register_with_unit("process_start_time", "When the process was started", Unit::Seconds, process_start);

        let ours = registry.sub_registry_with_prefix("predict_once");
        let model = services[0].model();
        let build = [
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("model", model.signature().name.clone()),
            ("fingerprint", model.fingerprint(Stored::Answer).to_owned()),
        ];
        ours.register("build", "What is served", Info::new(build));
        let requests = Family::default();
        ours.register("http_requests", "Requests", requests.clone());
        let request_duration: Family<_, _, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(TIMES.into_iter().skip(FIRST_OF_REQUESTS)));
        let help = "From the headers of a request to its response";
        ours.register_with_unit("http_request_duration", help, Unit::Seconds, request_duration.clone());
        let predictions = Family::default();
        ours.register("predictions", "Predictions, by what the cache had for them", predictions.clone());
        let mut times = |name: &str, help: &str| {
            let histogram = Histogram::new(TIMES);
            ours.register_with_unit(name, help, Unit::Seconds, histogram.clone());
            histogram
        };
        let lookup_duration = times("cache_lookup_duration", "Lookups in the cache, and waits for another request's");
        let model_run_duration = times("model_run_duration", "Runs of the model; in an array, the time per input");
        let write_duration = times("cache_write_duration", "Writes to the cache after the response");
        let writes = Family::default();
        ours.register("cache_writes", "Writes to the cache, by how they ended", writes.clone());
        let breakers = Family::default();
        ours.register("cache_breaker_open", "1 while a worker asks Redis once per second only", breakers.clone());

        let connections = Gauge::default();
        ours.register("http_connections", "Open connections", connections.clone());

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
        };
        // A counter that begins at 0 has a rate from its first increase on.
        metrics.count_predictions(Tally::default());
        for result in ["stored", "failed"] {
            drop(metrics.writes.get_or_create(&label("result", result)));
        }
        metrics
    }

    /// Counts a request, which `api` answers, and [later](after_response) its write.
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

    /// All of it, in the OpenMetrics format, while so many connections are open.
    pub fn show(&self, connections: usize) -> impl IntoResponse + use<> {
        const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        self.connections.set(connections as i64);
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
        ([(header::CONTENT_TYPE, OPEN_METRICS)], text)
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
            let one = time.as_secs_f64() / served.runs as f64;
            (0..served.runs).for_each(|_| self.model_run_duration.observe(one));
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
