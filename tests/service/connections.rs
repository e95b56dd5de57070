//! The local server's limit of connections, and what happens when it cannot accept one.

use std::{fs, time::Duration};

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

#[tokio::test]
async fn beyond_the_limit_a_connection_waits_until_another_ends() {
    let variables = [("MAX_CONNECTIONS", "2"), ("METRICS_ADDRESS", "127.0.0.1:0")];
    let (service, http) = Service::local(&variables).await;
    let line = service.line_with("metrics on http://").await;
    let address = line.rsplit("http://").next().and_then(|url| url.strip_suffix("/metrics")).expect("a URL");
    let own = Http::new(address.parse().expect("an address"));
    let open = async |connections: usize| {
        let metric = format!("predict_once_http_connections {connections}\n");
        eventually(&metric, || async { own.get("/metrics").await.text.contains(&metric) }).await;
    };
    open(0).await;
    let (mut first, mut second) = (ask(&http).await, ask(&http).await);
    answered(&mut first).await;
    answered(&mut second).await;
    let warning = "connections are open: others wait";
    assert!(service.line_with(warning).await.contains(" 2 "));
    let mut third = ask(&http).await;
    assert!(waits(&mut third).await);
    open(2).await;
    drop(first);
    answered(&mut third).await;
    drop(second);
    open(1).await;
    assert_eq!(service.lines().iter().filter(|line| line.contains(warning)).count(), 1, "it is not repeated");
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
        connections.push(ask(&http).await);
        answered(connections.last_mut().expect("just added")).await;
    }
    assert_eq!(http.post("/decisions", &aged(30)).await.cache_status(), "predict-once; fwd=miss");
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
