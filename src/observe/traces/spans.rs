//! Makes the spans of a request, once its deferred work has ended.

use std::{
    borrow::Cow,
    time::{Duration, Instant, SystemTime},
};

use http::Method;
use model_package::EntryContent;
use opentelemetry::{
    InstrumentationScope, KeyValue,
    trace::{SpanContext, SpanId, SpanKind, Status},
};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SpanData, SpanEvents, SpanLinks};

use prediction_cache::Layout;

use super::Trace;
use crate::{model::Model, service::Served};

/// The facts about a request that its spans carry: no part of the input.
#[derive(Clone, Debug)]
pub struct TracedRequest {
    pub method: Method,
    /// The route's path; `None` for unknown paths, which spans never carry.
    pub route: Option<String>,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The same as in the response.
    pub request_id: String,
    /// Lambda's id for the invocation.
    pub function_request_id: Option<String>,
    pub status: u16,
    /// The time at which the response was ready.
    pub end: Instant,
    /// `None` unless the response is a prediction.
    pub served: Option<Served>,
}

#[derive(Debug)]
pub(super) struct Recorder {
    scope: InstrumentationScope,
    model: [KeyValue; 2],
    layout: KeyValue,
}

impl Recorder {
    pub(super) fn new(model: &Model, layout: Layout) -> Self {
        let name = model.signature().name.clone();
        Self {
            scope: InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
            model: [
                KeyValue::new("predict_once.model.name", name),
                KeyValue::new("predict_once.model.fingerprint", model.fingerprint(EntryContent::Answer).to_owned()),
            ],
            layout: KeyValue::new("predict_once.cache.layout", layout.name()),
        }
    }

    /// The server span first, then those of the steps.
    pub(super) fn spans(&self, trace: &Trace, request: &TracedRequest, ids: &RandomIdGenerator) -> Vec<SpanData> {
        let mut spans = Vec::with_capacity(5);
        spans.push(self.server_span(trace, request));
        let mut add = |name, start, end, attributes, status| {
            let server = &trace.0.context;
            let context = SpanContext::new(
                server.trace_id(),
                ids.new_span_id(),
                server.trace_flags(),
                false,
                server.trace_state().clone(),
            );
            let span = self.span(trace, context, name, start, end, attributes);
            spans.push(SpanData { parent_span_id: server.span_id(), status, ..span });
        };
        if let Some(&(start, end)) = trace.0.parsed.get() {
            add("parse", start, end, Vec::new(), Status::Unset);
        }
        let Some(served) = &request.served else { return spans };
        if let Some((start, time)) = served.cache_start.zip(served.cache_time) {
            add("lookup", start, start + time, vec![cache_status(served), self.layout.clone()], Status::Unset);
        }
        if let Some((start, time)) = served.model_start.zip(served.model_time) {
            let runs = KeyValue::new("predict_once.model.inputs", count(served.runs));
            let [name, fingerprint] = self.model.clone();
            add("model", start, start + time, vec![name, fingerprint, runs], Status::Unset);
        }
        if let Some(probe) = served.probe.as_ref().and_then(|probe| probe.get()) {
            add("probe", probe.start, probe.start + probe.time, vec![self.layout.clone()], Status::Unset);
        }
        if let Some(write) = served.write.as_ref().and_then(|write| write.get()) {
            let stored = KeyValue::new("predict_once.cache.stored", write.stored);
            let status = if write.stored { Status::Unset } else { Status::error("") };
            add("write", write.start, write.start + write.time, vec![stored, self.layout.clone()], status);
        }
        spans
    }

    fn server_span(&self, trace: &Trace, request: &TracedRequest) -> SpanData {
        let TracedRequest { method, route, scheme, request_id, function_request_id, status, end, served } = request;
        let method = known_method(method);
        let mut attributes = vec![
            KeyValue::new("http.request.method", method.unwrap_or("_OTHER")),
            KeyValue::new("http.response.status_code", i64::from(*status)),
            KeyValue::new("url.scheme", *scheme),
        ];
        let mut add = |name, value: &Option<String>| {
            attributes.extend(value.clone().map(|value| KeyValue::new(name, value)));
        };
        add("http.route", route);
        // No route has parameters, so its path is the request's.
        add("url.path", route);
        add("predict_once.request_id", &Some(request_id.clone()));
        add("faas.invocation_id", function_request_id);
        if function_request_id.is_some() {
            attributes.push(KeyValue::new("faas.trigger", "http"));
        }
        if let Some(served) = served {
            attributes.extend(self.model.clone());
            attributes.push(cache_status(served));
            if served.is_many {
                attributes.push(KeyValue::new("predict_once.inputs", count(served.tally.inputs())));
                attributes.push(KeyValue::new("predict_once.cache.hits", count(served.tally.hits)));
            }
        }
        let is_error = *status >= 500;
        if is_error {
            attributes.push(KeyValue::new("error.type", status.to_string()));
        }
        let name = match (method.unwrap_or("HTTP"), route) {
            (method, Some(route)) => Cow::Owned(format!("{method} {route}")),
            (method, None) => method.into(),
        };
        let Trace(inner) = trace;
        let mut links = SpanLinks::default();
        links.links.extend(inner.link.clone());
        SpanData {
            parent_span_id: inner.parent,
            parent_span_is_remote: inner.parent != SpanId::INVALID,
            span_kind: SpanKind::Server,
            links,
            status: if is_error { Status::error("") } else { Status::Unset },
            ..self.span(trace, inner.context.clone(), name, inner.start, *end, attributes)
        }
    }

    fn span(
        &self,
        Trace(inner): &Trace,
        span_context: SpanContext,
        name: impl Into<Cow<'static, str>>,
        start: Instant,
        end: Instant,
        attributes: Vec<KeyValue>,
    ) -> SpanData {
        // Derived from one clock reading, because the clock may be adjusted during a request.
        let time = |instant: Instant| -> SystemTime {
            inner.start_time + instant.checked_duration_since(inner.start).unwrap_or(Duration::ZERO)
        };
        SpanData {
            span_context,
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time: time(start),
            end_time: time(end),
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: self.scope.clone(),
        }
    }
}

/// A method that OpenTelemetry's conventions list. A client may send any other token, which spans must not repeat.
fn known_method(method: &Method) -> Option<&'static str> {
    let methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    methods.into_iter().find(|known| method == known)
}

/// The same word as in the log.
fn cache_status(served: &Served) -> KeyValue {
    KeyValue::new("predict_once.cache.status", served.word())
}

fn count(number: usize) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
