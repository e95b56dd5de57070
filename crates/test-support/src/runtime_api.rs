//! A Lambda Runtime API: hands out events, receives responses, and records the order of the function's requests.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
};

/// An observed step, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The function asked for an event.
    Next,
    /// The function answered.
    Response,
    /// The function reported that the invocation failed.
    Error,
    /// Recorded by the test itself.
    Other(&'static str),
}

/// How an invocation ended.
#[derive(Debug)]
pub struct Outcome {
    /// The response in the gateway's format, or the error report.
    pub payload: Value,
    pub is_error: bool,
    /// The time from sending the event to receiving the outcome.
    pub time: Duration,
}

impl Outcome {
    pub fn status(&self) -> u64 {
        self.payload["statusCode"].as_u64().unwrap_or_else(|| panic!("no status in {:?}", self.payload))
    }

    pub fn body(&self) -> Value {
        let text = self.payload["body"].as_str().unwrap_or_else(|| panic!("no body in {:?}", self.payload));
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// A header, from the map that the gateway's format uses.
    pub fn header(&self, name: &str) -> Option<&str> {
        let single = self.payload["headers"][name].as_str();
        single.or_else(|| self.payload["multiValueHeaders"][name][0].as_str())
    }

    pub fn cache_status(&self) -> &str {
        self.header("cache-status").unwrap_or_else(|| panic!("no cache-status in {:?}", self.payload))
    }
}

/// An event and the platform's metadata.
#[derive(Clone, Debug)]
pub struct Invocation {
    pub event: String,
    /// The time limit; `None` for the default of this Runtime API.
    pub deadline: Option<Duration>,
    pub tenant: Option<String>,
}

impl From<&Value> for Invocation {
    fn from(event: &Value) -> Self {
        Self { event: event.to_string(), deadline: None, tenant: None }
    }
}

struct Shared {
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<(u64, Invocation)>>,
    outcomes: mpsc::UnboundedSender<(u64, bool, Bytes, Instant)>,
    steps: Mutex<Vec<Step>>,
    waiting: watch::Sender<usize>,
    handed_out: watch::Sender<usize>,
    first_asked: Mutex<Option<Instant>>,
    deadline: Duration,
    trace: Mutex<Option<String>>,
}

/// The Runtime API of one function.
pub struct RuntimeApi {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    events: mpsc::UnboundedSender<(u64, Invocation)>,
    outcomes: mpsc::UnboundedReceiver<(u64, bool, Bytes, Instant)>,
    invocations: u64,
    /// The start times of the invocations whose outcome has not been received.
    sent: HashMap<u64, Instant>,
}

impl RuntimeApi {
    pub async fn start() -> Self {
        Self::with_deadline(Duration::from_secs(30)).await
    }

    /// `deadline` is the time limit of an invocation that the function is given.
    pub async fn with_deadline(deadline: Duration) -> Self {
        let (events, receiver) = mpsc::unbounded_channel();
        let (sender, outcomes) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            events: tokio::sync::Mutex::new(receiver),
            outcomes: sender,
            steps: Mutex::default(),
            waiting: watch::Sender::new(0),
            handed_out: watch::Sender::new(0),
            first_asked: Mutex::default(),
            deadline,
            trace: Mutex::default(),
        });
        let invocation = "/2018-06-01/runtime/invocation";
        let router = Router::new()
            .route(&format!("{invocation}/next"), get(next))
            .route(&format!("{invocation}/{{id}}/response"), post(response))
            .route(&format!("{invocation}/{{id}}/error"), post(error))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared, events, outcomes, invocations: 0, sent: HashMap::new() }
    }

    /// Sends this X-Ray trace header with all further invocations.
    pub fn trace(&self, header: &str) {
        *self.shared.trace.lock().expect("not poisoned") = Some(header.to_owned());
    }

    /// Sends an event and waits for its outcome, as the client of a gateway does.
    pub async fn invoke(&mut self, event: &Value) -> Outcome {
        self.run(event.into()).await
    }

    pub async fn invoke_text(&mut self, event: String) -> Outcome {
        self.run(Invocation { event, deadline: None, tenant: None }).await
    }

    pub async fn invoke_for(&mut self, tenant: &str, event: &Value) -> Outcome {
        self.run(Invocation { tenant: Some(tenant.to_owned()), ..event.into() }).await
    }

    async fn run(&mut self, invocation: Invocation) -> Outcome {
        let sent = self.send(invocation);
        let (id, outcome) = self.outcome().await;
        assert_eq!(id, sent, "the answer is to this invocation");
        outcome
    }

    /// Queues an event for the next request and returns the invocation's id.
    pub fn send(&mut self, invocation: impl Into<Invocation>) -> u64 {
        self.invocations += 1;
        self.sent.insert(self.invocations, Instant::now());
        self.events.send((self.invocations, invocation.into())).expect("the server runs");
        self.invocations
    }

    /// Waits for the next outcome and returns it with the invocation's id.
    pub async fn outcome(&mut self) -> (u64, Outcome) {
        let (id, is_error, body, at) =
            crate::soon("the function answers", self.outcomes.recv()).await.expect("the server runs");
        let sent = self.sent.remove(&id).expect("sent, and answered once");
        let payload = serde_json::from_slice(&body).expect("the function answers in JSON");
        (id, Outcome { payload, is_error, time: at - sent })
    }

    /// Waits until the function has received this many events.
    pub async fn handed_out(&self, events: usize) {
        let mut handed_out = self.shared.handed_out.subscribe();
        crate::soon("the function takes events", handed_out.wait_for(|taken| *taken >= events))
            .await
            .expect("the server runs");
    }

    /// Waits until the function asks for its first event, and returns when it did.
    pub async fn first_asked(&self) -> Instant {
        self.asked_for(1).await;
        self.shared.first_asked.lock().expect("not poisoned").expect("just asked")
    }

    /// Waits until the function has asked for this many events. It is idle once it has asked for one more than it was sent.
    pub async fn asked_for(&self, events: usize) {
        let mut waiting = self.shared.waiting.subscribe();
        crate::soon("the function asks for an event", waiting.wait_for(|asked| *asked >= events))
            .await
            .expect("the server runs");
    }

    /// Waits until the function has finished all work of all invocations.
    pub async fn idle(&self) {
        self.asked_for(self.invocations as usize + 1).await;
    }

    pub fn steps(&self) -> Vec<Step> {
        self.shared.steps.lock().expect("not poisoned").clone()
    }

    /// A callback that records a step from elsewhere, such as a proxy.
    pub fn note(&self, what: &'static str) -> impl Fn() + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move || shared.note(Step::Other(what))
    }
}

impl Shared {
    fn note(&self, step: Step) {
        self.steps.lock().expect("not poisoned").push(step);
    }

    fn end(&self, id: &str, step: Step, body: Bytes) -> StatusCode {
        let is_error = step == Step::Error;
        self.note(step);
        let id = id.parse().expect("the id that was handed out");
        let _ = self.outcomes.send((id, is_error, body, Instant::now()));
        StatusCode::ACCEPTED
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> Response {
    shared.first_asked.lock().expect("not poisoned").get_or_insert_with(Instant::now);
    shared.note(Step::Next);
    shared.waiting.send_modify(|asked| *asked += 1);
    let Some((id, invocation)) = shared.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    shared.handed_out.send_modify(|taken| *taken += 1);
    let deadline = SystemTime::now() + invocation.deadline.unwrap_or(shared.deadline);
    let deadline = deadline.duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", id.to_string()),
        ("lambda-runtime-deadline-ms", deadline.to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-central-1:123456789012:function:predict-once".to_owned(),
        ),
        ("content-type", "application/json".to_owned()),
    ] {
        headers.insert(name, value.parse().expect("a header value"));
    }
    if let Some(tenant) = invocation.tenant {
        headers.insert("lambda-runtime-aws-tenant-id", tenant.parse().expect("a header value"));
    }
    if let Some(trace) = &*shared.trace.lock().expect("not poisoned") {
        headers.insert("lambda-runtime-trace-id", trace.parse().expect("a header value"));
    }
    (headers, invocation.event).into_response()
}

/// The largest response that Lambda accepts, in bytes. Instead of a larger one, the caller gets an error.
const RESPONSE_LIMIT: usize = 6 << 20;

async fn response(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    if body.len() > RESPONSE_LIMIT {
        shared.end(&id, Step::Error, r#"{"errorType": "Function.ResponseSizeTooLarge"}"#.into());
        return StatusCode::PAYLOAD_TOO_LARGE;
    }
    shared.end(&id, Step::Response, body)
}

async fn error(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    shared.end(&id, Step::Error, body)
}
