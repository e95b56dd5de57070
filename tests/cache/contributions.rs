//! Contributions in Redis: an entry of their own in every layout, for all numbers of fields.

use model_package::EntryContent;
use serde_json::json;
use test_support::{
    packages::{self, explained},
    redis::Redis,
    service::Service,
};

const HIT: &str = "predict-once; hit; detail=redis";

#[tokio::test]
async fn contributions_have_an_entry_of_their_own_in_every_layout() {
    let directory = packages::write(&explained(), "cached_contributions");
    let directory = directory.to_str().expect("UTF-8");
    let model = packages::load(&explained());
    let input = json!({ "amount": 5, "age": 44, "colour": "red" });
    for (layout, stored) in
        [("string", EntryContent::Answer), ("hash", EntryContent::Answer), ("output", EntryContent::Output)]
    {
        let redis = Redis::start().await;
        let settings = [
            ("MODEL_DIR", directory),
            ("REDIS_URL", &redis.url()),
            ("CACHE_LAYOUT", layout),
            ("MEMORY_CACHE_ENTRIES", "0"),
        ];
        let (_service, http) = Service::local(&settings).await;
        let computed = http.post("/scores?explain=3", &input).await;
        assert_eq!((computed.status, computed.cache_status()), (200, "predict-once; fwd=miss"), "{layout}");
        redis.holds(2).await;
        let key = format!("predict-once:{}:reasons:0,44,0", model.fingerprint(stored));
        let value: Option<String> = redis.command(&["GET", &key]).await;
        let value = value.unwrap_or_else(|| panic!("{layout}: no {key}"));
        // A digest follows.
        assert!(value.starts_with("10.125,0.5,1.0,-1.0"), "{layout}: {value}");
        let hit = http.post("/scores?explain=3", &input).await;
        assert_eq!((hit.cache_status(), &hit.text), (HIT, &computed.text), "{layout}");
        // One entry serves any number of fields, and the endpoint.
        let one = http.post("/reasons?explain=1", &input).await;
        assert_eq!(one.cache_status(), HIT, "{layout}");
        assert_eq!(one.json()["reasons"]["others"], -0.5, "{layout}");
        let _: () = redis.command(&["SET", &key, "10.125,0.5"]).await;
        let corrupt = http.post("/reasons", &input).await;
        assert_eq!(
            (corrupt.status, corrupt.cache_status()),
            (200, "predict-once; fwd=miss; detail=corrupt"),
            "{layout}"
        );
    }
}
