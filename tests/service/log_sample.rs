//! `LOG_SAMPLE`: the lines of hits are sampled, and nothing else is lost.

use serde_json::json;
use test_support::{
    applications::{aged, example},
    eventually,
    runtime_api::RuntimeApi,
    service::Service,
};

use super::logs::{event, metrics, requests};

#[tokio::test]
async fn of_the_hits_a_share_is_logged_and_every_request_is_counted() {
    let mut api = RuntimeApi::start().await;
    let service = Service::lambda(&api, &[("LOG_SAMPLE", "0.25")]);
    for body in [aged(30), aged(31), json!({})] {
        api.invoke(&event(&body)).await;
        api.idle().await;
    }
    for _ in 0..8 {
        api.invoke(&event(&aged(30))).await;
    }
    api.idle().await;
    eventually("eight hits", || async { metrics(&service, "predict-once").get("CacheHit") == Some(&8.0) }).await;

    let outcomes: Vec<_> = requests(&service).iter().map(|line| line["cache"].as_str().map(str::to_owned)).collect();
    let (miss, hit) = (Some("miss".to_owned()), Some("hit_memory".to_owned()));
    assert_eq!(outcomes, [miss.clone(), miss, None, hit.clone(), hit], "two misses, the 422, and two of eight hits");
    assert_eq!(metrics(&service, "predict-once")["CacheMiss"], 2.0);
    let unsampled: Vec<_> = service.json_lines().into_iter().filter(|line| line.get("message").is_none()).collect();
    assert_eq!(unsampled.len(), 6);
    let full = requests(&service).pop().expect("a hit").to_string().len();
    for line in unsampled {
        let members: Vec<_> = line.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(members, ["service", "_aws", "CacheHit", "CacheReadTime"]);
        assert!(line.to_string().len() * 3 < full * 2, "{} of {full} bytes: {line}", line.to_string().len());
    }
}

#[tokio::test]
async fn the_local_server_samples_the_lines_of_hits_too() {
    let (service, http) = Service::local(&[("LOG_SAMPLE", "0"), ("LOG_FORMAT", "json")]).await;
    let lines = |word: &'static str| service.json_lines().iter().filter(|line| line["cache"] == word).count();
    http.post("/decisions", &example()).await;
    eventually("the miss is stored", || async { lines("miss") == 1 }).await;
    assert_eq!(http.post("/decisions", &example()).await.cache_status(), "predict-once; hit; detail=memory");
    http.post("/decisions", &aged(31)).await;
    eventually("the line after the hit", || async { lines("miss") == 2 }).await;
    assert_eq!(lines("hit_memory"), 0);
}
