//! The local server's limit of connections, and what happens when it cannot accept one.

use std::{
    collections::VecDeque,
    fs,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use test_support::{
    applications::aged,
    eventually,
    redis::Redis,
    service::{Http, Service},
    soon,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Opens a connection and sends a request on it.
async fn ask(http: &Http) -> TcpStream {
    let mut stream = TcpStream::connect(http.address).await.expect("it listens");
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    stream
}

async fn answered(stream: &mut TcpStream) {
    let mut answer = [0; 12];
    soon("an answer", stream.read_exact(&mut answer)).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 200");
}

/// Whether no answer arrives for 300 ms.
async fn waits(stream: &mut TcpStream) -> bool {
    tokio::time::timeout(Duration::from_millis(300), stream.readable()).await.is_err()
}

/// Opens a connection whose request is never complete.
async fn ask_slowly(http: &Http) -> TcpStream {
    let mut stream = TcpStream::connect(http.address).await.expect("it listens");
    let head = "POST /decisions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream
}

async fn is_closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // A connection whose request was in flight is reset.
    let _ = soon("the end of the connection", stream.read_to_end(&mut rest)).await;
}

/// A client of the metrics' own address.
async fn own_address(service: &Service) -> Http {
    let line = service.line_with("metrics on http://").await;
    let address = line.rsplit("http://").next().and_then(|url| url.strip_suffix("/metrics")).expect("a URL");
    Http::new(address.parse().expect("an address"))
}

async fn are_open(own: &Http, connections: usize) {
    let metric = format!("predict_once_http_connections {connections}\n");
    eventually(&metric, || async { own.get("/metrics").await.text.contains(&metric) }).await;
}

#[tokio::test]
async fn beyond_the_limit_a_connection_waits_while_all_others_have_a_request() {
    let variables = [("MAX_CONNECTIONS", "2"), ("METRICS_ADDRESS", "127.0.0.1:0")];
    let (service, http) = Service::local(&variables).await;
    let own = own_address(&service).await;
    are_open(&own, 0).await;
    let (first, second) = (ask_slowly(&http).await, ask_slowly(&http).await);
    are_open(&own, 2).await;
    let mut third = ask(&http).await;
    let warning = "all 2 connections are open";
    service.line_with(warning).await;
    assert!(waits(&mut third).await);
    are_open(&own, 2).await;
    drop(first);
    answered(&mut third).await;
    drop((second, third));
    are_open(&own, 0).await;
    assert_eq!(service.lines().iter().filter(|line| line.contains(warning)).count(), 1, "it is not repeated");
}

#[tokio::test]
async fn beyond_the_limit_a_connection_takes_the_place_of_an_unused_one_or_of_the_one_that_is_idle_for_longest() {
    let variables = [("MAX_CONNECTIONS", "2"), ("METRICS_ADDRESS", "127.0.0.1:0")];
    let (service, http) = Service::local(&variables).await;
    let own = own_address(&service).await;
    // One that was used, and later one that never sends anything, and has to go first.
    let used = Http::new(http.address);
    assert_eq!(used.post("/decisions", &aged(30)).await.status, 200);
    are_open(&own, 1).await;
    let mut silent = TcpStream::connect(http.address).await.expect("it listens");
    are_open(&own, 2).await;
    let third = Http::new(http.address);
    assert_eq!(third.post("/decisions", &aged(31)).await.status, 200);
    is_closed(&mut silent).await;
    are_open(&own, 2).await;
    // The used one is idle for longest now. Its client has been told, and opens another.
    let mut fourth = ask(&http).await;
    answered(&mut fourth).await;
    is_closed(&mut fourth).await;
    for client in [&used, &third] {
        assert_eq!(client.post("/decisions", &aged(30)).await.status, 200);
    }
    are_open(&own, 2).await;
}

#[tokio::test]
async fn requests_that_never_arrive_keep_out_neither_probes_nor_requests_for_long() {
    let variables = [("MAX_CONNECTIONS", "4"), ("METRICS_ADDRESS", "127.0.0.1:0")];
    let (service, http) = Service::local(&variables).await;
    let own = own_address(&service).await;
    let half = async |address| {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: ").await.expect("sent");
        stream
    };
    for address in [http.address, own.address] {
        let _half = join_all((0..20).map(|_| half(address))).await;
        let start = Instant::now();
        assert_eq!(Http::new(address).get("/health").await.status, 200);
        // Their heads may take ten seconds otherwise.
        assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn idle_connections_that_are_renewed_keep_out_neither_probes_nor_requests() {
    let variables = [("MAX_CONNECTIONS", "64"), ("METRICS_ADDRESS", "127.0.0.1:0")];
    let (service, http) = Service::local(&variables).await;
    let own = own_address(&service).await;
    let flood = tokio::spawn({
        let address = http.address;
        async move {
            let mut idle = VecDeque::new();
            loop {
                idle.push_back(TcpStream::connect(address).await);
                tokio::time::sleep(Duration::from_millis(1)).await;
                if idle.len() > 300 {
                    idle.pop_front();
                }
            }
        }
    });
    are_open(&own, 64).await;
    for n in 0..30 {
        for http in [Http::new(http.address), Http::new(own.address)] {
            assert_eq!(http.get("/health").await.status, 200);
            assert_eq!(http.get("/ready").await.status, 200);
        }
        let answer = Http::new(http.address).post("/decisions", &aged(20 + n)).await;
        assert_eq!(answer.status, 200);
    }
    flood.abort();
}

#[tokio::test]
async fn health_at_the_address_of_the_metrics_does_not_depend_on_the_connections_to_the_api() {
    let variables = [("MAX_CONNECTIONS", "2"), ("METRICS_ADDRESS", "127.0.0.1:0")];
    let (service, http) = Service::local(&variables).await;
    let own = own_address(&service).await;
    let _busy = (ask_slowly(&http).await, ask_slowly(&http).await);
    are_open(&own, 2).await;
    let mut waiting = ask(&http).await;
    assert!(waits(&mut waiting).await);
    for (path, text) in [("/health", "ok\n"), ("/ready", "ready\n")] {
        let answer = own.get(path).await;
        assert_eq!((answer.status, &*answer.text), (200, text));
    }
    assert_eq!(own.post("/decisions", &aged(30)).await.status, 404);
}

#[tokio::test]
async fn a_limit_of_open_files_that_leaves_too_few_connections_stops_the_start() {
    let mut service = Service::start_with_limit("-n 1024", &[("PORT", "0"), ("WORKERS", "64")]);
    assert!(!service.ended().await);
    let line = service.line_with("Error:").await;
    let expected = "Error: WORKERS: 64 workers and 64 connections need 1120 open files, and the process may open only 1024: lower \
                    WORKERS, or raise the limit (ulimit -n)";
    assert_eq!(line, expected);
}

#[tokio::test]
async fn the_limit_of_open_files_is_raised_as_far_as_needed() {
    let service = Service::start_with_limit("-Sn 100", &[("PORT", "0")]);
    service.http().await;
    let limits = fs::read_to_string(format!("/proc/{}/limits", service.pid())).expect("it runs");
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("a limit");
    let soft: u64 = files.split_whitespace().next().and_then(|soft| soft.parse().ok()).expect("a number");
    assert!((1024 + 32..2048).contains(&soft), "{soft}");
    assert!(service.lines().iter().all(|line| !line.contains("MAX_CONNECTIONS")));
}

#[tokio::test]
async fn a_low_limit_of_open_files_reduces_connections_but_keeps_the_cache() {
    let redis = Redis::start().await;
    let url = redis.url();
    let service = Service::start_with_limit("-n 80", &[("PORT", "0"), ("WORKERS", "1"), ("REDIS_URL", &url)]);
    let http = service.http().await;
    service.line_with("MAX_CONNECTIONS is lowered to 32").await;
    let mut connections = Vec::new();
    for _ in 0..31 {
        connections.push(ask_slowly(&http).await);
    }
    assert_eq!(http.post("/decisions", &aged(30)).await.cache_status(), "predict-once; fwd=miss");
    connections.push(ask_slowly(&http).await);
    let mut other = ask(&http).await;
    assert!(waits(&mut other).await);
    redis.holds(1).await;
    assert!(service.lines().iter().all(|line| !line.contains("not accepted")));
}

#[tokio::test]
async fn accepting_connections_is_retried_at_increasing_intervals() {
    let (service, http) = Service::local(&[]).await;
    let pid = service.pid();
    let set =
        |current| prlimit(Some(pid), Resource::Nofile, Rlimit { current: Some(current), ..of(pid) }).expect("ours");
    let before = set(3);
    let mut stream = ask(&http).await;
    let refused = || service.lines().iter().filter(|line| line.contains("a connection was not accepted")).count();
    let start = std::time::Instant::now();
    eventually("six attempts", || async { refused() >= 6 }).await;
    // Five attempts, after 10 + 20 + 40 + 80 + 160 ms.
    assert!(start.elapsed() > Duration::from_millis(250), "{:?}", start.elapsed());
    set(before.current.expect("a limit"));
    answered(&mut stream).await;
}

/// The limits of a process on open files.
fn of(pid: Pid) -> Rlimit {
    let text = fs::read_to_string(format!("/proc/{pid}/limits")).expect("it runs");
    let files = text.lines().find_map(|line| line.strip_prefix("Max open files")).expect("a limit");
    let mut limits = files.split_whitespace().map(|limit| limit.parse().ok());
    Rlimit { current: limits.next().flatten(), maximum: limits.next().flatten() }
}
