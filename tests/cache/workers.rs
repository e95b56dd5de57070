//! What the workers of a local server share: the memory tier, the requests in flight, and the log of an outage.

use serde_json::Value;
use test_support::{
    applications::{aged, example},
    eventually,
    proxy::{Mode, Proxy},
    redis::Redis,
    service::{Answer, Http, Service},
};

use super::single_flight::calls;

const HIT: &str = "predict-once; hit; detail=memory";
const MISS: &str = "predict-once; fwd=miss";
const COLLAPSED: &str = "predict-once; fwd=miss; collapsed";

/// Clients whose connections alternate between the first and the second worker.
async fn clients<const N: usize>(http: &Http) -> [Http; N] {
    let clients = std::array::from_fn(|_| Http::new(http.address));
    for client in &clients {
        assert_eq!(client.get("/health").await.status, 200);
    }
    clients
}

fn post(http: &Http, application: Value) -> tokio::task::JoinHandle<Answer> {
    let http = Http { address: http.address, client: http.client.clone() };
    tokio::spawn(async move { http.post("/decisions", &application).await })
}

#[tokio::test]
async fn a_prediction_stored_by_one_worker_is_in_memory_for_the_other() {
    let (service, http) = Service::local(&[]).await;
    let [one, other] = clients(&http).await;
    assert_eq!(one.post("/decisions", &example()).await.cache_status(), MISS);
    service.line_with("stored=true").await;
    assert_eq!(other.post("/decisions", &example()).await.cache_status(), HIT);
}

#[tokio::test]
async fn identical_requests_on_two_workers_are_one_lookup_one_run_and_one_write() {
    let redis = Redis::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    let (service, http) = Service::local(&[("REDIS_URL", &proxy.url())]).await;
    let [one, other, _, beside_other] = clients(&http).await;
    proxy.set(Mode::Hold);
    let leader = post(&one, example());
    eventually("the lookup", || async { proxy.connections() == 1 }).await;
    let follower = post(&other, example());
    // Once the second worker has answered these later requests, it has started the earlier one.
    for _ in 0..10 {
        assert_eq!(beside_other.get("/health").await.status, 200);
    }
    proxy.set(Mode::Pass);
    let (leader, follower) = (leader.await.expect("no panic"), follower.await.expect("no panic"));
    assert_eq!([leader.cache_status(), follower.cache_status()], [MISS, COLLAPSED]);
    assert_eq!(leader.text, follower.text);
    redis.holds(1).await;
    let requests = || service.lines().into_iter().filter(|line| line.contains("endpoint=\"/decisions\""));
    eventually("both lines", || async { requests().count() == 2 }).await;
    assert_eq!(requests().filter(|line| line.contains("model_ms")).count(), 1);
    assert_eq!((calls(&redis, "get").await, calls(&redis, "set").await), (1, 1));
}

#[tokio::test]
async fn each_worker_has_its_own_connections_to_redis() {
    let redis = Redis::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    let (service, http) = Service::local(&[("REDIS_URL", &proxy.url())]).await;
    for (client, age) in clients::<4>(&http).await.iter().zip(30..) {
        assert_eq!(client.post("/decisions", &aged(age)).await.cache_status(), MISS);
        eventually("its write", || async {
            service.lines().iter().filter(|line| line.contains("stored=true")).count() == usize::from(age - 29)
        })
        .await;
        assert_eq!(proxy.connections(), if age == 30 { 2 } else { 4 }, "for lookups and for writes");
    }
}

#[tokio::test]
async fn an_outage_is_logged_once_and_counts_until_all_workers_that_noticed_it_have_an_answer() {
    let mut redis = Redis::start().await;
    let (service, http) = Service::local(&[("REDIS_URL", &redis.url()), ("METRICS", "true")]).await;
    let both: [_; 2] = clients(&http).await;
    redis.kill();
    let unavailable = async |client: &Http| {
        client.post_with("/decisions", &example(), "only-if-cached").await.cache_status().ends_with("unavailable")
    };
    let is_open =
        async || http.get("/metrics").await.text.contains("predict_once_cache_breaker_open{commands=\"lookups\"} 1\n");
    assert!(!is_open().await);
    for client in &both {
        assert!(unavailable(client).await);
        assert!(is_open().await);
    }
    redis.restart().await;
    for client in &both {
        assert!(is_open().await);
        eventually("Redis is asked again", async || !unavailable(client).await).await;
    }
    assert!(!is_open().await);
    for told in ["the cache is unavailable for lookups", "the cache is available again for lookups"] {
        service.line_with(told).await;
        assert_eq!(service.lines().iter().filter(|line| line.contains(told)).count(), 1, "{told}");
    }
}
