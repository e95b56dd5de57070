//! A DynamoDB with one table: the two operations that the cache uses, DynamoDB's limits of a request, and its faults.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
    serve::Listener,
};
use serde_json::{Map, Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
    server::TlsStream,
};

use crate::{certificates::Certificate, eventually};

const TABLE: &str = "predictions";

/// How the service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    Serve,
    /// Refuses requests with this code.
    Refuse(&'static str),
    /// Does not answer until the behaviour changes.
    Silent,
    /// Answers after this time.
    Slow(Duration),
    /// Answers with this text and the status 200.
    Garbage(&'static str),
    /// Serves only the first key or entry of each request.
    OnlyTheFirst,
    /// Serves nothing and says that each key is unprocessed.
    Nothing,
}

/// A request as received.
#[derive(Clone, Debug)]
pub struct Received {
    /// `BatchGetItem` or `BatchWriteItem`.
    pub operation: String,
    pub headers: HeaderMap,
    /// The number of keys or entries.
    pub size: usize,
}

struct Shared {
    items: Mutex<BTreeMap<String, Value>>,
    behaviour: watch::Sender<Behaviour>,
    received: Mutex<Vec<Received>>,
    connections: Mutex<usize>,
}

pub struct DynamoDb {
    pub address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
}

impl DynamoDb {
    pub async fn start() -> Self {
        Self::listen(None).await
    }

    /// Serves over TLS with this certificate.
    pub async fn start_tls(certificate: &Certificate) -> Self {
        let chain = CertificateDer::pem_file_iter(&certificate.certificate).expect("a file");
        let chain = chain.map(|certificate| certificate.expect("PEM")).collect();
        let key = PrivateKeyDer::from_pem_file(&certificate.key).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key));
        Self::listen(Some(TlsAcceptor::from(Arc::new(config.expect("valid"))))).await
    }

    async fn listen(tls: Option<TlsAcceptor>) -> Self {
        let shared = Arc::new(Shared {
            items: Mutex::default(),
            behaviour: watch::Sender::new(Behaviour::Serve),
            received: Mutex::default(),
            connections: Mutex::default(),
        });
        let router = Router::new().route("/", post(answer)).with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let counted = Counted { listener, shared: Arc::clone(&shared) };
        match tls {
            None => drop(tokio::spawn(async move { axum::serve(counted, router).await })),
            Some(tls) => drop(tokio::spawn(async move { axum::serve(Secure { counted, tls }, router).await })),
        }
        Self { address, scheme, shared }
    }

    /// The settings of a service that uses it.
    pub fn settings(&self) -> [(&'static str, String); 6] {
        self.settings_at(self.address.port())
    }

    /// The settings of a service that reaches it at another port.
    pub fn settings_at(&self, port: u16) -> [(&'static str, String); 6] {
        [
            ("CACHE_STORE", "dynamodb".to_owned()),
            ("DYNAMODB_TABLE", TABLE.to_owned()),
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", format!("{}://127.0.0.1:{port}", self.scheme)),
        ]
    }

    pub fn behave(&self, behaviour: Behaviour) {
        self.shared.behaviour.send_replace(behaviour);
    }

    /// The items by key.
    pub fn items(&self) -> BTreeMap<String, Value> {
        self.shared.items.lock().expect("not poisoned").clone()
    }

    /// Replaces an attribute of each item, as another program would.
    pub fn overwrite(&self, attribute: &str, value: &Value) {
        for item in self.shared.items.lock().expect("not poisoned").values_mut() {
            item[attribute] = value.clone();
        }
    }

    /// Waits until it has this many items.
    pub async fn holds(&self, items: usize) {
        eventually(&format!("{items} items"), || async { self.items().len() == items }).await;
    }

    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().expect("not poisoned").clone()
    }

    /// The number of connections so far.
    pub fn connections(&self) -> usize {
        *self.shared.connections.lock().expect("not poisoned")
    }
}

fn refused(code: &str) -> Response {
    let body = json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "refused" });
    (StatusCode::BAD_REQUEST, body.to_string()).into_response()
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).expect("JSON");
    let target = headers["x-amz-target"].to_str().expect("text");
    let operation = target.strip_prefix("DynamoDB_20120810.").expect("the version of the API").to_owned();
    let Some(table) = request["RequestItems"].get(TABLE) else { return refused("ResourceNotFoundException") };
    let entries = if operation == "BatchGetItem" { &table["Keys"] } else { table };
    let mut entries = entries.as_array().expect("keys or entries").clone();
    let size = entries.len();
    shared.received.lock().expect("not poisoned").push(Received { operation: operation.clone(), headers, size });
    let mut behaviours = shared.behaviour.subscribe();
    let behaviour = *behaviours.borrow_and_update();
    let served = match behaviour {
        Behaviour::Serve => size,
        Behaviour::OnlyTheFirst => 1,
        Behaviour::Nothing => 0,
        Behaviour::Refuse(code) => return refused(code),
        Behaviour::Garbage(text) => return text.into_response(),
        Behaviour::Slow(time) => {
            tokio::time::sleep(time).await;
            size
        }
        Behaviour::Silent => {
            let _ = behaviours.wait_for(|behaviour| *behaviour != Behaviour::Silent).await;
            size
        }
    };
    let key_of = |entry: &Value| {
        let key = entry.pointer("/PutRequest/Item/key/S").or(entry.pointer("/key/S")).expect("a key");
        key.as_str().expect("text").to_owned()
    };
    let limit = if operation == "BatchGetItem" { 100 } else { 25 };
    let distinct: BTreeSet<_> = entries.iter().map(key_of).collect();
    if size == 0 || size > limit || distinct.len() < size {
        return refused("ValidationException");
    }
    let left_out = entries.split_off(served);
    let mut items = shared.items.lock().expect("not poisoned");
    let of_table = |value: Value| {
        let is_empty = value.as_array().is_some_and(Vec::is_empty);
        if is_empty { Map::new() } else { Map::from_iter([(TABLE.to_owned(), value)]) }
    };
    let reply = if operation == "BatchGetItem" {
        // In another order than asked for.
        let found: Vec<_> = entries.iter().rev().filter_map(|key| items.get(&key_of(key)).cloned()).collect();
        let keys = if left_out.is_empty() { json!([]) } else { json!({ "Keys": left_out }) };
        json!({ "Responses": { TABLE: found }, "UnprocessedKeys": of_table(keys) })
    } else {
        items.extend(entries.iter().map(|entry| (key_of(entry), entry["PutRequest"]["Item"].clone())));
        json!({ "UnprocessedItems": of_table(left_out.into()) })
    };
    reply.to_string().into_response()
}

/// Counts connections.
struct Counted {
    listener: TcpListener,
    shared: Arc<Shared>,
}

impl Listener for Counted {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let accepted = Listener::accept(&mut self.listener).await;
        *self.shared.connections.lock().expect("not poisoned") += 1;
        accepted
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

struct Secure {
    counted: Counted,
    tls: TlsAcceptor,
}

impl Listener for Secure {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    /// Skips connections whose handshake fails.
    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.counted.accept().await;
            if let Ok(stream) = self.tls.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.counted.local_addr()
    }
}
