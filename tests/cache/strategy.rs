//! `CACHE_STRATEGY`: when the service looks up predictions in a real Redis.

use std::{sync::LazyLock, time::Duration};

use serde_json::{Value, json};
use test_support::{
    applications::aged,
    eventually, models, packages,
    proxy::{Mode, Proxy},
    redis::Redis,
    service::{Http, Service},
};

use crate::single_flight::calls;

const COST: &str = "predict-once; fwd=bypass; detail=cost";
const MISS: &str = "predict-once; fwd=miss";
const HIT: &str = "predict-once; hit; detail=redis";

/// The directory of a model that takes milliseconds to run.
static SLOW_PACKAGE: LazyLock<String> = LazyLock::new(|| {
    let directory = packages::write(&packages::products(1_500, 6), "slow");
    directory.to_str().expect("a path in UTF-8").to_owned()
});

async fn status(http: &Http, path: &str, input: &Value) -> String {
    let answer = http.post(path, input).await;
    assert_eq!(answer.status, 200);
    answer.cache_status().to_owned()
}

#[tokio::test]
async fn a_model_that_is_faster_than_redis_is_not_looked_up_and_rarely_probed_after_the_response() {
    let redis = Redis::start().await;
    // Far enough even for the model of an unoptimised build.
    let proxy = Proxy::to_redis(&redis).await;
    proxy.set(Mode::Delay(Duration::from_millis(20)));
    let (service, http) = Service::local(&[("REDIS_URL", &proxy.url()), ("CACHE_STRATEGY", "auto")]).await;
    // Two lookups are enough to measure the distance.
    for age in [20, 21] {
        http.post_with("/decisions", &aged(age), "only-if-cached").await;
    }
    let model = models::shipped();
    for n in 0..1_000_u16 {
        let input = aged(18 + (n % 100) as u8);
        let answer = http.post("/decisions", &input).await;
        let truth = models::answer(&model, "/decisions", input.to_string().as_bytes()).expect("valid");
        // A probe for the same input may be in flight.
        let status = answer.cache_status().replace("; collapsed", "");
        assert_eq!((status.as_str(), answer.text.as_str()), (COST, truth.as_str()));
    }
    service.line_with("probe_ms=").await;
    let asked = calls(&redis, "get").await;
    assert!((3..=2 + 1_000 / 128 + 1).contains(&asked), "{asked}");
    assert_eq!(calls(&redis, "set").await, 0, "predictions that cannot pay are not stored");
    // `only-if-cached` is always looked up.
    assert_eq!(http.post_with("/decisions", &aged(30), "only-if-cached").await.status, 504);
}

#[tokio::test]
async fn a_model_that_is_slower_than_redis_is_looked_up_first() {
    let redis = Redis::start().await;
    let variables = [("REDIS_URL", &*redis.url()), ("CACHE_STRATEGY", "auto"), ("MODEL_DIR", &*SLOW_PACKAGE)];
    let (_one, http) = Service::local(&variables).await;
    assert_eq!(status(&http, "/values", &json!({ "number": 1 })).await, MISS);
    // A busy moment can make single lookups look expensive; then a few more predictions are computed.
    eventually("hits only", || async {
        let mut hits = 0;
        for number in 0..20 {
            hits += usize::from(status(&http, "/values", &json!({ "number": number })).await == HIT);
        }
        hits == 20
    })
    .await;
}

#[tokio::test]
async fn a_redis_that_becomes_slower_than_the_model_is_no_longer_waited_for() {
    let redis = Redis::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    let variables = [("REDIS_URL", &*proxy.url()), ("CACHE_STRATEGY", "auto"), ("MODEL_DIR", &*SLOW_PACKAGE)];
    let (_service, http) = Service::local(&variables).await;
    let ask = async |number: u32| status(&http, "/values", &json!({ "number": number })).await;
    assert_eq!(ask(0).await, MISS);
    proxy.set(Mode::Delay(Duration::from_millis(100)));
    let mut waited = 0;
    while ask(waited).await != COST {
        waited += 1;
        assert!(waited < 30, "lookups continue");
    }
}

#[tokio::test]
async fn an_array_whose_lookup_takes_longer_than_its_run_is_computed_and_rarely_probed() {
    let redis = Redis::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    proxy.set(Mode::Delay(Duration::from_millis(20)));
    let (service, http) = Service::local(&[("REDIS_URL", &proxy.url()), ("CACHE_STRATEGY", "auto")]).await;
    let inputs = Value::from((18..48).map(aged).collect::<Vec<_>>());
    let probed = || service.lines().iter().filter(|line| line.contains("probe_ms=")).count();
    // The judgement must not depend on the cost of the first lookups.
    http.post_with("/decisions", &inputs, "only-if-cached").await;
    http.post_with("/decisions", &inputs, "only-if-cached").await;
    for _ in 0..128 {
        assert_eq!(status(&http, "/decisions", &inputs).await, COST);
    }
    eventually("a probe", || async { probed() == 1 }).await;
    assert_eq!(calls(&redis, "mget").await, 3);
    assert_eq!(calls(&redis, "set").await, 0, "predictions that cannot pay are not stored");
}

#[tokio::test]
async fn samples_of_arrays_that_do_not_recur_are_stored_and_probed_so_that_a_recurrence_is_noticed() {
    let redis = Redis::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    proxy.set(Mode::Delay(Duration::from_millis(1)));
    let variables = [("REDIS_URL", &*proxy.url()), ("CACHE_STRATEGY", "auto"), ("MODEL_DIR", &*SLOW_PACKAGE)];
    let (_service, http) = Service::local(&variables).await;
    let mut array = 0;
    let mut next = async || {
        array += 1;
        assert!(array < 500, "nothing changes");
        // Hits for all inputs would pay off many times over.
        let inputs: Vec<_> = (0..32).map(|n| json!({ "number": 32 * array + n })).collect();
        status(&http, "/values", &inputs.into()).await
    };
    while next().await != COST {}
    let stored = calls(&redis, "set").await;
    while calls(&redis, "set").await == stored {
        assert_eq!(next().await, COST);
    }
}

#[tokio::test]
async fn lookups_that_cost_more_than_they_gain_are_logged_once_with_the_setting_that_helps() {
    let redis = Redis::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    proxy.set(Mode::Delay(Duration::from_millis(1)));
    let (service, http) = Service::local(&[("REDIS_URL", &proxy.url())]).await;
    for n in 0..2_100_u16 {
        http.post("/decisions", &aged(18 + (n % 100) as u8)).await;
    }
    let told = || service.lines().iter().filter(|line| line.contains("CACHE_STRATEGY=auto")).count();
    service.line_with("lookups=1000").await;
    assert_eq!(told(), 1);
}

#[tokio::test]
async fn lookups_in_memory_alone_cause_no_warning() {
    let (service, http) = Service::local(&[]).await;
    http.post("/decisions", &aged(18)).await;
    for _ in 0..1_100 {
        http.post_with("/decisions", &aged(19), "only-if-cached").await;
    }
    service.line_with("status=504").await;
    assert!(!service.lines().iter().any(|line| line.contains("CACHE_STRATEGY")));
}
