//! Paths below a prefix: `BASE_PATH`, and the prefixes that events tell of. Whatever an answer refers to is below the prefix too.

use serde_json::{Value, json};
use test_support::{
    applications::example,
    runtime_api::{Outcome, RuntimeApi},
    service::{Http, Service},
};

fn event(text: &str) -> Value {
    serde_json::from_str(text).expect("an event file is JSON")
}

fn alb() -> Value {
    event(include_str!("../../events/alb.json"))
}

fn assert_decision(outcome: &Outcome, case: &str) {
    assert_eq!((outcome.is_error, outcome.status()), (false, 200), "{case}: {outcome:?}");
    assert!(outcome.body()["decision"].is_string(), "{case}: {outcome:?}");
}

/// The URL of the document's server.
fn server(document: &Value) -> &Value {
    &document["servers"][0]["url"]
}

async fn assert_everything_is_below(http: &Http, base: &str) {
    let answer = http.post(&format!("{base}/decisions"), &example()).await;
    assert_eq!(answer.status, 200, "{base}");
    let document = http.get(&format!("{base}/openapi.json")).await.json();
    assert_eq!(server(&document), base);
    let invalid = http.post(&format!("{base}/decisions"), &json!({})).await.json();
    assert_eq!(invalid["type"], format!("{base}/docs/errors#invalid-fields"));
    let examples = &document["paths"]["/decisions"]["post"]["responses"]["422"]["content"]["application/problem+json"];
    let documented = examples["examples"].as_object().expect("examples").values().next().expect("one");
    assert_eq!(documented["value"]["type"], invalid["type"]);
    let page = http.get(invalid["type"].as_str().expect("text")).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let unknown = http.get(&format!("{base}/decision")).await.json();
    assert_eq!(unknown["detail"], format!("there is no such path; did you mean {base}/decisions?"));
    let unlike = http.get(&format!("{base}/v1/models")).await.json();
    let detail = unlike["detail"].as_str().expect("text");
    assert!(detail.contains(&format!("at {base}/decisions, {base}/prob")) && detail.ends_with(&format!("{base}/docs")));
    let wrong = http.get(&format!("{base}/decisions")).await.json();
    assert_eq!(wrong["type"], format!("{base}/docs/errors#method-not-allowed"));
    let redirected = http.get(&format!("{base}/docs/")).await;
    assert_eq!(redirected.status, 200, "the client followed it");
    for path in ["/docs", "/docs/page.js", "/health"] {
        assert_eq!(http.get(&format!("{base}{path}")).await.status, 200, "{base}{path}");
    }
}

#[tokio::test]
async fn below_each_base_path_everything_is_as_at_the_root() {
    let variables = [("BASE_PATH", "/ml, /api/v1"), ("METRICS", "true")];
    let (service, http) = Service::local(&variables).await;
    for base in ["/ml", "/api/v1"] {
        assert_everything_is_below(&http, base).await;
    }
    service.line_with("endpoint=\"/decisions\" status=200").await;
    let metrics = http.get("/metrics").await.text;
    assert!(metrics.contains("http_requests_total{endpoint=\"/decisions\",status=\"200\"} 2"), "{metrics}");
    // A proxy that removes the prefix, or a health check, uses the paths as they are.
    assert_eq!(http.post("/decisions", &example()).await.status, 200);
    assert_eq!(server(&http.get("/openapi.json").await.json()), "/ml");
    for path in ["/other/decisions", "/ml", "/mlx/decisions", "/ml/ml/decisions"] {
        assert_eq!(http.post(path, &example()).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn probes_below_a_base_path_are_answered_by_the_thread_that_is_never_busy_and_metrics_only_at_the_root() {
    let long = format!("/{}", "segment/".repeat(12)) + "end";
    let variables = [("BASE_PATH", &*format!("/ml,{long}")), ("METRICS", "true")];
    let (_service, http) = Service::local(&variables).await;
    for base in ["", "/ml", &long] {
        for (path, text) in [("/health", "ok\n"), ("/ready", "ready\n")] {
            // A connection for each: that thread closes it, workers keep theirs.
            let client = Http::new(http.address);
            let answer = client.get(&format!("{base}{path}?from=lb")).await;
            assert_eq!(
                (answer.status, &*answer.text, answer.header("connection")),
                (200, text, "close"),
                "{base}{path}"
            );
        }
    }
    assert_eq!(http.get("/ml/metrics").await.status, 404);
    assert_eq!(http.get("/metrics").await.status, 200);
}

#[tokio::test]
async fn the_root_leads_to_the_documentation_below_the_base_path() {
    for (base_path, path, location) in [
        ("", "/", "/docs"),
        ("/ml,/v1", "/", "/ml/docs"),
        ("/ml,/v1", "/ml/", "/ml/docs"),
        ("/ml,/v1", "/v1/", "/v1/docs"),
        ("/ml,/v1", "/v1", "/v1/docs"),
        ("/ml,/ml/v1", "/ml/v1", "/ml/v1/docs"),
    ] {
        let (_service, http) = Service::local(&[("BASE_PATH", base_path)]).await;
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        let answer = http.send(client.get(http.url(path))).await;
        assert_eq!((answer.status, answer.header("location")), (307, location), "{base_path} {path}");
        let page = http.get(path).await;
        assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
        let posted = http.post(path, &json!({})).await;
        assert_eq!(posted.status, 404, "a prediction needs its path");
    }
}

#[tokio::test]
async fn without_a_base_path_the_server_is_the_root() {
    let (_service, http) = Service::local(&[]).await;
    assert_eq!(server(&http.get("/openapi.json").await.json()), "/");
    assert_eq!(http.post("/ml/decisions", &example()).await.status, 404);
}

#[tokio::test]
async fn a_load_balancers_rule_for_a_prefix_needs_the_setting() {
    let mut api = RuntimeApi::start().await;
    let _service = Service::lambda(&api, &[("BASE_PATH", "/ml")]);
    let mut event = alb();
    event["path"] = "/ml/decisions".into();
    assert_decision(&api.invoke(&event).await, "ALB");
    event["body"] = "{".into();
    assert_eq!(api.invoke(&event).await.body()["type"], "/ml/docs/errors#invalid-json");
    event["httpMethod"] = "GET".into();
    event["path"] = "/health".into();
    assert_eq!(api.invoke(&event).await.status(), 200);
}

#[tokio::test]
async fn the_mapping_of_a_custom_domain_is_recognised_by_the_route() {
    let mut api = RuntimeApi::start().await;
    let _service = Service::lambda(&api, &[]);
    let rest = event(include_str!("../../events/rest-api-base-path.json"));
    // A mapping without a stage leaves the stage in the path too.
    for base in ["/ml", "/ml/prod"] {
        for (resource, parameters) in [("/{proxy+}", json!({"proxy": "decisions"})), ("/decisions", Value::Null)] {
            let mut event = rest.clone();
            event["path"] = format!("{base}/decisions").into();
            event["requestContext"]["path"] = event["path"].clone();
            event["resource"] = resource.into();
            event["pathParameters"] = parameters;
            event["body"] = example().to_string().into();
            assert_decision(&api.invoke(&event).await, resource);
            event["body"] = "{".into();
            let problem = api.invoke(&event).await.body();
            assert_eq!(problem["type"], format!("{base}/docs/errors#invalid-json"), "{resource}");
        }
    }
    // A route of an HTTP API.
    let mut http = event(include_str!("../../events/http-api.json"));
    http["rawPath"] = "/ml/decisions".into();
    http["requestContext"]["http"]["path"] = "/ml/decisions".into();
    for (route, parameters) in [("POST /decisions", json!({})), ("ANY /{proxy+}", json!({"proxy": "decisions"}))] {
        http["routeKey"] = route.into();
        http["pathParameters"] = parameters;
        assert_decision(&api.invoke(&http).await, route);
    }
    http["routeKey"] = "$default".into();
    assert_eq!(api.invoke(&http).await.status(), 404, "the event does not say where the mapping ends");
}

#[tokio::test]
async fn a_stage_is_in_front_of_what_answers_refer_to() {
    let mut api = RuntimeApi::start().await;
    let _service = Service::lambda(&api, &[("BASE_PATH", "/ml")]);
    let mut staged = event(include_str!("../../events/http-api-named-stage.json"));
    let mut rest = event(include_str!("../../events/rest-api.json"));
    for (event, base) in [(&mut staged, "/prod"), (&mut rest, "/prod")] {
        event["body"] = "{".into();
        assert_eq!(api.invoke(event).await.body()["type"], format!("{base}/docs/errors#invalid-json"));
    }
    staged["rawPath"] = "/prod/ml/decisions".into();
    staged["requestContext"]["http"]["path"] = "/prod/ml/decisions".into();
    assert_eq!(api.invoke(&staged).await.body()["type"], "/prod/ml/docs/errors#invalid-json");
}
