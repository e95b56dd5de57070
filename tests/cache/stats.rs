//! `predict-once stats`: the counters of a running process.

use std::process::Stdio;

use serde_json::{Value, json};
use test_support::{
    applications::aged,
    eventually,
    redis::Redis,
    service::{Service, binary},
    soon,
};
use tokio::process::Command;

use crate::tools::Ended;

/// Runs `stats` with these settings and no others.
async fn stats(arguments: &[&str], variables: &[(&'static str, String)]) -> Ended {
    let mut command = Command::new(binary());
    command.env_clear().envs(variables.iter().map(|(name, value)| (*name, value)));
    let ended = command.arg("stats").args(arguments).stdin(Stdio::null()).output();
    let ended = soon("the tool ends", ended).await.expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended { status: ended.status.code().expect("no signal"), out: text(ended.stdout), err: text(ended.stderr) }
}

async fn read(url: &str) -> Value {
    let ended = stats(&[url, "--json"], &[]).await;
    assert_eq!((ended.status, &*ended.err), (0, ""), "{ended:?}");
    ended.json()
}

#[tokio::test]
async fn hits_by_tier_latency_errors_memory_and_the_state_of_redis_are_read_from_a_running_process() {
    let mut redis = Redis::start().await;
    let (_other, other) = Service::local(&[("REDIS_URL", &redis.url())]).await;
    other.post("/decisions", &aged(31)).await;
    redis.holds(1).await;
    let variables = [("METRICS_ADDRESS", "127.0.0.1:0"), ("REDIS_URL", &*redis.url()), ("MEMORY_CACHE_ENTRIES", "100")];
    let (service, http) = Service::local(&variables).await;
    let line = service.line_with("metrics on http://").await;
    let url = line.split(' ').find(|word| word.starts_with("http://")).expect("a URL").to_owned();
    http.post("/decisions", &aged(31)).await; // hit in Redis
    http.post("/decisions", &aged(30)).await; // miss
    redis.holds(2).await;
    eventually("the write is counted", async || read(&url).await["writes"]["count"] == 1).await;
    http.post("/decisions", &aged(30)).await; // hit in memory
    http.post("/probabilities", &aged(30)).await; // miss
    redis.holds(3).await;
    http.post("/decisions", &json!({})).await; // 422

    let found = read(&url).await;
    let decisions = &found["predictions"]["/decisions"];
    assert_eq!(
        ["hit_memory", "hit_redis", "hit_dynamodb", "miss"].map(|outcome| decisions[outcome].as_u64()),
        [Some(1), Some(1), Some(0), Some(1)],
        "{found:#}"
    );
    assert_eq!(found["predictions"]["/probabilities"]["miss"], 1, "{found:#}");
    for (source, requests) in [("memory", 1), ("store", 1), ("model", 2)] {
        let latency = &found["latency"][source];
        assert_eq!(latency["requests"], requests, "{source}: {found:#}");
        assert!(latency["median_ms"].as_f64() > Some(0.0) && latency["p99_ms"].is_f64(), "{source}: {found:#}");
    }
    assert_eq!((&found["errors"], &found["model"]), (&json!({ "invalid-fields": 1 }), &json!("credit_risk")));
    assert!(found["memory_entries"].as_u64() >= Some(2) && found["memory_bytes"].as_u64() > Some(100), "{found:#}");
    assert_eq!(found["breakers_open"], json!({ "lookups": false, "writes": false }));
    // Without an argument, the address that the settings name.
    let address = url.trim_start_matches("http://").trim_end_matches("/metrics").to_owned();
    let table = stats(&[], &[("METRICS_ADDRESS", address)]).await;
    for text in [
        "hit ratio            50.0 % of 4 predictions: 1 from memory, 1 from Redis, 2 not in the cache\n",
        "\n  /probabilities     0.0 % of 1 prediction: 1 not in the cache\n",
        "\nfrom the store       ",
        "\nstore                answers\n",
        "\nerrors               1 invalid-fields\n",
    ] {
        assert!(table.out.contains(text), "{text:?}\n{}", table.out);
    }

    redis.kill();
    http.post("/decisions", &aged(40)).await;
    eventually("the failed write is counted", async || read(&url).await["failed_writes"] == 1).await;
    let table = stats(&[&url], &[]).await;
    for text in [
        "1 because the cache did not answer\n",
        "store                does not answer: circuit breaker open for lookups",
    ] {
        assert!(table.out.contains(text), "{text:?}\n{}", table.out);
    }
}

#[tokio::test]
async fn an_address_without_metrics_is_an_error_that_says_how_to_get_them() {
    let (_service, http) = Service::local(&[]).await;
    let address = http.address.to_string();
    for (url, text) in [
        (&*address, "there are no metrics. Start the service with METRICS_ADDRESS=127.0.0.1:9090"),
        // No process listens on this port.
        ("127.0.0.1:1", "Error: http://127.0.0.1:1/metrics: cannot connect: "),
        (
            "https://127.0.0.1",
            "Error: https://127.0.0.1 is not the URL of a metrics address: only http:// is supported",
        ),
    ] {
        let ended = stats(&[url], &[]).await;
        assert_eq!((ended.status, &*ended.out), (1, ""), "{url}");
        assert!(ended.err.contains(text) && ended.err.lines().count() == 1, "{url}: {}", ended.err);
    }
    assert_eq!(stats(&["one", "two"], &[]).await.status, 2);
}
