//! Monitoring of the local server: metrics for Prometheus, health and readiness. `tests/metrics/run` reads the metrics with
//! Prometheus' own library.

use model_package::EntryContent;
use rustix::process::Signal;
use serde_json::{Value, json};
use test_support::{
    applications::aged,
    eventually, models,
    redis::Redis,
    service::{Http, Service},
    soon,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The value of the metric that a line starts with.
async fn value(http: &Http, line: &str) -> Option<f64> {
    let answer = http.get("/metrics").await;
    assert_eq!(answer.status, 200);
    answer.text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' ')?.parse().ok())
}

async fn assert_values<const N: usize>(http: &Http, expected: [(&str, f64); N]) {
    for (line, expected) in expected {
        assert_eq!(value(http, line).await, Some(expected), "{line}");
    }
}

#[tokio::test]
async fn without_the_setting_there_are_no_metrics() {
    let (_service, http) = Service::local(&[]).await;
    assert_eq!(http.get("/metrics").await.status, 404);
}

#[tokio::test]
async fn requests_and_their_outcomes_are_counted() {
    let mut redis = Redis::start().await;
    let (_other, other) = Service::local(&[("REDIS_URL", &redis.url())]).await;
    other.post("/decisions", &aged(31)).await;
    redis.holds(1).await;
    let variables = [("METRICS", "true"), ("REDIS_URL", &*redis.url()), ("MEMORY_CACHE_ENTRIES", "100")];
    let (service, http) = Service::local(&variables).await;
    let predictions =
        |cache: &str| format!("predict_once_predictions_total{{endpoint=\"/decisions\",cache=\"{cache}\"}}");
    for cache in ["hit_memory", "hit_redis", "hit_dynamodb", "miss", "unavailable", "bypass"] {
        assert_eq!(value(&http, &predictions(cache)).await, Some(0.0), "{cache}: a rate needs a beginning");
    }
    let written = async |writes: f64| {
        eventually("the write is counted", async || {
            value(&http, "predict_once_cache_writes_total{result=\"stored\"}").await == Some(writes)
        })
        .await;
    };
    http.post("/decisions", &aged(31)).await; // hit in Redis
    http.post("/decisions", &aged(30)).await; // miss
    written(1.0).await;
    http.post("/decisions", &aged(30)).await; // hit in memory
    http.post("/decisions", &Value::from(vec![aged(41), aged(42), aged(30)])).await; // two misses and a hit in memory
    written(2.0).await;
    http.post_with("/decisions", &aged(33), "no-store").await; // bypass
    http.post("/decisions", &json!({})).await; // 422
    http.get("/anybody/knows").await; // 404
    http.get("/health").await; // not counted

    assert_values(
        &http,
        [
            (&*predictions("hit_memory"), 2.0),
            (&*predictions("hit_redis"), 1.0),
            (&*predictions("miss"), 3.0),
            (&*predictions("bypass"), 1.0),
            ("predict_once_http_requests_total{endpoint=\"/decisions\",status=\"200\"}", 5.0),
            ("predict_once_http_requests_total{endpoint=\"/decisions\",status=\"422\"}", 1.0),
            ("predict_once_http_requests_total{endpoint=\"unmatched\",status=\"404\"}", 1.0),
            ("predict_once_http_request_duration_seconds_count{endpoint=\"/decisions\"}", 6.0),
            ("predict_once_http_request_duration_seconds_bucket{le=\"+Inf\",endpoint=\"/decisions\"}", 6.0),
            // One per computed input.
            ("predict_once_model_run_duration_seconds_count", 4.0),
            ("predict_once_cache_lookup_duration_seconds_count", 4.0),
            ("predict_once_cache_write_duration_seconds_count", 2.0),
            ("predict_once_cache_breaker_open{commands=\"lookups\"}", 0.0),
            ("predict_once_cache_breaker_open{commands=\"writes\"}", 0.0),
        ],
    )
    .await;
    assert!(!http.get("/metrics").await.text.contains("anybody"), "paths that clients send are not shown");

    redis.kill();
    http.post("/decisions", &aged(40)).await;
    service.line_with("stored=false").await;
    eventually("the failed write is counted", async || {
        value(&http, "predict_once_cache_writes_total{result=\"failed\"}").await == Some(1.0)
    })
    .await;
    assert_values(
        &http,
        [
            (&*predictions("unavailable"), 1.0),
            ("predict_once_cache_breaker_open{commands=\"lookups\"}", 1.0),
            ("predict_once_cache_breaker_open{commands=\"writes\"}", 1.0),
        ],
    )
    .await;
}

#[tokio::test]
async fn the_metrics_name_the_model_and_the_start_of_the_process() {
    let (_service, http) = Service::local(&[("METRICS", "true")]).await;
    let fingerprint = models::shipped().fingerprint(EntryContent::Answer).to_owned();
    let version = env!("CARGO_PKG_VERSION");
    let build =
        format!("predict_once_build_info{{version=\"{version}\",model=\"credit_risk\",fingerprint=\"{fingerprint}\"}}");
    assert_eq!(value(&http, &build).await, Some(1.0));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs_f64();
    let start = value(&http, "process_start_time_seconds").await.expect("a time");
    assert!((now - 60.0..=now).contains(&start), "{start} {now}");
    let answer = http.get("/metrics").await;
    assert!(!answer.text.contains("breaker_open{"), "there is no Redis");
}

#[tokio::test]
async fn metrics_with_their_own_address_are_served_only_there_and_nothing_else_is() {
    let (service, http) = Service::local(&[("METRICS_ADDRESS", "127.0.0.1:0")]).await;
    let line = service.line_with("metrics on http://").await;
    let address = line.rsplit("http://").next().and_then(|url| url.strip_suffix("/metrics")).expect("a URL");
    let own = Http { address: address.parse().expect("an address"), client: reqwest::Client::new() };
    http.post("/decisions", &aged(30)).await;
    assert_values(&own, [("predict_once_predictions_total{endpoint=\"/decisions\",cache=\"miss\"}", 1.0)]).await;
    assert_eq!(http.get("/metrics").await.status, 404);
    assert_eq!(own.post("/decisions", &aged(30)).await.status, 404);
}

/// A client of the address at which the service says that it serves this.
async fn at(service: &Service, what: &str) -> Http {
    let line = service.line_with(&format!("{what} on http://")).await;
    let address = line.rsplit("http://").next().and_then(|url| url.split('/').next()).expect("a URL");
    Http::new(address.parse().expect("an address"))
}

#[tokio::test]
async fn health_at_its_own_address_is_answered_there_and_by_the_api_and_nothing_else_is() {
    let (service, http) = Service::local(&[("HEALTH_ADDRESS", "127.0.0.1:0"), ("METRICS", "true")]).await;
    let own = at(&service, "health").await;
    for client in [&own, &http] {
        for (path, text) in [("/health", "ok\n"), ("/ready", "ready\n")] {
            let answer = client.get(path).await;
            assert_eq!((answer.status, &*answer.text), (200, text), "{path}");
        }
    }
    assert_eq!((own.get("/metrics").await.status, http.get("/metrics").await.status), (404, 200));
    assert_eq!(own.post("/decisions", &aged(30)).await.status, 404);
}

#[tokio::test]
async fn health_and_metrics_may_have_an_address_each() {
    let variables = [("HEALTH_ADDRESS", "127.0.0.1:0"), ("METRICS_ADDRESS", "127.0.0.1:0")];
    let (service, _http) = Service::local(&variables).await;
    let (health, metrics) = (at(&service, "health").await, at(&service, "metrics").await);
    assert_eq!((health.get("/ready").await.status, health.get("/metrics").await.status), (200, 404));
    assert_eq!((metrics.get("/ready").await.status, metrics.get("/metrics").await.status), (200, 200));
}

#[tokio::test]
async fn the_health_address_answers_while_all_connections_to_the_api_are_taken() {
    let variables = [("HEALTH_ADDRESS", "127.0.0.1:0"), ("MAX_CONNECTIONS", "1"), ("WORKERS", "1")];
    let (service, http) = Service::local(&variables).await;
    let own = at(&service, "health").await;
    let mut slow = TcpStream::connect(http.address).await.expect("it listens");
    let head = b"POST /decisions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{";
    slow.write_all(head).await.expect("sent");
    let mut waiting = TcpStream::connect(http.address).await.expect("it listens");
    waiting.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    service.line_with("all 1 connections are open").await;
    assert_eq!(own.get("/health").await.text, "ok\n");
    drop(slow);
    let mut answer = [0; 12];
    soon("the other one is answered", waiting.read_exact(&mut answer)).await.expect("an answer");
}

#[tokio::test]
async fn the_warning_about_connections_to_a_private_address_says_which_and_that_the_api_is_not_affected() {
    for (variable, what) in [("METRICS_ADDRESS", "metrics"), ("HEALTH_ADDRESS", "health")] {
        let (service, http) = Service::local(&[(variable, "127.0.0.1:0")]).await;
        let own = at(&service, what).await;
        let mut idle = Vec::new();
        for _ in 0..17 {
            idle.push(TcpStream::connect(own.address).await.expect("it listens"));
        }
        let line = service.line_with("connections").await;
        let expected = format!(
            "all 16 connections to {variable} are open: each new one closes an idle one, or waits; the API is not affected"
        );
        assert!(line.ends_with(&expected), "{line}");
        assert_eq!(http.post("/decisions", &aged(30)).await.status, 200);
    }
}

#[tokio::test]
async fn an_address_in_use_stops_the_start_and_names_its_variable() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    for variable in ["METRICS_ADDRESS", "HEALTH_ADDRESS"] {
        let mut service = Service::start(&[("PORT", "0"), (variable, &address)]);
        assert!(!service.ended().await);
        service.line_with(&format!("{variable}: cannot listen on {address}")).await;
    }
}

#[tokio::test]
async fn a_service_without_its_redis_is_alive_and_ready() {
    let mut redis = Redis::start().await;
    let (_service, http) = Service::local(&[("REDIS_URL", &redis.url())]).await;
    redis.kill();
    assert_eq!(http.post("/decisions", &aged(30)).await.cache_status(), "predict-once; fwd=miss; detail=unavailable");
    for (path, text) in [("/health", "ok\n"), ("/ready", "ready\n")] {
        let answer = http.get(path).await;
        assert_eq!((answer.status, &*answer.text), (200, text));
    }
}

#[tokio::test]
async fn a_stopping_service_is_alive_and_answers_but_is_not_ready() {
    let (service, http) = Service::local(&[("SHUTDOWN_DELAY_SECONDS", "300")]).await;
    service.signal(Signal::TERM);
    eventually("it is not ready", async || http.get("/ready").await.status == 503).await;
    // On open connections and on new ones.
    for client in [http.client.clone(), reqwest::Client::new()] {
        let http = Http { client, ..http };
        assert_eq!(http.get("/health").await.status, 200);
        let answer = http.post("/decisions", &aged(30)).await;
        // On a connection that the client keeps, a request could be lost when the delay ends.
        assert_eq!((answer.status, answer.header("connection")), (200, "close"));
    }
}

#[tokio::test]
async fn a_stopping_service_ends_after_the_delay() {
    let (mut service, http) = Service::local(&[("SHUTDOWN_DELAY_SECONDS", "1")]).await;
    assert_eq!(http.get("/ready").await.status, 200);
    let told = std::time::Instant::now();
    service.signal(Signal::TERM);
    assert!(service.ended().await && told.elapsed().as_secs() >= 1);
}

#[tokio::test]
async fn a_scraper_that_reads_text_only_gets_text_and_prometheus_gets_open_metrics() {
    let (_service, http) = Service::local(&[("METRICS", "true")]).await;
    http.post("/decisions", &aged(30)).await;
    let scrape = async |accept: &str| http.send(http.client.get(http.url("/metrics")).header("accept", accept)).await;
    let open = scrape("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1").await;
    assert_eq!(open.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(open.text.ends_with("# EOF\n"), "{}", open.text);
    for accept in ["text/plain;version=0.0.4", "*/*"] {
        let text = scrape(accept).await;
        assert_eq!(text.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        let types: Vec<_> =
            text.text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
        assert!(types.contains(&("predict_once_predictions_total", "counter")), "{types:?}");
        assert!(types.contains(&("predict_once_build_info", "gauge")), "{types:?}");
        for (name, kind) in types {
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{name}: {kind}");
            let has_samples = text.text.lines().any(|line| line.starts_with(name));
            assert!(has_samples || name == "predict_once_cache_breaker_open", "{name}");
        }
        let samples = |metrics: &str| -> Vec<String> {
            metrics
                .lines()
                .filter(|line| !line.starts_with('#'))
                .map(|line| line.split(' ').next().expect("a name").to_owned())
                .collect()
        };
        let names = |metrics: &str| samples(metrics).into_iter().collect::<std::collections::BTreeSet<_>>();
        assert_eq!(names(&text.text), names(&open.text), "the same samples");
        let comments = text.text.lines().filter(|line| line.starts_with('#'));
        assert!(comments.clone().all(|line| line.starts_with("# HELP ") || line.starts_with("# TYPE ")));
    }
}
