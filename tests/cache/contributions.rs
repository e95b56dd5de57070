//! Contributions in Redis: an entry of their own in every layout, for all numbers of fields.

use std::{fs, path::Path};

use model_package::EntryContent;
use serde_json::json;
use test_support::{
    packages::{self, explained},
    redis::Redis,
    service::Service,
};

use crate::tools::tool;

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
        let settings = settings.map(|(name, value)| (name, value.to_owned()));
        let inspected = tool(&["inspect", &key, "--json"], &settings).await;
        assert_eq!((inspected.status, &*inspected.err), (0, ""), "{layout}: {inspected:?}");
        let contributions = json!({ "base": 10.125, "contributions": { "amount": 0.5, "age": 1.0, "colour": -1.0 } });
        assert_eq!(inspected.json()["answers"]["reasons"], contributions, "{layout}");
        assert_eq!(
            (&inspected.json()["layout"], &inspected.json()["input"][1]["text"]),
            (&layout.into(), &"44".into())
        );
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

#[tokio::test]
async fn contributions_are_stored_ahead_of_requests_if_that_is_asked_for() {
    let directory = packages::write(&explained(), "warm_contributions");
    let directory = directory.to_str().expect("UTF-8");
    let file = Path::new(directory).join("inputs.jsonl");
    fs::write(&file, "{\"amount\": 5, \"age\": 44, \"colour\": \"red\"}\n").expect("written");
    let file = file.to_str().expect("UTF-8");
    for layout in ["string", "hash", "output"] {
        let redis = Redis::start().await;
        let settings = [
            ("MODEL_DIR", directory),
            ("REDIS_URL", &redis.url()),
            ("CACHE_LAYOUT", layout),
            ("MEMORY_CACHE_ENTRIES", "0"),
        ];
        let owned = settings.map(|(name, value)| (name, value.to_owned()));
        let warmed = tool(&["warm", file], &owned).await;
        assert_eq!((warmed.status, &*warmed.out), (0, "1 row: 1 entry stored, 0 already present\n"), "{warmed:?}");
        let (_service, http) = Service::local(&settings).await;
        let input = json!({ "amount": 5, "age": 44, "colour": "red" });
        assert_eq!(http.post("/scores", &input).await.cache_status(), HIT, "{layout}");
        let warmed = tool(&["warm", file, "--explain"], &owned).await;
        assert_eq!((warmed.status, &*warmed.out), (0, "1 row: 1 entry stored, 1 already present\n"), "{warmed:?}");
        let hit = http.post("/scores?explain=3", &input).await;
        assert_eq!((hit.cache_status(), &hit.json()["reasons"]["base"]), (HIT, &json!(10.125)), "{layout}");
        let again = tool(&["warm", file, "--explain"], &owned).await;
        assert_eq!((again.status, &*again.out), (0, "1 row: 0 entries stored, 2 already present\n"), "{again:?}");
    }
    let without = packages::write(&packages::every_kind(), "no_contributions");
    let none = tool(
        &["warm", file, "--explain"],
        &[("REDIS_URL", "redis://127.0.0.1:1".to_owned()), ("MODEL_DIR", without.to_str().expect("UTF-8").to_owned())],
    )
    .await;
    assert!(none.status == 1 && none.err.contains("has no contributions to store"), "{none:?}");
}
