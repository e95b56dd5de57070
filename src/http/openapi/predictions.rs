//! The endpoints of the predictions.

use model_package::{MAX_INPUTS, ModelError, Prediction};
use serde_json::{Map, Value, json};

use super::{PREDICTIONS, headers, problems, reference};
use crate::{http::problem::Problem, model::Model};

/// The operations at the path of the model's prediction at this position.
pub(super) fn path_item(model: &Model, position: usize) -> Result<Value, ModelError> {
    let prediction = &model.signature().predictions()[position];
    let (mut right, mut answered, mut wrong, mut refused) = (Map::new(), Map::new(), Map::new(), Map::new());
    for example in &model.signature().examples {
        let body = Value::Object(example.input.clone());
        let shown = |value: &Value| json!({ "summary": example.summary, "value": value });
        let (inputs, answers, answer) = match model.signature().read(body.to_string().as_bytes()) {
            Ok(input) => (&mut right, &mut answered, rounded(&model.predict(position, &input)?.body)),
            Err(invalid) => (&mut wrong, &mut refused, json!(Problem::from(invalid))),
        };
        inputs.insert(example.name.clone(), shown(&body));
        answers.insert(example.name.clone(), shown(&answer));
    }
    for examples in [&mut right, &mut answered] {
        let values: Vec<_> = examples.values().map(|example| example["value"].clone()).collect();
        if !values.is_empty() {
            let several = json!({ "summary": "Several inputs at once", "value": values });
            examples.entry("several").or_insert(several);
        }
    }
    let mut responses = Map::new();
    responses.insert(
        "200".to_owned(),
        json!({
            "description": "The prediction, or for an array the predictions of its inputs in their order. `cache-status` says \
                            whether they were computed or came from the cache.",
            "headers": headers::header_references(&[
                ("cache-status", "CacheStatus"),
                ("server-timing", "ServerTiming"),
                ("x-model", "Model"),
                ("x-request-id", "RequestId"),
            ]),
            "content": { "application/json": { "schema": one_or_many(&answer(prediction)), "examples": answered } },
        }),
    );
    responses.extend(problems::references());
    responses.insert("422".to_owned(), problems::invalid_fields(refused));
    responses.sort_keys();
    Ok(json!({
        "post": {
            "tags": [PREDICTIONS],
            "summary": prediction.summary(),
            "description": prediction.description(),
            "operationId": format!("predict_{}", prediction.name()),
            "parameters": headers::parameter_references(),
            "requestBody": {
                "description": format!(
                    "The input, or an array of 1 to {MAX_INPUTS} inputs; at most {} MiB of JSON.",
                    crate::http::body::BODY_LIMIT >> 20
                ),
                "required": true,
                "content": {
                    "application/json": {
                        "schema": one_or_many(&reference("schemas", &model.signature().input_name)),
                        "examples": right,
                        // Tools assume that examples are valid; these are for the page, where you can try errors.
                        "x-wrong-examples": wrong,
                    },
                },
            },
            "responses": responses,
        },
    }))
}

/// The answer with its numbers rounded to six digits: processors differ in the last digits of an `f32`, but the document is the
/// same on all.
fn rounded(body: &[u8]) -> Value {
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
    let mut answer = serde_json::from_slice(body).expect("an answer is JSON");
    round(&mut answer);
    answer
}

/// The schema of an object or an array of such objects.
fn one_or_many(object: &Value) -> Value {
    json!({
        "oneOf": [object, { "type": "array", "items": object, "minItems": 1, "maxItems": MAX_INPUTS }],
    })
}

/// The schema of the answer to one input.
fn answer(prediction: &Prediction) -> Value {
    json!({
        "type": "object",
        "properties": { prediction.name(): reference("schemas", prediction.schema()) },
        "required": [prediction.name()],
        "additionalProperties": false,
    })
}
