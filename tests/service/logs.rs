//! The log: one line per request, metrics that add up, and no data of an application.

use model_package::EntryContent;
use std::collections::BTreeMap;

use serde_json::{Value, json};
use test_support::{
    applications::{aged, example, with},
    eventually, models,
    redis::Redis,
    runtime_api::RuntimeApi,
    service::Service,
};

pub(super) fn event(application: &Value) -> Value {
    let mut event: Value = serde_json::from_str(include_str!("../../events/http-api.json")).expect("JSON");
    event["body"] = application.to_string().into();
    event
}

pub(super) fn requests(service: &Service) -> Vec<Value> {
    service.json_lines().into_iter().filter(|line| line["message"] == "request").collect()
}

#[tokio::test]
async fn each_request_is_one_line_with_the_outcome_and_times_in_milliseconds() {
    let mut api = RuntimeApi::start().await;
    let service = Service::lambda(&api, &[]);
    api.invoke(&event(&example())).await;
    api.invoke(&event(&example())).await;
    api.invoke(&event(&json!({}))).await;
    let mut unknown = event(&example());
    unknown["rawPath"] = "/applicants/Erika-Mustermann".into();
    api.invoke(&unknown).await;
    api.idle().await;
    eventually("four lines", || async { requests(&service).len() == 4 }).await;

    let lines = requests(&service);
    let columns: Vec<_> =
        lines.iter().map(|line| (line["endpoint"].as_str(), line["status"].as_u64(), line["cache"].as_str())).collect();
    assert_eq!(
        columns,
        [
            (Some("/decisions"), Some(200), Some("miss")),
            (Some("/decisions"), Some(200), Some("hit_memory")),
            (Some("/decisions"), Some(422), None),
            (Some("unmatched"), Some(404), None),
        ]
    );
    assert!(lines[0]["cache_ms"].is_f64() && lines[0]["model_ms"].is_f64(), "{}", lines[0]);
    assert!(lines[1]["cache_ms"].is_f64() && lines[1]["model_ms"].is_null(), "{}", lines[1]);
    let models: Vec<_> = lines.iter().map(|line| (line["model"].as_str(), line["fingerprint"].as_str())).collect();
    let model = models::shipped();
    let named = (Some("credit_risk"), Some(model.fingerprint(EntryContent::Answer)));
    assert_eq!(models, [named, named, (None, None), (None, None)]);
    let ids: Vec<_> = lines.iter().map(|line| line["function_request_id"].as_str().expect("text")).collect();
    assert_eq!(ids, ["1", "2", "3", "4"], "the platform's own");
}

/// The sums that CloudWatch would compute: each metric that a line's embedded directive names.
pub(super) fn metrics(service: &Service, namespace: &str) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for line in service.json_lines() {
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().into_iter().flatten() {
            assert_eq!(directive["Namespace"], namespace);
            assert_eq!(directive["Dimensions"], json!([["service"]]));
            assert!(line["service"].is_string() && line["_aws"]["Timestamp"].is_u64(), "{line}");
            for metric in directive["Metrics"].as_array().expect("a list") {
                let name = metric["Name"].as_str().expect("a name");
                *sums.entry(name.to_owned()).or_default() += line[name].as_f64().expect("a number");
            }
        }
    }
    sums
}

#[tokio::test]
async fn the_outcomes_add_up_to_the_valid_prediction_requests() {
    let mut redis = Redis::start().await;
    let mut api = RuntimeApi::start().await;
    let variables =
        [("REDIS_URL", &*redis.url()), ("POWERTOOLS_METRICS_NAMESPACE", "Credit"), ("POWERTOOLS_SERVICE_NAME", "risk")];
    let service = Service::lambda(&api, &variables);
    let directed = |directive: &str, application: &Value| {
        let mut event = event(application);
        event["headers"]["cache-control"] = directive.into();
        event
    };
    api.invoke(&event(&aged(30))).await; // miss
    api.idle().await;
    api.invoke(&event(&aged(30))).await; // hit
    let key = redis.keys().await.remove(0);
    redis.command::<()>(&["SET", &key, "garbage"]).await;
    api.invoke(&event(&aged(30))).await; // corrupt: a miss
    api.invoke(&directed("only-if-cached", &aged(31))).await; // 504: a miss
    api.invoke(&directed("no-store", &aged(32))).await; // bypass
    api.invoke(&event(&json!({}))).await; // 422: none
    api.idle().await;
    redis.kill();
    api.invoke(&event(&aged(33))).await; // unavailable, and not written either
    api.idle().await;

    let expected = |name: &str| match name {
        "CacheHit" | "CacheBypass" | "CacheUnavailable" | "CacheWriteFailed" => 1.0,
        "CacheMiss" => 3.0,
        _ => panic!("{name} is not a count"),
    };
    let counts = ["CacheHit", "CacheMiss", "CacheBypass", "CacheUnavailable", "CacheWriteFailed"];
    eventually("all metrics", || async {
        let found = metrics(&service, "Credit");
        counts.iter().all(|name| found.get(*name) == Some(&expected(name)))
    })
    .await;
    let found = metrics(&service, "Credit");
    assert!(["CacheReadTime", "ModelTime", "CacheWriteTime"].iter().all(|name| found.contains_key(*name)), "{found:?}");
    assert_eq!(found.len(), 8, "{found:?}");
    assert!(service.json_lines().iter().all(|line| line.get("service").is_none_or(|service| service == "risk")));
}

/// Values that would appear if data of an application were logged: in JSON, as a key, in an error.
const MARKED: [&str; 4] = ["Erika-Mustermann", "personal_status_and_sex", "0.28123", "unemployed"];

#[tokio::test]
async fn no_level_logs_any_data_of_an_application() {
    let mut redis = Redis::start().await;
    // Redis answers every command of the service with an error reply.
    redis.command::<()>(&["ACL", "SETUSER", "default", "-get", "-set"]).await;
    let mut api = RuntimeApi::start().await;
    let service = Service::lambda(&api, &[("REDIS_URL", &redis.url()), ("LOG_LEVEL", "trace")]);
    let valid = with("installment_rate_in_percentage_of_disposable_income", 0.28123);
    let mut stranger = example();
    stranger["name"] = "Erika-Mustermann".into();
    let mut strange_path = event(&valid);
    strange_path["rawPath"] = "/Erika-Mustermann".into();
    let mut no_json = event(&valid);
    no_json["body"] = "{\"name\": \"Erika-Mustermann\",}".into();
    let mut no_base64 = event(&valid);
    no_base64["isBase64Encoded"] = true.into();
    for event in [event(&valid), event(&stranger), strange_path, no_json, no_base64] {
        assert!(!api.invoke(&event).await.is_error);
    }
    api.invoke_text(json!({"Records": [{"body": "Erika-Mustermann", "unemployed": 0.28123}]}).to_string()).await;
    redis.kill();
    api.invoke(&event(&valid)).await;
    api.idle().await;
    eventually("the lines of six requests", || async { requests(&service).len() == 6 }).await;

    let refused = service.line_with("error reply NOPERM").await;
    let refused: Value = serde_json::from_str(&refused).expect("JSON");
    assert_eq!(refused["span"]["requestId"], "1", "a warning names its request: {refused}");
    for line in service.lines() {
        for marked in MARKED {
            assert!(!line.contains(marked), "{marked} in {line}");
        }
        assert!(!line.contains("2,30,0,0,2"), "a key in {line}");
    }
}

#[tokio::test]
async fn the_local_servers_log_is_readable_and_obeys_its_level() {
    let (service, http) = Service::local(&[]).await;
    http.post("/decisions", &example()).await;
    let line = service.line_with("request").await;
    let fingerprint = format!("fingerprint=\"{}\"", models::shipped().fingerprint(EntryContent::Answer));
    for part in [
        "INFO",
        "endpoint=\"/decisions\"",
        "status=200",
        "cache=\"miss\"",
        "cache_ms=",
        "model_ms=",
        "model=\"credit_risk\"",
        &fingerprint,
        "request_id=",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    let quiet = Service::start(&[("PORT", "0"), ("LOG_LEVEL", "error"), ("HOST", "192.0.2.1")]);
    quiet.line_with("HOST and PORT: cannot listen").await;
}

#[tokio::test]
async fn the_local_server_logs_json_if_told_to_one_object_per_event() {
    let (service, http) = Service::local(&[("LOG_FORMAT", "json"), ("MODEL_DRI", "x")]).await;
    http.post("/decisions", &example()).await;
    http.post("/decisions", &json!({})).await;
    service.line_with("\"status\":422").await;
    let lines = service.json_lines();
    assert_eq!(lines.len(), service.lines().len(), "each line is an object: {:?}", service.lines());
    let [answered, refused] = [200, 422].map(|status| {
        lines.iter().find(|line| line["status"] == status).unwrap_or_else(|| panic!("{status}: {lines:?}"))
    });
    let named = ["level", "message", "endpoint", "cache"].map(|field| answered[field].as_str());
    assert_eq!(named, [Some("INFO"), Some("request"), Some("/decisions"), Some("miss")]);
    assert!(answered["model_ms"].is_number() && answered["timestamp"].is_string());
    assert_eq!((&refused["cache"], refused.get("model_ms")), (&Value::Null, None));
    let warning = lines.iter().find(|line| line["level"] == "WARN").expect("the variable with a typo");
    assert_eq!(warning["message"], "MODEL_DRI is not a setting: did you mean MODEL_DIR?");
}

#[tokio::test]
async fn a_function_that_logs_text_still_writes_its_requests_and_metrics_as_json() {
    let mut api = RuntimeApi::start().await;
    let service = Service::lambda(&api, &[("LOG_FORMAT", "text"), ("CACHE_BYPASS", "true")]);
    api.invoke(&event(&example())).await;
    service.line_with("\"message\":\"request\"").await;
    let warning = service.line_with("CACHE_BYPASS is set").await;
    assert!(warning.contains(" WARN ") && !warning.starts_with('{'), "{warning}");
    assert_eq!(service.json_lines().len(), 1);
    assert_eq!(service.json_lines()[0]["CacheBypass"], 1);
}

#[tokio::test]
async fn a_refused_request_is_logged_with_the_names_and_codes_of_its_invalid_fields_and_never_with_what_was_sent() {
    let (service, http) = Service::local(&[("LOG_LEVEL", "trace")]).await;
    let line = async |body: &Value| {
        let before = service.lines().len();
        assert_eq!(http.post("/decisions", body).await.status, 422);
        eventually("its line", async || service.lines().len() > before).await;
        service.lines()[before..].join("\n")
    };
    let mut application = example();
    application["age_in_years"] = json!(4711);
    application.as_object_mut().expect("an object").remove("foreign_worker");
    application["Mr Smith's secret"] = json!("s3cret");
    let one = line(&application).await;
    let expected = "error=\"invalid-fields\" invalid_fields=\"?:unknown age_in_years:invalid foreign_worker:missing\"";
    assert!(one.contains(expected), "{one}");
    let many = line(&json!([aged(4), aged(5), 7, example()])).await;
    assert!(many.contains("invalid_fields=\"#:invalid age_in_years:invalid*2\""), "{many}");
    let posted = http.post_text("/decisions", "text/plain", "{}").await;
    assert_eq!(posted.status, 415);
    service.line_with("error=\"unsupported-media-type\"").await;
    for sent in ["4711", "Smith", "s3cret"] {
        assert!(service.lines().iter().all(|line| !line.contains(sent)), "{sent}");
    }
}
