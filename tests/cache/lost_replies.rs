//! A reply of Redis gets lost or comes twice, so that later replies on the connection belong to other commands: applicants still get
//! their own predictions, now and from memory, and the connection is replaced.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use futures_util::future::join_all;
use prediction_cache::Layout;
use serde_json::Value;
use test_support::{
    applications::aged,
    eventually, models,
    proxy::{Mishap, Proxy},
    redis::Redis,
    service::{Http, Service},
};

use crate::layouts::HIT;

/// The bodies of requests that wait for Redis at the same time.
fn workloads() -> [Vec<Value>; 4] {
    let array = |ages: std::ops::Range<u8>| Value::Array(ages.map(aged).collect());
    [
        (20..28).map(aged).collect(),
        vec![array(20..24), array(30..34), array(40..44)],
        vec![array(20..23), array(30..35), array(40..42)],
        vec![aged(20), array(30..34), aged(21), aged(22), array(40..42), aged(23)],
    ]
}

/// The right answer to an object or an array.
fn truth(body: &Value) -> Value {
    let model = models::shipped();
    let one = |body: &Value| {
        let answer = models::answer(&model, "/probabilities", body.to_string().as_bytes()).expect("valid");
        serde_json::from_str::<Value>(&answer).expect("JSON")
    };
    body.as_array().map_or_else(|| one(body), |bodies| bodies.iter().map(one).collect())
}

/// Posts all bodies at once, compares the answers with the model's and returns the values of `cache-status`.
async fn all_right(http: &Http, bodies: &[Value], what: &str) -> Vec<String> {
    let answers = join_all(bodies.iter().map(|body| http.post("/probabilities", body))).await;
    let mut statuses = Vec::new();
    for (answer, body) in answers.into_iter().zip(bodies) {
        assert_eq!((answer.status, answer.json()), (200, truth(body)), "{what}");
        statuses.push(answer.cache_status().to_owned());
    }
    statuses
}

/// The number of commands that look up in these bytes.
fn lookups(chunk: &[u8]) -> usize {
    chunk.windows(5).filter(|bytes| bytes == b"GET\r\n").count()
}

async fn shift(layout: Layout, memory: &'static str, mishap: Mishap, bodies: Vec<Value>) {
    let what = format!("{layout:?}, memory {memory}, {mishap:?}, {bodies:?}");
    let redis = Redis::start().await;
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let proxy = Proxy::start(([127, 0, 0, 1], redis.port).into(), move |chunk| {
        count.fetch_add(lookups(chunk), SeqCst);
    })
    .await;
    // Requests on one thread share a connection.
    let common = [("CACHE_LAYOUT", layout.name()), ("WORKERS", "1")];
    {
        let url = redis.url();
        let (_filler, http) = Service::local(&[&common[..], &[("REDIS_URL", &url)]].concat()).await;
        eventually("everything is stored", || async {
            let stored = [&bodies[..], &[aged(90)]].concat();
            all_right(&http, &stored, &what).await.iter().all(|status| status == HIT)
        })
        .await;
    }
    let url = proxy.url();
    // An open connection may take two fifths of this. The request that misses its reply waits so long.
    let own = [("REDIS_URL", &*url), ("MEMORY_CACHE_ENTRIES", memory), ("CACHE_READ_TIMEOUT_MS", "4000")];
    let (service, http) = Service::local(&[&common[..], &own].concat()).await;
    // Opens both connections, so that a third is a replacement. Once it is logged, no reply is on its way.
    assert_eq!(all_right(&http, &[aged(90)], &what).await, [HIT]);
    all_right(&http, &[aged(91)], &what).await;
    service.line_with("stored=true").await;
    let before = (seen.load(SeqCst), proxy.connections());
    let hanging = redis.hang();
    let expected = bodies.iter().map(|body| match (body, layout) {
        (Value::Array(items), Layout::Hash) => items.len(),
        _ => 1,
    });
    let expected: usize = expected.sum();
    let asked = all_right(&http, &bodies, &what);
    let shifted = async {
        eventually("all lookups wait for Redis", || async { seen.load(SeqCst) >= before.0 + expected }).await;
        proxy.set_mishap(1, mishap);
        drop(hanging);
    };
    let (statuses, ()) = tokio::join!(asked, shifted);
    assert!(statuses.iter().any(|status| status.contains("corrupt")) || proxy.connections() > before.1, "{what}");
    eventually("a connection whose replies are right", || async {
        let statuses = all_right(&http, &bodies, &what).await;
        statuses.iter().all(|status| status.starts_with("predict-once; hit"))
    })
    .await;
    // Not in memory.
    all_right(&http, &[aged(92)], &what).await;
    assert!(proxy.connections() > before.1, "the connection is replaced: {what}");
}

async fn every_shift(layout: Layout) {
    for (memory, mishap) in [("0", Mishap::Lost), ("1000", Mishap::Lost), ("1000", Mishap::Repeated)] {
        join_all(workloads().map(|bodies| shift(layout, memory, mishap, bodies))).await;
    }
}

#[tokio::test]
async fn a_lost_or_repeated_reply_gives_no_applicant_the_prediction_of_another() {
    every_shift(Layout::String).await;
}

#[tokio::test]
async fn a_lost_or_repeated_reply_gives_no_applicant_the_field_of_another_hash() {
    every_shift(Layout::Hash).await;
}

#[tokio::test]
async fn a_lost_or_repeated_reply_gives_no_applicant_the_output_of_another() {
    every_shift(Layout::Output).await;
}
