//! Vectors in Redis: stored as bytes in every layout, and answered as they were computed.

use model_package::EntryContent;
use predict_once::model::Package;
use prediction_cache::Layout;
use serde_json::{Value, json};
use test_support::{
    models,
    onnx::{FLOAT, Onnx},
    packages,
    redis::Redis,
    service::Service,
};

use crate::tools::tool;

const HIT: &str = "predict-once; hit; detail=redis";
const MISS: &str = "predict-once; fwd=miss";

/// Answers a window of 384 samples with a vector of as many numbers.
const SINES: &str = r#"
name = "sines"

[[fields]]
name = "window"
type = "array"

[[predictions]]
name = "sines"
endpoint = "sines"
kind = "vector"
"#;

fn sines() -> Package {
    let graph = Onnx::empty().with_input("window", FLOAT, &["N", "384"]).node("Sin", &["window"], "y", &[]);
    packages::package(SINES, graph.file("y", 384))
}

/// A window whose sines are all kinds of numbers.
fn window(first: f64) -> Value {
    json!({ "window": (0..384).map(|sample| first + f64::from(sample) * 1.7).collect::<Vec<_>>() })
}

#[tokio::test]
async fn a_vector_is_stored_in_little_more_than_its_float32_numbers_and_hits_are_identical() {
    let directory = packages::write(&sines(), "sines");
    let directory = directory.to_str().expect("UTF-8");
    for (layout, command, stored) in [
        ("string", "GET", EntryContent::Answer),
        ("hash", "HVALS", EntryContent::Answer),
        ("output", "GET", EntryContent::Output),
    ] {
        let redis = Redis::start().await;
        let settings = [("MODEL_DIR", directory), ("REDIS_URL", &redis.url()), ("CACHE_LAYOUT", layout)];
        let (_service, http) = Service::local(&settings).await;
        let first = http.post("/sines", &window(0.5)).await;
        assert_eq!((first.status, first.cache_status()), (200, MISS), "{layout}: {first:?}");
        redis.holds(1).await;
        let key = redis.keys().await.remove(0);
        let model = packages::load(&sines());
        assert!(key.starts_with(&format!("predict-once:{}:", model.fingerprint(stored))), "{key}");
        let value: Vec<u8> = match command {
            "GET" => redis.command(&[command, &key]).await,
            _ => redis.command::<Vec<Vec<u8>>>(&[command, &key]).await.remove(0),
        };
        assert!(value.len() as f64 <= 1.1 * 4.0 * 384.0, "{layout}: {} bytes", value.len());
        let numbers: Vec<f32> = serde_json::from_value(first.json()["sines"].clone()).expect("numbers");
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        assert!(value.windows(bytes.len()).any(|part| part == bytes), "{layout}");
        // Another process, and an array that has one more input.
        let (_other, http) = Service::local(&settings).await;
        let again = http.post("/sines", &window(0.5)).await;
        assert_eq!((again.cache_status(), &again.text), (HIT, &first.text), "{layout}");
        let (_third, http) = Service::local(&settings).await;
        let several = http.post("/sines", &json!([window(0.5), window(0.25)])).await;
        assert_eq!(several.cache_status(), "predict-once; fwd=partial; detail=\"hit=1 miss=1\"", "{layout}");
        assert_eq!(several.json()[0], first.json(), "{layout}");
        assert_ne!(several.json()[1], first.json(), "{layout}");
    }
}

#[tokio::test]
async fn the_tools_show_a_vector_as_its_length_and_its_input_as_a_digest_and_warm_what_the_service_hits() {
    let package = packages::tensors();
    let directory = packages::write(&package, "tools-tensors");
    let directory = directory.to_str().expect("UTF-8");
    let model = packages::load(&package);
    for layout in Layout::ALL {
        let redis = Redis::start().await;
        let settings = [
            ("MODEL_DIR", directory.to_owned()),
            ("REDIS_URL", redis.url()),
            ("CACHE_LAYOUT", layout.name().to_owned()),
        ];
        // CSV and JSON lines.
        let file = |name: &str, text: &str| {
            let path = packages::empty_directory(&format!("warm-{}-{name}", layout.name())).join(name);
            std::fs::write(&path, text).expect("written");
            path.to_str().expect("UTF-8").to_owned()
        };
        let csv = file("ids.csv", "ids,height,colour,width,count\n\"[1, 2, 1]\",0.5,green,-1,7\n");
        let second = json!({ "ids": [2], "height": 0.5, "colour": "red", "width": 1, "count": -3 });
        let lines = file("ids.jsonl", &format!("{second}\n"));
        for warmed in [&csv, &lines] {
            let ended = tool(&["warm", warmed], &settings).await;
            assert_eq!(ended.status, 0, "{ended:?}");
        }
        let variables: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (_service, http) = Service::local(&variables).await;
        let first = json!({ "ids": [1, 2, 1], "height": 0.5, "colour": "green", "width": -1, "count": 7 });
        for prediction in model.signature().predictions() {
            for body in [&first, &second] {
                let path = format!("/{}", prediction.endpoint());
                let answer = http.post(&path, body).await;
                assert_eq!(answer.cache_status(), HIT, "{layout:?}, {path}");
                let truth = models::answer(&model, &path, body.to_string().as_bytes()).expect("valid");
                assert_eq!(answer.text, truth, "{layout:?}");
            }
        }
        for key in redis.keys().await {
            let ended = tool(&["inspect", &key], &settings).await;
            assert_eq!(ended.status, 0, "{ended:?}");
            assert!(ended.out.contains("ids     a tensor with the digest "), "{}", ended.out);
            assert!(ended.out.contains("the service answers with this entry"), "{}", ended.out);
            // The output layout has bytes only; the others, also texts.
            let shown = tool(&["inspect", &key, "--json"], &settings).await.json();
            for (name, stored) in shown["stored"].as_object().expect("values") {
                let is_bytes = ["rows", "flat", "bytes", "output"].contains(&name.as_str());
                assert_eq!(stored.as_str().expect("text").ends_with(" bytes"), is_bytes, "{name}: {stored}");
            }
        }
    }
}
