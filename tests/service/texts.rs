//! Texts over HTTP: valid ones, invalid ones, and those that would take long.

use std::time::{Duration, Instant};

use predict_once::model::Package;
use serde_json::{Value, json};
use test_support::{
    onnx::{FLOAT, INT64, Onnx},
    packages,
    redis::Redis,
    service::Service,
};

const TOKENS: &str = r#"
name = "tokens"

[[fields]]
name = "text"
type = "text"
description = "A text."
tokenizer = "tokenizer.json"
max_length = 900000

[[predictions]]
name = "ids"
endpoint = "ids"
kind = "vector"
"#;

/// Answers the ids of a text's tokens, which it reads no more than 48 of.
fn tokens() -> Package {
    let fixture: Value =
        serde_json::from_str(include_str!("../../crates/text-input/tests/fixtures/bert.json")).expect("JSON");
    let graph = Onnx::empty().with_input("input_ids", INT64, &["N", "length"]);
    let graph = graph.node("Cast", &["input_ids"], "y", &[("to", FLOAT)]).file("y", 4);
    let mut package = packages::package(TOKENS, graph);
    package.files.insert("tokenizer.json".to_owned(), fixture["tokenizer"].to_string().into_bytes().into());
    package
}

async fn service(settings: &[(&str, &str)]) -> (Service, test_support::service::Http) {
    let directory = packages::write(&tokens(), "tokens");
    let settings = [&[("MODEL_DIR", directory.to_str().expect("UTF-8"))], settings].concat();
    Service::local(&settings).await
}

#[tokio::test]
async fn a_text_that_is_too_long_or_none_is_a_422_with_the_pointer_and_both_lengths() {
    let (_service, http) = service(&[]).await;
    for (value, received) in [
        (json!("a".repeat(900_002)), Some("a string of 900002 characters")),
        (json!(7), Some("7")),
        (json!(["a"]), Some("an array")),
        (Value::Null, Some("null")),
    ] {
        let answer = http.post("/ids", &json!({ "text": value })).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        let error = &answer.json()["errors"][0];
        assert_eq!(error["pointer"], json!("#/text"), "{error}");
        assert_eq!(error["detail"], json!("must be a string of at most 900000 characters"), "{error}");
        assert_eq!(error["received"].as_str(), received, "{error}");
    }
    let document = http.get("/openapi.json").await.json();
    let schema = &document["components"]["schemas"]["Input"]["properties"]["text"];
    assert_eq!(*schema, json!({ "type": "string", "maxLength": 900_000, "description": "A text." }));
}

#[tokio::test]
async fn texts_with_the_same_tokens_share_an_entry_in_redis() {
    let redis = Redis::start().await;
    let (_service, http) = service(&[("REDIS_URL", &redis.url())]).await;
    let first = http.post("/ids", &json!({ "text": "The quick fox" })).await;
    assert_eq!((first.status, first.cache_status()), (200, "predict-once; fwd=miss"), "{first:?}");
    redis.holds(1).await;
    let (_other, http) = service(&[("REDIS_URL", &redis.url())]).await;
    let again = http.post("/ids", &json!({ "text": " the\tQUICK  fox " })).await;
    assert_eq!((again.cache_status(), &again.text), ("predict-once; hit; detail=redis", &first.text));
    let several = http.post("/ids", &json!([{ "text": "the quick fox" }, { "text": "the fox" }])).await;
    assert_eq!(several.json()[0], first.json());
    assert_eq!(several.cache_status(), "predict-once; fwd=partial; detail=\"hit=1 miss=1\"");
}

#[tokio::test]
async fn texts_of_a_megabyte_take_no_time_that_others_would_notice() {
    let (_service, http) = service(&[]).await;
    for unit in ["a", "word ", "漢", "e\u{301}", "\u{344}", "!", " ", "[SEP]"] {
        let text = unit.repeat(900_000 / unit.len());
        let start = Instant::now();
        let answer = http.post("/ids", &json!({ "text": text })).await;
        assert_eq!(answer.status, 200, "{unit:?}: {answer:?}");
        // Of a build without optimisation, on a busy machine.
        assert!(start.elapsed() < Duration::from_secs(10), "{unit:?}: {:?}", start.elapsed());
    }
    let ten = json!({ "text": "word ".repeat(2_000_000) });
    assert_eq!(http.post("/ids", &ten).await.status, 413);
}
