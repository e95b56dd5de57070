//! Whatever comes in, as a gateway's event, as a body or from the cache, nothing panics, no answer is a 500 and none is
//! wrong.
//!
//! `PROPTEST_CASES` is how many cases of each are tried; `make fuzz` tries many more than `make test`. What fails is shrunk
//! and printed.

mod support;

use std::{
    cell::Cell,
    env, fmt, fs,
    net::SocketAddr,
    path::Path,
    sync::{Arc, LazyLock},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use lambda_http::request::LambdaRequest;
use predict_once::{
    after_response,
    cache::{MemoryCache, Namespace, PredictionCache, RedisCache, RedisConfig},
    credit::{CreditApplication, CreditRiskModel, Decision, Prediction, Probability, RiskCategory},
    event,
    http::{self, UndecodableBody},
    service::PredictionService,
};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::{TestCaseResult, TestRunner},
};
use redis::IntoConnectionInfo;
use serde_json::{Value, json};
use support::applications::example;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    runtime::Runtime,
};
use tower::ServiceExt;

/// Runs `check` on `cases` cases; where `PROPTEST_CASES` is set, on `PROPTEST_CASES` / `cost`.
fn fuzz<S: Strategy>(cases: u32, cost: u32, strategy: S, check: impl Fn(S::Value) -> TestCaseResult) {
    let set = env::var("PROPTEST_CASES").ok().map(|cases| cases.parse::<u32>().expect("PROPTEST_CASES is a number"));
    let cases = set.map_or(cases, |cases| (cases / cost).max(1));
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config).run(&strategy, check).unwrap_or_else(|failure| panic!("{failure}"));
}

/// The service in this process, and its model beside it to tell what is right.
struct Subject {
    runtime: Runtime,
    router: Router,
    model: CreditRiskModel,
}

impl Subject {
    fn new(cache: PredictionCache) -> Self {
        Self::on(current_thread(), cache)
    }

    fn on(runtime: Runtime, cache: PredictionCache) -> Self {
        let model = || CreditRiskModel::embedded().expect("loads");
        let service = PredictionService::new(model(), cache, &Namespace::default());
        Self { runtime, router: http::router(Arc::new(service)), model: model() }
    }

    /// What the endpoint of this path must answer to an application. In text, as it is sent: as a number of twice the
    /// precision a probability is another.
    fn prediction(&self, path: &str, application: &CreditApplication) -> Option<String> {
        let probability = self.model.predict(application).expect("the model runs");
        let thresholds = self.model.thresholds();
        match path {
            "/decisions" => Some(json!({"decision": Decision::derive(probability, thresholds)}).to_string()),
            "/probabilities" => Some(format!(r#"{{"probability":{}}}"#, probability.get())),
            "/risk_categories" => {
                Some(json!({"risk_category": RiskCategory::derive(probability, thresholds)}).to_string())
            }
            _ => None,
        }
    }

    /// Sends a request as Lambda does, runs what it defers, and checks the answer.
    fn check(&self, request: Request<Body>) -> Result<StatusCode, TestCaseError> {
        self.runtime.block_on(async {
            let (parts, body) = request.into_parts();
            let sent = to_bytes(body, usize::MAX).await.expect("it is in memory");
            let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
            let only_if_cached = says_only_if_cached(&parts.headers);
            let undecodable = parts.extensions.get::<UndecodableBody>().is_some();
            let request = Request::from_parts(parts, Body::from(sent.clone()));

            let (answered, jobs) = after_response::collect(self.router.clone().oneshot(request)).await;
            jobs.run(None).await;

            let Ok(response) = answered;
            let (status, headers) = (response.status(), response.headers().clone());
            let body = to_bytes(response.into_body(), usize::MAX).await.expect("it is in memory");
            let seen = format!("{method} {path}: {status} {}", String::from_utf8_lossy(&body));
            prop_assert!(!status.is_server_error() || (status == 504 && only_if_cached), "{seen}");
            prop_assert!(status == 200 || status.is_client_error() || status.is_server_error(), "{seen}");
            if status != 200 {
                prop_assert_eq!(headers.get("content-type").expect("there is one"), "application/problem+json");
                // An answer to HEAD has no body.
                if method != Method::HEAD {
                    let problem: Value = serde_json::from_slice(&body).expect(&seen);
                    prop_assert_eq!(&problem["status"], status.as_u16(), "{}", seen);
                }
            }
            prop_assert_eq!(status == 405, headers.contains_key("allow"), "{}", seen);

            let application = if undecodable { None } else { CreditApplication::from_json(&sent).ok() };
            match application.and_then(|application| self.prediction(&path, &application)) {
                Some(right) if status == 200 => {
                    prop_assert_eq!(&body, &right, "{}", seen);
                }
                // The headers can be wrong, or the body be too large.
                Some(_) => prop_assert!([405, 413, 415, 504].contains(&status.as_u16()), "{seen}"),
                None => prop_assert!(status != 200 || ["/docs", "/openapi.json"].contains(&&*path), "{seen}"),
            }
            Ok(status)
        })
    }

    /// Posts a body to a prediction endpoint.
    fn post(&self, path: &str, body: impl Into<Body>) -> Result<StatusCode, TestCaseError> {
        let request = Request::post(path).header("content-type", "application/json");
        self.check(request.body(body.into()).expect("a valid request"))
    }
}

fn current_thread() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn in_memory() -> Subject {
    Subject::new(PredictionCache::Memory(MemoryCache::new(100)))
}

fn says_only_if_cached(headers: &HeaderMap) -> bool {
    headers.get_all("cache-control").iter().any(|value| {
        value.as_bytes().split(|byte| *byte == b',').any(|one| one.trim_ascii().eq_ignore_ascii_case(b"only-if-cached"))
    })
}

fn any_path() -> impl Strategy<Value = &'static str> {
    select(vec!["/decisions", "/probabilities", "/risk_categories"])
}

/// Changes to a text that may make it another, or none.
#[derive(Clone)]
enum Edit {
    Insert(Index, Bytes),
    Remove(Index, usize),
    Repeat(Index, usize, usize),
    Flip(Index, u8),
}

/// Short: a shrunk failure shows the text itself.
impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Insert(_, bytes) => write!(f, "Insert({} bytes)", bytes.len()),
            Self::Remove(_, length) => write!(f, "Remove({length} bytes)"),
            Self::Repeat(_, length, times) => write!(f, "Repeat({length} bytes, {times} times)"),
            Self::Flip(_, bits) => write!(f, "Flip({bits:#x})"),
        }
    }
}

fn any_edit() -> impl Strategy<Value = Edit> {
    let token = select(vec![
        "{",
        "}",
        "[",
        "]",
        "\"",
        ":",
        ",",
        "\\",
        "\\u0000",
        "\\ud800",
        "null",
        "true",
        "NaN",
        "1e999",
        "-0",
        ".0",
        "e1",
        "\u{feff}",
        "\u{e4}",
        "\u{1f980}",
        " ",
        "\r\n",
        "//",
        "\"age_in_years\":30,",
    ]);
    prop_oneof![
        (any::<Index>(), token).prop_map(|(at, token)| Edit::Insert(at, Bytes::from_static(token.as_bytes()))),
        (any::<Index>(), vec(any::<u8>(), 1..8)).prop_map(|(at, bytes)| Edit::Insert(at, bytes.into())),
        (any::<Index>(), 1usize..20).prop_map(|(at, length)| Edit::Remove(at, length)),
        (any::<Index>(), 1usize..20, 1usize..300).prop_map(|(at, length, times)| Edit::Repeat(at, length, times)),
        (any::<Index>(), 1u8..).prop_map(|(at, bits)| Edit::Flip(at, bits)),
    ]
}

fn edited(text: &str, edits: &[Edit]) -> Vec<u8> {
    let mut text = text.as_bytes().to_vec();
    for edit in edits {
        let at = |index: &Index| index.index(text.len() + 1);
        let end = |at: usize, length: usize| text.len().min(at + length);
        match edit {
            Edit::Insert(index, bytes) => {
                let at = at(index);
                text.splice(at..at, bytes.iter().copied());
            }
            Edit::Remove(index, length) => {
                let at = at(index);
                text.drain(at..end(at, *length));
            }
            Edit::Repeat(index, length, times) => {
                let at = at(index);
                let repeated = text[at..end(at, *length)].repeat(*times);
                text.splice(at..at, repeated);
            }
            Edit::Flip(index, bits) => {
                let at = at(index);
                text[at..].iter_mut().take(1).for_each(|byte| *byte ^= bits);
            }
        }
    }
    text
}

/// The sample events, each with the JSON Pointers to everything in it.
static EVENTS: LazyLock<Vec<(Value, Vec<String>)>> = LazyLock::new(|| {
    fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, member)| {
                pointers(member, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }),
            Value::Array(items) => items.iter().enumerate().for_each(|(n, item)| {
                pointers(item, format!("{at}/{n}"), found);
            }),
            _ => {}
        }
        found.push(at);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files
        .iter()
        .map(|path| {
            let event = serde_json::from_slice(&fs::read(path).expect("it can be read")).expect("JSON");
            let mut found = Vec::new();
            pointers(&event, String::new(), &mut found);
            (event, found)
        })
        .collect()
});

/// A change to one value of an event.
#[derive(Clone, Debug)]
struct Mutation {
    /// Only among what the service reads.
    read: bool,
    at: Index,
    change: Change,
}

#[derive(Clone, Debug)]
enum Change {
    Remove,
    Replace(Value),
    /// Puts text into a string.
    Insert(Index, String),
}

fn any_value() -> impl Strategy<Value = Value> {
    let telling = vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(-1),
        json!(1e308),
        json!(u64::MAX),
        json!(""),
        json!("/"),
        json!("//"),
        json!("/decisions"),
        json!("/probabilities"),
        json!("/risk_categories"),
        json!("/docs"),
        json!("/openapi.json"),
        json!("/decisions/../docs"),
        json!("/%"),
        json!("/decisions?x#y"),
        json!("http://[::1"),
        json!("*"),
        json!("HEAD"),
        json!("POST"),
        json!("CONNECT"),
        json!("post"),
        json!("B\u{e4}D"),
        json!("\r\n"),
        json!("x".repeat(70_000)),
        json!(example().to_string()),
        json!(STANDARD.encode(example().to_string())),
        json!(STANDARD.encode([0xff, 0xfe])),
        json!([]),
        json!({}),
        json!({"content-type": "application/json"}),
        json!({"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store"}),
        json!({"content-type": ["application/json"], "cache-control": ["max-age=0", "no-cache, only-if-cached"]}),
        json!({"content-type": "application/json", "cache-control": "only-if-cached"}),
        json!({"content-type": "\u{0}\u{e4}"}),
        json!({"": ""}),
    ];
    let leaf = prop_oneof![
        6 => select(telling),
        1 => any::<f64>().prop_map(|number| json!(number)),
        3 => ".*".prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((".*", inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_mutation() -> impl Strategy<Value = Mutation> {
    let change = prop_oneof![
        2 => Just(Change::Remove),
        6 => any_value().prop_map(Change::Replace),
        3 => (any::<Index>(), "\\PC{1,4}|[\\x00-\\x1f%/?#:@ ]{1,2}").prop_map(|(at, text)| Change::Insert(at, text)),
    ];
    (prop::bool::weighted(0.8), any::<Index>(), change).prop_map(|(read, at, change)| Mutation { read, at, change })
}

/// What `event.rs` reads of an event, of whatever kind.
fn is_read(pointer: &str) -> bool {
    ["/rawPath", "/path", "/headers", "/multiValueHeaders", "/body", "/isBase64Encoded", "/httpMethod"]
        .iter()
        .any(|read| pointer.starts_with(read))
        || pointer == "/requestContext/http/method"
}

fn mutated(event: usize, mutations: &[Mutation]) -> Value {
    let (event, pointers) = &EVENTS[event];
    let mut event = event.clone();
    for Mutation { read, at, change } in mutations {
        let eligible: Vec<_> = pointers.iter().filter(|pointer| !*read || is_read(pointer)).collect();
        let Some(pointer) = eligible.get(at.index(eligible.len().max(1))) else { continue };
        match change {
            Change::Remove => {
                let (parent, name) = pointer.rsplit_once('/').unwrap_or_default();
                if let Some(members) = event.pointer_mut(parent).and_then(Value::as_object_mut) {
                    members.remove(&name.replace("~1", "/").replace("~0", "~"));
                }
            }
            Change::Replace(value) => {
                if let Some(place) = event.pointer_mut(pointer) {
                    place.clone_from(value);
                }
            }
            Change::Insert(index, text) => {
                if let Some(Value::String(place)) = event.pointer_mut(pointer) {
                    let characters: Vec<_> = place.char_indices().map(|(at, _)| at).collect();
                    place.insert_str(characters.get(index.index(characters.len() + 1)).copied().unwrap_or(0), text);
                }
            }
        }
    }
    event
}

/// How many cases got how far: a fuzzer whose every case fails at the door proves nothing.
#[derive(Default)]
struct Reached {
    all: Cell<u32>,
    router: Cell<u32>,
    predictions: Cell<u32>,
}

impl Reached {
    fn count(counter: &Cell<u32>) {
        counter.set(counter.get() + 1);
    }

    fn answered(&self, status: StatusCode) {
        Self::count(&self.router);
        if status == 200 {
            Self::count(&self.predictions);
        }
    }
}

fn play(subject: &Subject, text: &[u8], reached: &Reached) -> TestCaseResult {
    Reached::count(&reached.all);
    // What is no HTTP event is an error of the invocation, which the platform answers.
    if let Ok(event) = serde_json::from_slice::<LambdaRequest>(text) {
        reached.answered(subject.check(event::into_request(event))?);
    }
    Ok(())
}

#[test]
fn an_event_of_any_shape_gets_a_right_answer_or_a_problem() {
    let (subject, reached) = (in_memory(), Reached::default());
    let events = (0..EVENTS.len(), vec(any_mutation(), 0..4)).prop_map(|(event, mutations)| mutated(event, &mutations));
    fuzz(2_000, 1, events, |event| play(&subject, event.to_string().as_bytes(), &reached));
    assert!(reached.router.get() > reached.all.get() / 5, "{} of {}", reached.router.get(), reached.all.get());
    assert!(reached.predictions.get() > reached.all.get() / 20, "{}", reached.predictions.get());
}

#[test]
fn an_event_whose_text_is_damaged_gets_a_right_answer_or_a_problem() {
    let (subject, reached) = (in_memory(), Reached::default());
    let texts = (0..EVENTS.len(), vec(any_edit(), 0..4))
        .prop_map(|(event, edits)| Bytes::from(edited(&EVENTS[event].0.to_string(), &edits)));
    fuzz(2_000, 1, texts, |text| play(&subject, &text, &reached));
    assert!(reached.predictions.get() > reached.all.get() / 20, "{}", reached.predictions.get());
}

#[test]
fn a_body_of_any_bytes_gets_a_right_answer_or_a_problem() {
    let subject = in_memory();
    fuzz(2_000, 1, (any_path(), vec(any::<u8>(), 0..200)), |(path, body)| subject.post(path, body).map(drop));
}

#[test]
fn a_body_that_is_nearly_an_application_gets_a_right_answer_or_a_problem() {
    let (subject, reached) = (in_memory(), Reached::default());
    let bodies = vec(any_edit(), 0..4).prop_map(|edits| Bytes::from(edited(&example().to_string(), &edits)));
    fuzz(4_000, 1, (any_path(), bodies), |(path, body)| {
        Reached::count(&reached.all);
        reached.answered(subject.post(path, body)?);
        Ok(())
    });
    assert!(reached.predictions.get() > reached.all.get() / 20, "{}", reached.predictions.get());
}

#[test]
fn a_body_of_any_json_gets_a_right_answer_or_a_problem() {
    let subject = in_memory();
    let fields: Vec<_> = example().as_object().expect("an object").keys().cloned().collect();
    let bodies = prop_oneof![
        any_value(),
        vec((any::<Index>(), any_value()), 0..3).prop_map(move |values| {
            let mut application = example();
            for (field, value) in values {
                application[field.get(&fields)] = value;
            }
            application
        }),
    ];
    fuzz(2_000, 1, (any_path(), bodies), |(path, body)| subject.post(path, body.to_string()).map(drop));
}

/// Reads an entry as `P`, if it is one: then it is the one that `P` writes.
fn strictly<P: Prediction>(entry: &[u8]) -> TestCaseResult {
    if let Some(prediction) = P::from_bytes(entry) {
        prop_assert_eq!(prediction.to_bytes(), entry);
    }
    Ok(())
}

#[test]
fn an_entry_is_a_prediction_only_if_it_is_what_the_prediction_is_written_as() {
    let written =
        select(vec!["ACCEPT", "DECLINE", "low_risk", "very_high_risk", "0.32025427", "0", "1", "0.00001", "1e-45"]);
    let entries = prop_oneof![
        vec(any::<u8>(), 0..24),
        (written, vec(any_edit(), 0..3)).prop_map(|(entry, edits)| edited(entry, &edits)),
        "[-+]?[0-9]{0,12}(\\.[0-9]{0,12})?([eE][-+]?[0-9]{1,3})?".prop_map(String::into_bytes),
    ];
    fuzz(20_000, 1, entries, |entry| {
        strictly::<Decision>(&entry)?;
        strictly::<Probability>(&entry)?;
        strictly::<RiskCategory>(&entry)
    });
}

/// A server that greets like Redis and then answers every lookup and write with `reply`.
async fn impostor(reply: Bytes) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let reply = reply.clone();
            tokio::spawn(async move {
                let mut command = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut command).await {
                    let text = String::from_utf8_lossy(&command[..length]);
                    // The greeting names the client library, in commands that start with CLIENT.
                    let greetings = text.matches("CLIENT\r\n").count();
                    let answer = if greetings > 0 { "+OK\r\n".repeat(greetings).into() } else { reply.clone() };
                    if stream.write_all(&answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// No reply of these holds another valid entry than the right one: a cache that lies in our own words is believed.
#[test]
fn a_redis_that_replies_with_anything_brings_no_wrong_answer() {
    let replies = prop_oneof![
        vec(any::<u8>(), 0..64),
        (
            select(vec![
                "$7\r\nDECLINE\r\n",
                "+DECLINE\r\n",
                "$-1\r\n",
                "*1\r\n$7\r\nDECLINE\r\n",
                "%1\r\n+a\r\n:1\r\n",
                "=11\r\ntxt:DECLINE\r\n",
                "-ERR no\r\n",
                ">2\r\n+invalidate\r\n*0\r\n",
                "(3492890328409238509324850943850943825024385\r\n",
                ",inf\r\n",
            ]),
            vec(any_edit(), 0..3)
        )
            .prop_map(|(reply, edits)| edited(reply, &edits)),
    ];
    // A case waits for a deadline or two, which takes a hundred times as long as the others do.
    fuzz(100, 100, replies, |reply| {
        let runtime = current_thread();
        let address = runtime.block_on(impostor(reply.into()));
        let connection = format!("redis://{address}").into_connection_info().expect("an address");
        let deadline = Duration::from_millis(20);
        let config =
            RedisConfig { connection, ttl: Duration::from_secs(60), read_timeout: deadline, write_timeout: deadline };
        let subject = Subject::on(runtime, PredictionCache::Redis(RedisCache::new(config).expect("an address")));
        for _ in 0..2 {
            prop_assert_eq!(subject.post("/decisions", example().to_string())?, StatusCode::OK);
        }
        Ok(())
    });
}
