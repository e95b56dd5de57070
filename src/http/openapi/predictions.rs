//! The endpoints of the predictions.

use serde_json::{Map, Value, json};

use super::{PREDICTIONS, headers, name_of, problems, reference};
use crate::{
    domain::{Example, Input, Model},
    http::{predictions::Answer, problem::Problem},
    onnx::ModelError,
    prediction::Prediction,
};

/// What can be done at the path of a prediction.
pub(super) fn path_item<P: Prediction>(model: &Model, examples: &[Example]) -> Result<Value, ModelError> {
    let (mut right, mut answered, mut wrong, mut refused) = (Map::new(), Map::new(), Map::new(), Map::new());
    for example in examples {
        let shown = |value: &Value| json!({ "summary": example.summary, "value": value });
        let (inputs, answers, answer) = match Input::from_json(example.input.to_string().as_bytes()) {
            Ok(input) => (&mut right, &mut answered, rounded(&Answer(P::derive(model.predict(&input)?, model)))),
            Err(invalid) => (&mut wrong, &mut refused, json!(Problem::from(invalid))),
        };
        inputs.insert(example.name.to_owned(), shown(&example.input));
        answers.insert(example.name.to_owned(), shown(&answer));
    }
    let mut responses = Map::new();
    responses.insert(
        "200".to_owned(),
        json!({
            "description": "The prediction. `cache-status` tells whether it was computed or came from the cache.",
            "headers": headers::header_references(&[
                ("cache-status", "CacheStatus"),
                ("server-timing", "ServerTiming"),
                ("x-request-id", "RequestId"),
            ]),
            "content": { "application/json": { "schema": answer::<P>(), "examples": answered } },
        }),
    );
    responses.extend(problems::references());
    responses.insert("422".to_owned(), problems::invalid_fields(refused));
    responses.sort_keys();
    Ok(json!({
        "post": {
            "tags": [PREDICTIONS],
            "summary": P::SUMMARY,
            "description": P::DESCRIPTION,
            "operationId": format!("predict_{}", P::NAME),
            "parameters": headers::parameter_references(),
            "requestBody": {
                "description": format!("The input, at most {} KiB of JSON.", crate::http::body::BODY_LIMIT / 1024),
                "required": true,
                "content": {
                    "application/json": {
                        "schema": reference("schemas", &name_of::<Input>()),
                        "examples": right,
                        // Tools take an example for a valid one; these are for the page, on which errors can be tried.
                        "x-wrong-examples": wrong,
                    },
                },
            },
            "responses": responses,
        },
    }))
}

/// The answer with its numbers to six digits: processors differ in the last ones of an `f32`, and the document is the same
/// on all.
fn rounded<P: Prediction>(answer: &Answer<P>) -> Value {
    fn round(value: &mut Value) {
        match value {
            Value::Number(number) if number.is_f64() => {
                let number = number.as_f64().expect("it is one");
                *value = format!("{number:.5e}").parse::<f64>().expect("it was written just now").into();
            }
            Value::Array(items) => items.iter_mut().for_each(round),
            Value::Object(members) => members.values_mut().for_each(round),
            _ => {}
        }
    }
    let mut answer = serde_json::to_value(answer).expect("an answer is JSON");
    round(&mut answer);
    answer
}

/// The schema of an [`Answer`].
fn answer<P: Prediction>() -> Value {
    json!({
        "type": "object",
        "properties": { P::NAME: reference("schemas", &name_of::<P>()) },
        "required": [P::NAME],
        "additionalProperties": false,
    })
}
