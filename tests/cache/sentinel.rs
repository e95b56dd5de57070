//! The address of a Sentinel, which knows the primary but holds no keys.

use std::process::Stdio;

use test_support::{applications::example, eventually, service::Service};
use tokio::{net::TcpStream, process::Command};

#[tokio::test]
async fn the_scheme_of_a_sentinel_is_refused_at_the_start() {
    let mut service = Service::start(&[("REDIS_URL", "redis+sentinel://127.0.0.1:26379/mymaster")]);
    assert!(!service.ended().await);
    service.line_with("Error: REDIS_URL must not be the address of a Sentinel").await;
}

#[tokio::test]
async fn a_sentinel_is_recognised_by_its_answers_and_named_in_the_log() {
    let port = redis_test::utils::get_random_available_port();
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sentinel-{port}.conf"));
    std::fs::write(&file, format!("port {port}\nbind 127.0.0.1\n")).expect("written");
    let _sentinel = Command::new("redis-server")
        .arg(&file)
        .arg("--sentinel")
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("redis-server starts");
    eventually("the Sentinel listens", async || TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await;
    let (service, http) = Service::local(&[("REDIS_URL", &format!("redis://127.0.0.1:{port}"))]).await;
    assert_eq!(http.post("/decisions", &example()).await.status, 200);
    for commands in ["lookups", "writes"] {
        let line = service.line_with(&format!("the cache refuses {commands}")).await;
        assert!(line.contains("is this the address of a Sentinel?"), "{line}");
    }
    std::fs::remove_file(&file).expect("it was written");
}
