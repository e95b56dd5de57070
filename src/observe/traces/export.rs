//! Sends spans to a collector: OTLP over HTTP, encoded as protobuf.

use std::{fmt, io, mem, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::{
    tonic::collector::trace::v1::ExportTraceServiceRequest,
    transform::{common::tonic::ResourceAttributesWithSchema, trace::tonic::group_spans_by_resource_and_scope},
};
use opentelemetry_sdk::{Resource, trace::SpanData};
use parking_lot::Mutex;
use prost::Message;
use thiserror::Error;
use tokio::{
    net::TcpStream,
    sync::{Mutex as AsyncMutex, Notify},
    time::{Instant, timeout, timeout_at},
};

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
/// The most spans that may wait for export. Further ones are dropped.
const MAX_QUEUE_SIZE: usize = 2_048;
/// The background export starts early once this many spans wait.
const BATCH_SIZE: usize = 512;
/// Interval of the background export.
const INTERVAL: Duration = Duration::from_secs(1);
/// Pause after a failed export.
const PAUSE: Duration = Duration::from_secs(5);

/// The queue of spans to export, and the collector that receives them.
pub(super) struct Exporter {
    host: String,
    port: u16,
    path: Uri,
    headers: HeaderMap,
    timeout: Duration,
    resource: ResourceAttributesWithSchema,
    queue: Mutex<Queue>,
    batch_is_full: Notify,
    /// Locked during an export, so that exports run one at a time.
    collector: AsyncMutex<Collector>,
}

#[derive(Default)]
struct Queue {
    spans: Vec<SpanData>,
    dropped: usize,
}

#[derive(Default)]
struct Collector {
    /// Set from a failed export until the next successful one.
    paused_until: Option<Instant>,
}

impl Exporter {
    pub(super) fn new(endpoint: &Uri, mut headers: HeaderMap, timeout: Duration, resource: &Resource) -> Self {
        let authority = endpoint.authority().map_or("", |authority| authority.as_str());
        let path = endpoint.path_and_query().map_or("/", |path| path.as_str());
        headers.extend([
            (header::HOST, HeaderValue::from_str(authority).expect("a host and a port are ASCII")),
            (header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf")),
            (header::USER_AGENT, HeaderValue::from_static(USER_AGENT)),
        ]);
        // A URI has an IPv6 address in brackets.
        let host = endpoint.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        Self {
            host: host.to_owned(),
            port: endpoint.port_u16().unwrap_or(80),
            path: path.parse().expect("part of a valid URI"),
            headers,
            timeout,
            resource: resource.into(),
            queue: Mutex::default(),
            batch_is_full: Notify::new(),
            collector: AsyncMutex::default(),
        }
    }

    /// Queues all of these spans, or drops all of them when the queue is too full.
    pub(super) fn add(&self, spans: Vec<SpanData>) {
        let mut queue = self.queue.lock();
        if queue.spans.len() + spans.len() > MAX_QUEUE_SIZE {
            queue.dropped += spans.len();
            return;
        }
        queue.spans.extend(spans);
        if queue.spans.len() >= BATCH_SIZE {
            self.batch_is_full.notify_one();
        }
    }

    /// Exports the queue, unless an export failed within the last [`PAUSE`]. Takes at most the timeout and `time_left`.
    pub(super) async fn export(&self, time_left: Option<Duration>) {
        let deadline = Instant::now() + time_left.map_or(self.timeout, |left| left.min(self.timeout));
        // Another request's export may use up the time.
        let Ok(mut collector) = timeout_at(deadline, self.collector.lock()).await else { return };
        if collector.paused_until.is_some_and(|end| Instant::now() < end) {
            return;
        }
        let Queue { spans, dropped } = mem::take(&mut *self.queue.lock());
        if spans.is_empty() {
            return;
        }
        let lost = dropped + spans.len();
        match timeout_at(deadline, self.post(spans)).await.unwrap_or(Err(ExportError::Timeout)) {
            Ok(()) => {
                if collector.paused_until.take().is_some() {
                    tracing::info!(dropped, "traces are exported again");
                } else if dropped > 0 {
                    tracing::warn!(dropped, "export queue full: spans were dropped");
                }
            }
            Err(error) => {
                self.queue.lock().dropped += lost;
                if collector.paused_until.replace(Instant::now() + PAUSE).is_none() {
                    tracing::warn!(%error, "traces are not exported; trying again every five seconds");
                }
            }
        }
    }

    /// Exports in the background, until this is dropped.
    pub(super) async fn run(&self) {
        loop {
            // Ends early when a batch is full.
            let _ = timeout(INTERVAL, self.batch_is_full.notified()).await;
            self.export(None).await;
        }
    }

    /// Opens a connection for each export: a kept one might be dead after Lambda froze the environment.
    async fn post(&self, spans: Vec<SpanData>) -> Result<(), ExportError> {
        let body =
            ExportTraceServiceRequest { resource_spans: group_spans_by_resource_and_scope(spans, &self.resource) };
        let mut request = Request::new(Full::new(Bytes::from(body.encode_to_vec())));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.clone();
        *request.headers_mut() = self.headers.clone();
        let stream = TcpStream::connect((&*self.host, self.port)).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Takes the sender, so that the connection closes after its only request.
        let status = async move { sender.send_request(request).await.map(|response| response.status()) };
        match tokio::join!(status, connection).0? {
            status if status.is_success() => Ok(()),
            status => Err(ExportError::Refused(status)),
        }
    }

    /// The number of waiting and of dropped spans.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> (usize, usize) {
        let queue = self.queue.lock();
        (queue.spans.len(), queue.dropped)
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

#[derive(Debug, Error)]
enum ExportError {
    #[error("cannot connect: {0}")]
    Connection(#[from] io::Error),
    #[error("no answer: {0}")]
    Http(#[from] hyper::Error),
    #[error("no answer in time")]
    Timeout,
    #[error("the collector answered {0}")]
    Refused(StatusCode),
}
