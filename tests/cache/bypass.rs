//! `CACHE_BYPASS` takes the cache out without changing its settings.

use test_support::{
    applications::example,
    proxy::Proxy,
    redis::Redis,
    runtime_api::RuntimeApi,
    service::{Http, Service},
};

const OFF: &str = "predict-once; fwd=bypass";
const WARNING: &str = "CACHE_BYPASS is set: predictions are neither looked up nor stored";

async fn asked_twice(http: &Http) {
    for _ in 0..2 {
        let answer = http.post("/decisions", &example()).await;
        assert_eq!((answer.status, answer.cache_status()), (200, OFF));
    }
}

#[tokio::test]
async fn a_bypassed_cache_is_neither_asked_nor_filled_and_keeps_its_entries() {
    let redis = Redis::start().await;
    let (_filling, http) = Service::local(&[("REDIS_URL", &redis.url())]).await;
    let stored = http.post("/decisions", &example()).await;
    redis.holds(1).await;
    let proxy = Proxy::to_redis(&redis).await;
    let (service, http) = Service::local(&[("REDIS_URL", &proxy.url()), ("CACHE_BYPASS", "true")]).await;
    asked_twice(&http).await;
    assert_eq!(http.post("/decisions", &example()).await.text, stored.text);
    assert!(service.line_with(WARNING).await.contains("WARN"));
    assert_eq!(proxy.connections(), 0, "it connects to nothing");
    redis.holds(1).await;
    let (_after, http) = Service::local(&[("REDIS_URL", &redis.url())]).await;
    assert_eq!(http.post("/decisions", &example()).await.cache_status(), "predict-once; hit; detail=redis");
}

#[tokio::test]
async fn a_bypass_also_takes_out_the_memory() {
    let (_service, http) = Service::local(&[("CACHE_BYPASS", "true")]).await;
    asked_twice(&http).await;
}

#[tokio::test]
async fn a_function_with_a_bypassed_cache_connects_to_nothing_when_it_starts() {
    let redis = Redis::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    let mut api = RuntimeApi::start().await;
    let service = Service::lambda(&api, &[("REDIS_URL", &proxy.url()), ("CACHE_BYPASS", "true")]);
    let event = serde_json::from_str(include_str!("../../events/http-api.json")).expect("JSON");
    assert_eq!(api.invoke(&event).await.cache_status(), OFF);
    api.idle().await;
    assert_eq!(proxy.connections(), 0);
    let warnings = service.json_lines().into_iter().filter(|line| line["message"] == WARNING).count();
    assert_eq!(warnings, 1, "once for each process");
}
