//! What is known of a request when all is done → its spans.

use std::{
    borrow::Cow,
    time::{Duration, Instant, SystemTime},
};

use http::Method;
use model_package::Stored;
use opentelemetry::{
    InstrumentationScope, KeyValue,
    trace::{SpanContext, SpanId, SpanKind, Status},
};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SpanData, SpanEvents, SpanLinks};

use prediction_cache::Layout;

use super::Trace;
use crate::{model::Model, service::Served};

/// A request as its trace tells of it: nothing of what it asks about.
#[derive(Clone, Debug)]
pub struct TracedRequest {
    /// Its method.
    pub method: Method,
    /// The path of its route. Other paths that clients send are not told.
    pub route: Option<String>,
    /// `http` or `https`, as the client sent it.
    pub scheme: &'static str,
    /// The request's id, as the response has it.
    pub request_id: String,
    /// Lambda's id of the invocation.
    pub function_request_id: Option<String>,
    /// The response's status.
    pub status: u16,
    /// When the response was ready.
    pub end: Instant,
    /// How a prediction came about. `None` for anything else, errors included.
    pub served: Option<Served>,
}

/// Makes spans for a service of one model.
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
                KeyValue::new("predict_once.model.fingerprint", model.fingerprint(Stored::Answer).to_owned()),
            ],
            layout: KeyValue::new("predict_once.cache.layout", layout.name()),
        }
    }

    /// The span of a request, and those of its steps.
    pub(super) fn spans(&self, trace: &Trace, request: &TracedRequest, ids: &RandomIdGenerator) -> Vec<SpanData> {
        let mut spans = Vec::with_capacity(5);
        spans.push(self.of_request(trace, request));
        let mut add = |name, start, end, attributes, status| {
            let Trace(begun) = trace;
            let own = &begun.context;
            let context = SpanContext::new(
                own.trace_id(),
                ids.new_span_id(),
                own.trace_flags(),
                false,
                own.trace_state().clone(),
            );
            let span = self.span(trace, context, name, start, end, attributes);
            spans.push(SpanData { parent_span_id: own.span_id(), status, ..span });
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

    fn of_request(&self, trace: &Trace, request: &TracedRequest) -> SpanData {
        let TracedRequest { method, route, scheme, request_id, function_request_id, status, end, served } = request;
        let method = known(method);
        let mut attributes = vec![
            KeyValue::new("http.request.method", method.unwrap_or("_OTHER")),
            KeyValue::new("http.response.status_code", i64::from(*status)),
            KeyValue::new("url.scheme", *scheme),
        ];
        let mut add = |name, value: &Option<String>| {
            attributes.extend(value.clone().map(|value| KeyValue::new(name, value)));
        };
        add("http.route", route);
        // No route has parameters: a path is its route.
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
        let Trace(begun) = trace;
        let mut links = SpanLinks::default();
        links.links.extend(begun.link.clone());
        SpanData {
            parent_span_id: begun.parent,
            parent_span_is_remote: begun.parent != SpanId::INVALID,
            span_kind: SpanKind::Server,
            links,
            status: if is_error { Status::error("") } else { Status::Unset },
            ..self.span(trace, begun.context.clone(), name, begun.start, *end, attributes)
        }
    }

    fn span(
        &self,
        Trace(begun): &Trace,
        span_context: SpanContext,
        name: impl Into<Cow<'static, str>>,
        start: Instant,
        end: Instant,
        attributes: Vec<KeyValue>,
    ) -> SpanData {
        // Clocks may be set meanwhile: all times are counted from one reading.
        let time = |instant: Instant| -> SystemTime {
            begun.start_time + instant.checked_duration_since(begun.start).unwrap_or(Duration::ZERO)
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

/// The methods that OpenTelemetry's conventions know: a client may send any other word.
fn known(method: &Method) -> Option<&'static str> {
    let methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    methods.into_iter().find(|known| method == known)
}

/// As in the log.
fn cache_status(served: &Served) -> KeyValue {
    KeyValue::new("predict_once.cache.status", served.word())
}

fn count(number: usize) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
