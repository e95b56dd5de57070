//! `POST /v1/embeddings`: the vectors of texts in the form of OpenAI's API.

use std::{path::PathBuf, sync::LazyLock};

use base64::{Engine, prelude::BASE64_STANDARD};
use predict_once::model::Package;
use serde_json::{Value, json};
use test_support::{
    eventually,
    onnx::{FLOAT, INT64, Onnx},
    packages,
    redis::Redis,
    runtime_api::RuntimeApi,
    service::{Answer, Http, Service},
};

const EMBEDDER: &str = r#"
name = "embedder"

[[fields]]
name = "text"
type = "text"
tokenizer = "tokenizer.json"
max_tokens = 6
max_length = 100

[[predictions]]
name = "embedding"
endpoint = "embedding"
kind = "vector"

[[examples]]
name = "fox"
summary = "A fox"
input = { text = "the quick fox" }
"#;

/// Answers the mean of the ids of a text's tokens, the double of it, and 0.1.
fn embedder(manifest: &str) -> Package {
    let fixture: Value =
        serde_json::from_str(include_str!("../../crates/text-input/tests/fixtures/bert.json")).expect("JSON");
    let graph = Onnx::empty()
        .with_input("input_ids", INT64, &["N", "length"])
        .constant("scales", &[1, 3], &[1.0, 2.0, 0.0])
        .constant("shifts", &[1, 3], &[0.0, 0.0, 0.1])
        .node("Cast", &["input_ids"], "ids", &[("to", FLOAT)])
        .integers("axis", &[1], &[1])
        .node("ReduceSum", &["ids", "axis"], "sum", &[("keepdims", 1)])
        .node("MatMul", &["sum", "scales"], "scaled", &[])
        .node("Add", &["scaled", "shifts"], "y", &[]);
    let mut package = packages::package(manifest, graph.file("y", 3));
    package.files.insert("tokenizer.json".to_owned(), fixture["tokenizer"].to_string().into_bytes().into());
    package
}

async fn service(settings: &[(&str, &str)]) -> (Service, Http) {
    static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| packages::write(&embedder(EMBEDDER), "embedder"));
    let directory = DIRECTORY.to_str().expect("UTF-8");
    Service::local(&[&[("MODEL_DIR", directory)], settings].concat()).await
}

/// The error of an answer, in OpenAI's form.
fn error(answer: &Answer) -> [Value; 4] {
    assert_eq!(answer.header("content-type"), "application/json", "{answer:?}");
    let error = answer.json()["error"].take();
    assert_eq!(error.as_object().map(serde_json::Map::len), Some(4), "{answer:?}");
    ["message", "type", "param", "code"].map(|name| error[name].clone())
}

#[tokio::test]
async fn a_text_and_a_list_of_texts_are_answered_in_openais_form_with_the_vectors_of_the_models_own_endpoint() {
    let (_service, http) = service(&[]).await;
    let texts = ["the quick fox", "fox", "the quick fox", "the quick brown fox jumps over the lazy dog"];
    let vectors = async |texts: &[&str]| -> Vec<Value> {
        let body: Vec<_> = texts.iter().map(|text| json!({ "text": text })).collect();
        http.post("/embedding", &body.into())
            .await
            .json()
            .as_array()
            .expect("answers")
            .iter()
            .map(|one| one["embedding"].clone())
            .collect()
    };
    let expected = vectors(&texts).await;
    assert_eq!(expected[0].as_array().map(Vec::len), Some(3));
    let answer = http.post("/v1/embeddings", &json!({ "model": "any", "input": texts, "user": "me" })).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"), "{answer:?}");
    let data: Vec<_> = expected
        .iter()
        .enumerate()
        .map(|(index, vector)| json!({ "object": "embedding", "index": index, "embedding": vector }))
        .collect();
    // Three and one words, with the tokens around them; and six of the last text, which the model reads no more of.
    let tokens = 5 + 3 + 5 + 6;
    let usage = json!({ "prompt_tokens": tokens, "total_tokens": tokens });
    let list = json!({ "object": "list", "data": data, "model": "embedder", "usage": usage });
    assert_eq!(answer.json(), list);
    let one =
        http.post("/v1/embeddings", &json!({ "input": texts[1], "dimensions": 3, "encoding_format": null })).await;
    let usage = json!({ "prompt_tokens": 3, "total_tokens": 3 });
    let data = json!([{ "object": "embedding", "index": 0, "embedding": expected[1] }]);
    assert_eq!(one.json(), json!({ "object": "list", "data": data, "model": "embedder", "usage": usage }));
    let encoded = http.post("/v1/embeddings", &json!({ "input": texts[1], "encoding_format": "base64" })).await.json();
    let bytes = BASE64_STANDARD.decode(encoded["data"][0]["embedding"].as_str().expect("text")).expect("base64");
    let numbers: Vec<f32> = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    assert_eq!(numbers, serde_json::from_value::<Vec<f32>>(expected[1].clone()).expect("numbers"));
    let options = http.send(http.client.request(reqwest::Method::OPTIONS, http.url("/v1/embeddings"))).await;
    assert_eq!((options.header("allow"), options.header("accept-post")), ("POST,OPTIONS", "application/json"));
}

#[tokio::test]
async fn both_endpoints_share_their_entries_text_by_text_in_every_layout_whatever_the_encoding_is() {
    for encoding in ["float", "base64"] {
        let manifest = EMBEDDER.replace("kind = \"vector\"", &format!("kind = \"vector\"\nencoding = \"{encoding}\""));
        let directory = packages::write(&embedder(&manifest), &format!("embedder-{encoding}"));
        for layout in ["string", "hash", "output"] {
            let redis = Redis::start().await;
            let settings = [
                ("MODEL_DIR", directory.to_str().expect("UTF-8")),
                ("REDIS_URL", &redis.url()),
                ("CACHE_LAYOUT", layout),
            ];
            let (_service, http) = Service::local(&settings).await;
            let first = http.post("/embedding", &json!({ "text": "the fox" })).await;
            assert_eq!(first.cache_status(), "predict-once; fwd=miss", "{layout}: {first:?}");
            redis.holds(1).await;
            let (_other, http) = Service::local(&settings).await;
            let request = json!({ "input": ["the lazy dog", "the fox"], "encoding_format": encoding });
            let several = http.post("/v1/embeddings", &request).await;
            assert_eq!(several.cache_status(), "predict-once; fwd=partial; detail=\"hit=1 miss=1\"", "{layout}");
            assert_eq!(several.json()["data"][1]["embedding"], first.json()["embedding"], "{layout}");
            redis.holds(2).await;
            let (_third, http) = Service::local(&settings).await;
            let again =
                http.post("/v1/embeddings", &json!({ "input": " The LAZY dog", "encoding_format": encoding })).await;
            assert_eq!(again.cache_status(), "predict-once; hit; detail=redis", "{layout}");
            assert_eq!(again.json()["data"][0]["embedding"], several.json()["data"][0]["embedding"], "{layout}");
            let own = http.post("/embedding", &json!({ "text": "the lazy dog" })).await;
            assert!(own.cache_status().starts_with("predict-once; hit"), "{layout}: {own:?}");
            assert_eq!(own.json()["embedding"], again.json()["data"][0]["embedding"], "{layout}");
        }
    }
}

#[tokio::test]
async fn what_the_endpoint_does_not_take_is_refused_in_openais_form_with_the_member() {
    let (_service, http) = service(&[]).await;
    let long = "a".repeat(101);
    for (body, member, message) in [
        (json!({ "model": "m" }), "input", "is missing: send a text or a list of texts"),
        (json!({ "input": 7 }), "input", "must be a text or a list of texts, got 7"),
        (json!({ "input": { "text": "a" } }), "input", "must be a text or a list of texts, got an object"),
        (json!({ "input": [] }), "input", "must hold 1 to 1000 texts, got 0"),
        (json!({ "input": vec!["a"; 1_001] }), "input", "must hold 1 to 1000 texts, got 1001"),
        (json!({ "input": ["a", null] }), "input", "is invalid at index 1: it must be a string, got null"),
        (
            json!({ "input": ["a", long] }),
            "input",
            "is invalid at index 1: it must be a string of at most 100 characters, got a string of 101 characters",
        ),
        (
            json!({ "input": long }),
            "input",
            "must be a string of at most 100 characters, got a string of 101 characters",
        ),
        (
            json!({ "input": "a", "encoding_format": "int8" }),
            "encoding_format",
            "must be \"float\" or \"base64\", got a string",
        ),
        (
            json!({ "input": "a", "dimensions": 2 }),
            "dimensions",
            "must be 3, the length of this model's vectors, or absent, got 2",
        ),
    ] {
        let answer = http.post("/v1/embeddings", &body).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        let expected: [Value; 4] = [
            format!("{member} {message}").into(),
            "invalid_request_error".into(),
            member.into(),
            "invalid_fields".into(),
        ];
        assert_eq!(error(&answer), expected, "{body}");
    }
    for ids in [json!([464, 2068]), json!([[464, 2068], [5]])] {
        let answer = http.post("/v1/embeddings", &json!({ "input": ids })).await;
        let [message, ..] = error(&answer);
        assert!(message.as_str().is_some_and(|text| text.contains("check_embedding_ctx_length=False")), "{message}");
    }
}

#[tokio::test]
async fn every_other_error_has_openais_form_too_and_its_kind_is_counted_and_logged() {
    let (service, http) = service(&[("METRICS", "true")]).await;
    let post = |content_type, body: String| http.post_text("/v1/embeddings", content_type, body);
    let not_cached = http.post_with("/v1/embeddings", &json!({ "input": "a" }), "no-cache, only-if-cached").await;
    let wrong = http.send(http.client.delete(http.url("/v1/embeddings"))).await;
    for (answer, status, kind, code) in [
        (post("application/json", "{".to_owned()).await, 400, "invalid_request_error", "invalid_json"),
        (post("application/json", "[\"a\"]".to_owned()).await, 422, "invalid_request_error", "invalid_fields"),
        (post("text/plain", "a".to_owned()).await, 415, "invalid_request_error", "unsupported_media_type"),
        (post("application/json", " ".repeat(1_100_000)).await, 413, "invalid_request_error", "body_too_large"),
        (wrong, 405, "invalid_request_error", "method_not_allowed"),
        (not_cached, 504, "server_error", "not_cached"),
    ] {
        assert_eq!(answer.status, status, "{answer:?}");
        let [message, of, member, named] = error(&answer);
        assert!(message.as_str().is_some_and(|text| text.len() > 20), "{message}");
        assert_eq!([of, member, named], [kind.into(), Value::Null, code.into()]);
    }
    let answered = http.post("/v1/embeddings", &json!({ "input": ["a", "b"] })).await;
    assert_eq!(answered.status, 200);
    let metrics = http.get("/metrics").await.text;
    for series in [
        "predict_once_errors_total{type=\"unsupported-media-type\"} 1",
        "predict_once_predictions_total{endpoint=\"/v1/embeddings\",cache=\"miss\"} 2",
    ] {
        assert!(metrics.contains(series), "{series}: {metrics}");
    }
    let is_logged = || {
        service.lines().iter().any(|line| line.contains("/v1/embeddings") && line.contains("unsupported-media-type"))
    };
    eventually("the request is logged", async || is_logged()).await;
}

#[tokio::test]
async fn base_paths_cross_origin_requests_and_lambda_work_as_for_predictions() {
    let (_service, http) = service(&[("BASE_PATH", "/ml"), ("CORS_ALLOWED_ORIGINS", "https://app.example")]).await;
    let request = http.client.post(http.url("/ml/v1/embeddings")).json(&json!({ "input": "fox" }));
    let answer = http.send(request.header("origin", "https://app.example")).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, "https://app.example"));
    assert!(answer.header("x-model").starts_with("embedder; "), "{answer:?}");

    let directory = packages::write(&embedder(EMBEDDER), "embedder-lambda");
    let mut api = RuntimeApi::start().await;
    let _function = Service::lambda(&api, &[("MODEL_DIR", directory.to_str().expect("UTF-8"))]);
    let mut event: Value = serde_json::from_str(include_str!("../../events/http-api.json")).expect("JSON");
    event["rawPath"] = "/v1/embeddings".into();
    event["requestContext"]["http"]["path"] = "/v1/embeddings".into();
    event["body"] = json!({ "input": "fox" }).to_string().into();
    let outcome = api.invoke(&event).await;
    assert_eq!((outcome.status(), outcome.body()), (200, answer.json()), "{outcome:?}");
    event["body"] = "{}".into();
    let outcome = api.invoke(&event).await;
    assert_eq!((outcome.status(), &outcome.body()["error"]["param"]), (422, &json!("input")));
}

#[tokio::test]
async fn the_document_describes_the_endpoint_and_models_without_an_embedding_have_none() {
    let (_service, http) = service(&[]).await;
    let document = http.get("/openapi.json").await.json();
    let operation = &document["paths"]["/v1/embeddings"]["post"];
    let content = &operation["requestBody"]["content"]["application/json"];
    let example = &content["examples"]["fox"]["value"];
    let answer = http.post("/v1/embeddings", example).await;
    let documented = &operation["responses"]["200"]["content"]["application/json"];
    assert_eq!(&answer.json(), &documented["examples"]["fox"]["value"]);
    let schema = &documented["schema"];
    assert_eq!(schema["properties"]["data"]["items"]["properties"]["embedding"]["oneOf"][0]["maxItems"], 3);
    let refused = http.post("/v1/embeddings", &json!({ "input": [1, 2] })).await;
    let examples = &operation["responses"]["422"]["content"]["application/json"]["examples"];
    assert_eq!(refused.json(), examples["token_ids"]["value"]);
    for (status, code) in [("400", "invalid_json"), ("503", "overloaded"), ("504", "not_cached")] {
        let examples = &operation["responses"][status]["content"]["application/json"]["examples"];
        assert_eq!(examples[code]["value"]["error"]["code"], code, "{operation}");
    }

    // A vector as long as the text is no embedding, nor is that of a model with another field.
    let ids = Onnx::empty().with_input("input_ids", INT64, &["N", "length"]);
    let ids = ids.node("Cast", &["input_ids"], "y", &[("to", FLOAT)]).file("y", 4);
    let mut package = embedder(EMBEDDER);
    package.onnx = ids.into();
    for package in [package, packages::tensors()] {
        let directory = packages::write(&package, "no-embedder");
        let (_service, http) = Service::local(&[("MODEL_DIR", directory.to_str().expect("UTF-8"))]).await;
        let answer = http.post("/v1/embeddings", &json!({ "input": "fox" })).await;
        assert_eq!((answer.status, answer.header("content-type")), (404, "application/problem+json"));
    }
}
