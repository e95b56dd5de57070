//! The OpenAPI document says what the service does.

mod support;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::{
    applications::example,
    service::{Http, Service},
};

async fn document() -> (Service, Http, Value) {
    let (service, http) = Service::local(&[]).await;
    let answer = http.get("/openapi.json").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    let document = answer.json();
    (service, http, document)
}

/// Follows a local reference, if it is one.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => {
            document.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("{reference} is nowhere"))
        }
        None => schema,
    }
}

#[tokio::test]
async fn every_documented_path_answers_and_there_are_three() {
    let (_service, http, document) = document().await;
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().expect("paths");
    assert_eq!(paths.keys().collect::<Vec<_>>(), ["/decisions", "/probabilities", "/risk_categories"]);
    for (path, item) in paths {
        assert_eq!(item.as_object().expect("methods").keys().collect::<Vec<_>>(), ["post"]);
        let statuses: BTreeSet<_> = item["post"]["responses"].as_object().expect("responses").keys().cloned().collect();
        assert_eq!(statuses, ["200", "400", "413", "415", "422", "500", "504"].map(String::from).into());
        let body = &item["post"]["responses"]["200"]["content"]["application/json"]["schema"];
        let fields = resolved(&document, body)["required"].as_array().expect("required fields").clone();
        let answer = http.post(path, &example()).await.json();
        let answered: Vec<Value> = answer.as_object().expect("an object").keys().cloned().map(Value::from).collect();
        assert_eq!(answered, fields);
    }
}

#[tokio::test]
async fn every_cache_control_and_header_of_an_answer_is_documented() {
    let (_service, http, document) = document().await;
    for (path, item) in document["paths"].as_object().expect("paths") {
        let operation = &item["post"];
        let parameter = &operation["parameters"][0];
        assert_eq!((&parameter["name"], &parameter["in"]), (&json!("cache-control"), &json!("header")));
        for directive in parameter["schema"]["examples"].as_array().expect("a list") {
            let directive = directive.as_str().expect("text");
            let answer = http.post_with(path, &example(), directive).await;
            let headers = &operation["responses"][answer.status.to_string()]["headers"];
            let statuses = headers["cache-status"]["schema"]["enum"].as_array().expect("a list");
            assert!(statuses.contains(&answer.cache_status().into()), "{directive}: {}", answer.cache_status());
            assert!(headers["server-timing"].is_object(), "{directive}: {headers}");
        }
    }
}

#[tokio::test]
async fn the_documented_application_is_the_one_that_is_accepted() {
    let (_service, http, document) = document().await;
    let schema = resolved(
        &document,
        &document["paths"]["/decisions"]["post"]["requestBody"]["content"]["application/json"]["schema"],
    )
    .clone();
    assert_eq!(schema["additionalProperties"], false);
    let application = &schema["examples"][0];
    assert_eq!(application, &example());
    assert_eq!(http.post("/decisions", application).await.status, 200);

    let required: BTreeSet<_> =
        schema["required"].as_array().expect("a list").iter().map(|name| name.as_str().expect("text")).collect();
    let properties = schema["properties"].as_object().expect("properties");
    assert_eq!(required, properties.keys().map(String::as_str).collect());
    for (field, property) in properties {
        let property = resolved(&document, property);
        let send = async |value: Value| {
            let mut application = application.clone();
            application[field] = value;
            http.post("/decisions", &application).await.status
        };
        for name in property["enum"].as_array().into_iter().flatten() {
            assert_eq!(send(name.clone()).await, 200, "{field}: {name}");
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
async fn every_reference_in_the_document_leads_somewhere() {
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

/// The page is written by hand.
#[tokio::test]
async fn the_page_names_every_path_field_and_value_of_the_document() {
    let (_service, http, document) = document().await;
    let docs = http.get("/docs").await;
    assert_eq!((docs.status, docs.header("content-type")), (200, "text/html; charset=utf-8"));
    let names = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    let schemas = &document["components"]["schemas"];
    let values = schemas.as_object().expect("schemas").values().flat_map(|schema| schema["enum"].as_array());
    let values = values.flatten().map(|value| value.as_str().expect("text").to_owned());
    for text in
        names(&document["paths"]).into_iter().chain(names(&schemas["CreditApplication"]["properties"])).chain(values)
    {
        let escaped = text.replace('<', "&lt;").replace('>', "&gt;");
        assert!(docs.text.contains(&escaped), "{text} is not on the page");
    }
}
