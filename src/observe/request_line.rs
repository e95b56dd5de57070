//! One log line per request, written after the response has been sent and the cache write has ended.
//!
//! The line has the endpoint, the status, the cache outcome, and times in milliseconds; never any part of the input. Under Lambda, it
//! is JSON and also carries the request's metrics in CloudWatch's [embedded metric format][emf], configured by the variables of AWS
//! Lambda Powertools: the function makes no calls to CloudWatch's API, which would be charged. It is written at every log level, so
//! that no level disables the metrics. Elsewhere, it is a readable line at level `info`.
//!
//! [emf]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use axum_core::{extract::Request, response::Response};
use http::StatusCode;
use model_package::ModelError;
use opentelemetry::trace::TraceId;
use serde::Serialize;

use super::{
    FunctionRequestId,
    log::{self, MODEL},
    metrics::EmbeddedMetrics,
    milliseconds,
    trace_context::TraceParent,
};
use crate::{
    after_response,
    service::{CacheOutcome, Served},
};

/// Why a request was refused, as an extension of its response: for the log line and the metrics.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// The last part of the error's `type`: `invalid-fields`.
    pub(crate) error: &'static str,
    /// The invalid fields, each with its code: `age_in_years:missing`. Never what the client sent: values, or names that are not the model's.
    pub(crate) invalid_fields: Option<String>,
}

/// The log line of a request in progress.
pub(crate) struct RequestLine {
    request_id: String,
    function_request_id: Option<String>,
    trace_id: Option<String>,
    endpoint: String,
}

impl RequestLine {
    /// `endpoint` is the matched route's path, or `unmatched`; `trace` is set if the request is traced.
    pub(crate) fn of(request: &Request, request_id: &str, endpoint: &str, trace: Option<TraceId>) -> Self {
        Self {
            request_id: request_id.to_owned(),
            function_request_id: request.extensions().get().map(|FunctionRequestId(id)| id.clone()),
            trace_id: match trace {
                Some(trace) => Some(trace.to_string()),
                None => TraceParent::of(request.headers()).map(|parent| parent.trace.to_owned()),
            },
            endpoint: endpoint.to_owned(),
        }
    }

    /// Logs the model's error, if any, and defers the line.
    pub(crate) fn end(self, response: &mut Response) {
        if let Some(error) = response.extensions_mut().remove::<Arc<ModelError>>() {
            tracing::error!(%error, request_id = self.request_id, "the model failed");
        }
        let served: Option<Served> = response.extensions().get().cloned();
        let refusal: Option<Refusal> = response.extensions().get().cloned();
        let status = response.status().as_u16();
        after_response::defer(move |time_left| async move {
            write(&self, status, served.as_ref(), refusal.as_ref(), time_left);
        });
    }
}

/// The number of dropped lines that the metrics written so far report.
static REPORTED_DROPPED: AtomicU64 = AtomicU64::new(0);

/// Writes the line, under Lambda within `time_left`. The request's write must have ended.
fn write(
    request: &RequestLine,
    status: u16,
    served: Option<&Served>,
    refusal: Option<&Refusal>,
    time_left: Option<Duration>,
) {
    let is_hit = served.is_some_and(|served| matches!(served.outcome, CacheOutcome::Hit(_)));
    let is_sampled = !is_hit || log::takes_hit();
    let RequestLine { request_id, function_request_id, trace_id, endpoint } = request;
    let cache = served.map(Served::word);
    let error = refusal.map(|refusal| refusal.error);
    let invalid_fields = refusal.and_then(|refusal| refusal.invalid_fields.as_deref());
    let cache_ms = served.and_then(|served| served.cache_time).map(milliseconds);
    let model_ms = served.and_then(|served| served.model_time).map(milliseconds);
    let many = served.filter(|served| served.is_many);
    let inputs = many.map(|served| served.tally.inputs());
    let hits = many.map(|served| served.tally.hits);
    let write = served.and_then(|served| served.write.as_ref()?.get().copied());
    let write_ms = write.map(|write| milliseconds(write.time));
    let stored = write.map(|write| write.stored);
    let probe = served.and_then(|served| served.probe.as_ref()?.get().copied());
    let probe_ms = probe.map(|probe| milliseconds(probe.time));
    // Responses other than predictions, such as pages, have no model.
    let model = MODEL.get().filter(|_| served.is_some());
    let (model, fingerprint) = model.map(|(name, fingerprint)| (name.as_str(), fingerprint.as_str())).unzip();
    let Some(settings) = log::metrics() else {
        if !is_sampled {
            return;
        }
        tracing::info!(
            endpoint,
            status,
            error,
            invalid_fields,
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
    // 503 and 504 are refusals that clients can cause.
    let is_fault = status == StatusCode::INTERNAL_SERVER_ERROR;
    let dropped = log::dropped();
    let newly_dropped = dropped - REPORTED_DROPPED.load(Relaxed);
    let metrics = EmbeddedMetrics::new(&settings.metrics_namespace, served, is_fault, newly_dropped);
    let service = &settings.service_name;
    if !is_sampled {
        if write_json(&MetricsLine { service, metrics }, time_left) {
            REPORTED_DROPPED.store(dropped, Relaxed);
        }
        return;
    }
    let line = Line {
        level: "INFO",
        message: "request",
        request_id,
        endpoint,
        status,
        service,
        function_request_id: function_request_id.as_deref(),
        trace_id: trace_id.as_deref(),
        error,
        invalid_fields,
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
    if write_json(&line, time_left) {
        REPORTED_DROPPED.store(dropped, Relaxed);
    }
}

/// Counts an event that is not supported, in a line of its own: the invocation fails, but not because of the service.
pub(crate) fn unsupported_event() {
    after_response::defer(|time_left| async move { count_unsupported_event(time_left) });
}

fn count_unsupported_event(time_left: Option<Duration>) {
    #[derive(Serialize)]
    struct Line<'a> {
        level: &'a str,
        message: &'a str,
        service: &'a str,
        #[serde(flatten)]
        metrics: EmbeddedMetrics<'a>,
    }
    if let Some(settings) = log::metrics() {
        let line = Line {
            level: "INFO",
            message: "an unsupported event was refused",
            service: &settings.service_name,
            metrics: EmbeddedMetrics::of_unsupported_event(&settings.metrics_namespace),
        };
        write_json(&line, time_left);
    }
}

/// Returns whether there was room for the line.
fn write_json(line: &impl Serialize, time_left: Option<Duration>) -> bool {
    let mut text = Vec::with_capacity(1024);
    // Strings and finite numbers always serialise.
    if serde_json::to_writer(&mut text, line).is_err() {
        return false;
    }
    text.push(b'\n');
    let is_queued = log::write(&text);
    log::flush_after_invocation(time_left);
    is_queued
}

/// The JSON line under Lambda.
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
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invalid_fields: Option<&'a str>,
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
    metrics: Option<EmbeddedMetrics<'a>>,
}

/// What a hit that is not sampled leaves under Lambda: metrics count every request.
#[derive(Serialize)]
struct MetricsLine<'a> {
    service: &'a str,
    #[serde(flatten)]
    metrics: Option<EmbeddedMetrics<'a>>,
}

#[cfg(test)]
mod tests {
    use std::io;

    use axum_core::body::Body;
    use parking_lot::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn an_error_of_the_model_is_logged_with_the_request_id() {
        let lines = Lines::default();
        let written = lines.clone();
        let _default = tracing::subscriber::set_default(
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || written.clone()).finish(),
        );
        let request = Request::get("/").body(Body::empty()).expect("a request");
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(Arc::new(ModelError::Output("NaN".to_owned())));
        let line = RequestLine::of(&request, "order-4711", "/", None);
        after_response::collect(async { line.end(&mut response) }).await;
        let text = String::from_utf8(lines.0.lock().clone()).expect("UTF-8");
        assert!(text.contains("the model failed") && text.contains("NaN") && text.contains("order-4711"), "{text}");
    }
}
