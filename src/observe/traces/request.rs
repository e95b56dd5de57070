//! The trace of a request in progress, if tracing is on.

use std::{sync::Arc, time::Instant};

use axum_core::{extract::Request, response::Response};
use http::{HeaderMap, Method};
use opentelemetry::trace::TraceId;

use super::{
    super::{FunctionRequestId, LambdaTraceHeader, trace_context},
    Trace, TracedRequest, Traces,
};
use crate::after_response;

pub(crate) struct RequestTrace {
    traces: Arc<Traces>,
    trace: Trace,
    method: Method,
    route: Option<String>,
    scheme: &'static str,
    function_request_id: Option<String>,
}

impl RequestTrace {
    /// Begins the trace of a request and adds it to the request's extensions. Boxed, because the future that holds it is moved
    /// even without tracing.
    pub(crate) fn begin(traces: &Arc<Traces>, request: &mut Request, route: Option<&str>) -> Box<Self> {
        let extensions = request.extensions();
        let lambda = extensions.get::<LambdaTraceHeader>();
        let lambda = lambda.and_then(|LambdaTraceHeader(header)| trace_context::lambda(header));
        let parent = trace_context::parent(request.headers(), lambda.as_ref());
        let link = lambda.filter(|lambda| parent.as_ref() != Some(lambda));
        let trace = traces.begin(parent, link);
        let begun = Box::new(Self {
            traces: Arc::clone(traces),
            trace: trace.clone(),
            method: request.method().clone(),
            route: route.map(str::to_owned),
            scheme: scheme(request.headers()),
            function_request_id: extensions.get().map(|FunctionRequestId(id)| id.clone()),
        });
        request.extensions_mut().insert(trace);
        begun
    }

    pub(crate) fn id(&self) -> TraceId {
        self.trace.id()
    }

    /// Defers making the spans until all other deferred jobs have run, because the trace covers them.
    pub(crate) fn end(self, request_id: &str, response: &Response) {
        let Self { traces, trace, method, route, scheme, function_request_id } = self;
        if !trace.is_sampled() {
            return;
        }
        let traced = TracedRequest {
            method,
            route,
            scheme,
            request_id: request_id.to_owned(),
            function_request_id,
            status: response.status().as_u16(),
            end: Instant::now(),
            served: response.extensions().get().cloned(),
        };
        after_response::defer(move |time_left| async move { traces.end(&trace, &traced, time_left).await });
    }
}

/// The client's scheme, according to the gateway or proxy.
fn scheme(headers: &HeaderMap) -> &'static str {
    match headers.get("x-forwarded-proto") {
        Some(proto) if proto == "https" => "https",
        _ => "http",
    }
}
