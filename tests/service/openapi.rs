//! The OpenAPI document describes exactly what the service does, for any model.

use std::collections::BTreeSet;

use predict_once::http;
use serde_json::{Map, Value, json};
use test_support::{
    models,
    service::{Answer, Http, Service},
};

async fn document() -> (Service, Http, Value) {
    let (service, http) = Service::local(&[]).await;
    let answer = http.get("/openapi.json").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    let document = answer.json();
    (service, http, document)
}

/// Resolves a value that is a local reference; returns any other value as it is.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document
            .pointer(reference.trim_start_matches('#'))
            .unwrap_or_else(|| panic!("{reference} does not resolve")),
        None => value,
    }
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("{value} is not an object"))
}

/// The documented paths. A path with a parameter is listed once for each value of the parameter.
fn concrete_paths(document: &Value) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for (path, item) in object(&document["paths"]) {
        match path.split_once('{') {
            None => {
                paths.insert(path.clone());
            }
            Some((start, _)) => {
                let values = item["get"]["parameters"][0]["schema"]["enum"].as_array().expect("values");
                paths.extend(values.iter().map(|value| format!("{start}{}", value.as_str().expect("text"))));
            }
        }
    }
    paths
}

fn prediction_operations(document: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object(&document["paths"]).iter().filter_map(|(path, item)| Some((path, item.get("post")?)))
}

/// The path of a prediction, its input schema and a valid input.
fn any_prediction(document: &Value) -> (&String, &Value, &Value) {
    let (path, operation) = prediction_operations(document).next().expect("a prediction");
    let content = &operation["requestBody"]["content"]["application/json"];
    let answered = &operation["responses"]["200"]["content"]["application/json"]["examples"];
    let name = object(answered).keys().next().expect("an example");
    (path, resolved(document, &content["schema"]["oneOf"][0]), &content["examples"][name]["value"])
}

/// The documented response for an answer's status. The answer must have exactly its required headers, and its media type.
fn documented_response<'a>(document: &'a Value, operation: &'a Value, answer: &Answer) -> &'a Value {
    let response = resolved(document, &operation["responses"][answer.status.to_string()]);
    assert!(response.is_object(), "{} is not documented", answer.status);
    for (name, header) in object(&response["headers"]) {
        let header = resolved(document, header);
        let sent = answer.headers.get(name).map(|value| value.to_str().expect("text"));
        assert!(sent.is_some() || header["required"] == false, "{name} is missing in {answer:?}");
        let one_of_these = header["schema"]["anyOf"][0]["enum"].as_array();
        if let (Some(sent), Some(allowed)) = (sent, one_of_these) {
            assert!(allowed.iter().any(|value| value == sent), "{name}: {sent}");
        }
    }
    for name in answer.headers.keys().map(reqwest::header::HeaderName::as_str) {
        let everywhere = ["content-type", "content-length", "date"].contains(&name);
        assert!(everywhere || response["headers"][name].is_object(), "{name} is not documented: {answer:?}");
    }
    if answer.status == 200 {
        assert!(answer.headers.contains_key("server-timing"), "{answer:?}");
    }
    assert!(response["content"][answer.header("content-type")].is_object(), "{answer:?}");
    response
}

/// Whether two values are equal, except for digits of numbers that differ between processors.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let [one, other] = [one, other].map(|number| number.as_f64().expect("a number"));
            (one - other).abs() <= 1e-5 * one.abs()
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|of| same(value, of)))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        _ => one == other,
    }
}

#[tokio::test]
async fn the_committed_document_is_the_generated_one() {
    let made = http::openapi_document(&models::shipped()).expect("the model answers its examples");
    let made = serde_json::to_string_pretty(&made).expect("JSON") + "\n";
    assert!(made == include_str!("../../docs/openapi.json"), "docs/openapi.json is not up to date: run `make openapi`");
    let (_service, http, document) = document().await;
    assert_eq!(http.get("/openapi.json").await.text, made);
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document["info"]["license"]["identifier"], env!("CARGO_PKG_LICENSE"));
}

#[tokio::test]
async fn every_routed_path_is_documented_and_every_documented_one_is_routed_with_its_methods() {
    let (_service, http, document) = document().await;
    assert_eq!(concrete_paths(&document), http::paths(&models::shipped()).into_iter().collect());
    for path in concrete_paths(&document) {
        let file = path.starts_with("/docs/") && path != "/docs/errors";
        let item = &document["paths"][if file { "/docs/{file}" } else { &path }];
        let answer = http.send(http.client.request(reqwest::Method::OPTIONS, http.url(&path))).await;
        assert_eq!(answer.status, 204, "{path}");
        let mut allowed: BTreeSet<_> = answer.header("allow").split(',').map(str::to_lowercase).collect();
        assert!(allowed.remove("options"), "{path}: {allowed:?}");
        assert_eq!(allowed.remove("head"), allowed.contains("get"), "{path}");
        assert_eq!(object(item).keys().cloned().collect::<BTreeSet<_>>(), allowed, "{path}");
    }
}

#[tokio::test]
async fn every_example_is_answered_as_the_document_says() {
    let (_service, http, document) = document().await;
    for (path, operation) in prediction_operations(&document) {
        let content = &operation["requestBody"]["content"]["application/json"];
        let mut examples = object(&content["examples"]).clone();
        examples.extend(object(&content["x-wrong-examples"]).clone());
        for (name, example) in &examples {
            let answer = http.post(path, &example["value"]).await;
            assert_eq!(answer.status == 200, content["examples"].get(name).is_some(), "{path}: {name}");
            let response = documented_response(&document, operation, &answer);
            let content = &response["content"][answer.header("content-type")];
            let documented = &content["examples"][name]["value"];
            assert!(same(&answer.json(), documented), "{path}: {name}: {} is not {documented}", answer.text);
        }
        let answers = ["200", "422"].map(|status| &operation["responses"][status]["content"]);
        let answers = answers.into_iter().flat_map(|content| object(content).values()).map(|of| &of["examples"]);
        let mut answered: BTreeSet<_> = answers.flat_map(|examples| object(examples).keys()).collect();
        assert!(answered.remove(&"explained".to_owned()), "{path}: an answer with contributions");
        assert_eq!(answered, examples.keys().collect(), "{path}");
        assert!(object(&operation["responses"]["422"]["content"]).len() == 1, "a wrong input is shown, too");
    }
}

#[tokio::test]
async fn the_examples_have_the_fields_in_the_models_order() {
    let (_service, _http, document) = document().await;
    let fields = object(&document["components"]["schemas"]["CreditApplication"]["properties"]).keys();
    let fields: Vec<_> = fields.collect();
    assert_eq!(fields[..2], ["installment_rate_in_percentage_of_disposable_income", "age_in_years"]);
    let (_, operation) = prediction_operations(&document).next().expect("a prediction");
    let content = &operation["requestBody"]["content"]["application/json"];
    let examples = object(&content["examples"]).values().chain(object(&content["x-wrong-examples"]).values());
    let examples: Vec<_> = examples.filter(|example| example["value"].is_object()).collect();
    assert_eq!(examples.len(), 3);
    for example in examples {
        assert_eq!(object(&example["value"]).keys().collect::<Vec<_>>(), fields);
    }
}

#[tokio::test]
async fn the_example_of_an_answer_with_contributions_is_what_the_query_that_it_names_asks_for() {
    let (_service, http, document) = document().await;
    for (path, operation) in prediction_operations(&document) {
        let example = &operation["responses"]["200"]["content"]["application/json"]["examples"]["explained"];
        let asked = resolved(&document, &operation["parameters"][0])["schema"]["examples"][0].clone();
        let query = format!("explain={asked}");
        assert!(example["summary"].as_str().is_some_and(|summary| summary.ends_with(&query)), "{path}: {example}");
        let inputs = object(&operation["requestBody"]["content"]["application/json"]["examples"]);
        let first = &inputs.values().next().expect("an example")["value"];
        let answer = http.post(&format!("{path}?{query}"), first).await;
        documented_response(&document, operation, &answer);
        assert!(same(&answer.json(), &example["value"]), "{path}: {} is not {example}", answer.text);
        let answer = answer.json();
        let explained = object(&answer).values().filter_map(|member| member["contributions"].as_array());
        let counts: Vec<_> = explained.map(Vec::len).collect();
        assert_eq!(counts, [asked.as_u64().expect("a number") as usize], "{path}");
    }
}

#[tokio::test]
async fn every_example_of_a_header_is_accepted() {
    let (_service, http, document) = document().await;
    let (_, _, input) = any_prediction(&document);
    for (path, operation) in prediction_operations(&document) {
        let parameters = operation["parameters"].as_array().expect("parameters");
        let names: Vec<_> = parameters.iter().map(|parameter| &resolved(&document, parameter)["name"]).collect();
        assert_eq!(names, ["explain", "cache-control", "x-request-id", "traceparent"]);
        let parameters = parameters.iter().map(|parameter| resolved(&document, parameter));
        for parameter in parameters.filter(|parameter| parameter["in"] == "header") {
            let name = parameter["name"].as_str().expect("text");
            for value in parameter["schema"]["examples"].as_array().expect("examples") {
                let value = value.as_str().expect("text");
                let answer = http.send(http.client.post(http.url(path)).json(input).header(name, value)).await;
                documented_response(&document, operation, &answer);
                if name == "x-request-id" {
                    assert_eq!(answer.header(name), value);
                }
            }
        }
    }
}

#[tokio::test]
async fn unreadable_requests_are_refused_as_documented() {
    let (_service, http, document) = document().await;
    let (_, _, input) = any_prediction(&document);
    for (path, operation) in prediction_operations(&document) {
        let request = || http.client.post(http.url(path));
        let (xml, brotli) = (request().header("content-type", "text/xml"), request().header("content-encoding", "br"));
        let too_large = request().header("content-type", "application/json").body(" ".repeat(1_100_000));
        let not_cached = request().json(input).header("cache-control", "no-cache, only-if-cached");
        let no_json = request().header("content-type", "application/json").body("{");
        for (request, status) in
            [(xml.body("<a/>"), 415), (brotli.json(input), 415), (too_large, 413), (not_cached, 504), (no_json, 400)]
        {
            let answer = http.send(request).await;
            assert_eq!(answer.status, status, "{answer:?}");
            documented_response(&document, operation, &answer);
        }
    }
}

#[tokio::test]
async fn the_documented_schema_of_the_input_is_the_one_that_is_enforced() {
    let (_service, http, document) = document().await;
    let (path, schema, input) = any_prediction(&document);
    assert_eq!(schema["additionalProperties"], false);
    let required: BTreeSet<_> =
        schema["required"].as_array().expect("a list").iter().map(|name| name.as_str().expect("text")).collect();
    let properties = object(&schema["properties"]);
    assert_eq!(required, properties.keys().map(String::as_str).collect());
    for (field, property) in properties {
        assert!(property["description"].as_str().is_some_and(|text| text.len() > 40), "{field}");
        let send = async |value: Value| {
            let mut input = input.clone();
            input[field] = value;
            http.post(path, &input).await.status
        };
        for name in property["enum"].as_array().into_iter().flatten() {
            assert_eq!(send(name.clone()).await, 200, "{field}: {name}");
            let listed = format!("* `{}`: ", name.as_str().expect("text"));
            assert!(
                property["description"].as_str().expect("text").contains(&listed),
                "{field} does not explain {name}"
            );
        }
        if let Some(greatest) = property["maximum"].as_f64() {
            assert_eq!((send(json!(greatest)).await, send(json!(greatest + 1.0)).await), (200, 422), "{field}");
        }
        if let Some(least) = property["minimum"].as_f64() {
            assert_eq!((send(json!(least)).await, send(json!(least - 1.0)).await), (200, 422), "{field}");
        }
        if let Some(bound) = property["exclusiveMinimum"].as_f64() {
            assert_eq!((send(json!(bound)).await, send(json!(bound + 1e-9)).await), (422, 200), "{field}");
        }
    }
}

#[tokio::test]
async fn every_reference_in_the_document_resolves() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
        match value {
            Value::Object(members) => {
                if members.contains_key("$ref") {
                    found.push(value);
                }
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let (_service, _http, document) = document().await;
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 10, "{document}");
    for reference in found {
        assert!(resolved(&document, reference).is_object());
    }
}

#[tokio::test]
async fn statuses_are_numbers_and_the_server_is_a_path_which_generators_of_clients_need() {
    let (_service, _http, document) = document().await;
    for (path, item) in object(&document["paths"]) {
        for operation in object(item).values() {
            for status in object(&operation["responses"]).keys() {
                assert!(status.parse::<u16>().is_ok(), "{path}: {status}");
            }
        }
    }
    let servers = document["servers"].as_array().expect("a list");
    assert!(servers.iter().all(|server| server["url"].as_str().is_some_and(|url| url.starts_with('/'))), "{servers:?}");
}

#[tokio::test]
async fn the_errors_of_the_documentations_paths_are_as_the_document_says() {
    let (_service, http, document) = document().await;
    let operation = &document["paths"]["/docs/{file}"]["get"];
    let missing = http.get("/docs/missing.js").await;
    assert_eq!(missing.status, 404);
    documented_response(&document, operation, &missing);
    let wrong = http.send(http.client.post(http.url("/docs"))).await;
    assert_eq!(wrong.status, 405);
    documented_response(&document, &document["paths"]["/docs"]["get"], &wrong);
}
