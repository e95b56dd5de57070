//! Shutdown of the local server: requests in progress are finished within a limit, and a second signal ends it immediately.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use test_support::{
    applications::aged,
    eventually,
    proxy::{Mode, Proxy},
    redis::Redis,
    service::{Http, Service},
    slow::never_reading,
};
use tokio::net::TcpStream;

const CLOSING: &str = "SHUTDOWN_TIMEOUT_SECONDS";

#[tokio::test]
async fn requests_of_all_workers_are_finished_and_stored() {
    let redis = Redis::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    let (mut service, http) = Service::local(&[("REDIS_URL", &proxy.url())]).await;
    let clients = [(); 2].map(|()| Http::new(http.address));
    for client in &clients {
        assert_eq!(client.get("/health").await.status, 200);
    }
    proxy.set(Mode::Hold);
    let asked: [_; 2] = std::array::from_fn(|n| {
        let client = Http { address: http.address, client: clients[n].client.clone() };
        tokio::spawn(async move { client.post("/decisions", &aged(30 + n as u8)).await })
    });
    eventually("both look up", || async { proxy.connections() == 2 }).await;
    service.signal(Signal::TERM);
    eventually("it does not listen", || async { TcpStream::connect(http.address).await.is_err() }).await;
    proxy.set(Mode::Pass);
    for answer in asked {
        assert_eq!(answer.await.expect("no panic").cache_status(), "predict-once; fwd=miss");
    }
    assert!(service.ended().await);
    assert_eq!(redis.keys().await.len(), 2);
    assert!(service.lines().iter().all(|line| !line.contains(CLOSING)));
}

#[tokio::test]
async fn a_client_that_never_reads_does_not_delay_shutdown_beyond_the_limit() {
    let (mut service, http) = Service::local(&[("SHUTDOWN_TIMEOUT_SECONDS", "1")]).await;
    // At the same time: the server gives up writing to the first one after ten seconds.
    let _streams = tokio::join!(never_reading(&http), never_reading(&http));
    let start = Instant::now();
    service.signal(Signal::TERM);
    assert!(service.ended().await, "stopping is not a failure");
    // The write itself would only time out after ten seconds.
    assert!((Duration::from_secs(1)..Duration::from_secs(8)).contains(&start.elapsed()), "{:?}", start.elapsed());
    let line = service.line_with(CLOSING).await;
    assert!(line.contains("elapsed: closing the remaining connections"), "{line}");
    assert!(line.contains("connections=2") && line.contains("deferred=0"), "{line}");
}

#[tokio::test]
async fn a_write_that_does_not_end_does_not_delay_shutdown_beyond_the_limit() {
    let redis = Redis::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    proxy.set(Mode::HoldSets);
    let variables =
        [("REDIS_URL", &*proxy.url()), ("CACHE_WRITE_TIMEOUT_MS", "60000"), ("SHUTDOWN_TIMEOUT_SECONDS", "1")];
    let (mut service, http) = Service::local(&variables).await;
    assert_eq!(http.post("/decisions", &aged(30)).await.status, 200);
    let start = Instant::now();
    service.signal(Signal::INT);
    assert!(service.ended().await);
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    let line = service.line_with(CLOSING).await;
    assert!(line.contains("connections=0") && line.contains("deferred=1"), "{line}");
}

#[tokio::test]
async fn a_second_signal_ends_the_server_at_once() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (mut service, http) = Service::local(&[("SHUTDOWN_TIMEOUT_SECONDS", "300")]).await;
        let _stream = never_reading(&http).await;
        service.signal(Signal::TERM);
        eventually("it does not listen", || async { TcpStream::connect(http.address).await.is_err() }).await;
        let start = Instant::now();
        service.signal(signal);
        assert_eq!(service.exit_code().await, Some(code));
        assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    }
}
