//! Logs and metrics.
//!
//! Each request gets one line after its response has been sent and its write has ended: endpoint, status, how the cache was
//! involved, and times in milliseconds; never any part of the input. Under Lambda the line is JSON and also carries the
//! request's metrics, in CloudWatch's [embedded metric format][emf], configured by the variables of AWS Lambda Powertools:
//! no calls to CloudWatch, and no second bill. It is written at every log level, so that no level disables the metrics.
//! Elsewhere it is a readable line at level `info`.
//!
//! [emf]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

use std::{
    io::{IsTerminal, Write},
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Serialize, Serializer, ser::SerializeMap};
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
    /// The level of this crate's own messages.
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
    // From other crates, only warnings: at `trace`, lambda_runtime logs whole events, including the inputs.
    let targets = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("predict_once", settings.log_level)
        // Only the span of an invocation, which adds the request id to the lines within.
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

/// One request, as it is logged.
#[derive(Clone, Debug)]
pub struct RequestRecord {
    /// The request's id, as the response has it.
    pub request_id: String,
    /// Lambda's id of the invocation.
    pub function_request_id: Option<String>,
    /// The trace that the client sent with the request.
    pub trace_id: Option<String>,
    /// The path of the route, or `unmatched`: other paths that clients send are not logged.
    pub endpoint: String,
    /// The response's status.
    pub status: u16,
    /// How a prediction came about. `None` for anything else, errors included.
    pub served: Option<Served>,
}

/// Writes the line of a request, after its deferred work has ended.
pub fn request_served(record: &RequestRecord) {
    let RequestRecord { request_id, function_request_id, trace_id, endpoint, status, served } = record;
    let cache = served.as_ref().map(outcome_name);
    let cache_ms = served.as_ref().and_then(|served| served.cache_time).map(milliseconds);
    let model_ms = served.as_ref().and_then(|served| served.model_time).map(milliseconds);
    let many = served.as_ref().filter(|served| served.is_many);
    let inputs = many.map(|served| served.tally.inputs());
    let hits = many.map(|served| served.tally.hits);
    let write = served.as_ref().and_then(|served| served.write.as_ref()?.get().copied());
    let write_ms = write.map(|write| milliseconds(write.time));
    let stored = write.map(|write| write.stored);
    // Only for predictions: pages have no model.
    let probe = served.as_ref().and_then(|served| served.probe.as_ref()?.get().copied());
    let probe_ms = probe.map(|probe| milliseconds(probe.time));
    let model = MODEL.get().filter(|_| served.is_some());
    let (model, fingerprint) = model.map(|(name, fingerprint)| (name.as_str(), fingerprint.as_str())).unzip();
    let Some(settings) = METRICS.get() else {
        tracing::info!(
            endpoint,
            status,
            cache,
            inputs,
            hits,
            cache_ms,
            model_ms,
            write_ms,
            probe_ms,
            stored,
            model,
            fingerprint,
            request_id,
            trace_id,
            "request"
        );
        return;
    };
    let metrics = served.as_ref().map(|served| {
        let time = |name, ms: Option<f64>| ms.map(|ms| Metric { name, value: MetricValue::Milliseconds(ms) });
        let count = |name, value| (value > 0).then_some(Metric { name, value: MetricValue::Count(value) });
        let metrics = [
            count("CacheHit", served.tally.hits),
            count("CacheMiss", served.tally.misses),
            count("CacheUnavailable", served.tally.unavailable),
            count("CacheBypass", served.tally.bypassed),
            time("CacheReadTime", cache_ms),
            // One run's, so that it means the same for one input and for many.
            time("ModelTime", model_ms.map(|ms| ms / served.runs.max(1) as f64)),
            time("CacheWriteTime", write_ms),
            stored.map(|stored| Metric { name: "CacheWriteFailed", value: MetricValue::Count(usize::from(!stored)) }),
        ];
        Metrics { namespace: &settings.metrics_namespace, metrics }
    });
    let line = Line {
        level: "INFO",
        message: "request",
        request_id,
        endpoint,
        status: *status,
        service: &settings.service_name,
        function_request_id: function_request_id.as_deref(),
        trace_id: trace_id.as_deref(),
        cache,
        inputs,
        hits,
        model,
        fingerprint,
        cache_ms,
        model_ms,
        write_ms,
        probe_ms,
        metrics,
    };
    let mut text = Vec::with_capacity(1024);
    // Strings and finite numbers always serialise, and a log that nobody reads is no reason to fail.
    if serde_json::to_writer(&mut text, &line).is_ok() {
        text.push(b'\n');
        let _ = std::io::stdout().write_all(&text);
    }
}

/// The line of a request under Lambda.
#[derive(Serialize)]
struct Line<'a> {
    level: &'a str,
    message: &'a str,
    request_id: &'a str,
    endpoint: &'a str,
    status: u16,
    service: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hits: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    write_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probe_ms: Option<f64>,
    #[serde(flatten)]
    metrics: Option<Metrics<'a>>,
}

/// Metrics in the embedded metric format: first the directive that tells CloudWatch which members they are, then these members.
struct Metrics<'a> {
    namespace: &'a str,
    metrics: [Option<Metric>; 8],
}

struct Metric {
    name: &'static str,
    value: MetricValue,
}

#[derive(Serialize)]
#[serde(untagged)]
enum MetricValue {
    Count(usize),
    Milliseconds(f64),
}

impl Serialize for Metrics<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Directive<'a> {
            timestamp: u64,
            cloud_watch_metrics: [Set<'a>; 1],
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Set<'a> {
            namespace: &'a str,
            dimensions: [[&'a str; 1]; 1],
            metrics: Vec<Definition>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Definition {
            name: &'static str,
            unit: &'static str,
        }
        let there = || self.metrics.iter().flatten();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let metrics = there().map(|Metric { name, value }| Definition { name, unit: value.unit() }).collect();
        let set = Set { namespace: self.namespace, dimensions: [["service"]], metrics };
        let mut members = serializer.serialize_map(None)?;
        let directive = Directive { timestamp: now.as_millis() as u64, cloud_watch_metrics: [set] };
        members.serialize_entry("_aws", &directive)?;
        for Metric { name, value } in there() {
            members.serialize_entry(name, value)?;
        }
        members.end()
    }
}

impl MetricValue {
    /// The unit's name in CloudWatch.
    fn unit(&self) -> &'static str {
        match self {
            Self::Count(_) => "Count",
            Self::Milliseconds(_) => "Milliseconds",
        }
    }
}

/// How an answer came about as one word, for filtering logs.
pub(crate) fn outcome_name(served: &Served) -> &'static str {
    if served.collapsed {
        return "collapsed";
    }
    match served.outcome {
        CacheOutcome::Hit(Tier::Memory) => "hit_memory",
        CacheOutcome::Hit(Tier::Redis) => "hit_redis",
        CacheOutcome::Miss => "miss",
        CacheOutcome::Corrupt => "corrupt",
        CacheOutcome::Unavailable => "unavailable",
        CacheOutcome::Bypass => "bypass",
        CacheOutcome::Off => "off",
        CacheOutcome::Cost => "cost",
        CacheOutcome::Partial { .. } => "partial",
    }
}

/// Milliseconds with four decimals: a lookup in this process takes less than a microsecond.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e7).round() / 1e4
}
