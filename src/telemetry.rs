//! Logs and metrics.
//!
//! Each request gets one line when its response has left and its write has ended: endpoint, status, what the cache had to do
//! with it, and times in milliseconds; never anything of the application. Under Lambda that line is JSON and at the same
//! time the request's metrics, in CloudWatch's [embedded metric format][emf] with the settings' names of AWS Lambda
//! Powertools: no call to CloudWatch, and nothing to pay twice. It is written at every log level, since metrics are not for
//! a log level to take away. Elsewhere it is a readable line at level `info`.
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
    cache::Tier,
    model::Model,
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

/// The name and the fingerprint of the model that this process serves.
static MODEL: OnceLock<(String, String)> = OnceLock::new();

/// Starts logging, once per process, for a service of this model.
pub fn start(settings: TelemetrySettings, in_lambda: bool, model: &Model) {
    MODEL.get_or_init(|| (model.signature().name.clone(), model.fingerprint().to_owned()));
    // Of other crates only warnings: at `trace`, lambda_runtime writes whole events, and applicants' data with them.
    let targets = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("predict_once", settings.log_level)
        // Nothing but the span of an invocation, which puts the request id on the lines within.
        .with_target("lambda_runtime::layers::trace", LevelFilter::INFO);
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
    /// The request's id, as the response has it.
    pub request_id: String,
    /// Lambda's id of the invocation.
    pub function_request_id: Option<String>,
    /// The trace that the client says the request belongs to.
    pub trace_id: Option<String>,
    /// The path of the route, or `unmatched`: what else a client may have written there is not logged.
    pub endpoint: String,
    /// The response's status.
    pub status: u16,
    /// How a prediction came about. `None` for anything else, errors included.
    pub served: Option<Served>,
}

/// Writes the line of a request, when what it deferred has ended.
pub fn request_served(record: &RequestRecord) {
    let RequestRecord { request_id, function_request_id, trace_id, endpoint, status, served } = record;
    let cache = served.as_ref().map(|served| outcome_name(served.outcome));
    let cache_ms = served.as_ref().and_then(|served| served.cache_time).map(milliseconds);
    let model_ms = served.as_ref().and_then(|served| served.model_time).map(milliseconds);
    let write = served.as_ref().and_then(|served| served.write.as_ref()?.get().copied());
    let write_ms = write.map(|write| milliseconds(write.time));
    let stored = write.map(|write| write.stored);
    // Of a prediction only: a page is no model's.
    let model = MODEL.get().filter(|_| served.is_some());
    let (model, fingerprint) = model.map(|(name, fingerprint)| (name.as_str(), fingerprint.as_str())).unzip();
    let Some(settings) = METRICS.get() else {
        tracing::info!(
            endpoint,
            status,
            cache,
            cache_ms,
            model_ms,
            write_ms,
            stored,
            model,
            fingerprint,
            request_id,
            trace_id,
            "request"
        );
        return;
    };
    let mut line = Map::new();
    let mut add = |name: &str, value: Value| line.insert(name.to_owned(), value);
    add("level", "INFO".into());
    add("message", "request".into());
    add("request_id", request_id.as_str().into());
    add("endpoint", endpoint.as_str().into());
    add("status", (*status).into());
    add("service", settings.service_name.as_str().into());
    for (name, text) in [
        ("function_request_id", function_request_id.as_deref()),
        ("trace_id", trace_id.as_deref()),
        ("cache", cache),
        ("model", model),
        ("fingerprint", fingerprint),
    ] {
        if let Some(text) = text {
            add(name, text.into());
        }
    }
    for (name, ms) in [("cache_ms", cache_ms), ("model_ms", model_ms), ("write_ms", write_ms)] {
        if let Some(ms) = ms {
            add(name, ms.into());
        }
    }
    if let Some(served) = served {
        let mut metrics = vec![(outcome_metric(served.outcome), "Count", json!(1))];
        for (name, ms) in [("CacheReadTime", cache_ms), ("ModelTime", model_ms), ("CacheWriteTime", write_ms)] {
            metrics.extend(ms.map(|ms| (name, "Milliseconds", json!(ms))));
        }
        metrics.extend(stored.map(|stored| ("CacheWriteFailed", "Count", json!(u8::from(!stored)))));
        line.insert("_aws".to_owned(), directive(settings, &metrics));
        line.extend(metrics.into_iter().map(|(name, _, value)| (name.to_owned(), value)));
    }
    let mut text = Value::Object(line).to_string();
    text.push('\n');
    // A log that nobody reads any more is no reason to fail.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// What tells CloudWatch which members of a line are metrics.
fn directive(settings: &TelemetrySettings, metrics: &[(&str, &str, Value)]) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let definitions: Vec<_> = metrics.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
    let set = json!({"Namespace": settings.metrics_namespace, "Dimensions": [["service"]], "Metrics": definitions});
    json!({"Timestamp": now.as_millis() as u64, "CloudWatchMetrics": [set]})
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
        CacheOutcome::Off => "off",
    }
}

/// The metric that counts the outcome. These add up to the valid prediction requests.
fn outcome_metric(outcome: CacheOutcome) -> &'static str {
    match outcome {
        CacheOutcome::Hit(_) => "CacheHit",
        CacheOutcome::Miss | CacheOutcome::Corrupt => "CacheMiss",
        CacheOutcome::Unavailable => "CacheUnavailable",
        CacheOutcome::Bypass | CacheOutcome::Off => "CacheBypass",
    }
}

/// Milliseconds with four decimals: a lookup in this process takes less than a microsecond.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e7).round() / 1e4
}
