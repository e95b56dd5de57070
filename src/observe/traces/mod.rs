//! Traces: a span for each request and one for each of its steps, exported over OTLP (OpenTelemetry).
//!
//! Off unless an endpoint is set. A trace [begins](Traces::begin) with its request. The spans are made after the response,
//! from times recorded on the way, and exported before the next invocation (under Lambda) or in the background (the local
//! server): no response waits for a collector.

mod export;
mod request;
mod spans;

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant, SystemTime},
};

use http::{HeaderMap, Uri};
use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId},
};
use opentelemetry_sdk::{
    Resource,
    resource::TelemetryResourceDetector,
    trace::{IdGenerator, RandomIdGenerator, Sampler, SamplingDecision, ShouldSample},
};

use prediction_cache::Layout;

pub(crate) use self::request::RequestTrace;
pub use self::spans::TracedRequest;
use self::{export::Exporter, spans::Recorder};
use crate::model::Model;

#[derive(Clone, Debug)]
pub struct TraceSettings {
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, or `OTEL_EXPORTER_OTLP_ENDPOINT` with `/v1/traces` appended: the URL that spans are posted to.
    pub endpoint: Uri,
    /// `OTEL_EXPORTER_OTLP_HEADERS`: headers of the export requests.
    pub headers: HeaderMap,
    /// `OTEL_EXPORTER_OTLP_TIMEOUT`: the timeout of an export.
    pub timeout: Duration,
    /// `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`: which requests are traced.
    pub sampler: Sampler,
    /// `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`: attributes of the process; the last value of a name wins.
    pub resource: Vec<(String, String)>,
}

/// The sender's span, according to the request's headers or Lambda.
#[derive(Clone, Debug, PartialEq)]
pub struct Parent {
    /// The span id is invalid if the sender names only a trace.
    pub context: SpanContext,
    /// The sender's sampling decision, if it has made one.
    pub sampled: Option<bool>,
}

#[derive(Debug)]
pub struct Traces {
    sampler: Sampler,
    ids: RandomIdGenerator,
    recorder: Recorder,
    exporter: Exporter,
    /// Lambda may freeze the process between requests, so each request's spans are exported before the next one.
    in_lambda: bool,
}

/// The trace of one request. Clones refer to the same trace.
#[derive(Clone, Debug)]
pub struct Trace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Of the server span, which covers the whole request.
    context: SpanContext,
    parent: SpanId,
    link: Option<Link>,
    start: Instant,
    start_time: SystemTime,
    /// Start and end of reading and parsing the body.
    parsed: OnceLock<(Instant, Instant)>,
}

impl Traces {
    /// Opens no connection yet.
    pub fn new(settings: TraceSettings, model: &Model, layout: Layout, in_lambda: bool) -> Self {
        let TraceSettings { endpoint, headers, timeout, sampler, resource } = settings;
        let resource = resource.into_iter().map(|(name, value)| KeyValue::new(name, value));
        let resource = Resource::builder_empty()
            .with_detector(Box::new(TelemetryResourceDetector))
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attributes(in_lambda.then(function_attributes).into_iter().flatten())
            .with_attributes(resource)
            .build();
        Self {
            sampler,
            ids: RandomIdGenerator::default(),
            recorder: Recorder::new(model, layout),
            exporter: Exporter::new(&endpoint, headers, timeout, &resource),
            in_lambda,
        }
    }

    /// Begins the trace of a request, as part of the sender's trace if there is a parent. `link` is a related span.
    pub fn begin(&self, parent: Option<Parent>, link: Option<Parent>) -> Trace {
        let trace_id = parent.as_ref().map_or_else(|| self.ids.new_trace_id(), |parent| parent.context.trace_id());
        let decided = parent.as_ref().filter(|parent| parent.sampled.is_some());
        let decided = decided.map(|parent| Context::new().with_remote_span_context(parent.context.clone()));
        let decision = self.sampler.should_sample(decided.as_ref(), trace_id, "", &SpanKind::Server, &[], &[]).decision;
        let flags = TraceFlags::default().with_sampled(decision == SamplingDecision::RecordAndSample);
        let state = parent.as_ref().map(|parent| parent.context.trace_state().clone()).unwrap_or_default();
        Trace(Arc::new(Inner {
            context: SpanContext::new(trace_id, self.ids.new_span_id(), flags, false, state),
            parent: parent.map_or(SpanId::INVALID, |parent| parent.context.span_id()),
            link: link.map(|link| Link::with_context(link.context)),
            start: Instant::now(),
            start_time: SystemTime::now(),
            parsed: OnceLock::new(),
        }))
    }

    /// Ends the trace of a request, after its deferred work. Under Lambda, exports it within `time_left`.
    pub async fn end(&self, trace: &Trace, request: &TracedRequest, time_left: Option<Duration>) {
        self.exporter.add(self.recorder.spans(trace, request, &self.ids));
        if self.in_lambda {
            self.exporter.export(time_left).await;
        }
    }

    /// Exports in the background, until the future is dropped.
    pub async fn run(&self) {
        self.exporter.run().await;
    }

    /// Exports the remaining spans.
    pub async fn close(&self) {
        self.exporter.export(None).await;
    }
}

impl Trace {
    pub fn id(&self) -> TraceId {
        self.0.context.trace_id()
    }

    pub fn is_sampled(&self) -> bool {
        self.0.context.is_sampled()
    }

    /// Records that the body was read and parsed between `start` and now.
    pub fn parsed(&self, start: Instant) {
        self.0.parsed.get_or_init(|| (start, Instant::now()));
    }
}

/// Lambda's variables, under the names of OpenTelemetry's conventions.
fn function_attributes() -> impl Iterator<Item = KeyValue> {
    let variables = [
        ("faas.name", "AWS_LAMBDA_FUNCTION_NAME"),
        ("faas.version", "AWS_LAMBDA_FUNCTION_VERSION"),
        ("faas.instance", "AWS_LAMBDA_LOG_STREAM_NAME"),
        ("cloud.region", "AWS_REGION"),
    ];
    let known = [("cloud.provider", "aws"), ("cloud.platform", "aws_lambda")];
    let known = known.into_iter().map(|(name, value)| KeyValue::new(name, value));
    known.chain(
        variables.into_iter().filter_map(|(name, variable)| Some(KeyValue::new(name, std::env::var(variable).ok()?))),
    )
}

#[cfg(test)]
mod tests {
    use http::Method;
    use opentelemetry::trace::Status;

    use super::*;
    use crate::model::Package;

    fn traces() -> Traces {
        let settings = TraceSettings {
            endpoint: Uri::from_static("http://127.0.0.1:4318/v1/traces"),
            headers: HeaderMap::new(),
            timeout: Duration::from_secs(1),
            sampler: Sampler::AlwaysOn,
            resource: Vec::new(),
        };
        let model = Model::load(Package::embedded()).expect("valid");
        Traces::new(settings, &model, Layout::String, false)
    }

    fn request(method: &str, status: u16) -> TracedRequest {
        TracedRequest {
            method: Method::from_bytes(method.as_bytes()).expect("a token"),
            route: None,
            scheme: "http",
            request_id: String::new(),
            function_request_id: None,
            status,
            end: Instant::now(),
            served: None,
        }
    }

    #[tokio::test]
    async fn the_export_queue_is_bounded() {
        let traces = traces();
        for _ in 0..3_000 {
            traces.end(&traces.begin(None, None), &request("GET", 200), None).await;
        }
        assert_eq!(traces.exporter.waiting(), (2_048, 952));
    }

    #[test]
    fn a_server_error_marks_the_span_as_failed_and_a_client_error_does_not() {
        let traces = traces();
        let server = |method, status| {
            let spans = traces.recorder.spans(&traces.begin(None, None), &request(method, status), &traces.ids);
            let [span] = &spans[..] else { panic!("one span: {spans:?}") };
            let attribute = |name: &str| {
                let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == name);
                found.map(|attribute| attribute.value.to_string()).unwrap_or_default()
            };
            let attributes = [attribute("http.request.method"), attribute("error.type")];
            (span.name.clone().into_owned(), attributes, span.status != Status::Unset)
        };
        assert_eq!(server("POST", 500), ("POST".to_owned(), ["POST", "500"].map(str::to_owned), true));
        assert_eq!(server("POST", 422), ("POST".to_owned(), ["POST", ""].map(str::to_owned), false));
        // A client may send any token as a method.
        assert_eq!(server("ERIKA", 405), ("HTTP".to_owned(), ["_OTHER", ""].map(str::to_owned), false));
    }
}
