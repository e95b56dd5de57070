//! Concurrent invocations in one process, as on a Lambda Managed Instance.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::Value;
use test_support::{
    applications::aged,
    collector::{Collector, attribute},
    eventually,
    proxy::{Mode, Proxy},
    redis::Redis,
    runtime_api::{Invocation, RuntimeApi},
    service::Service,
};

const AT_ONCE: usize = 16;
const MISS: &str = "predict-once; fwd=miss";

/// An event for the prediction at this age.
fn event(age: u8) -> Value {
    let mut event: Value = serde_json::from_str(include_str!("../../events/http-api.json")).expect("JSON");
    event["body"] = aged(age).to_string().into();
    event["headers"]["x-request-id"] = format!("age-{age}").into();
    event
}

/// The same event with `no-cache`, so that the prediction is not looked up.
fn unseen(age: u8) -> Value {
    let mut event = event(age);
    event["headers"]["cache-control"] = "no-cache".into();
    event
}

/// A process that waits for as many events as it serves at once, its Redis, and the proxy between them.
async fn started(variables: &[(&str, &str)]) -> (RuntimeApi, Service, Redis, Proxy) {
    let redis = Redis::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    let api = RuntimeApi::start().await;
    let url = proxy.url();
    let at_once = AT_ONCE.to_string();
    let mut all =
        vec![("AWS_LAMBDA_MAX_CONCURRENCY", &*at_once), ("REDIS_URL", &url), ("CACHE_WRITE_TIMEOUT_MS", "60000")];
    all.extend_from_slice(variables);
    let service = Service::lambda(&api, &all);
    api.asked_for(AT_ONCE).await;
    (api, service, redis, proxy)
}

/// The outcomes of the next `invocations` invocations, by id.
async fn outcomes(api: &mut RuntimeApi, invocations: usize) -> BTreeMap<u64, (u64, String)> {
    let mut outcomes = BTreeMap::new();
    for _ in 0..invocations {
        let (id, outcome) = api.outcome().await;
        outcomes.insert(id, (outcome.status(), outcome.cache_status().to_owned()));
    }
    outcomes
}

/// The log line of an invocation, once its work is done.
async fn line(service: &Service, invocation: u64) -> Value {
    let id = invocation.to_string();
    let find = || service.json_lines().into_iter().find(|line| line["function_request_id"] == *id);
    eventually("the invocation's line", || async { find().is_some() }).await;
    find().expect("just seen")
}

#[tokio::test]
async fn sixteen_invocations_wait_for_redis_at_once_and_each_has_its_own_log_line() {
    let (mut api, service, redis, proxy) = started(&[]).await;
    proxy.set(Mode::Hold);
    let ages = 20..20 + AT_ONCE as u8;
    let sent: BTreeMap<_, _> = ages.map(|age| (api.send(&event(age)), format!("age-{age}"))).collect();
    api.handed_out(AT_ONCE).await;
    proxy.set(Mode::Pass);
    let outcomes = outcomes(&mut api, AT_ONCE).await;
    assert!(outcomes.values().all(|outcome| *outcome == (200, MISS.to_owned())), "{outcomes:?}");
    redis.holds(AT_ONCE).await;
    for (invocation, request_id) in sent {
        let line = line(&service, invocation).await;
        assert_eq!((line["request_id"].as_str(), line["CacheWriteFailed"].as_u64()), (Some(&*request_id), Some(0)));
    }
    api.asked_for(2 * AT_ONCE).await;
}

#[tokio::test]
async fn each_of_sixteen_responses_is_sent_before_its_write_and_the_next_event_requested_after_it() {
    let (mut api, service, redis, proxy) = started(&[]).await;
    proxy.set(Mode::HoldSets);
    for age in 20..20 + AT_ONCE as u8 {
        api.send(&unseen(age));
    }
    let outcomes = outcomes(&mut api, AT_ONCE).await;
    assert!(outcomes.values().all(|(status, _)| *status == 200), "{outcomes:?}");
    let asked = tokio::time::timeout(Duration::from_millis(300), api.asked_for(AT_ONCE + 1)).await;
    assert!(asked.is_err() && redis.keys().await.is_empty(), "every write is held");
    proxy.set(Mode::Pass);
    api.asked_for(2 * AT_ONCE).await;
    redis.holds(AT_ONCE).await;
    let lines: BTreeSet<_> = service.json_lines().iter().map(|line| line["function_request_id"].to_string()).collect();
    assert_eq!(lines.len(), AT_ONCE);
}

#[tokio::test]
async fn an_invocation_that_waits_for_redis_does_not_delay_others() {
    let (mut api, _service, _redis, proxy) = started(&[("MEMORY_CACHE_ENTRIES", "100")]).await;
    assert_eq!(api.invoke(&event(30)).await.cache_status(), MISS);
    proxy.set(Mode::Hold);
    let slow = api.send(&event(31));
    api.handed_out(2).await;
    // More events than workers: each worker that finishes takes the next one.
    for _ in 0..2 * AT_ONCE {
        let (id, outcome) = (api.send(&event(30)), api.outcome().await);
        assert_eq!((outcome.0, outcome.1.cache_status()), (id, "predict-once; hit; detail=memory"));
    }
    proxy.set(Mode::Pass);
    let (id, outcome) = api.outcome().await;
    assert_eq!((id, outcome.cache_status()), (slow, MISS));
}

#[tokio::test]
async fn a_lookup_does_not_wait_behind_the_write_of_another_invocation() {
    let (mut api, _service, redis, proxy) = started(&[]).await;
    assert_eq!(api.invoke(&event(30)).await.cache_status(), MISS);
    redis.holds(1).await;
    proxy.set(Mode::HoldSets);
    assert_eq!(api.invoke(&unseen(31)).await.status(), 200);
    let outcome = api.invoke(&event(30)).await;
    assert_eq!(outcome.cache_status(), "predict-once; hit; detail=redis");
    // A lookup behind the write would be retried on another connection after two fifths of its ten seconds.
    assert!(outcome.time < Duration::from_secs(3), "{:?}", outcome.time);
    assert_eq!(proxy.connections(), 2, "one for each direction");
}

#[tokio::test]
async fn an_identical_invocation_joins_the_one_in_progress() {
    let (mut api, service, redis, proxy) = started(&[]).await;
    proxy.set(Mode::Hold);
    let sent: Vec<_> = (0..AT_ONCE).map(|_| api.send(&event(30))).collect();
    api.handed_out(AT_ONCE).await;
    proxy.set(Mode::Pass);
    let outcomes = outcomes(&mut api, AT_ONCE).await;
    let joined = outcomes.values().filter(|(_, status)| status == "predict-once; fwd=miss; collapsed").count();
    assert_eq!(joined, AT_ONCE - 1, "{outcomes:?}");
    let mut runs = 0;
    for invocation in sent {
        runs += usize::from(line(&service, invocation).await["model_ms"].is_f64());
    }
    assert_eq!(runs, 1);
    let stats: String = redis.command(&["INFO", "commandstats"]).await;
    assert!(["cmdstat_get:calls=1,", "cmdstat_set:calls=1,"].iter().all(|once| stats.contains(once)), "{stats}");
}

#[tokio::test]
async fn each_write_ends_with_its_own_invocation() {
    let (mut api, service, redis, proxy) = started(&[]).await;
    proxy.set(Mode::HoldSets);
    let hurried = Invocation { deadline: Some(Duration::from_millis(700)), ..(&unseen(30)).into() };
    let (hurried, other) = (api.send(hurried), api.send(&unseen(31)));
    outcomes(&mut api, 2).await;
    assert_eq!(line(&service, hurried).await["CacheWriteFailed"], 1);
    assert!(service.json_lines().iter().all(|line| line["function_request_id"] != *other.to_string()), "it waits");
    proxy.set(Mode::Pass);
    assert_eq!(line(&service, other).await["CacheWriteFailed"], 0);
    assert!(!redis.keys().await.is_empty());
}

#[tokio::test]
async fn a_termination_signal_ends_the_process_after_the_invocations_in_progress() {
    let (mut api, mut service, redis, proxy) = started(&[]).await;
    proxy.set(Mode::HoldSets);
    for age in 30..34 {
        api.send(&unseen(age));
    }
    outcomes(&mut api, 4).await;
    service.signal(rustix::process::Signal::TERM);
    let ended = tokio::time::timeout(Duration::from_millis(300), service.ended()).await;
    assert!(ended.is_err(), "writes are under way");
    proxy.set(Mode::Pass);
    assert!(service.ended().await);
    assert_eq!(redis.keys().await.len(), 4);
}

#[tokio::test]
async fn each_of_sixteen_concurrent_invocations_has_its_own_trace() {
    let collector = Collector::start().await;
    let (mut api, _service, _redis, proxy) = started(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())]).await;
    proxy.set(Mode::Hold);
    for age in 20..20 + AT_ONCE as u8 {
        api.send(&event(age));
    }
    api.handed_out(AT_ONCE).await;
    proxy.set(Mode::Pass);
    outcomes(&mut api, AT_ONCE).await;
    let traces = collector.traces(AT_ONCE).await;
    let invocations = traces.iter().map(|trace| attribute(&trace.server.attributes, "faas.invocation_id"));
    assert_eq!(invocations.collect::<BTreeSet<_>>().len(), AT_ONCE);
    for trace in &traces {
        assert_eq!(trace.names(), ["parse", "lookup", "model", "write"], "{trace:?}");
    }
}
