//! The binary as a Lambda function under a Runtime API: the events of every caller, and invalid events.

use serde_json::{Value, json};
use test_support::{
    applications::example,
    runtime_api::{Outcome, RuntimeApi, Step},
    service::Service,
};

fn event(text: &str) -> Value {
    serde_json::from_str(text).expect("an event file is JSON")
}

fn http_api() -> Value {
    event(include_str!("../../events/http-api.json"))
}

/// The callers, each with an event that posts the specification's example to `/decisions`.
fn callers() -> [(&'static str, Value); 6] {
    [
        ("HTTP API", http_api()),
        ("REST API", event(include_str!("../../events/rest-api.json"))),
        ("function URL", event(include_str!("../../events/function-url.json"))),
        ("ALB", event(include_str!("../../events/alb.json"))),
        ("VPC Lattice", event(include_str!("../../events/vpc-lattice.json"))),
        ("VPC Lattice, event structure 1", event(include_str!("../../events/vpc-lattice-v1.json"))),
    ]
}

async fn started() -> (RuntimeApi, Service) {
    let api = RuntimeApi::start().await;
    let service = Service::lambda(&api, &[]);
    (api, service)
}

fn assert_decision(outcome: &Outcome, caller: &str) {
    assert!(!outcome.is_error, "{caller}: {outcome:?}");
    assert_eq!(outcome.status(), 200, "{caller}: {outcome:?}");
    assert!(outcome.body()["decision"].is_string(), "{caller}: {outcome:?}");
    assert_eq!(outcome.header("content-type"), Some("application/json"), "{caller}: {outcome:?}");
    assert_eq!(outcome.payload["isBase64Encoded"], false, "{caller}: {outcome:?}");
}

#[tokio::test]
async fn every_caller_gets_an_answer_in_its_own_form_and_shares_the_cache() {
    let (mut api, _service) = started().await;
    for (position, (caller, event)) in callers().into_iter().enumerate() {
        let outcome = api.invoke(&event).await;
        assert_decision(&outcome, caller);
        let expected = if position == 0 { "predict-once; fwd=miss" } else { "predict-once; hit; detail=memory" };
        assert_eq!(outcome.cache_status(), expected, "{caller}");
        api.idle().await;
    }
}

#[tokio::test]
async fn an_http_apis_answer_has_the_list_of_cookies_that_cargo_lambda_requires() {
    let (mut api, _service) = started().await;
    assert_eq!(api.invoke(&http_api()).await.payload["cookies"], json!([]));
}

#[tokio::test]
async fn an_alb_gets_the_status_and_headers_in_both_forms() {
    let (mut api, _service) = started().await;
    let outcome = api.invoke(&event(include_str!("../../events/alb.json"))).await;
    assert_eq!(outcome.payload["statusDescription"], "200 OK");
    assert_eq!(outcome.payload["headers"]["content-type"], "application/json");
    assert_eq!(outcome.payload["multiValueHeaders"]["content-type"], json!(["application/json"]));
}

#[tokio::test]
async fn the_stage_of_a_rest_api_needs_no_setting_even_if_it_is_named_like_a_path() {
    let (mut api, _service) = started().await;
    for stage in ["prod", "decisions", "$default"] {
        let mut event = event(include_str!("../../events/rest-api.json"));
        event["requestContext"]["stage"] = stage.into();
        event["requestContext"]["path"] = format!("/{stage}/decisions").into();
        assert_decision(&api.invoke(&event).await, stage);
    }
}

#[tokio::test]
async fn a_named_stage_of_an_http_api_serves_every_path_below_it() {
    let (mut api, _service) = started().await;
    let staged = event(include_str!("../../events/http-api-named-stage.json"));
    for (stage, arrives_as) in [("prod", "/prod"), ("decisions", "/decisions"), ("prod", "")] {
        let mut asked = async |method: &str, path: &str| {
            let mut event = staged.clone();
            event["requestContext"]["stage"] = stage.into();
            event["rawPath"] = format!("{arrives_as}{path}").into();
            event["requestContext"]["http"]["method"] = method.into();
            api.invoke(&event).await
        };
        assert_decision(&asked("POST", "/decisions").await, arrives_as);
        let document = asked("GET", "/openapi.json").await;
        let root = if arrives_as.is_empty() { "/" } else { arrives_as };
        assert_eq!((document.status(), &document.body()["servers"][0]["url"]), (200, &json!(root)), "{arrives_as}");
        let page = asked("GET", "/docs").await;
        let html = page.payload["body"].as_str().expect("text");
        assert_eq!(page.status(), 200, "{arrives_as}");
        for attribute in ["href=\"/", "src=\"/", "href=\"http", "src=\"http"] {
            assert!(!html.contains(attribute), "{attribute}: links are relative, so they stay below the stage");
        }
        let redirected = asked("GET", "/docs/").await;
        assert_eq!((redirected.status(), redirected.header("location")), (308, Some("../docs")), "{arrives_as}");
        let unknown = asked("POST", "/decision").await;
        assert_eq!(unknown.status(), 404);
        let meant = format!("did you mean {arrives_as}/decisions?");
        assert!(unknown.body()["detail"].as_str().expect("text").contains(&meant), "{unknown:?}");
    }
}

#[tokio::test]
async fn a_header_in_multi_value_form_counts_the_same() {
    let (mut api, _service) = started().await;
    let mut event = event(include_str!("../../events/rest-api.json"));
    event["headers"] = Value::Null;
    event["multiValueHeaders"] =
        json!({"content-type": ["application/json"], "cache-control": ["max-age=0", "no-store"]});
    assert_eq!(api.invoke(&event).await.cache_status(), "predict-once; fwd=request");
}

#[tokio::test]
async fn a_header_that_http_does_not_allow_is_left_out_whoever_sends_it() {
    let (mut api, _service) = started().await;
    for (caller, event) in callers() {
        for (name, value) in [("x@y", "1"), ("", "1"), ("x y", "1"), ("x-control", "a\u{1}b"), ("x-line", "a\nb: c")] {
            let mut event = event.clone();
            for member in ["headers", "multiValueHeaders"] {
                let in_lists = event[member].as_object().is_some_and(|headers| headers.values().all(Value::is_array));
                if event[member].is_object() {
                    event[member][name] = if in_lists { json!(["fine", value]) } else { value.into() };
                }
            }
            assert_decision(&api.invoke(&event).await, &format!("{caller}: {name:?}: {value:?}"));
        }
    }
    // A value that is left out does not take the others with it.
    let mut event = event(include_str!("../../events/rest-api.json"));
    event["multiValueHeaders"]["cache-control"] = json!(["no-\u{1}store", "no-store"]);
    assert_eq!(api.invoke(&event).await.cache_status(), "predict-once; fwd=request");
}

#[tokio::test]
async fn a_base64_body_is_decoded_and_one_that_is_not_base64_is_a_400() {
    let (mut api, _service) = started().await;
    assert_decision(&api.invoke(&event(include_str!("../../events/http-api-base64.json"))).await, "base64");
    for (caller, mut event) in callers() {
        let flag = if event["is_base64_encoded"].is_boolean() { "is_base64_encoded" } else { "isBase64Encoded" };
        event[flag] = true.into();
        // The body is still plain JSON, which is not valid base64.
        let outcome = api.invoke(&event).await;
        assert_eq!((outcome.is_error, outcome.status()), (false, 400), "{caller}: {outcome:?}");
        assert_eq!(outcome.body()["status"], 400, "{caller}");
    }
    let mut not_utf8 = http_api();
    not_utf8["isBase64Encoded"] = true.into();
    not_utf8["body"] = "/////w==".into();
    assert_eq!(api.invoke(&not_utf8).await.status(), 400);
}

#[tokio::test]
async fn bad_requests_are_answered_and_do_not_affect_the_next_invocation() {
    let (mut api, _service) = started().await;
    for (file, status) in [
        (include_str!("../../events/http-api-invalid-application.json"), 422),
        (include_str!("../../events/http-api-undecodable-base64.json"), 400),
        (include_str!("../../events/http-api-unknown-path.json"), 404),
        (include_str!("../../events/http-api-wrong-method.json"), 405),
    ] {
        let outcome = api.invoke(&event(file)).await;
        assert_eq!((outcome.is_error, outcome.status()), (false, status), "{outcome:?}");
        assert_eq!(outcome.header("content-type"), Some("application/problem+json"));
        assert_decision(&api.invoke(&http_api()).await, "the next");
    }
}

#[tokio::test]
async fn an_event_without_a_body_or_with_a_strange_path_is_answered() {
    let (mut api, _service) = started().await;
    let mut bodiless = http_api();
    bodiless.as_object_mut().expect("an object").remove("body");
    assert_eq!(api.invoke(&bodiless).await.status(), 400);
    for path in [
        "",
        "decisions",
        "/deci sions",
        "/decisions?x=1",
        "/decisions#x",
        "/\u{fffd}\"<>",
        "//decisions",
        "/../decisions",
    ] {
        let mut event = http_api();
        event["rawPath"] = path.into();
        let outcome = api.invoke(&event).await;
        assert_eq!((outcome.is_error, outcome.status()), (false, 404), "{path:?}: {outcome:?}");
    }
    let mut hosted = http_api();
    hosted["headers"]["host"] = "not a host".into();
    assert_decision(&api.invoke(&hosted).await, "a strange host");
}

#[tokio::test]
async fn an_event_that_is_not_http_is_an_invocation_error_and_the_next_is_served() {
    let (mut api, mut service) = started().await;
    for text in
        [include_str!("../../events/not-http.json"), "{}", "[]", "null", "\"text\"", r#"{"httpMethod": "POST"}"#]
    {
        let outcome = api.invoke_text(text.to_owned()).await;
        assert!(outcome.is_error, "{text}: {outcome:?}");
        assert!(outcome.payload["errorMessage"].is_string(), "{text}: {outcome:?}");
        assert_decision(&api.invoke(&http_api()).await, "the next");
    }
    assert!(service.runs());
}

#[tokio::test]
async fn the_body_limit_holds_for_events_too() {
    let (mut api, _service) = started().await;
    let mut event = http_api();
    event["body"] = (example().to_string() + &" ".repeat(1024 * 1024)).into();
    assert_eq!(api.invoke(&event).await.status(), 413);
}

#[tokio::test]
async fn the_docs_are_text_and_not_base64() {
    let (mut api, _service) = started().await;
    for (path, media_type) in [("/docs", "text/html; charset=utf-8"), ("/openapi.json", "application/json")] {
        let mut event = http_api();
        event["rawPath"] = path.into();
        event["requestContext"]["http"]["method"] = "GET".into();
        let outcome = api.invoke(&event).await;
        assert_eq!((outcome.status(), outcome.header("content-type")), (200, Some(media_type)));
        assert_eq!(outcome.payload["isBase64Encoded"], false);
    }
}

#[tokio::test]
async fn an_answer_to_head_has_no_body_even_if_it_is_an_error() {
    let (mut api, _service) = started().await;
    for (path, status) in [("/docs", 200), ("/decisions", 405), ("/nowhere", 404)] {
        let mut event = http_api();
        event["rawPath"] = path.into();
        event["requestContext"]["http"]["method"] = "HEAD".into();
        let outcome = api.invoke(&event).await;
        assert_eq!((outcome.status(), &outcome.payload["body"]), (status, &json!("")), "{path}");
        assert_ne!(outcome.header("content-length"), Some("0"), "{path}");
    }
}

#[tokio::test]
async fn each_invocation_is_answered_once_before_the_next_is_requested() {
    let (mut api, _service) = started().await;
    for _ in 0..3 {
        api.invoke(&http_api()).await;
    }
    api.idle().await;
    let one = [Step::Next, Step::Response];
    assert_eq!(api.steps(), [&one[..], &one, &one, &[Step::Next]].concat());
}

#[tokio::test]
async fn a_termination_signal_ends_the_function_cleanly() {
    let (api, mut service) = started().await;
    api.asked_for(1).await;
    service.signal(rustix::process::Signal::TERM);
    assert!(service.ended().await);
}

#[tokio::test]
async fn an_invalid_setting_stops_the_start_and_names_its_variable() {
    let api = RuntimeApi::start().await;
    let mut service = Service::lambda(&api, &[("CACHE_TTL_SECONDS", "soon")]);
    assert!(!service.ended().await);
    service.line_with("CACHE_TTL_SECONDS must be a whole number from 1 to 31536000").await;
    assert!(api.steps().is_empty());
}

#[tokio::test]
async fn a_load_balancers_health_check_is_answered() {
    let (mut api, _service) = started().await;
    let mut event = event(include_str!("../../events/alb.json"));
    event["httpMethod"] = "GET".into();
    event["path"] = "/health".into();
    let outcome = api.invoke(&event).await;
    assert_eq!((outcome.status(), outcome.payload["body"].as_str()), (200, Some("ok\n")));
}
