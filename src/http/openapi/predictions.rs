//! The prediction endpoints.

use model_package::{Contributions, Input, ModelError, Signature};
use serde_json::{Map, Value, json};

use super::{PREDICTIONS, headers, problems, reference};
use crate::{
    http::{body, contributions, problem::Problem},
    model::Model,
    service::Question,
};

/// The name, the schema, the summary and the description of an endpoint.
type Texts<'a> = [&'a str; 4];

fn texts(signature: &Signature, question: Question) -> Texts<'_> {
    match (question, signature.contributions()) {
        (Question::Contributions, Some(Contributions { name, schema, summary, description, .. })) => {
            [name, schema, summary, description]
        }
        (Question::Contributions, None) => [""; 4],
        (Question::Prediction(position) | Question::Vector(position), _) => {
            let prediction = &signature.predictions()[position];
            [prediction.name(), prediction.schema(), prediction.summary(), prediction.description()]
        }
    }
}

/// The path item of the endpoint that answers a question; `base` stands in front of the paths in errors.
pub(super) fn path_item(model: &Model, question: Question, base: &str) -> Result<Value, ModelError> {
    let signature = model.signature();
    let [name, _, summary, description] = texts(signature, question);
    let max_inputs = signature.max_inputs();
    let (mut valid_inputs, mut valid_answers) = (Map::new(), Map::new());
    let (mut invalid_inputs, mut invalid_answers) = (Map::new(), Map::new());
    for example in &signature.examples {
        let body = Value::Object(example.input.clone());
        let shown = |value: &Value| json!({ "summary": example.summary, "value": value });
        let text = body.to_string();
        let answered = |input: &Input| match question {
            Question::Prediction(position) | Question::Vector(position) => Ok(model.predict(position, input)?.body),
            Question::Contributions => contributions::answer(model, None, input, text.as_bytes()),
        };
        let (inputs, answers, answer) = match signature.read(text.as_bytes()) {
            Ok(input) => (&mut valid_inputs, &mut valid_answers, rounded(&answered(&input)?)),
            Err(invalid) => (&mut invalid_inputs, &mut invalid_answers, json!(Problem::from(invalid).below(base))),
        };
        inputs.insert(example.name.clone(), shown(&body));
        answers.insert(example.name.clone(), shown(&answer));
    }
    for examples in [&mut valid_inputs, &mut valid_answers] {
        let values: Vec<_> = examples.values().map(|example| example["value"].clone()).collect();
        if !values.is_empty() {
            let several = json!({ "summary": "Several inputs at once", "value": values });
            examples.entry("several").or_insert(several);
        }
    }
    if let Some(explained) = explained(model, question)? {
        valid_answers.insert(EXPLAINED.to_owned(), explained);
    }
    let answer = answer(signature, question);
    let item = json!({ "oneOf": [answer, reference("schemas", "Problem")] });
    let input = reference("schemas", &model.signature().input_name);
    let mut responses = Map::new();
    responses.insert(
        "200".to_owned(),
        json!({
            "description": "The prediction, or an array of predictions in the order of the inputs, with a problem in place of each one \
                            on which the model failed. `cache-status` says whether they were computed or came from the cache.",
            "headers": headers::header_references(&[
                ("cache-status", "CacheStatus"),
                ("server-timing", "ServerTiming"),
                ("x-model", "Model"),
                ("x-request-id", "RequestId"),
            ]),
            "content": { "application/json": { "schema": one_or_many(&answer, &item, max_inputs), "examples": valid_answers } },
        }),
    );
    responses.extend(problems::references());
    responses.insert("422".to_owned(), problems::invalid_fields(invalid_answers));
    responses.sort_keys();
    let json = json!({
        "schema": one_or_many(&input, &input, max_inputs),
        "examples": valid_inputs,
        // Tools assume that `examples` are valid; the page offers these to try errors.
        "x-wrong-examples": invalid_inputs,
    });
    let mut content = Map::from_iter([("application/json".to_owned(), json)]);
    // Any bytes: the schema of a body that is not JSON.
    content.extend(body::media_types(model).into_iter().skip(1).map(|image| (image.to_owned(), json!({}))));
    Ok(json!({
        "post": {
            "tags": [PREDICTIONS],
            "summary": summary,
            "description": description,
            "operationId": format!("predict_{name}"),
            "parameters": headers::parameter_references(signature.contributions().is_some()),
            "requestBody": {
                "description": format!(
                    "The input, or an array of 1 to {max_inputs} inputs; at most {} of JSON.",
                    body::size(body::limit(model))
                ),
                "required": true,
                "content": content,
            },
            "responses": responses,
        },
    }))
}

/// The name of the example of an answer with contributions.
const EXPLAINED: &str = "explained";

/// The answer of a prediction to the first valid example, with contributions.
fn explained(model: &Model, question: Question) -> Result<Option<Value>, ModelError> {
    let signature = model.signature();
    let (Question::Prediction(position), Some(_)) = (question, signature.contributions()) else { return Ok(None) };
    let Some(example) = signature.examples.iter().find(|example| example.valid) else { return Ok(None) };
    let text = Value::Object(example.input.clone()).to_string();
    let Ok(input) = signature.read(text.as_bytes()) else { return Ok(None) };
    let prediction = model.predict(position, &input)?.body;
    let answer = contributions::answer(model, Some(&prediction), &input, text.as_bytes())?;
    let summary =
        format!("{}, with ?{}={}", example.summary, contributions::EXPLAIN, contributions::example(signature));
    Ok(Some(json!({ "summary": summary, "value": rounded(&answer) })))
}

/// Rounds an answer's numbers to six digits: processors differ in the last digits of an `f32`, but the document must be the same on
/// all of them.
pub(super) fn rounded(body: &[u8]) -> Value {
    fn round(value: &mut Value) {
        match value {
            Value::Number(number) if number.is_f64() => {
                let number = number.as_f64().expect("is_f64");
                *value = format!("{number:.5e}").parse::<f64>().expect("a formatted number").into();
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

fn one_or_many(object: &Value, item: &Value, most: usize) -> Value {
    json!({
        "oneOf": [object, { "type": "array", "items": item, "minItems": 1, "maxItems": most }],
    })
}

/// The answer to one input. A prediction's has the contributions as another member if the request asks for them.
fn answer(signature: &Signature, question: Question) -> Value {
    let [name, schema, ..] = texts(signature, question);
    let mut properties = Map::from_iter([(name.to_owned(), reference("schemas", schema))]);
    if let (Question::Prediction(_), Some(contributions)) = (question, signature.contributions()) {
        properties.insert(contributions.name.clone(), reference("schemas", &contributions.schema));
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": [name],
        "additionalProperties": false,
    })
}
