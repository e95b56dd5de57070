//! Answers that are larger than the platform transmits.

use serde_json::{Value, json};
use test_support::{eventually, onnx::Onnx, packages, runtime_api::RuntimeApi, service::Service};

/// A package whose answers have about 8,000 bytes each: the probabilities of fifty classes with long names.
fn directory(name: &str) -> String {
    const CLASSES: usize = 50;
    let columns: Vec<_> = (0..CLASSES).collect();
    let names: Vec<_> = columns.iter().map(|class| format!("{class:x>145}")).collect();
    let manifest = packages::NUMBER
        .replace("kind = \"value\"", &format!("kind = \"probabilities\"\noutputs = {columns:?}\nvalues = {names:?}"));
    let onnx = Onnx::new(1)
        .constant("weights", &[1, CLASSES], &[0.0; CLASSES])
        .node("MatMul", &["x", "weights"], "scores", &[])
        .node("Softmax", &["scores"], "y", &[("axis", 1)])
        .file("y", CLASSES);
    packages::write(&packages::package(manifest, onnx), name).to_str().expect("UTF-8").to_owned()
}

fn inputs(count: usize) -> Value {
    (0..count).map(|n| json!({ "number": n })).collect()
}

#[tokio::test]
async fn an_answer_that_lambda_would_refuse_is_a_413_for_the_client_the_log_and_the_metrics() {
    let directory = directory("large-answers-1");
    let mut api = RuntimeApi::start().await;
    let service = Service::lambda(&api, &[("MODEL_DIR", &directory)]);
    let event = |file: &str, count: usize| {
        let mut event: Value = serde_json::from_str(file).expect("JSON");
        let path = if event["rawPath"].is_string() { "rawPath" } else { "path" };
        event[path] = "/values".into();
        event["body"] = inputs(count).to_string().into();
        event
    };
    let (http_api, alb) = (include_str!("../../events/http-api.json"), include_str!("../../events/alb.json"));
    for (file, count, status) in [(http_api, 700, 200), (http_api, 900, 413), (alb, 100, 200), (alb, 140, 413)] {
        let outcome = api.invoke(&event(file, count)).await;
        assert_eq!((outcome.is_error, outcome.status()), (false, status), "{count}");
        assert!(outcome.payload.to_string().len() < 6 << 20, "{count}");
        if status == 413 {
            assert_eq!(outcome.body()["type"], "/docs/errors#answer-too-large");
            assert_eq!(outcome.header("content-type"), Some("application/problem+json"));
            assert!(outcome.header("cache-status").is_some() && outcome.header("x-model").is_some(), "{outcome:?}");
        }
    }
    let direct = api.invoke(&json!({ "prediction": "value", "input": inputs(900) })).await;
    assert_eq!((direct.is_error, &direct.payload["status"]), (false, &json!(413)));
    api.idle().await;
    let lines = || service.json_lines().into_iter().filter(|line| line["message"] == "request").collect::<Vec<_>>();
    eventually("a line for each", || async { lines().len() == 5 }).await;
    let logged: Vec<_> = lines().iter().map(|line| (line["status"].clone(), line["inputs"].clone())).collect();
    let expected = [(200, 700), (413, 900), (200, 100), (413, 140), (413, 900)];
    assert_eq!(logged, expected.map(|(status, inputs)| (json!(status), json!(inputs))));
}

#[tokio::test]
async fn the_local_server_has_no_such_limit() {
    let directory = directory("large-answers-2");
    let (_service, http) = Service::local(&[("MODEL_DIR", &directory)]).await;
    let answer = http.post("/values", &inputs(900)).await;
    assert_eq!((answer.status, answer.json().as_array().map(Vec::len)), (200, Some(900)));
}
