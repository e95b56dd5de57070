//! A reader of the log that stops reading: it costs log lines, which are counted, and nothing else.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use test_support::{
    applications::example,
    eventually,
    runtime_api::RuntimeApi,
    service::{Http, Service},
    slow::never_reading,
    soon,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// More requests than the pipe and the queue have room for: their lines have over 200 bytes each, and 64 KiB and twice 1 MiB fit.
const MORE_THAN_FIT: usize = 12_000;

/// Sends this many requests on one connection, each with the longest possible id for its log line, and waits for their answers.
async fn ask(http: &Http, requests: usize) {
    let id = "x".repeat(128);
    let request = format!("GET /nothing HTTP/1.1\r\nhost: x\r\nx-request-id: {id}\r\n\r\n");
    let (answers, mut asking) = TcpStream::connect(http.address).await.expect("it listens").into_split();
    let all = request.repeat(requests);
    let sending = tokio::spawn(async move { asking.write_all(all.as_bytes()).await.map(|()| asking) });
    let mut lines = BufReader::new(answers).lines();
    let mut answered = 0;
    while answered < requests {
        let line = soon("an answer", lines.next_line()).await.expect("text").expect("the connection is open");
        answered += usize::from(line.contains("HTTP/1.1 404"));
    }
    sending.await.expect("no panic").expect("sent");
}

/// The sum of a field over all lines that contain `text`.
fn sum(service: &Service, text: &str, field: &str) -> usize {
    let lines = service.lines();
    let values = lines
        .iter()
        .filter(|line| line.contains(text))
        .filter_map(|line| line.split(field).nth(1)?.split(' ').next()?.parse::<usize>().ok());
    values.sum()
}

#[tokio::test]
async fn a_local_server_whose_log_is_not_read_answers_and_drops_and_counts_lines() {
    let (mut service, http) = Service::local(&[("METRICS", "true")]).await;
    service.stop_reading();
    ask(&http, MORE_THAN_FIT).await;
    assert_eq!(http.post("/decisions", &example()).await.status, 200);
    assert_eq!(http.get("/health").await.status, 200);
    let metrics = http.get("/metrics").await.text;
    let dropped = metrics.lines().find_map(|line| line.strip_prefix("predict_once_log_lines_dropped_total "));
    let dropped: usize = dropped.and_then(|number| number.parse().ok()).expect("the metric");
    assert!(dropped > 0, "{metrics}");
    service.read_again();
    service.line_with("log lines were dropped").await;
    service.signal(Signal::TERM);
    assert!(service.ended().await);
    let written = service.lines().iter().filter(|line| line.contains(" request ")).count();
    eventually("all lines are read", async || {
        let written = service.lines().iter().filter(|line| line.contains(" request ")).count();
        written + sum(&service, "log lines were dropped", "dropped=") == MORE_THAN_FIT + 1
    })
    .await;
    assert!(written > 2_000, "the queue keeps lines for a reader that pauses: {written}");
}

#[tokio::test]
async fn a_log_that_is_not_read_delays_the_end_by_at_most_a_second() {
    let (mut service, http) = Service::local(&[]).await;
    service.stop_reading();
    ask(&http, MORE_THAN_FIT).await;
    let start = Instant::now();
    service.signal(Signal::TERM);
    assert!(service.ended().await);
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_second_signal_ends_the_process_even_if_its_log_is_not_read() {
    let (mut service, http) = Service::local(&[("SHUTDOWN_TIMEOUT_SECONDS", "300")]).await;
    let _stream = never_reading(&http).await;
    service.stop_reading();
    ask(&http, MORE_THAN_FIT).await;
    service.signal(Signal::TERM);
    eventually("it does not listen", || async { TcpStream::connect(http.address).await.is_err() }).await;
    let start = Instant::now();
    service.signal(Signal::TERM);
    assert_eq!(service.exit_code().await, Some(143));
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}

#[tokio::test]
async fn the_lines_of_the_last_requests_are_written_before_the_process_ends() {
    let (mut service, http) = Service::local(&[]).await;
    ask(&http, 1_000).await;
    service.signal(Signal::TERM);
    assert!(service.ended().await);
    let requests = || service.lines().iter().filter(|line| line.contains(" request ")).count();
    eventually("a line for each request", async || requests() == 1_000).await;
}

/// An event with the longest possible request id.
fn event() -> Value {
    let mut event: Value = serde_json::from_str(include_str!("../../events/http-api.json")).expect("JSON");
    event["headers"]["x-request-id"] = "x".repeat(128).into();
    event
}

#[tokio::test]
async fn a_function_whose_log_is_not_read_waits_a_tenth_of_a_second_once_and_then_drops_and_counts_lines() {
    // Each line has over 550 bytes, so that the pipe is full after 120, and the queue after 2,000 more.
    const PIPE: usize = 120;
    const QUEUE: usize = 2_000;
    let mut api = RuntimeApi::start().await;
    let service = Service::lambda(&api, &[]);
    assert_eq!(api.invoke(&event()).await.status(), 200);
    api.idle().await;
    service.stop_reading();
    for _ in 0..PIPE {
        assert_eq!(api.invoke(&event()).await.status(), 200);
    }
    api.idle().await;
    let start = Instant::now();
    for _ in 0..QUEUE {
        assert_eq!(api.invoke(&event()).await.status(), 200);
    }
    api.idle().await;
    // If each invocation waited for its line, this would take 200 s.
    assert!(start.elapsed() < Duration::from_secs(100), "{:?}", start.elapsed());

    service.read_again();
    service.line_with("log lines were dropped").await;
    assert_eq!(api.invoke(&event()).await.status(), 200);
    api.idle().await;
    let requests = || service.json_lines().into_iter().filter(|line| line["message"] == "request");
    let dropped = || requests().filter_map(|line| line["LogLinesDropped"].as_u64()).sum::<u64>() as usize;
    eventually("all invocations are accounted for", async || requests().count() + dropped() == 1 + PIPE + QUEUE + 1)
        .await;
    assert!(dropped() > 0);
    let line = requests().find(|line| line["LogLinesDropped"].is_u64()).expect("just counted");
    let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().expect("a list").clone();
    let metric = metrics.into_iter().find(|metric| metric["Name"] == "LogLinesDropped").expect("named as a metric");
    assert_eq!(metric["Unit"], "Count");
}

#[tokio::test]
async fn the_line_of_an_invocation_is_written_before_the_function_asks_for_the_next() {
    let mut api = RuntimeApi::start().await;
    let service = Service::lambda(&api, &[]);
    for invocation in 1..=50 {
        assert_eq!(api.invoke(&event()).await.status(), 200);
        api.idle().await;
        // Lambda would freeze the environment now: what is not yet in the pipe would be late or lost.
        service.signal(Signal::STOP);
        let written = || service.json_lines().into_iter().filter(|line| line["message"] == "request").count();
        eventually("its line", async || written() == invocation).await;
        service.signal(Signal::CONT);
    }
}
