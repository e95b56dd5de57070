//! Model runs that take long: they leave the workers' threads, their queue is bounded, and what waits for nothing is dropped.

use std::{fs, future::poll_fn, num::NonZeroUsize, path::PathBuf, sync::Arc, task::Poll};

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use futures_util::{future::BoxFuture, poll};
use predict_once::{
    after_response,
    http::{Api, ApiSettings},
    service::{Caching, PredictionService, unattended},
};
use prediction_cache::{MemoryCache, PredictionCache};
use rustix::process::Signal;
use serde_json::{Value, json};
use test_support::{
    eventually, packages,
    runtime_api::RuntimeApi,
    service::{Answer, Http, Service},
};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinHandle};

/// A model whose every run takes a good part of a second.
fn long_run(name: &str) -> PathBuf {
    packages::write(&packages::long_run(), name)
}

/// The local server of such a model, with one worker. After the stop signal, it serves for so many seconds.
async fn started(name: &str, threads: &str, queue: &str, delay: &str) -> (Service, Http) {
    let directory = long_run(name);
    Service::local(&[
        ("MODEL_DIR", directory.to_str().expect("UTF-8")),
        ("WORKERS", "1"),
        ("MODEL_THREADS", threads),
        ("MODEL_QUEUE", queue),
        ("METRICS", "true"),
        ("SHUTDOWN_DELAY_SECONDS", delay),
    ])
    .await
}

fn ask(http: &Http, number: u32) -> JoinHandle<Answer> {
    let http = Http::new(http.address);
    tokio::spawn(async move { http.post("/values", &json!({ "number": number })).await })
}

async fn metric(http: &Http, name: &str) -> f64 {
    let metrics = Http::new(http.address).get("/metrics").await.text;
    let value = metrics.lines().find_map(|line| line.strip_prefix(&format!("predict_once_{name} ")));
    value.unwrap_or_else(|| panic!("no {name}")).parse().expect("a number")
}

/// Waits until so many runs are in progress and so many wait for a thread.
async fn in_use(http: &Http, running: u32, waiting: u32) {
    eventually(&format!("{running} running, {waiting} waiting"), async || {
        let now = (metric(http, "model_runs_in_progress").await, metric(http, "model_runs_waiting").await);
        now == (running.into(), waiting.into())
    })
    .await;
}

#[tokio::test]
async fn hits_pages_probes_metrics_and_the_stop_signal_are_answered_while_every_model_thread_runs() {
    let (service, http) = started("long-run-hits", "2", "64", "300").await;
    assert_eq!(http.post("/values", &json!({"number": 1})).await.cache_status(), "predict-once; fwd=miss");
    let asked = [ask(&http, 2), ask(&http, 3)];
    in_use(&http, 2, 0).await;
    let hit = http.post("/values", &json!({"number": 1})).await;
    assert_eq!((hit.status, hit.cache_status()), (200, "predict-once; hit; detail=memory"));
    assert_eq!(http.post("/values", &json!({"number": "one"})).await.status, 422);
    assert_eq!(http.get("/docs").await.status, 200);
    for path in ["/health", "/ready", "/metrics"] {
        // Each on a connection of its own, as probes do.
        let answer = Http::new(http.address).get(path).await;
        assert_eq!((answer.status, answer.header("connection")), (200, "close"), "{path}");
    }
    service.signal(Signal::TERM);
    eventually("it is not ready", async || Http::new(http.address).get("/ready").await.status == 503).await;
    // On the worker's thread, these runs would have come first.
    assert!(asked.iter().all(|asked| !asked.is_finished()));
    for asked in asked {
        let answer = asked.await.expect("no panic");
        assert_eq!((answer.status, answer.cache_status()), (200, "predict-once; fwd=miss"));
    }
}

#[tokio::test]
async fn requests_beyond_the_queue_are_refused_at_once() {
    let (service, http) = started("long-run-queue", "1", "1", "0").await;
    let first = ask(&http, 1);
    in_use(&http, 1, 0).await;
    let second = ask(&http, 2);
    in_use(&http, 1, 1).await;
    let refused = http.post("/values", &json!({"number": 3})).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    assert_eq!(refused.header("content-type"), "application/problem+json");
    assert_eq!(
        refused.json(),
        json!({
            "type": "/docs/errors#overloaded",
            "title": "Service overloaded",
            "status": 503,
            "detail": "too many requests are waiting for the model; try again",
        })
    );
    assert!(!first.is_finished() && !second.is_finished());
    assert_eq!(metric(&http, "model_requests_refused_total").await, 1.0);
    service.line_with("status=503 error=\"overloaded\" cache=\"miss\"").await;
    for asked in [first, second] {
        assert_eq!(asked.await.expect("no panic").status, 200);
    }
    assert_eq!(http.post("/values", &json!({"number": 3})).await.status, 200, "there is room again");
}

#[tokio::test]
async fn the_run_of_a_client_that_disconnects_in_the_queue_is_dropped_and_its_place_is_free() {
    let (service, http) = started("long-run-disconnect", "1", "1", "0").await;
    let first = ask(&http, 1);
    in_use(&http, 1, 0).await;
    let mut client = TcpStream::connect(http.address).await.expect("it listens");
    let body = r#"{"number": 2}"#;
    let head = "POST /values HTTP/1.1\r\nhost: x\r\ncontent-type: application/json";
    let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    client.write_all(request.as_bytes()).await.expect("sent");
    in_use(&http, 1, 1).await;
    drop(client);
    in_use(&http, 1, 0).await;
    let second = ask(&http, 3);
    in_use(&http, 1, 1).await;
    assert!(!first.is_finished());
    service.line_with("status=503 error=\"overloaded\" cache=\"miss\"").await;
    for asked in [first, second] {
        assert_eq!(asked.await.expect("no panic").status, 200);
    }
    assert_eq!(metric(&http, "model_requests_refused_total").await, 0.0);
}

#[tokio::test]
async fn shutdown_finishes_the_runs_in_progress_and_in_the_queue() {
    let (mut service, http) = started("long-run-shutdown", "1", "1", "0").await;
    let asked = [ask(&http, 1), ask(&http, 2)];
    in_use(&http, 1, 1).await;
    service.signal(Signal::TERM);
    for asked in asked {
        assert_eq!(asked.await.expect("no panic").status, 200);
    }
    assert!(service.ended().await);
    assert!(service.lines().iter().all(|line| !line.contains("SHUTDOWN_TIMEOUT_SECONDS")));
}

/// The answer of `api` to this number, as a server gives it.
fn answer(api: &Arc<Api>, number: u32) -> BoxFuture<'static, (StatusCode, String)> {
    let api = Arc::clone(api);
    Box::pin(async move {
        let body = Body::from(json!({ "number": number }).to_string());
        let request = Request::post("/values").header("content-type", "application/json").body(body);
        let (response, jobs) = after_response::collect(api.answer(request.expect("a request"))).await;
        jobs.run(None).await;
        let cache = response.headers().get("cache-status").map(|value| value.to_str().expect("text").to_owned());
        (response.status(), cache.unwrap_or_default())
    })
}

/// Polls `one` until it is ready or has been polled a few times, so that it has come as far as it can.
async fn begin<F: Future + Unpin>(one: &mut F) {
    for _ in 0..10 {
        assert!(poll!(&mut *one).is_pending());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_run_in_the_queue_is_kept_for_other_requests_when_its_client_disconnects_and_dropped_after_the_last() {
    let model = packages::load(&packages::long_run());
    let cache = PredictionCache::new(Some(MemoryCache::new(10, 1 << 20)), None);
    let service = PredictionService::new(model, cache, &Caching::default());
    let service = Arc::new(service.with_threads(NonZeroUsize::MIN, 2, None).expect("threads"));
    let api = Arc::new(Api::new(Arc::clone(&service), ApiSettings::default()));
    let running = tokio::spawn(answer(&api, 1));
    eventually("it runs", async || service.thread_use().running == 1).await;
    let (mut kept, mut follower) = (answer(&api, 2), answer(&api, 2));
    begin(&mut kept).await;
    begin(&mut follower).await;
    let (mut dropped, mut last) = (answer(&api, 3), answer(&api, 3));
    begin(&mut dropped).await;
    begin(&mut last).await;
    assert_eq!(service.thread_use().waiting, 2);
    // The leaders' clients disconnect.
    let (mut kept, mut dropped) = (Box::pin(unattended::run(kept)), Box::pin(unattended::run(dropped)));
    begin(&mut kept).await;
    begin(&mut dropped).await;
    assert_eq!(service.thread_use().waiting, 2);
    drop(last);
    let (status, _) = poll_fn(|context| match dropped.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(answer),
        Poll::Pending => panic!("it waits for a thread"),
    })
    .await;
    assert_eq!((status, service.thread_use().waiting), (StatusCode::SERVICE_UNAVAILABLE, 1));
    assert!(!running.is_finished(), "the first run was in progress throughout");
    let (kept, follower) = tokio::join!(kept, follower);
    assert_eq!(kept, (StatusCode::OK, "predict-once; fwd=miss".to_owned()));
    assert_eq!(follower, (StatusCode::OK, "predict-once; fwd=miss; collapsed".to_owned()));
    assert_eq!(running.await.expect("no panic").0, StatusCode::OK);
}

/// An event of an HTTP API for this number.
fn event(number: u32) -> Value {
    let mut event: Value = serde_json::from_str(include_str!("../../events/http-api.json")).expect("JSON");
    (event["rawPath"], event["requestContext"]["http"]["path"]) = ("/values".into(), "/values".into());
    event["body"] = json!({ "number": number }).to_string().into();
    event
}

/// The names of a process's threads, according to Linux.
fn threads(service: &Service) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{}/task", service.pid().as_raw_nonzero())).expect("it runs");
    let name = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("comm")).expect("it runs");
    threads.map(|thread| name(thread.expect("it runs")).trim().to_owned()).collect()
}

#[tokio::test]
async fn a_function_with_concurrent_invocations_answers_others_during_a_run() {
    let directory = long_run("long-run-concurrent");
    let mut api = RuntimeApi::start().await;
    let variables = [("AWS_LAMBDA_MAX_CONCURRENCY", "2"), ("MODEL_DIR", directory.to_str().expect("UTF-8"))];
    let service = Service::lambda(&api, &variables);
    api.asked_for(2).await;
    assert_eq!(api.invoke(&event(1)).await.cache_status(), "predict-once; fwd=miss");
    let run = api.send(&event(2));
    eventually("a thread runs", async || threads(&service).iter().any(|name| name == "model")).await;
    let hit = api.send(&event(1));
    assert_eq!([api.outcome().await.0, api.outcome().await.0], [hit, run]);
}

#[tokio::test]
async fn a_function_that_answers_one_invocation_at_a_time_runs_on_its_only_thread() {
    let directory = long_run("long-run-function");
    let mut api = RuntimeApi::start().await;
    let service = Service::lambda(&api, &[("MODEL_DIR", directory.to_str().expect("UTF-8"))]);
    assert_eq!(api.invoke(&event(1)).await.cache_status(), "predict-once; fwd=miss");
    assert!(threads(&service).iter().all(|name| name != "model"), "{:?}", threads(&service));
}
