//! Concurrent requests for one prediction in a process: one lookup, one run of the model, one write.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use futures_util::future::join_all;
use predict_once::{
    after_response, after_response::Jobs, http::Api, http::ApiSettings, model::Model, service::Caching,
    service::PredictionService, service::Served, service::Strategy,
};
use prediction_cache::{Layout, MemoryCache, PredictionCache, redis::RedisConfig, redis::RedisStore};
use redis::IntoConnectionInfo;
use test_support::{
    applications::{aged, example},
    eventually, models, packages,
    proxy::{Mode, Proxy},
    redis::Redis,
    service::Service,
};
use tokio::{io::AsyncWriteExt, net::TcpStream};

const HIT: &str = "predict-once; hit; detail=redis";
const MISS: &str = "predict-once; fwd=miss";
const COLLAPSED: &str = "predict-once; fwd=miss; collapsed";

pub(crate) fn api(model: Model, url: &str, layout: Layout, memory: Option<MemoryCache>) -> Api {
    api_of(model, url, memory, &Caching { layout, ..Caching::default() })
}

fn api_of(model: Model, url: &str, memory: Option<MemoryCache>, caching: &Caching) -> Api {
    let config = RedisConfig {
        read_timeout: Duration::from_secs(10),
        write_timeout: Duration::from_secs(10),
        ..RedisConfig::new(url.into_connection_info().expect("a URL"))
    };
    let cache = PredictionCache::new(memory, Some(Box::new(RedisStore::new(config).expect("an address"))));
    Api::new(Arc::new(PredictionService::new(model, cache, caching)), ApiSettings::default())
}

/// The answer to a request, with the work deferred until after it.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) cache_status: String,
    pub(crate) body: String,
    pub(crate) ran: bool,
    pub(crate) jobs: Jobs,
}

pub(crate) async fn ask(api: &Api, path: &str, body: String, cache_control: &str) -> Answered {
    let request = Request::post(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CACHE_CONTROL, cache_control)
        .body(Body::from(body))
        .expect("a request");
    let (response, jobs) = after_response::collect(api.answer(request)).await;
    let cache_status = response.headers()["cache-status"].to_str().expect("text").to_owned();
    let ran = response.extensions().get::<Served>().is_some_and(|served| served.model_time.is_some());
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.expect("in memory");
    Answered { status, cache_status, body: String::from_utf8(body.to_vec()).expect("text"), ran, jobs }
}

/// The number of times Redis has executed this command.
pub(crate) async fn calls(redis: &Redis, command: &str) -> usize {
    let stats: String = redis.command(&["INFO", "commandstats"]).await;
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |line| line.split(',').next().expect("a number").parse().expect("a number"))
}

#[tokio::test]
async fn a_hundred_identical_requests_are_one_lookup_one_run_and_one_write() {
    for (layout, get, set) in
        [(Layout::String, "get", "set"), (Layout::Hash, "hget", "hset"), (Layout::Output, "get", "set")]
    {
        for (cache_control, lookups) in [("max-age=0", 1), ("no-cache", 0)] {
            let redis = Redis::start().await;
            let api = api(models::shipped(), &redis.url(), layout, None);
            // All requests start before Redis answers the first one.
            let all = join_all((0..100).map(|_| ask(&api, "/decisions", example().to_string(), cache_control))).await;
            assert!(all.iter().all(|one| one.status == StatusCode::OK && one.body == all[0].body));
            assert_eq!(all.iter().filter(|one| one.ran).count(), 1, "one run");
            assert_eq!(all.iter().filter(|one| one.cache_status.ends_with("; collapsed")).count(), 99);
            join_all(all.into_iter().map(|one| one.jobs.run(None))).await;
            assert_eq!((calls(&redis, get).await, calls(&redis, set).await), (lookups, 1), "{layout:?}");
        }
    }
}

#[tokio::test]
async fn a_hundred_identical_requests_that_are_not_looked_up_are_one_run_too() {
    let redis = Redis::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    proxy.set(Mode::Delay(Duration::from_millis(20)));
    let caching = Caching { strategy: Strategy::Auto, ..Caching::default() };
    let api = api_of(models::shipped(), &proxy.url(), None, &caching);
    // Two lookups show the service that Redis is far away.
    for age in [20, 21] {
        ask(&api, "/decisions", aged(age).to_string(), "only-if-cached").await;
    }
    let all = join_all((0..100).map(|_| ask(&api, "/decisions", example().to_string(), ""))).await;
    assert_eq!(all.iter().filter(|one| one.ran).count(), 1, "one run");
    let status = |text: &str| all.iter().filter(|one| one.cache_status == text).count();
    assert_eq!(status("predict-once; fwd=bypass; collapsed; detail=cost"), 99);
    assert!(all.iter().all(|one| one.body == all[0].body));
}

#[tokio::test]
async fn a_probe_ends_with_the_invocation() {
    let redis = Redis::start().await;
    let lookups = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&lookups);
    let note = move |chunk: &[u8]| {
        let is_lookup = chunk.windows(5).any(|word| word == b"GET\r\n");
        count.fetch_add(usize::from(is_lookup), Relaxed);
    };
    let proxy = Proxy::start(([127, 0, 0, 1], redis.port).into(), note).await;
    let caching = Caching { strategy: Strategy::Auto, ..Caching::default() };
    let api = api_of(models::shipped(), &proxy.url(), None, &caching);
    proxy.set(Mode::Delay(Duration::from_millis(20)));
    for age in [20, 21] {
        ask(&api, "/decisions", aged(age).to_string(), "only-if-cached").await;
    }
    // One of these requests sends a probe, and Redis does not answer: the deadline of a lookup is ten seconds.
    proxy.set(Mode::Delay(Duration::from_secs(30)));
    let all = async {
        for n in 0..128 {
            let one = ask(&api, "/decisions", aged(18 + n % 100).to_string(), "").await;
            one.jobs.run(Some(Duration::from_millis(20))).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(8), all).await.expect("it does not wait for Redis");
    assert_eq!(lookups.load(Relaxed), 3);
}

#[tokio::test]
async fn a_hundred_identical_requests_for_a_stored_prediction_are_one_lookup() {
    let redis = Redis::start().await;
    let warm = api(models::shipped(), &redis.url(), Layout::String, None);
    ask(&warm, "/decisions", example().to_string(), "").await.jobs.run(None).await;
    let api = api(models::shipped(), &redis.url(), Layout::String, None);
    let all = join_all((0..100).map(|_| ask(&api, "/decisions", example().to_string(), ""))).await;
    assert!(all.iter().all(|one| one.cache_status == HIT && !one.ran));
    assert_eq!(calls(&redis, "get").await, 2, "the first miss, and one for all of these");
}

#[tokio::test]
async fn with_the_layout_output_the_endpoints_share_one_run() {
    let redis = Redis::start().await;
    let api = api(models::shipped(), &redis.url(), Layout::Output, None);
    let endpoints = ["/decisions", "/probabilities", "/risk_categories"];
    let all = join_all(endpoints.map(|endpoint| ask(&api, endpoint, example().to_string(), ""))).await;
    let model = models::shipped();
    for (one, endpoint) in all.iter().zip(endpoints) {
        let truth = models::answer(&model, endpoint, example().to_string().as_bytes()).expect("valid");
        assert_eq!(one.body, truth);
    }
    assert_eq!(all.iter().filter(|one| one.ran).count(), 1);
    join_all(all.into_iter().map(|one| one.jobs.run(None))).await;
    assert_eq!((calls(&redis, "get").await, calls(&redis, "set").await), (1, 1));
}

#[tokio::test]
async fn a_run_can_be_joined_until_its_write_has_ended() {
    let redis = Redis::start().await;
    let api = api(models::shipped(), &redis.url(), Layout::String, None);
    let leader = ask(&api, "/decisions", example().to_string(), "").await;
    assert_eq!((leader.cache_status.as_str(), leader.ran), (MISS, true));
    for (cache_control, cache_status) in [
        ("", COLLAPSED),
        ("no-cache", "predict-once; fwd=request; collapsed"),
        ("no-store", "predict-once; fwd=request; collapsed"),
    ] {
        let one = ask(&api, "/decisions", example().to_string(), cache_control).await;
        assert_eq!((one.cache_status.as_str(), one.ran, &one.body), (cache_status, false, &leader.body));
    }
    leader.jobs.run(None).await;
    assert_eq!(ask(&api, "/decisions", example().to_string(), "").await.cache_status, HIT);
    assert_eq!(calls(&redis, "set").await, 1);
}

#[tokio::test]
async fn a_request_that_must_not_store_or_must_not_compute_is_not_waited_for() {
    let redis = Redis::start().await;
    let api = api(models::shipped(), &redis.url(), Layout::String, None);
    let lone = ask(&api, "/decisions", example().to_string(), "no-store").await;
    assert_eq!((lone.cache_status.as_str(), lone.ran), ("predict-once; fwd=request", true));
    let refused = ask(&api, "/decisions", example().to_string(), "only-if-cached").await;
    assert_eq!((refused.status, refused.cache_status.as_str()), (StatusCode::GATEWAY_TIMEOUT, MISS));
    // Neither request has written or logged yet, and neither is a leader any more.
    let next = ask(&api, "/decisions", example().to_string(), "").await;
    assert_eq!((next.cache_status.as_str(), next.ran), (MISS, true));
}

#[tokio::test]
async fn requests_that_wait_for_a_cancelled_one_are_answered() {
    let redis = Redis::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    let api = api(models::shipped(), &proxy.url(), Layout::String, None);
    proxy.set(Mode::Hold);
    let mut leader = Box::pin(ask(&api, "/decisions", example().to_string(), ""));
    let mut waiter = Box::pin(ask(&api, "/decisions", example().to_string(), ""));
    // Both have started; neither can finish.
    assert!(futures_util::poll!(leader.as_mut()).is_pending());
    assert!(futures_util::poll!(waiter.as_mut()).is_pending());
    drop(leader);
    proxy.set(Mode::Pass);
    let waiter = waiter.await;
    assert_eq!((waiter.cache_status.as_str(), waiter.ran), (MISS, true));
}

/// A model with two predictions: the input number as a value, and the same number as a probability.
fn number() -> Model {
    let share = "[[predictions]]\nname = \"share\"\nendpoint = \"shares\"\nkind = \"probability\"\n";
    packages::load(&packages::package(format!("{}{share}", packages::NUMBER), packages::identity(1)))
}

#[tokio::test]
async fn requests_that_wait_for_a_failing_one_do_not_fail_with_it() {
    let redis = Redis::start().await;
    let api = api(number(), &redis.url(), Layout::Output, None);
    // 5 is not a probability, and both predictions share an entry.
    let body = || r#"{"number": 5}"#.to_owned();
    let (share, values) =
        tokio::join!(ask(&api, "/shares", body(), ""), join_all((0..10).map(|_| ask(&api, "/values", body(), ""))));
    assert_eq!((share.status, share.cache_status.as_str()), (StatusCode::INTERNAL_SERVER_ERROR, MISS));
    assert!(values.iter().all(|one| one.status == StatusCode::OK && one.body == r#"{"value":5.0}"#));
    assert_eq!(values.iter().filter(|one| one.ran).count(), 1, "one takes over");
}

#[tokio::test]
async fn requests_that_wait_for_a_failing_one_do_not_look_up_again() {
    let redis = Redis::start().await;
    let api = api(number(), &redis.url(), Layout::String, None);
    // 5 is not a probability.
    let all = join_all((0..10).map(|_| ask(&api, "/shares", r#"{"number": 5}"#.to_owned(), ""))).await;
    assert!(all.iter().all(|one| one.status == StatusCode::INTERNAL_SERVER_ERROR));
    assert_eq!(calls(&redis, "get").await, 1);
}

#[tokio::test]
async fn only_if_cached_never_waits_for_a_run_and_keeps_what_it_finds() {
    let redis = Redis::start().await;
    let leading = api(models::shipped(), &redis.url(), Layout::String, None);
    let leader = ask(&leading, "/decisions", example().to_string(), "").await;
    let both = ask(&leading, "/decisions", example().to_string(), "only-if-cached, no-cache").await;
    assert_eq!((both.status, both.ran), (StatusCode::GATEWAY_TIMEOUT, false));
    leader.jobs.run(None).await;
    let other = api(models::shipped(), &redis.url(), Layout::String, Some(MemoryCache::new(10, 1 << 26)));
    for expected in [HIT, "predict-once; hit; detail=memory"] {
        let found = ask(&other, "/decisions", example().to_string(), "only-if-cached").await;
        assert_eq!(found.cache_status, expected);
    }
}

#[tokio::test]
async fn the_memory_tier_answers_predictions_that_were_computed_or_found_in_redis() {
    let redis = Redis::start().await;
    for (layout, entries) in [(Layout::String, 1), (Layout::Hash, 2), (Layout::Output, 3)] {
        let with_memory = || api(models::shipped(), &redis.url(), layout, Some(MemoryCache::new(100, 1 << 26)));
        let (one, other) = (with_memory(), with_memory());
        let status = async |api: &Api| {
            let answered = ask(api, "/decisions", example().to_string(), "").await;
            answered.jobs.run(None).await;
            answered.cache_status
        };
        let seen = [status(&one).await, status(&one).await, status(&other).await, status(&other).await];
        assert_eq!(seen, [MISS, "predict-once; hit; detail=memory", HIT, "predict-once; hit; detail=memory"]);
        redis.holds(entries).await;
        // An entry of the layout `output` serves the other endpoints without Redis.
        let probability = ask(&one, "/probabilities", example().to_string(), "").await;
        assert_eq!(probability.cache_status == "predict-once; hit; detail=memory", layout == Layout::Output);
    }
}

/// Whether the process that listens on this port has an open connection there, according to Linux.
fn is_open(port: u16) -> bool {
    const LISTENS: &str = "0A";
    let connections = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let address = format!(":{port:04X}");
    let mut of_port = connections.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    // A connection that this side closed first, or that is fully closed, belongs to no process: its inode is 0.
    of_port.any(|fields| fields[1].ends_with(&address) && fields[3] != LISTENS && fields[9] != "0")
}

#[tokio::test]
async fn the_request_of_a_client_that_disconnects_is_still_logged_and_stored() {
    let redis = Redis::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    let (service, http) = Service::local(&[("REDIS_URL", &proxy.url())]).await;
    proxy.set(Mode::Hold);
    let mut client = TcpStream::connect(http.address).await.expect("it listens");
    let body = aged(40).to_string();
    let head = "POST /decisions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json";
    let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    client.write_all(request.as_bytes()).await.expect("sent");
    eventually("the lookup", || async { proxy.connections() == 1 }).await;
    // The lookup is held until the service has noticed that the client is gone.
    drop(client);
    eventually("the connection is closed", || async { !is_open(http.address.port()) }).await;
    proxy.set(Mode::Pass);
    service.line_with("cache=\"miss\"").await;
    redis.holds(1).await;
}
