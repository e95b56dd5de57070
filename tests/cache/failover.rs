//! A failover after which the old primary stays up as a replica: the name moves, and the connections to the old primary stay open. The name
//! is a proxy that leads new connections elsewhere.

use std::time::{Duration, Instant};

use serde_json::json;
use test_support::{
    applications::aged,
    eventually,
    proxy::{Mode, Proxy},
    redis::Redis,
    service::{Http, Service},
};

const HIT: &str = "predict-once; hit; detail=redis";
const MISS: &str = "predict-once; fwd=miss";
const UNAVAILABLE: &str = "predict-once; fwd=miss; detail=unavailable";

/// A service with one worker, and so with one connection for lookups and one for writes.
async fn service(name: &Proxy, variables: &[(&str, &str)]) -> (Service, Http) {
    let url = name.url();
    Service::local(&[&[("REDIS_URL", url.as_str()), ("WORKERS", "1")], variables].concat()).await
}

async fn asked(http: &Http, age: u8) -> String {
    let answer = http.post_alone("/decisions", &aged(age)).await;
    assert_eq!(answer.status, 200);
    answer.cache_status().to_owned()
}

/// Moves the name from `old` to `new`, which has the same data. `old` becomes a replica of `new`.
async fn fail_over(name: &Proxy, old: &Redis, new: &Redis) {
    new.replicate(old).await;
    new.command::<()>(&["REPLICAOF", "NO", "ONE"]).await;
    old.replicate(new).await;
    name.lead_to(new.address());
}

#[tokio::test]
async fn after_a_planned_failover_nothing_is_lost_and_nothing_needs_to_be_done() {
    for layout in ["string", "hash", "output"] {
        let (old, new) = (Redis::start().await, Redis::start().await);
        let name = Proxy::to_redis(&old).await;
        let (service, http) = service(&name, &[("CACHE_LAYOUT", layout)]).await;
        assert_eq!(asked(&http, 20).await, MISS);
        old.holds(1).await;
        fail_over(&name, &old, &new).await;

        assert_eq!(asked(&http, 20).await, HIT, "{layout}: entries from before");
        for age in 40..60 {
            assert_eq!(asked(&http, age).await, MISS, "{layout}");
        }
        new.holds(21).await;
        eventually("hits", async || asked(&http, 59).await == HIT).await;
        // The refused write was repeated on the new primary.
        let lines = service.lines();
        assert!(!lines.iter().any(|line| line.contains("refuses") || line.contains("unavailable")), "{lines:?}");
    }
}

#[tokio::test]
async fn lookups_follow_the_writes_to_the_new_primary() {
    let (old, new) = (Redis::start().await, Redis::start().await);
    let name = Proxy::to_redis(&old).await;
    let (_service, http) = service(&name, &[]).await;
    assert_eq!(asked(&http, 20).await, MISS);
    old.holds(1).await;
    // The old primary has lost the new one, so that it answers lookups but never has the new entries.
    old.command::<()>(&["REPLICAOF", "127.0.0.1", "1"]).await;
    name.lead_to(new.address());
    assert_eq!(asked(&http, 40).await, MISS);
    new.holds(1).await;
    eventually("a hit in the new primary", async || asked(&http, 40).await == HIT).await;
}

#[tokio::test]
async fn lookups_that_a_replica_refuses_are_repeated_on_the_new_primary() {
    for (layout, input) in
        [("string", aged(20)), ("string", json!([aged(20), aged(21)])), ("hash", json!([aged(20), aged(21)]))]
    {
        let (old, new) = (Redis::start().await, Redis::start().await);
        let name = Proxy::to_redis(&old).await;
        let (_service, http) = service(&name, &[("CACHE_LAYOUT", layout)]).await;
        let asked = async || http.post_alone("/decisions", &input).await.cache_status().to_owned();
        assert_eq!(asked().await, MISS);
        old.holds(if input.is_array() { 2 } else { 1 }).await;
        old.command::<()>(&["CONFIG", "SET", "replica-serve-stale-data", "no"]).await;
        old.command::<()>(&["REPLICAOF", "127.0.0.1", "1"]).await;
        name.lead_to(new.address());
        assert_eq!(asked().await, MISS, "{layout}, {input}: instead of MASTERDOWN");
    }
}

#[tokio::test]
async fn an_address_that_stays_a_replicas_costs_one_connection_per_second() {
    let redis = Redis::start().await;
    let name = Proxy::to_redis(&redis).await;
    let (service, http) = service(&name, &[]).await;
    assert_eq!(asked(&http, 20).await, MISS);
    redis.holds(1).await;
    let (start, before) = (Instant::now(), name.connections());
    redis.command::<()>(&["REPLICAOF", "127.0.0.1", "1"]).await;
    for age in 30..110 {
        assert_eq!(asked(&http, age).await, MISS);
    }
    service.line_with("the cache refuses writes fault=error reply READONLY").await;
    let (opened, seconds) = (name.connections() - before, start.elapsed().as_secs() as usize);
    // Those of the lookups and of the writes.
    assert!((1..=2 * (seconds + 1)).contains(&opened), "{opened} in {seconds} s");
}

#[tokio::test]
async fn a_connection_is_replaced_before_it_is_old_and_no_request_waits_for_it() {
    let (old, new) = (Redis::start().await, Redis::start().await);
    let name = Proxy::to_redis(&old).await;
    let deadlines = [("CACHE_READ_TIMEOUT_MS", "2000"), ("CACHE_WRITE_TIMEOUT_MS", "2000")];
    let (service, http) =
        service(&name, &[&deadlines[..], &[("REDIS_CONNECTION_MAX_AGE_SECONDS", "1")]].concat()).await;
    assert_eq!(asked(&http, 20).await, MISS);
    old.holds(1).await;
    // Nothing else leads to the new server: the old one remains a primary, and its connections stay open.
    name.lead_to(new.address());
    eventually("an entry in the new server", async || {
        assert_ne!(asked(&http, 20).await, UNAVAILABLE);
        new.keys().await.len() == 1
    })
    .await;
    // A server that does not answer the greeting: the connections that work stay.
    let opened = name.connections();
    name.set(Mode::SlowGreeting(Duration::from_secs(3600)));
    eventually("two more attempts", async || {
        assert_ne!(asked(&http, 20).await, UNAVAILABLE);
        name.connections() >= opened + 2
    })
    .await;
    assert!(!service.lines().iter().any(|line| line.contains("unavailable")), "{:?}", service.lines());
}

/// The connections per second and link of a service under load whose Redis is slow, over about three seconds.
async fn connections_per_second(mode: Mode) -> f64 {
    let redis = Redis::start().await;
    let name = Proxy::to_redis(&redis).await;
    name.set(mode);
    let deadlines = [("CACHE_READ_TIMEOUT_MS", ""), ("CACHE_WRITE_TIMEOUT_MS", "")];
    let (_service, http) = service(&name, &deadlines).await;
    let start = Instant::now();
    let client = async |first: u8| {
        let mut age = first;
        while start.elapsed() < Duration::from_secs(3) {
            asked(&http, age).await;
            age = if age >= 112 { first } else { age + 8 };
        }
    };
    futures_util::future::join_all((18..34).map(client)).await;
    name.connections() as f64 / start.elapsed().as_secs_f64() / 2.0
}

#[tokio::test]
async fn a_server_slower_than_the_deadline_costs_at_most_one_connection_per_second() {
    for milliseconds in [15, 30, 100] {
        let rate = connections_per_second(Mode::Delay(Duration::from_millis(milliseconds))).await;
        assert!(rate <= 1.5, "{milliseconds} ms: {rate:.1} per second");
    }
}
