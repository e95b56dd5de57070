//! Invocations without a gateway: predictions asked for directly, warm-ups, schedules, and events that the service does not know.

use serde_json::{Value, json};
use test_support::{
    applications::{aged, example},
    eventually,
    runtime_api::{Outcome, RuntimeApi},
    service::Service,
};

async fn started() -> (RuntimeApi, Service) {
    let api = RuntimeApi::start().await;
    let service = Service::lambda(&api, &[]);
    (api, service)
}

fn http_api() -> Value {
    serde_json::from_str(include_str!("../../events/http-api.json")).expect("JSON")
}

async fn direct(api: &mut RuntimeApi, prediction: &str, input: &Value) -> Outcome {
    api.invoke(&json!({ "prediction": prediction, "input": input })).await
}

#[tokio::test]
async fn a_direct_invocation_gets_the_body_of_the_endpoint_and_shares_its_cache() {
    let (mut api, service) = started().await;
    let inputs = json!([example(), aged(45)]);
    for (prediction, path) in
        [("decision", "/decisions"), ("probability", "/probabilities"), ("risk_category", "/risk_categories")]
    {
        for input in [&example(), &inputs] {
            let mut event = http_api();
            event["rawPath"] = path.into();
            event["body"] = input.to_string().into();
            let body = api.invoke(&event).await.body();
            // The prediction's name, its endpoint, and the endpoint's path.
            for name in [prediction, &path[1..], path] {
                let outcome = direct(&mut api, name, input).await;
                assert!(!outcome.is_error, "{name}: {outcome:?}");
                assert_eq!(outcome.payload, body, "{name}");
            }
        }
    }
    api.idle().await;
    let lines = || service.json_lines().into_iter().filter(|line| line["message"] == "request").collect::<Vec<_>>();
    eventually("a line for each", || async { lines().len() == 24 }).await;
    let last = lines().pop().expect("24 lines");
    let shown = ["endpoint", "status", "cache", "inputs"].map(|name| last[name].clone());
    assert_eq!(shown, [json!("/risk_categories"), json!(200), json!("hit_memory"), json!(2)]);
}

#[tokio::test]
async fn the_error_of_a_direct_invocation_is_the_problem_that_the_endpoint_would_answer_with() {
    let (mut api, _service) = started().await;
    let mut event = http_api();
    event["body"] = json!({ "age_in_years": "30" }).to_string().into();
    let body = api.invoke(&event).await.body();
    let outcome = direct(&mut api, "decision", &json!({ "age_in_years": "30" })).await;
    assert_eq!((outcome.is_error, &outcome.payload), (false, &body));

    let invalid = [json!(null), json!("text"), json!([]), json!(7)];
    for (input, status) in invalid.iter().zip([400, 422, 422, 422]) {
        let outcome = direct(&mut api, "decision", input).await;
        assert_eq!((outcome.is_error, &outcome.payload["status"]), (false, &json!(status)), "{input}: {outcome:?}");
    }
    let without_input = api.invoke(&json!({ "prediction": "decision" })).await;
    assert_eq!((without_input.is_error, &without_input.payload["status"]), (false, &json!(400)));
    for (name, detail) in [
        ("decisons", "there is no such path; did you mean /decisions?"),
        ("", "there is no such path; predictions are at /decisions"),
        ("no such?\n\u{e4}", "there is no such path; predictions are at /decisions"),
    ] {
        let outcome = direct(&mut api, name, &example()).await;
        assert_eq!((outcome.is_error, &outcome.payload["status"]), (false, &json!(404)), "{name}");
        assert!(outcome.payload["detail"].as_str().expect("text").starts_with(detail), "{name}: {outcome:?}");
    }
}

#[tokio::test]
async fn warm_ups_and_schedules_are_answered_without_work_and_are_no_errors() {
    let (mut api, service) = started().await;
    for text in [
        include_str!("../../events/serverless-plugin-warmup.json"),
        include_str!("../../events/lambda-warmer.json"),
        include_str!("../../events/schedule.json"),
    ] {
        let outcome = api.invoke_text(text.to_owned()).await;
        assert_eq!((outcome.is_error, outcome.status()), (false, 200), "{text}: {outcome:?}");
        assert_eq!(outcome.payload["body"], "ok", "{text}");
    }
    api.invoke(&http_api()).await;
    api.idle().await;
    service.line_with("\"request\"").await;
    let lines = service.json_lines();
    assert_eq!(lines.len(), 1, "only the request is logged and counted: {lines:?}");
}

#[tokio::test]
async fn an_unsupported_event_fails_with_a_name_of_its_own_and_the_log_has_its_members_without_their_values() {
    let (mut api, mut service) = started().await;
    for (text, members) in [
        (include_str!("../../events/not-http.json"), "\"Records\""),
        (r#"{"detail-type": "Object Created", "source": "aws.s3"}"#, "\"detail-type\", \"source\""),
        (r#"{"prediction": 7, "input": "secret"}"#, "\"prediction\", \"input\""),
        (r#"{"httpMethod": "POST", "body": "secret"}"#, "\"httpMethod\", \"body\""),
        ("{}", "an object without members"),
        ("[\"secret\"]", "not an object"),
    ] {
        let outcome = api.invoke_text(text.to_owned()).await;
        assert_eq!((outcome.is_error, &outcome.payload["errorType"]), (true, &json!("UnsupportedEvent")), "{text}");
        let message = outcome.payload["errorMessage"].as_str().expect("text");
        assert!(message.contains(members) && message.contains("API Gateway"), "{text}: {message}");
        eventually(text, || async {
            let lines = service.json_lines();
            let mut errors = lines.iter().filter(|line| line["level"] == "ERROR");
            errors.any(|line| line["message"].as_str().is_some_and(|message| message.contains(members)))
        })
        .await;
        assert_eq!(api.invoke(&http_api()).await.status(), 200, "the next");
    }
    assert!(service.runs());
    for secret in ["secret", "Hello from SQS!", "aws.s3"] {
        assert!(!service.lines().join("\n").contains(secret), "{secret}");
    }
}
