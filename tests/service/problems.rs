//! Each kind of problem: the service answers with it, and `docs/errors.md` and the OpenAPI document show that very answer.

use std::collections::BTreeMap;

use predict_once::http::ProblemKind;
use serde_json::{Value, json};
use test_support::{
    applications::example,
    runtime_api::RuntimeApi,
    service::{Http, Service},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const ERRORS: &str = include_str!("../../docs/errors.md");

/// The example in a kind's section of `docs/errors.md`.
fn explained(kind: ProblemKind) -> Value {
    let heading = format!("\n## `{}`\n", kind.slug());
    let section = ERRORS.split(&heading).nth(1).unwrap_or_else(|| panic!("docs/errors.md has no {heading}"));
    let section = section.split("\n## ").next().expect("split yields");
    let example = section.split("```json\n").nth(1).and_then(|rest| rest.split("```").next());
    serde_json::from_str(example.unwrap_or_else(|| panic!("no example of {kind:?}"))).expect("JSON")
}

/// The examples in the OpenAPI document, by the URI of their kind.
async fn documented(http: &Http) -> BTreeMap<String, Vec<Value>> {
    fn collect(value: &Value, found: &mut BTreeMap<String, Vec<Value>>) {
        if let Some(uri) = value["value"]["type"].as_str() {
            found.entry(uri.to_owned()).or_default().push(value["value"].clone());
        }
        match value {
            Value::Object(members) => members.values().for_each(|member| collect(member, found)),
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }
    let mut found = BTreeMap::new();
    collect(&http.get("/openapi.json").await.json(), &mut found);
    found
}

/// Whether an error is as the page shows it. The page is the same for every model, so it may show fields of another one, but its
/// errors must have the same members.
fn matches(explained: &Value, error: &Value) -> bool {
    let members = |error: &Value| {
        let error = error.as_object().expect("an object");
        error.iter().filter(|(name, _)| *name != "errors").map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let told = |error: &Value| -> Vec<Vec<String>> {
        let errors = error["errors"].as_array().into_iter().flatten();
        errors.map(|of_field| of_field.as_object().expect("an object").keys().cloned().collect()).collect()
    };
    let (of_page, of_error): (Vec<_>, Vec<_>) = (members(explained), members(error));
    of_page == of_error && told(explained).iter().all(|of_field| told(error).contains(of_field))
}

/// Provokes a problem. `None` for the kinds that no request to the shipped model can provoke.
async fn provoked(kind: ProblemKind, http: &Http) -> Option<Value> {
    let post = |content_type, body: String| http.post_text("/decisions", content_type, body);
    let answer = match kind {
        ProblemKind::UnreadableBody => return Some(undecodable().await),
        ProblemKind::InvalidQuery => http.post("/decisions?explain=0", &example()).await,
        ProblemKind::InvalidJson => post("application/json", r#"{"field": }"#.to_owned()).await,
        ProblemKind::NoSuchPath => http.get("/doc").await,
        ProblemKind::MethodNotAllowed => http.send(http.client.delete(http.url("/decisions"))).await,
        ProblemKind::BodyTimeout => return Some(timed_out(http).await),
        ProblemKind::BodyTooLarge => post("application/json", " ".repeat(1024 * 1024 + 1)).await,
        // The shipped model's answers are short: `large_answers` provokes it.
        ProblemKind::AnswerTooLarge => return None,
        ProblemKind::UnsupportedMediaType => post("application/x-www-form-urlencoded", example().to_string()).await,
        ProblemKind::InvalidFields => http.post("/decisions", &mistakes()).await,
        ProblemKind::InternalError => return None,
        ProblemKind::Overloaded => return Some(overloaded().await),
        ProblemKind::NotCached => http.post_with("/decisions", &example(), "only-if-cached").await,
    };
    assert_eq!(answer.status, kind.status().as_u16());
    assert_eq!(answer.header("content-type"), "application/problem+json");
    Some(answer.json())
}

fn mistakes() -> Value {
    let mut application = example();
    application["installment_rate_in_percentage_of_disposable_income"] = json!(25);
    application["personal_status_and_sex"] = json!("male:single");
    application
}

/// The answer to an event whose body is wrongly marked as base64, which only a gateway can send.
async fn undecodable() -> Value {
    let mut api = RuntimeApi::start().await;
    let _service = Service::lambda(&api, &[]);
    let event = serde_json::from_str(include_str!("../../events/http-api-undecodable-base64.json")).expect("JSON");
    api.invoke(&event).await.body()
}

/// The answer to a request whose body never arrives.
async fn timed_out(http: &Http) -> Value {
    let mut stream = TcpStream::connect(http.address).await.expect("the server listens");
    let head = "POST /decisions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    // The server closes the connection after its answer.
    stream.read_to_end(&mut answer).await.expect("an answer");
    let answer = String::from_utf8(answer).expect("text");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    serde_json::from_str(answer.split("\r\n\r\n").nth(1).expect("a body")).expect("JSON")
}

/// The answer to a large body while others take all the memory for bodies.
async fn overloaded() -> Value {
    let (_service, http) = Service::local(&[("MAX_CONCURRENT_BODY_BYTES", "4194304")]).await;
    let head =
        "POST /decisions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1048576\r\n\r\n";
    let mut streams = Vec::new();
    loop {
        // Until most of four such bodies has arrived, or if it takes too long, there is room for another.
        let mut stream = TcpStream::connect(http.address).await.expect("the server listens");
        stream.write_all(head.as_bytes()).await.expect("sent");
        stream.write_all(&b" ".repeat(1_000_000)).await.expect("sent");
        streams.push(stream);
        let answer = http.post_text("/decisions", "application/json", " ".repeat(100_000)).await;
        if answer.status == 503 {
            assert_eq!(answer.header("retry-after"), "1");
            return answer.json();
        }
    }
}

#[tokio::test]
async fn every_kind_is_answered_as_its_page_and_the_openapi_document_show() {
    let (_service, http) = Service::local(&[]).await;
    let documented = documented(&http).await;
    assert_eq!(documented.len(), ProblemKind::ALL.len());
    for kind in ProblemKind::ALL {
        // The page describes no particular model's fields.
        let general = |problem: &Value| {
            let mut problem = problem.clone();
            if kind == ProblemKind::InvalidFields {
                problem.as_object_mut().expect("an object").remove("errors").expect("its fields");
            }
            problem
        };
        let explained = general(&explained(kind));
        assert_eq!(explained["type"], kind.uri());
        let documented = &documented[kind.uri()];
        let there = documented.iter().any(|documented| matches(&explained, &general(documented)));
        assert!(there, "{kind:?}: the document has {documented:?}");
        if let Some(answered) = provoked(kind, &http).await {
            assert!(matches(&explained, &general(&answered)), "{kind:?}: {answered}");
        }
    }
}

#[tokio::test]
async fn the_type_of_a_problem_leads_to_an_existing_heading() {
    let (_service, http) = Service::local(&[]).await;
    for kind in ProblemKind::ALL {
        let (path, fragment) = kind.uri().split_once('#').expect("a fragment");
        let page = http.get(path).await;
        assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
        assert_eq!(page.text.matches(&format!("<h2 id=\"{fragment}\">")).count(), 1, "{fragment}");
    }
    assert_eq!(ERRORS.matches("\n## ").count(), ProblemKind::ALL.len(), "a section for each kind, and no other");
}

#[tokio::test]
async fn the_answer_to_a_wrong_path_suggests_the_intended_one() {
    let (_service, http) = Service::local(&[]).await;
    let detail = async |path: &str| http.get(path).await.json()["detail"].as_str().expect("text").to_owned();
    for (path, meant) in [
        ("/decisions/", "/decisions"),
        ("/Decisions", "/decisions"),
        ("/probability", "/probabilities"),
        ("/risk-categories", "/risk_categories"),
        ("/doc", "/docs"),
        ("/openapi", "/openapi.json"),
    ] {
        assert_eq!(detail(path).await, format!("there is no such path; did you mean {meant}?"));
    }
    let unlike = detail("/v1/models").await;
    assert!(unlike.contains("/decisions, /probabilities, /risk_categories") && unlike.contains("/docs"), "{unlike}");
}

#[tokio::test]
async fn the_accepted_media_type_or_encoding_is_in_the_headers_too() {
    let (_service, http) = Service::local(&[]).await;
    let text = example().to_string();
    let answer = http.post_text("/decisions", "text/plain", text.clone()).await;
    assert_eq!((answer.status, answer.header("accept")), (415, "application/json"));
    let compressed = http.client.post(http.url("/decisions")).header("content-type", "application/json");
    let answer = http.send(compressed.header("content-encoding", "br").body(text)).await;
    assert_eq!((answer.status, answer.header("accept-encoding")), (415, "gzip"));
}
