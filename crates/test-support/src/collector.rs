//! An OpenTelemetry collector that receives spans over OTLP and keeps them.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;
use tokio::net::TcpListener;

use crate::eventually;

/// An export as received.
#[derive(Clone, Debug)]
pub struct Export {
    pub headers: HeaderMap,
    pub request: ExportTraceServiceRequest,
}

struct Shared {
    exports: Mutex<Vec<Export>>,
    status: Mutex<StatusCode>,
    on_export: Box<dyn Fn() + Send + Sync>,
}

pub struct Collector {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Collector {
    pub async fn start() -> Self {
        Self::noting(|| {}).await
    }

    /// Starts a collector that calls `on_export` at each export.
    pub async fn noting(on_export: impl Fn() + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared {
            exports: Mutex::default(),
            status: Mutex::new(StatusCode::OK),
            on_export: Box::new(on_export),
        });
        let router = Router::new().route("/v1/traces", post(export)).with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    /// The value of `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers all further exports with this status.
    pub fn answer(&self, status: StatusCode) {
        *self.shared.status.lock().expect("not poisoned") = status;
    }

    pub fn exports(&self) -> Vec<Export> {
        self.shared.exports.lock().expect("not poisoned").clone()
    }

    /// All spans so far, in the order of arrival.
    pub fn spans(&self) -> Vec<Span> {
        let resources = self.exports().into_iter().flat_map(|export| export.request.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }

    /// Waits for the traces of this many requests.
    pub async fn traces(&self, requests: usize) -> Vec<Trace> {
        let servers = || self.spans().into_iter().filter(|span| span.kind == 2).collect::<Vec<_>>();
        eventually(&format!("{requests} traces"), || async { servers().len() >= requests }).await;
        let of = |server: Span| {
            let steps = self.spans().into_iter().filter(|span| span.parent_span_id == server.span_id).collect();
            Trace { server, steps }
        };
        servers().into_iter().map(of).collect()
    }
}

async fn export(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let request = ExportTraceServiceRequest::decode(body).expect("OTLP");
    (shared.on_export)();
    let status = *shared.status.lock().expect("not poisoned");
    if status.is_success() {
        shared.exports.lock().expect("not poisoned").push(Export { headers, request });
    }
    status
}

/// The spans of a request: its own, and those of its steps.
#[derive(Debug)]
pub struct Trace {
    pub server: Span,
    pub steps: Vec<Span>,
}

impl Trace {
    pub fn names(&self) -> Vec<&str> {
        self.steps.iter().map(|span| span.name.as_str()).collect()
    }

    pub fn step(&self, name: &str) -> &Span {
        self.steps.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name} in {:?}", self.names()))
    }
}

/// An attribute as text; empty if it is missing.
pub fn attribute(attributes: &[KeyValue], name: &str) -> String {
    let value = attributes.iter().find(|attribute| attribute.key == name).and_then(|attribute| attribute.value.clone());
    match value.and_then(|value| value.value) {
        None => String::new(),
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        Some(other) => panic!("{name} is {other:?}"),
    }
}

pub fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn duration(span: &Span) -> Duration {
    Duration::from_nanos(span.end_time_unix_nano - span.start_time_unix_nano)
}
