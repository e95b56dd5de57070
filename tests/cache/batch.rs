//! Arrays of inputs on every kind of server and in every layout.

use futures_util::future::join_all;
use prediction_cache::Layout;
use serde_json::{Value, json};
use test_support::{applications::with, eventually, models, redis::Redis, service::Http};

use crate::{
    layouts::{Server, everywhere},
    single_flight::{api, ask, calls},
};

const HIT: &str = "predict-once; hit; detail=redis";
const MISS: &str = "predict-once; fwd=miss";

/// `count` different inputs.
fn inputs(count: usize) -> Vec<Value> {
    let rates = [0.1, 0.22, 0.3, 0.5];
    let input = |n: usize| {
        let mut input = with("age_in_years", 18 + n % 100);
        input["installment_rate_in_percentage_of_disposable_income"] = rates[n / 100 % 4].into();
        input["foreign_worker"] = ["yes", "no"][n / 400 % 2].into();
        input["present_employment_since"] = ["unemployed", "... < 1 year"][n / 800].into();
        input
    };
    (0..count).map(input).collect()
}

/// Posts the inputs as one array, compares the answers with the model's and returns `cache-status`.
async fn asked(http: &Http, path: &str, inputs: &[Value]) -> String {
    let answer = http.post(path, &json!(inputs)).await;
    let model = models::shipped();
    let truth = |input: &Value| models::answer(&model, path, input.to_string().as_bytes()).expect("valid");
    let truths: Vec<_> = inputs.iter().map(truth).collect();
    assert_eq!((answer.status, &answer.text), (200, &format!("[{}]", truths.join(","))));
    answer.cache_status().to_owned()
}

#[tokio::test]
async fn a_thousand_inputs_are_missed_stored_and_found_together() {
    everywhere(async |server: Server, layout| {
        let all = inputs(1000);
        let (_one, http) = server.service(layout, &[]).await;
        assert_eq!(asked(&http, "/probabilities", &all[..700]).await, MISS);
        server.hold(700).await;
        let (_other, http) = server.service(layout, &[]).await;
        let status = asked(&http, "/probabilities", &all).await;
        assert_eq!(status, "predict-once; fwd=partial; detail=\"hit=700 miss=300\"");
        server.hold(1000).await;
        // Until then, requests share the run whose write has not been answered.
        eventually("hits", async || asked(&http, "/probabilities", &all).await == HIT).await;
        let others = if layout == Layout::Output { HIT } else { MISS };
        assert_eq!(asked(&http, "/decisions", &all).await, others);
        for key in server.keys().await.iter().step_by(100) {
            assert!(server.command::<i64>(&["TTL", key]).await > 0, "{key} expires");
        }
    })
    .await;
}

#[tokio::test]
async fn an_array_is_one_lookup_of_many_keys() {
    for server in Server::all().await {
        let Server::One(redis) = &server else { continue };
        let (_service, http) = server.service(Layout::String, &[]).await;
        asked(&http, "/decisions", &inputs(500)).await;
        server.hold(500).await;
        let stats: String = redis.command(&["INFO", "commandstats"]).await;
        assert!(stats.contains("cmdstat_mget:calls=1,") && !stats.contains("cmdstat_get:"), "{stats}");
        assert!(stats.contains("cmdstat_set:calls=500,"), "{stats}");
    }
}

#[tokio::test]
async fn an_invalid_entry_is_recomputed_and_the_others_are_hits() {
    everywhere(async |server: Server, layout| {
        let (_service, http) = server.service(layout, &[]).await;
        let inputs = inputs(10);
        asked(&http, "/decisions", &inputs).await;
        server.hold(10).await;
        let key = &server.keys().await[0];
        server.command::<()>(&["DEL", key]).await;
        server.command::<()>(&["RPUSH", key, "ACCEPT"]).await;
        let status = asked(&http, "/decisions", &inputs).await;
        assert_eq!(status, "predict-once; fwd=partial; detail=\"hit=9 miss=1\"");
    })
    .await;
}

#[tokio::test]
async fn equal_concurrent_arrays_are_computed_once() {
    let redis = Redis::start().await;
    let api = api(models::shipped(), &redis.url(), Layout::String, None);
    let body = json!(inputs(50)).to_string();
    // All requests start before Redis answers the first one.
    let all = join_all((0..20).map(|_| ask(&api, "/decisions", body.clone(), ""))).await;
    assert!(all.iter().all(|one| one.body == all[0].body));
    assert_eq!(all.iter().filter(|one| one.ran).count(), 1);
    join_all(all.into_iter().map(|one| one.jobs.run(None))).await;
    assert_eq!(calls(&redis, "set").await, 50);
}
