//! Sends every sample event to the real binary and prints the answers: `make events`.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};
use test_support::{
    runtime_api::{Outcome, RuntimeApi},
    service::Service,
};

/// The expected answer to each file of `events/`: a status, the whole answer without a status, or `error` for an invocation error.
fn expected() -> BTreeMap<&'static str, Value> {
    BTreeMap::from([
        ("alb.json", json!(200)),
        ("direct-array.json", json!([{ "decision": "DECLINE" }, { "decision": "ACCEPT" }])),
        ("direct-invalid-application.json", json!(422)),
        ("direct.json", json!({ "decision": "DECLINE" })),
        ("function-url.json", json!(200)),
        ("http-api-base64.json", json!(200)),
        ("http-api-invalid-application.json", json!(422)),
        ("http-api-named-stage.json", json!(200)),
        ("http-api-openapi.json", json!(200)),
        ("http-api-probabilities.json", json!(200)),
        ("http-api-risk-categories.json", json!(200)),
        ("http-api-undecodable-base64.json", json!(400)),
        ("http-api-unknown-path.json", json!(404)),
        ("http-api-wrong-method.json", json!(405)),
        ("http-api.json", json!(200)),
        ("lambda-warmer.json", json!(200)),
        ("not-http.json", json!("error")),
        ("rest-api-base-path.json", json!(200)),
        ("rest-api.json", json!(200)),
        ("schedule.json", json!(200)),
        ("serverless-plugin-warmup.json", json!(200)),
        ("vpc-lattice-v1.json", json!(200)),
        ("vpc-lattice.json", json!(200)),
    ])
}

fn files() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).expect("it can be read");
            (name, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        })
        .collect();
    files.sort_by(|(one, _), (other, _)| one.cmp(other));
    files
}

/// The answer as [`expected`] has it. A problem has its status in the body.
fn summary(outcome: &Outcome) -> Value {
    if outcome.is_error {
        return json!("error");
    }
    let status = ["statusCode", "status"].iter().find_map(|name| outcome.payload.get(*name));
    status.unwrap_or(&outcome.payload).clone()
}

fn show(name: &str, outcome: &Outcome) {
    if outcome.is_error {
        println!("{name}\n    {}: {}", outcome.payload["errorType"], outcome.payload["errorMessage"]);
        return;
    }
    if outcome.payload.get("statusCode").is_none() {
        println!("{name}\n    {}", outcome.payload);
        return;
    }
    let cache = outcome.header("cache-status").map(|status| format!("  [{status}]")).unwrap_or_default();
    let body: String = outcome.payload["body"].as_str().unwrap_or_default().chars().take(160).collect();
    println!("{name}\n    {}{cache}\n    {body}", outcome.status());
}

#[tokio::test]
async fn every_sample_event_is_answered_and_a_repeated_one_from_the_cache() {
    let mut api = RuntimeApi::start().await;
    let _service = Service::lambda(&api, &[]);
    let mut found = BTreeMap::new();
    let files = files();
    for (name, event) in &files {
        let outcome = api.invoke(event).await;
        show(name, &outcome);
        found.insert(name.as_str(), summary(&outcome));
        api.idle().await;
    }
    assert_eq!(found, expected());
    let (name, event) = files.iter().find(|(name, _)| name == "http-api.json").expect("it is there");
    let again = api.invoke(event).await;
    show(&format!("{name}, once more"), &again);
    assert_eq!(again.cache_status(), "predict-once; hit; detail=memory");
}
