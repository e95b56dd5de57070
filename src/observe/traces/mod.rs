//! Traces: a span for each request and one for each of its steps, exported over OTLP (OpenTelemetry).
//!
//! Off unless an endpoint is set. A trace [begins](Traces::begin) with its request; the spans are made after the response, of
//! the times that were noted on the way. They are exported before the next invocation is asked for (under Lambda) or in the
//! background (the local server): no response waits for a collector.

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

/// Where traces go, and which.
#[derive(Clone, Debug)]
pub struct TraceSettings {
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, or `OTEL_EXPORTER_OTLP_ENDPOINT` with `/v1/traces` behind it: where spans are posted to.
    pub endpoint: Uri,
    /// `OTEL_EXPORTER_OTLP_HEADERS`: headers of these requests.
    pub headers: HeaderMap,
    /// `OTEL_EXPORTER_OTLP_TIMEOUT`: how long an export may take.
    pub timeout: Duration,
    /// `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`: which requests are traced.
    pub sampler: Sampler,
    /// `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`: what is said of the process; the last value of a name counts.
    pub resource: Vec<(String, String)>,
}

/// The span that a request was sent in, as its sender says.
#[derive(Clone, Debug, PartialEq)]
pub struct Parent {
    /// Its ids, and what else belongs to the trace. There may be no span, but a trace.
    pub context: SpanContext,
    /// Whether the trace is sampled, if that is decided.
    pub sampled: Option<bool>,
}

/// Makes traces and exports them.
#[derive(Debug)]
pub struct Traces {
    sampler: Sampler,
    ids: RandomIdGenerator,
    recorder: Recorder,
    exporter: Exporter,
    /// Whether the process may be frozen between requests.
    in_lambda: bool,
}

/// The trace of a request; a clone is the same one.
#[derive(Clone, Debug)]
pub struct Trace(Arc<Begun>);

#[derive(Debug)]
struct Begun {
    /// The request's own span.
    context: SpanContext,
    parent: SpanId,
    link: Option<Link>,
    start: Instant,
    start_time: SystemTime,
    /// When reading the body began and ended.
    parsed: OnceLock<(Instant, Instant)>,
}

impl Traces {
    /// Prepares the traces of a service of this model; nothing is connected yet.
    pub fn new(settings: TraceSettings, model: &Model, layout: Layout, in_lambda: bool) -> Self {
        let TraceSettings { endpoint, headers, timeout, sampler, resource } = settings;
        let resource = resource.into_iter().map(|(name, value)| KeyValue::new(name, value));
        let resource = Resource::builder_empty()
            .with_detector(Box::new(TelemetryResourceDetector))
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attributes(in_lambda.then(function).into_iter().flatten())
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

    /// Begins the trace of a request: in the trace of its sender, or a new one. `link` is a span that is related to it.
    pub fn begin(&self, parent: Option<Parent>, link: Option<Parent>) -> Trace {
        let trace_id = parent.as_ref().map_or_else(|| self.ids.new_trace_id(), |parent| parent.context.trace_id());
        let decided = parent.as_ref().filter(|parent| parent.sampled.is_some());
        let decided = decided.map(|parent| Context::new().with_remote_span_context(parent.context.clone()));
        let decision = self.sampler.should_sample(decided.as_ref(), trace_id, "", &SpanKind::Server, &[], &[]).decision;
        let flags = TraceFlags::default().with_sampled(decision == SamplingDecision::RecordAndSample);
        let state = parent.as_ref().map(|parent| parent.context.trace_state().clone()).unwrap_or_default();
        Trace(Arc::new(Begun {
            context: SpanContext::new(trace_id, self.ids.new_span_id(), flags, false, state),
            parent: parent.map_or(SpanId::INVALID, |parent| parent.context.span_id()),
            link: link.map(|link| Link::with_context(link.context)),
            start: Instant::now(),
            start_time: SystemTime::now(),
            parsed: OnceLock::new(),
        }))
    }

    /// Ends the trace of a request whose deferred work has ended. Under Lambda it is exported, within the time left.
    pub async fn end(&self, trace: &Trace, request: &TracedRequest, time_left: Option<Duration>) {
        self.exporter.add(self.recorder.spans(trace, request, &self.ids));
        if self.in_lambda {
            self.exporter.export(time_left).await;
        }
    }

    /// Exports in the background, until this is dropped.
    pub async fn run(&self) {
        self.exporter.run().await;
    }

    /// Exports what is left.
    pub async fn close(&self) {
        self.exporter.export(None).await;
    }
}

impl Trace {
    /// The id of the trace.
    pub fn id(&self) -> TraceId {
        self.0.context.trace_id()
    }

    /// Whether its spans are exported.
    pub fn is_sampled(&self) -> bool {
        self.0.context.is_sampled()
    }

    /// Notes that the body was read and parsed from `start` until now.
    pub fn parsed(&self, start: Instant) {
        self.0.parsed.get_or_init(|| (start, Instant::now()));
    }
}

/// What Lambda says of the function, in OpenTelemetry's names.
fn function() -> impl Iterator<Item = KeyValue> {
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
        let model = Model::load(&Package::embedded()).expect("valid");
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
    async fn spans_wait_for_their_export_up_to_a_number_and_no_longer() {
        let traces = traces();
        for _ in 0..3_000 {
            traces.end(&traces.begin(None, None), &request("GET", 200), None).await;
        }
        assert_eq!(traces.exporter.waiting(), (2_048, 952));
    }

    #[test]
    fn an_error_of_the_service_is_one_in_its_trace_and_a_clients_is_not() {
        let traces = traces();
        let server = |method, status| {
            let spans = traces.recorder.spans(&traces.begin(None, None), &request(method, status), &traces.ids);
            let [span] = &spans[..] else { panic!("the request's own: {spans:?}") };
            let told = |name: &str| {
                let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == name);
                found.map(|attribute| attribute.value.to_string()).unwrap_or_default()
            };
            let told = [told("http.request.method"), told("error.type")];
            (span.name.clone().into_owned(), told, span.status != Status::Unset)
        };
        assert_eq!(server("POST", 500), ("POST".to_owned(), ["POST", "500"].map(str::to_owned), true));
        assert_eq!(server("POST", 422), ("POST".to_owned(), ["POST", ""].map(str::to_owned), false));
        // Any word may come as a method.
        assert_eq!(server("ERIKA", 405), ("HTTP".to_owned(), ["_OTHER", ""].map(str::to_owned), false));
    }
}
