//! Logs and metrics.
//!
//! Each request gets one line when its response has left: endpoint, status, what the cache had to do with it, and times in
//! milliseconds; never anything of the application. Under Lambda that line is JSON and at the same time the request's
//! metrics, in CloudWatch's [embedded metric format][emf] under the names of AWS Lambda Powertools: no call to CloudWatch,
//! and nothing to pay twice. Elsewhere it is a readable line.
//!
//! [emf]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

use std::{
    io::{IsTerminal, Write},
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value, json};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer, filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    cache::{Fault, Tier},
    service::{CacheOutcome, Served},
};

/// Where logs and metrics go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetrySettings {
    /// From which level on this crate's own messages are logged.
    pub log_level: LevelFilter,
    /// The CloudWatch namespace of the metrics.
    pub metrics_namespace: String,
    /// The value of the metrics' dimension `service`.
    pub service_name: String,
}

/// Present under Lambda only: there the lines are JSON, and metrics are written.
static METRICS: OnceLock<TelemetrySettings> = OnceLock::new();

/// Starts logging, once per process.
pub fn start(settings: TelemetrySettings, in_lambda: bool) {
    // Of other crates only warnings: at `trace`, lambda_runtime writes whole events, and applicants' data with them.
    let targets = Targets::new().with_default(LevelFilter::WARN).with_target("predict_once", settings.log_level);
    let lines = fmt::layer();
    if in_lambda {
        let lines = lines.json().flatten_event(true).with_current_span(true).with_span_list(false).with_filter(targets);
        tracing_subscriber::registry().with(lines).init();
        METRICS.get_or_init(|| settings);
    } else {
        let lines = lines.with_ansi(std::io::stdout().is_terminal()).with_target(false).with_filter(targets);
        tracing_subscriber::registry().with(lines).init();
    }
}

/// One request, as the log tells it.
#[derive(Clone, Debug)]
pub struct RequestRecord {
    /// The platform's name for the request.
    pub request_id: String,
    /// The path of the route, or `unmatched`: what else a client may have written there is not logged.
    pub endpoint: String,
    /// The response's status.
    pub status: u16,
    /// How a prediction came about. `None` for anything else, errors included.
    pub served: Option<Served>,
}

/// Writes the line of a request.
pub fn request_served(record: &RequestRecord) {
    let RequestRecord { request_id, endpoint, status, served } = record;
    let cache = served.map(|served| outcome_name(served.outcome));
    let cache_ms = served.and_then(|served| served.cache_time).map(milliseconds);
    let model_ms = served.and_then(|served| served.model_time).map(milliseconds);
    let Some(settings) = METRICS.get() else {
        tracing::info!(endpoint, status, cache, cache_ms, model_ms, request_id, "request");
        return;
    };
    let mut line = Map::new();
    line.insert("level".to_owned(), "INFO".into());
    line.insert("message".to_owned(), "request".into());
    line.insert("request_id".to_owned(), request_id.as_str().into());
    line.insert("endpoint".to_owned(), endpoint.as_str().into());
    line.insert("status".to_owned(), (*status).into());
    for (name, value) in [
        ("cache", cache.map(Value::from)),
        ("cache_ms", cache_ms.map(Value::from)),
        ("model_ms", model_ms.map(Value::from)),
    ] {
        line.extend(value.map(|value| (name.to_owned(), value)));
    }
    let mut metrics = Vec::new();
    if let Some(served) = served {
        metrics.push((outcome_metric(served.outcome), "Count", json!(1)));
        metrics.extend(cache_ms.map(|ms| ("CacheReadTime", "Milliseconds", json!(ms))));
        metrics.extend(model_ms.map(|ms| ("ModelTime", "Milliseconds", json!(ms))));
    }
    write_line(settings, line, &metrics);
}

/// Notes the write that followed a response: how long it took, and what went wrong.
pub fn cache_written(time: Duration, fault: Option<&Fault>) {
    if let Some(fault) = fault {
        tracing::warn!(%fault, "the prediction was not stored");
    }
    if let Some(settings) = METRICS.get() {
        let failed = u8::from(fault.is_some());
        let metrics = [
            ("CacheWriteTime", "Milliseconds", json!(milliseconds(time))),
            ("CacheWriteFailed", "Count", json!(failed)),
        ];
        write_line(settings, Map::new(), &metrics);
    }
}

/// The outcome as one word, for filtering logs.
fn outcome_name(outcome: CacheOutcome) -> &'static str {
    match outcome {
        CacheOutcome::Hit(Tier::Memory) => "hit_memory",
        CacheOutcome::Hit(Tier::Redis) => "hit_redis",
        CacheOutcome::Miss => "miss",
        CacheOutcome::Corrupt => "corrupt",
        CacheOutcome::Unavailable => "unavailable",
        CacheOutcome::Bypass => "bypass",
    }
}

/// The metric that counts the outcome. These add up to the valid prediction requests.
fn outcome_metric(outcome: CacheOutcome) -> &'static str {
    match outcome {
        CacheOutcome::Hit(_) => "CacheHit",
        CacheOutcome::Miss | CacheOutcome::Corrupt => "CacheMiss",
        CacheOutcome::Unavailable => "CacheUnavailable",
        CacheOutcome::Bypass => "CacheBypass",
    }
}

/// Writes `line` and `metrics` as one line of JSON, in embedded metric format if there are metrics.
fn write_line(settings: &TelemetrySettings, mut line: Map<String, Value>, metrics: &[(&str, &str, Value)]) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    line.insert("timestamp".to_owned(), json!(now.as_millis() as u64));
    line.insert("service".to_owned(), settings.service_name.as_str().into());
    if !metrics.is_empty() {
        let definitions: Vec<_> = metrics.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
        let directive =
            json!({"Namespace": settings.metrics_namespace, "Dimensions": [["service"]], "Metrics": definitions});
        line.insert("_aws".to_owned(), json!({"Timestamp": now.as_millis() as u64, "CloudWatchMetrics": [directive]}));
        line.extend(metrics.iter().map(|(name, _, value)| ((*name).to_owned(), value.clone())));
    }
    let mut text = Value::Object(line).to_string();
    text.push('\n');
    // A log that nobody reads any more is no reason to fail.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Milliseconds with three decimals: a lookup in this process takes less than a microsecond.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}
