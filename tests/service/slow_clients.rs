//! Clients of the local server that are slow or send endless heads: they do not keep resources for ever or delay other clients.

use std::time::{Duration, Instant};

use test_support::{
    applications::example,
    eventually,
    service::{Http, Service},
    slow::never_reading,
    soon,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Sends `head`, then a byte of `rest` every 100 ms until the server closes the connection. Returns the answer and the elapsed
/// time.
async fn trickle(http: &Http, head: &str, rest: &str) -> (String, Duration) {
    let start = Instant::now();
    let stream = TcpStream::connect(http.address).await.expect("the server listens");
    let (mut answers, mut requests) = stream.into_split();
    requests.write_all(head.as_bytes()).await.expect("sent");
    let rest = rest.to_owned();
    let sending = tokio::spawn(async move {
        for byte in rest.bytes().cycle() {
            if requests.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let mut text = Vec::new();
    // If the server closes while bytes are in flight, the connection is reset, which counts as closed too.
    let _ = soon("the server ends the connection", answers.read_to_end(&mut text)).await;
    sending.abort();
    (String::from_utf8_lossy(&text).into_owned(), start.elapsed())
}

#[tokio::test]
async fn a_connection_whose_head_trickles_in_is_closed_and_others_are_served_meanwhile() {
    let (_service, http) = Service::local(&[]).await;
    let slow = trickle(&http, "POST /decisions HTTP/1.1\r\nhost: x\r\nx-slow: ", "a");
    let others = async {
        for _ in 0..50 {
            assert_eq!(http.post("/decisions", &example()).await.status, 200);
        }
    };
    let ((answer, time), ()) = tokio::join!(slow, others);
    assert!(!answer.contains(" 200 "), "{answer}");
    assert!((Duration::from_secs(9)..Duration::from_secs(20)).contains(&time), "{time:?}");
}

#[tokio::test]
async fn a_body_that_trickles_in_is_a_408() {
    let (_service, http) = Service::local(&[]).await;
    let head = "POST /decisions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n";
    let (answer, time) = trickle(&http, head, " ").await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("application/problem+json"), "{answer}");
    assert!((Duration::from_secs(9)..Duration::from_secs(20)).contains(&time), "{time:?}");
}

#[tokio::test]
async fn an_endless_head_is_a_431() {
    let (_service, http) = Service::local(&[]).await;
    let large = "a".repeat(1024 * 1024);
    let many: String = (0..200).map(|n| format!("x-{n}: a\r\n")).collect();
    for head in [format!("x-large: {large}\r\n"), many] {
        let mut stream = TcpStream::connect(http.address).await.expect("the server listens");
        let request = format!("GET /docs HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}\r\n");
        // The server may close the connection before it has read everything.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = soon("an answer", stream.read_to_end(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    assert_eq!(http.post("/decisions", &example()).await.status, 200);
}

#[tokio::test]
async fn an_idle_connection_does_not_keep_the_server_from_ending() {
    let (mut service, http) = Service::local(&[]).await;
    assert_eq!(http.post("/decisions", &example()).await.status, 200);
    let _idle = TcpStream::connect(http.address).await.expect("the server listens");
    let start = Instant::now();
    service.signal(rustix::process::Signal::INT);
    assert!(service.ended().await);
    assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_connection_that_stays_idle_after_an_answer_is_closed_after_the_time_to_keep_it() {
    // Neither the time for a request's headers nor the one for unread answers, which are 10 s.
    for (seconds, range) in [("1", 1..8), ("12", 12..25)] {
        let (_service, http) = Service::local(&[("KEEP_ALIVE_SECONDS", seconds)]).await;
        let start = Instant::now();
        let mut stream = TcpStream::connect(http.address).await.expect("the server listens");
        stream.write_all(b"GET /docs/icon.svg HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
        let mut answer = String::new();
        soon("the server ends the connection", stream.read_to_string(&mut answer)).await.expect("text");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(range.contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_connection_that_never_sends_anything_is_closed_after_the_time_to_keep_it() {
    let (_service, http) = Service::local(&[("KEEP_ALIVE_SECONDS", "1")]).await;
    let mut stream = TcpStream::connect(http.address).await.expect("the server listens");
    let start = Instant::now();
    let mut answer = String::new();
    soon("the server ends the connection", stream.read_to_string(&mut answer)).await.expect("text");
    assert!((Duration::from_millis(900)..Duration::from_secs(8)).contains(&start.elapsed()), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_client_that_stops_reading_is_disconnected() {
    let (_service, http) = Service::local(&[("METRICS", "true")]).await;
    let start = Instant::now();
    let _stream = never_reading(&http).await;
    let open = async |connections| {
        let metric = format!("predict_once_http_connections {connections}\n");
        http.get("/metrics").await.text.contains(&metric)
    };
    eventually("both connections are open", || open(2)).await;
    eventually("only this one is", || open(1)).await;
    assert!((Duration::from_secs(9)..Duration::from_secs(20)).contains(&start.elapsed()), "{:?}", start.elapsed());
}
