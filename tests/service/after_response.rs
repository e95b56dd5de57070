//! The write comes after the response: its outcome does not affect the client's answer, and the function is not idle until
//! the write has ended.

use std::time::Duration;

use serde_json::Value;
use test_support::{
    applications::aged,
    eventually,
    proxy::{Mode, Proxy, is_set},
    redis::Redis,
    runtime_api::{RuntimeApi, Step},
    service::Service,
    soon,
};

fn event(application: &Value) -> Value {
    let mut event: Value = serde_json::from_str(include_str!("../../events/http-api.json")).expect("JSON");
    event["body"] = application.to_string().into();
    event
}

#[tokio::test]
async fn the_response_is_sent_then_the_set_reaches_redis_then_the_next_event_is_requested() {
    let redis = Redis::start().await;
    let mut api = RuntimeApi::start().await;
    let set = api.note("SET");
    let proxy = Proxy::start(([127, 0, 0, 1], redis.port).into(), move |chunk| {
        if is_set(chunk) {
            set();
        }
    })
    .await;
    let _service = Service::lambda(&api, &[("REDIS_URL", &proxy.url()), ("CACHE_WRITE_TIMEOUT_MS", "60000")]);

    proxy.set(Mode::HoldSets);
    let outcome = api.invoke(&event(&aged(30))).await;
    assert_eq!(outcome.cache_status(), "predict-once; fwd=miss");
    let set = Step::Other("SET");
    eventually("the SET is on its way", || async { api.steps().contains(&set) }).await;
    let asked = tokio::time::timeout(Duration::from_millis(300), api.asked_for(2)).await;
    assert!(asked.is_err(), "while it is held, no further event is asked for");
    assert_eq!(api.steps(), [Step::Next, Step::Response, set.clone()]);
    assert!(redis.keys().await.is_empty());

    proxy.set(Mode::Pass);
    api.idle().await;
    assert_eq!(api.steps(), [Step::Next, Step::Response, set, Step::Next]);
    assert_eq!(redis.keys().await.len(), 1, "the write was done before the next event was asked for");
}

#[tokio::test]
async fn a_redis_that_holds_writes_for_two_seconds_does_not_delay_the_response() {
    let redis = Redis::start().await;
    let mut api = RuntimeApi::start().await;
    let _service = Service::lambda(&api, &[("REDIS_URL", &redis.url()), ("CACHE_WRITE_TIMEOUT_MS", "3000")]);
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    let mut without = Vec::new();
    for age in 18..25 {
        without.push(api.invoke(&event(&aged(age))).await.time);
        api.idle().await;
    }

    redis.command::<()>(&["CLIENT", "PAUSE", "2000", "WRITE"]).await;
    let outcome = api.invoke(&event(&aged(60))).await;
    assert_eq!((outcome.status(), outcome.cache_status()), (200, "predict-once; fwd=miss"));
    // The pause is 2,000 ms: a response that waited for the write would take much longer than these.
    assert!(outcome.time < Duration::from_millis(500) + median(without), "{:?}", outcome.time);

    api.idle().await;
    redis.holds(8).await;
    let outcome = api.invoke(&event(&aged(60))).await;
    assert_eq!(outcome.cache_status(), "predict-once; hit; detail=redis");
}

#[tokio::test]
async fn a_redis_that_is_gone_before_the_write_costs_only_the_entry() {
    let mut redis = Redis::start().await;
    let mut api = RuntimeApi::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    let mut service = Service::lambda(&api, &[("REDIS_URL", &proxy.url()), ("CACHE_WRITE_TIMEOUT_MS", "60000")]);

    proxy.set(Mode::HoldSets);
    let outcome = api.invoke(&event(&aged(30))).await;
    assert_eq!((outcome.status(), outcome.cache_status()), (200, "predict-once; fwd=miss"), "the lookup was answered");
    redis.kill();
    proxy.set(Mode::Closed);
    service.line_with("\"CacheWriteFailed\":1").await;

    redis.restart().await;
    proxy.set(Mode::Pass);
    // Within a second, Redis is used again.
    let hits = async {
        loop {
            let outcome = api.invoke(&event(&aged(30))).await;
            assert_eq!(outcome.status(), 200);
            api.idle().await;
            if outcome.cache_status() == "predict-once; hit; detail=redis" {
                return;
            }
        }
    };
    soon("a hit", hits).await;
    assert!(service.runs());
}

#[tokio::test]
async fn a_write_ends_with_the_invocation_when_that_comes_first() {
    let redis = Redis::start().await;
    let mut api = RuntimeApi::with_deadline(Duration::from_millis(700)).await;
    let proxy = Proxy::to_redis(&redis).await;
    let service = Service::lambda(&api, &[("REDIS_URL", &proxy.url()), ("CACHE_WRITE_TIMEOUT_MS", "60000")]);
    proxy.set(Mode::HoldSets);
    assert_eq!(api.invoke(&event(&aged(30))).await.status(), 200);
    api.idle().await;
    service.line_with("\"CacheWriteFailed\":1").await;
}

#[tokio::test]
async fn an_invocation_without_time_left_for_its_write_keeps_the_connection() {
    let redis = Redis::start().await;
    // Shorter than the margin reserved for ending the invocation.
    let mut api = RuntimeApi::with_deadline(Duration::from_millis(45)).await;
    let proxy = Proxy::to_redis(&redis).await;
    let service = Service::lambda(&api, &[("REDIS_URL", &proxy.url())]);
    for age in 30..35 {
        assert_eq!(api.invoke(&event(&aged(age))).await.cache_status(), "predict-once; fwd=miss");
        api.idle().await;
    }
    service.line_with("\"CacheWriteFailed\":1").await;
    assert_eq!((proxy.connections(), redis.keys().await.len()), (1, 0));
}

#[tokio::test]
async fn the_local_server_ends_after_its_deferred_work() {
    let redis = Redis::start().await;
    let (set, seen) = tokio::sync::watch::channel(false);
    let proxy = Proxy::start(([127, 0, 0, 1], redis.port).into(), move |chunk| {
        set.send_if_modified(|set| !*set && std::mem::replace(set, is_set(chunk)) != *set);
    })
    .await;
    let (mut service, http) = Service::local(&[("REDIS_URL", &proxy.url())]).await;
    proxy.set(Mode::HoldSets);
    assert_eq!(http.post("/decisions", &aged(30)).await.status, 200);
    drop(http);
    soon("the SET is on its way", seen.clone().wait_for(|set| *set)).await.expect("the proxy runs");
    service.signal(rustix::process::Signal::TERM);
    let ended = tokio::time::timeout(Duration::from_millis(300), service.ended()).await;
    assert!(ended.is_err(), "the write is still under way");
    proxy.set(Mode::Pass);
    assert!(service.ended().await);
    assert_eq!(redis.keys().await.len(), 1);
}

#[tokio::test]
async fn writes_beyond_the_limit_of_concurrent_writes_are_dropped_and_counted() {
    let redis = Redis::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    let (service, http) = Service::local(&[("REDIS_URL", &proxy.url())]).await;
    proxy.set(Mode::HoldSets);
    let mut sent = 0;
    for age in 18..=117 {
        for rate in [0.1, 0.22, 0.3] {
            let mut application = aged(age);
            application["installment_rate_in_percentage_of_disposable_income"] = rate.into();
            // `no-cache` skips the lookup, which would wait behind a held write.
            assert_eq!(http.post_with("/decisions", &application, "no-cache").await.status, 200);
            sent += 1;
        }
    }
    let lines = |end: &str| service.lines().iter().filter(|line| line.contains(end)).count();
    eventually("the rest is given up", || async { lines("stored=false") == sent - 256 }).await;
    proxy.set(Mode::Pass);
    eventually("the others are written", || async { lines("stored=true") == 256 }).await;
    redis.holds(256).await;
}
