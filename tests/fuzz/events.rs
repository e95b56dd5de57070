//! Mutated events of gateways.

use std::{fs, path::Path, sync::LazyLock};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use predict_once::lambda::event::Event;
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::TestCaseResult,
};
use serde_json::{Value, json};
use test_support::applications::example;

use crate::{
    edit::{any_edit, edited},
    fuzz,
    subject::{Reached, Subject, in_memory},
};

/// The sample events, each with the JSON Pointers to all its values.
pub(crate) static EVENTS: LazyLock<Vec<(Value, Vec<String>)>> = LazyLock::new(|| {
    fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, member)| {
                pointers(member, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }),
            Value::Array(items) => items.iter().enumerate().for_each(|(n, item)| {
                pointers(item, format!("{at}/{n}"), found);
            }),
            _ => {}
        }
        found.push(at);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files
        .iter()
        .map(|path| {
            let event = serde_json::from_slice(&fs::read(path).expect("it can be read")).expect("JSON");
            let mut found = Vec::new();
            pointers(&event, String::new(), &mut found);
            (event, found)
        })
        .collect()
});

/// A change to one value of an event.
#[derive(Clone, Debug)]
pub(crate) struct Mutation {
    /// Whether to change only values that the service reads.
    read: bool,
    at: Index,
    change: Change,
}

#[derive(Clone, Debug)]
pub(crate) enum Change {
    Remove,
    Replace(Value),
    /// Puts text into a string.
    Insert(Index, String),
}

pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    let telling = vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(-1),
        json!(1e308),
        json!(u64::MAX),
        json!(""),
        json!("/"),
        json!("//"),
        json!("/decisions"),
        json!("/probabilities"),
        json!("/risk_categories"),
        json!("/docs"),
        json!("/openapi.json"),
        json!("/decisions/../docs"),
        json!("/%"),
        json!("/decisions?x#y"),
        json!("http://[::1"),
        json!("*"),
        json!("HEAD"),
        json!("POST"),
        json!("CONNECT"),
        json!("post"),
        json!("B\u{e4}D"),
        json!("\r\n"),
        json!("x".repeat(70_000)),
        json!(example().to_string()),
        json!(STANDARD.encode(example().to_string())),
        json!(STANDARD.encode([0xff, 0xfe])),
        json!([]),
        json!({}),
        json!({"content-type": "application/json"}),
        json!({"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store"}),
        json!({"content-type": ["application/json"], "cache-control": ["max-age=0", "no-cache, only-if-cached"]}),
        json!({"content-type": "application/json", "cache-control": "only-if-cached"}),
        json!({"content-type": "\u{0}\u{e4}"}),
        json!({"": ""}),
        json!({"x@y": "1", "content-type": ["application/json", "\u{1}"], "content-encoding": "gzip"}),
        json!({"proxy": "decisions"}),
        json!("/{proxy+}"),
        json!("ANY /{proxy+}"),
        json!("/ml/decisions"),
        json!("decision"),
    ];
    let leaf = prop_oneof![
        6 => select(telling),
        1 => any::<f64>().prop_map(|number| json!(number)),
        3 => ".*".prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((".*", inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

pub(crate) fn any_mutation() -> impl Strategy<Value = Mutation> {
    let change = prop_oneof![
        2 => Just(Change::Remove),
        6 => any_value().prop_map(Change::Replace),
        3 => (any::<Index>(), "\\PC{1,4}|[\\x00-\\x1f%/?#:@ ]{1,2}").prop_map(|(at, text)| Change::Insert(at, text)),
    ];
    (prop::bool::weighted(0.8), any::<Index>(), change).prop_map(|(read, at, change)| Mutation { read, at, change })
}

/// Whether `event.rs` reads this value, in any kind of event.
pub(crate) fn is_read(pointer: &str) -> bool {
    let members = [
        "/rawPath",
        "/raw_path",
        "/path",
        "/method",
        "/headers",
        "/multiValueHeaders",
        "/body",
        "/isBase64Encoded",
        "/is_base64_encoded",
        "/httpMethod",
        "/resource",
        "/routeKey",
        "/requestContext/path",
        "/requestContext/stage",
        "/requestContext/http/path",
        "/requestContext/http/method",
        "/prediction",
        "/input",
        "/source",
        "/warmer",
    ];
    members.iter().any(|read| pointer.starts_with(read))
}

pub(crate) fn mutated(event: usize, mutations: &[Mutation]) -> Value {
    let (event, pointers) = &EVENTS[event];
    let mut event = event.clone();
    for Mutation { read, at, change } in mutations {
        let eligible: Vec<_> = pointers.iter().filter(|pointer| !*read || is_read(pointer)).collect();
        let Some(pointer) = eligible.get(at.index(eligible.len().max(1))) else { continue };
        match change {
            Change::Remove => {
                let (parent, name) = pointer.rsplit_once('/').unwrap_or_default();
                if let Some(members) = event.pointer_mut(parent).and_then(Value::as_object_mut) {
                    members.remove(&name.replace("~1", "/").replace("~0", "~"));
                }
            }
            Change::Replace(value) => {
                if let Some(place) = event.pointer_mut(pointer) {
                    place.clone_from(value);
                }
            }
            Change::Insert(index, text) => {
                if let Some(Value::String(place)) = event.pointer_mut(pointer) {
                    let characters: Vec<_> = place.char_indices().map(|(at, _)| at).collect();
                    place.insert_str(characters.get(index.index(characters.len() + 1)).copied().unwrap_or(0), text);
                }
            }
        }
    }
    event
}

fn play(subject: &Subject, text: &[u8], reached: &Reached) -> TestCaseResult {
    Reached::count(&reached.all);
    let Ok(text) = str::from_utf8(text) else { return Ok(()) };
    match Event::read(text) {
        Ok(Event::Http(event)) => reached.answered(subject.check(event.into_request("invocation"))?),
        Ok(Event::Direct(event)) => {
            let path = subject.path_of(&event.prediction);
            reached.answered(subject.check(event.into_request(path, "invocation"))?);
        }
        Ok(Event::WarmUp) => {}
        // The invocation fails, and the platform answers.
        Err(error) => prop_assert!(error.to_string().len() < 20_000, "{error}"),
    }
    Ok(())
}

#[test]
fn an_event_of_any_shape_gets_a_right_answer_or_a_problem() {
    let (subject, reached) = (in_memory(), Reached::default());
    let events = (0..EVENTS.len(), vec(any_mutation(), 0..4)).prop_map(|(event, mutations)| mutated(event, &mutations));
    fuzz(2_000, 1, events, |event| play(&subject, event.to_string().as_bytes(), &reached));
    assert!(reached.router.get() > reached.all.get() / 5, "{} of {}", reached.router.get(), reached.all.get());
    assert!(reached.predictions.get() > reached.all.get() / 20, "{}", reached.predictions.get());
}

#[test]
fn an_event_whose_text_is_damaged_gets_a_right_answer_or_a_problem() {
    let (subject, reached) = (in_memory(), Reached::default());
    let texts = (0..EVENTS.len(), vec(any_edit(), 0..4))
        .prop_map(|(event, edits)| Bytes::from(edited(&EVENTS[event].0.to_string(), &edits)));
    fuzz(2_000, 1, texts, |text| play(&subject, &text, &reached));
    assert!(reached.predictions.get() > reached.all.get() / 20, "{}", reached.predictions.get());
}
