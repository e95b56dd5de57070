//! The memory that clients of the local server can make it take, however many they are and whatever they do.

use std::{fs, time::Duration};

use futures_util::future::join_all;
use serde_json::{Value, json};
use test_support::{
    applications::{aged, example},
    eventually, packages,
    service::{Http, Service},
    soon,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const MEBIBYTE: u64 = 1024 * 1024;

/// The most memory that the process had at once. The kernel's count is approximate, and can fall.
fn peak_memory(service: &Service) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", service.pid())).expect("it runs, on Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("Linux counts it");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
}

/// The number of the service's connections, according to its metrics.
async fn are_open(http: &Http, connections: usize) {
    let metric = format!("predict_once_http_connections {connections}\n");
    eventually(&metric, || async { http.get("/metrics").await.text.contains(&metric) }).await;
}

/// Connects this many clients, each of which sends `requests` and reads nothing.
async fn unread(http: &Http, clients: usize, requests: &str) -> Vec<TcpStream> {
    let client = async |_| {
        let mut stream = TcpStream::connect(http.address).await.expect("it listens");
        // A client may be unable to send all of it, because the server stops reading.
        let _ = tokio::time::timeout(Duration::from_millis(100), stream.write_all(requests.as_bytes())).await;
        stream
    };
    join_all((0..clients).map(client)).await
}

#[tokio::test]
async fn clients_that_do_not_read_the_documentation_share_one_copy_of_it() {
    let variables = [("MAX_CONNECTIONS", "1100"), ("METRICS", "true")];
    let request = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: x\r\n\r\n";
    for (clients, requests) in [(480, request.to_owned()), (1_000, request.repeat(50))] {
        let (service, http) = Service::local(&variables).await;
        let size = http.get("/docs/swagger-ui-bundle.js").await.text.len() as u64;
        assert!(size > MEBIBYTE, "{size}");
        let before = peak_memory(&service);
        let streams = unread(&http, clients, &requests).await;
        are_open(&Http::new(http.address), clients + 2).await;
        assert_eq!(Http::new(http.address).post("/decisions", &example()).await.status, 200);
        let grown = peak_memory(&service).saturating_sub(before);
        // Buffers for the requests' headers, and nothing of the answers: with a copy each, they would take over a gigabyte.
        assert!(grown < 32 * MEBIBYTE, "{clients} clients: {grown} bytes");
        drop(streams);
    }
}

/// An array of hostile items, 1 MiB long.
fn hostile_array() -> String {
    let items = MEBIBYTE as usize / 3 - 1;
    format!("[{}{{}}]", "{},".repeat(items - 1))
}

#[tokio::test]
async fn many_large_bodies_at_once_take_a_multiple_of_the_limit_and_others_are_a_503() {
    let variables = [("MAX_CONCURRENT_BODY_BYTES", "4194304"), ("WORKERS", "2")];
    let (service, http) = Service::local(&variables).await;
    http.post_text("/decisions", "application/json", hostile_array()).await;
    let before = peak_memory(&service);
    let hostile = join_all((0..64).map(|_| async {
        let answer = Http::new(http.address).post_text("/decisions", "application/json", hostile_array()).await;
        assert!(answer.status == 422 || answer.status == 503, "{answer:?}");
        if answer.status == 503 {
            assert_eq!(answer.header("retry-after"), "1");
            assert_eq!(answer.json()["type"], "/docs/errors#overloaded");
        }
    }));
    let honest = async {
        for age in 20..60 {
            assert_eq!(Http::new(http.address).post("/decisions", &aged(age)).await.status, 200);
        }
    };
    tokio::join!(hostile, honest);
    let grown = peak_memory(&service).saturating_sub(before);
    assert!(grown < 48 * MEBIBYTE, "{grown} bytes");
}

/// Sends the head of a request with a body of 1 MiB, and this much of it.
pub(crate) async fn half_sent(http: &Http, bytes: usize) -> TcpStream {
    let mut stream = TcpStream::connect(http.address).await.expect("it listens");
    let head =
        "POST /decisions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1048576\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream.write_all(&b" ".repeat(bytes)).await.expect("sent");
    stream
}

#[tokio::test]
async fn bodies_that_do_not_arrive_keep_out_other_large_ones_only_and_only_while_they_are_there() {
    let (_service, http) = Service::local(&[("MAX_CONCURRENT_BODY_BYTES", "4194304")]).await;
    // An array of about 180 KB.
    let large: Value = (0..1_000).map(|n| aged(18 + (n % 80) as u8)).collect();
    assert_eq!(http.post("/decisions", &large).await.status, 200);
    // Each takes only what has arrived of it.
    let _stalled = join_all((0..100).map(|_| half_sent(&http, 10_000))).await;
    // In small parts, of which one that is refused leaves no room for the array.
    let arrived = join_all((0..200).map(|_| half_sent(&http, 20_000))).await;
    eventually("the room is taken", async || http.post("/decisions", &large).await.status == 503).await;
    assert_eq!(http.post("/decisions", &example()).await.status, 200);
    assert_eq!(http.post("/decisions", &json!([aged(30), aged(31)])).await.status, 200);
    drop(arrived);
    eventually("there is room", async || http.post("/decisions", &large).await.status == 200).await;
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_discarded_to_its_end_whatever_room_there_is() {
    let (_service, http) = Service::local(&[("MAX_CONCURRENT_BODY_BYTES", "4194304")]).await;
    let head =
        "POST /decisions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10485760\r\n\r\n";
    let client = async |_| {
        let mut stream = TcpStream::connect(http.address).await.expect("it listens");
        stream.write_all(head.as_bytes()).await.expect("sent");
        for _ in 0..10 {
            stream.write_all(&b" ".repeat(1 << 20)).await.expect("the server reads all of it");
        }
        let mut answer = [0; 12];
        soon("the answer", stream.read_exact(&mut answer)).await.expect("an answer");
        answer
    };
    for answer in join_all((0..3).map(client)).await {
        assert_eq!(&answer, b"HTTP/1.1 413");
    }
}

#[tokio::test]
async fn answers_that_are_not_read_count_until_they_are() {
    let directory = packages::write(&packages::long_answers(), "long-answers");
    let variables = [("MAX_CONCURRENT_BODY_BYTES", "4194304"), ("MODEL_DIR", directory.to_str().expect("UTF-8"))];
    let (_service, http) = Service::local(&variables).await;
    // A small body, whose answer has over 400 KB: nine of them leave no room for a tenth.
    let array: Value = (0..1_000).map(|number| json!({"number": number})).collect();
    let body = array.to_string();
    assert!(body.len() < 20_000);
    let head = format!(
        "POST /odds HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let ask = async || {
        let mut stream = TcpStream::connect(http.address).await.expect("it listens");
        stream.write_all(format!("{head}{body}").as_bytes()).await.expect("sent");
        stream.readable().await.expect("the answer begins");
        stream
    };
    let mut unread = join_all((0..9).map(|_| ask())).await;
    let refused = http.post("/odds", &array).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    assert_eq!(http.post("/odds", &json!({"number": 1})).await.status, 200);
    for stream in &mut unread {
        let mut answer = Vec::new();
        soon("the answer", stream.read_to_end(&mut answer)).await.expect("an answer");
        assert!(answer.starts_with(b"HTTP/1.1 200 ") && answer.len() > 400_000, "{}", answer.len());
    }
    assert_eq!(http.post("/odds", &array).await.status, 200);
}
