//! The names of all log fields and metrics that the function writes, in `tests/template/emitted.json`. Dashboard, alarms, queries and
//! documentation are compared with that file.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};

use serde_json::{Value, json};
use test_support::{
    applications::aged,
    eventually, packages,
    proxy::{Mode, Proxy},
    redis::Redis,
    runtime_api::RuntimeApi,
    service::Service,
};

/// An event with this body, one input or an array, and these headers.
fn event(body: &Value, headers: &Value) -> Value {
    let mut event: Value = serde_json::from_str(include_str!("../../events/http-api.json")).expect("JSON");
    event["body"] = body.to_string().into();
    event["headers"].as_object_mut().expect("headers").extend(headers.as_object().expect("an object").clone());
    event
}

/// A function whose model fails on numbers above 1, which are not probabilities.
fn failing(api: &RuntimeApi) -> Service {
    static PACKAGE: LazyLock<PathBuf> = LazyLock::new(|| {
        let manifest = packages::NUMBER.replace("kind = \"value\"", "kind = \"probability\"");
        packages::write(&packages::package(manifest, packages::identity(1)), "emitted-failing")
    });
    Service::lambda(api, &[("MODEL_DIR", PACKAGE.to_str().expect("UTF-8"))])
}

/// Log lines of requests with every possible outcome of a prediction.
async fn lines_of_every_outcome() -> Vec<Value> {
    let mut redis = Redis::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    let mut api = RuntimeApi::start().await;
    let service = Service::lambda(&api, &[("REDIS_URL", &proxy.url())]);
    let trace = json!({"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"});
    api.invoke(&event(&aged(30), &trace)).await; // A miss, and a write.
    api.idle().await;
    api.invoke(&event(&aged(30), &json!({}))).await; // A hit.
    api.invoke(&event(&json!([aged(30), aged(31)]), &json!({}))).await; // An array.
    api.invoke(&event(&aged(30), &json!({"cache-control": "no-store"}))).await; // No lookup.
    api.invoke(&event(&json!({}), &json!({}))).await; // Invalid fields.
    redis.command::<()>(&["ACL", "SETUSER", "default", "-get"]).await;
    api.invoke(&event(&aged(33), &json!({}))).await; // Redis refuses: a warning in the request.
    api.idle().await;
    redis.kill();
    api.invoke(&event(&aged(32), &json!({}))).await; // No answer from Redis, and a warning.
    api.idle().await;

    let redis = Redis::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    proxy.set(Mode::Delay(Duration::from_millis(20)));
    let mut api = RuntimeApi::start().await;
    let choosing = Service::lambda(&api, &[("REDIS_URL", &proxy.url()), ("CACHE_STRATEGY", "auto")]);
    let probed = || choosing.json_lines().iter().any(|line| line["probe_ms"].is_f64());
    for age in 18.. {
        // Two lookups show that the model is faster than Redis. Of the many later requests, one sends a probe after the response.
        let lookup = if age < 20 { json!({"cache-control": "only-if-cached"}) } else { json!({}) };
        api.invoke(&event(&aged(18 + age % 100), &lookup)).await;
        api.idle().await;
        if probed() {
            break;
        }
        assert!(age < 255, "no lookup after a response");
    }
    let mut api = RuntimeApi::start().await;
    let failing = failing(&api);
    let mut number = event(&json!({"number": 5}), &json!({}));
    number["rawPath"] = "/values".into();
    assert_eq!(api.invoke(&number).await.status(), 500, "5 is not a probability");
    assert!(api.invoke(&json!({})).await.is_error, "an unsupported event");
    api.idle().await;
    // A log that is not read until lines have been dropped: the pipe and the queue have room for 1 MiB and 64 KiB.
    let mut api = RuntimeApi::start().await;
    let unread = Service::lambda(&api, &[]);
    unread.stop_reading();
    for _ in 0..2_200 {
        api.invoke(&event(&aged(30), &json!({"x-request-id": "x".repeat(128)}))).await;
    }
    unread.read_again();
    unread.line_with("log lines were dropped").await;
    api.invoke(&event(&aged(30), &json!({}))).await;
    eventually("a metric", || async { unread.json_lines().iter().any(|line| line["LogLinesDropped"].is_u64()) }).await;
    eventually("a warning", || async { service.json_lines().iter().any(|line| line["level"] == "WARN") }).await;
    [service.json_lines(), choosing.json_lines(), failing.json_lines(), unread.json_lines()].concat()
}

/// The names of an object's members; names in nested objects are joined with dots.
fn names(object: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, value) in object.as_object().expect("an object") {
        match value {
            Value::Object(_) => found.extend(names(value).into_iter().map(|inner| format!("{name}.{inner}"))),
            _ => drop(found.insert(name.clone())),
        }
    }
    found
}

#[tokio::test]
async fn the_list_of_log_fields_and_metrics_is_what_the_function_writes() {
    let (mut requests, mut messages) = (BTreeSet::new(), BTreeSet::new());
    let (mut metrics, mut namespaces, mut dimensions) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    for mut line in lines_of_every_outcome().await {
        let is_request = line["message"] == "request";
        let members = line.as_object_mut().expect("an object");
        let directives = members.remove("_aws").map(|aws| aws["CloudWatchMetrics"].clone());
        for directive in directives.as_ref().and_then(Value::as_array).into_iter().flatten() {
            namespaces.insert(directive["Namespace"].to_string());
            dimensions.insert(directive["Dimensions"].to_string());
            for metric in directive["Metrics"].as_array().expect("a list") {
                let name = metric["Name"].as_str().expect("a name");
                assert!(members.remove(name).is_some_and(|value| value.is_number()), "{name}");
                metrics.insert(name.to_owned(), metric["Unit"].clone());
            }
        }
        if is_request { &mut requests } else { &mut messages }.extend(names(&line));
    }
    let only = |set: BTreeSet<String>| {
        assert_eq!(set.len(), 1, "{set:?}");
        serde_json::from_str::<Value>(set.first().expect("one")).expect("JSON")
    };
    let emitted = json!({
        "namespace": only(namespaces),
        "dimensions": only(dimensions),
        "metrics": metrics,
        "fields of a request": requests,
        "fields of other messages": messages,
    });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/template/emitted.json");
    if std::env::var_os("WRITE_EMITTED").is_some() {
        std::fs::write(&path, format!("{emitted:#}\n")).expect("it can be written");
    }
    let listed: Value = serde_json::from_str(&std::fs::read_to_string(&path).expect("it is there")).expect("JSON");
    assert_eq!(listed, emitted, "`tests/regenerate emitted` writes the list anew");
}

#[tokio::test]
async fn a_model_failure_is_a_fault_of_the_service_and_an_entry_that_is_not_cached_is_none() {
    let mut api = RuntimeApi::start().await;
    let failing = failing(&api);
    let value = |number: u8, cache_control| {
        let mut event = event(&json!({ "number": number }), &json!({ "cache-control": cache_control }));
        event["rawPath"] = "/values".into();
        event
    };
    assert_eq!(api.invoke(&value(1, "only-if-cached")).await.status(), 504);
    assert_eq!(api.invoke(&value(5, "no-cache")).await.status(), 500, "5 is not a probability");
    assert_eq!(api.invoke(&value(1, "no-cache")).await.status(), 200);
    api.idle().await;
    let requests = failing.json_lines().into_iter().filter(|line| line["message"] == "request");
    let faults: Vec<_> = requests.map(|line| line["ServerFault"].clone()).collect();
    assert_eq!(faults, [Value::Null, json!(1), Value::Null]);
}

#[tokio::test]
async fn an_unsupported_event_is_counted_in_a_line_of_its_own() {
    let mut api = RuntimeApi::start().await;
    let service = Service::lambda(&api, &[]);
    assert!(api.invoke(&json!({"Records": ["secret"]})).await.is_error);
    assert_eq!(api.invoke(&event(&aged(30), &json!({}))).await.status(), 200);
    api.idle().await;
    let events: Vec<_> = service.json_lines().iter().filter_map(|line| line["UnsupportedEvent"].as_u64()).collect();
    assert_eq!(events, [1]);
    assert!(!service.lines().join("\n").contains("secret"));
}
