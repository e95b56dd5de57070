//! The endpoint in the form of OpenAI's API, for models with [embeddings](crate::http::embeddings).

use model_package::{Embedding, ModelError};
use serde_json::{Map, Value, json};

use super::{headers, predictions::rounded, problems};
use crate::{
    http::{body, embeddings},
    model::Model,
};

pub(super) const EMBEDDINGS: &str = "Embeddings";

/// The path item; `base` stands in front of the paths in errors.
pub(super) fn path_item(model: &Model, embedding: Embedding, base: &str) -> Result<Value, ModelError> {
    let signature = model.signature();
    let (most, length) = (signature.max_inputs(), embedding.dimensions);
    let (mut requests, mut answers) = (Map::new(), Map::new());
    for example in signature.examples.iter().filter(|example| example.valid) {
        let Some(text) = example.input.values().next().and_then(Value::as_str) else { continue };
        let Ok(input) = signature.read_text(text) else { continue };
        let shown = |value: &Value| json!({ "summary": example.summary, "value": value });
        requests.insert(example.name.clone(), shown(&json!({ "model": signature.name, "input": text })));
        let answer = embeddings::example(model, embedding, &input)?;
        answers.insert(example.name.clone(), shown(&rounded(&answer)));
    }
    let text = json!({ "type": "string" });
    let request = json!({
        "type": "object",
        "properties": {
            "input": {
                "description": "A text, or a list of texts. Token ids are refused, because the model has its own tokenizer.",
                "oneOf": [text, { "type": "array", "items": text, "minItems": 1, "maxItems": most }],
            },
            "model": { "description": "Not read: the service has one model." },
            "encoding_format": {
                "description": "How the vectors are answered: as numbers, or as the base64 of little-endian float32 numbers.",
                "enum": ["float", "base64", null],
                "default": "float",
            },
            "dimensions": { "description": "The length of the vectors.", "enum": [length, null] },
            "user": { "description": "Not read." },
        },
        "required": ["input"],
    });
    let vector = json!({
        "oneOf": [
            { "type": "array", "items": { "type": "number" }, "minItems": length, "maxItems": length },
            { "type": "string", "contentEncoding": "base64" },
        ],
    });
    let answer = object(json!({
        "object": { "const": "list" },
        "data": {
            "description": "The vectors, in the order of the texts.",
            "type": "array",
            "items": object(json!({
                "object": { "const": "embedding" },
                "index": { "type": "integer", "minimum": 0 },
                "embedding": vector,
            })),
            "minItems": 1,
            "maxItems": most,
        },
        "model": { "const": signature.name },
        "usage": object(json!({
            "prompt_tokens": {
                "description": "The number of tokens that the model reads of all texts.",
                "type": "integer",
                "minimum": 0,
            },
            "total_tokens": { "description": "The same number.", "type": "integer", "minimum": 0 },
        })),
    }));
    let mut responses = problems::of_predictions(model, base);
    let mut invalid = problems::invalid_fields(Map::new());
    invalid["description"] = "A member is invalid: `param` names it.".into();
    let example = json!(embeddings::token_ids());
    invalid["content"][problems::PROBLEM_JSON]["examples"] =
        json!({ "token_ids": { "summary": "Token ids", "value": example } });
    responses.insert("422".to_owned(), invalid);
    responses.values_mut().for_each(as_openai);
    responses.insert(
        "200".to_owned(),
        json!({
            "description": "The vectors. `cache-status` says whether they were computed or came from the cache.",
            "headers": headers::header_references(&[
                ("cache-status", "CacheStatus"),
                ("server-timing", "ServerTiming"),
                ("x-model", "Model"),
                ("x-request-id", "RequestId"),
            ]),
            "content": { "application/json": { "schema": answer, "examples": answers } },
        }),
    );
    responses.sort_keys();
    Ok(json!({
        "post": {
            "tags": [EMBEDDINGS],
            "summary": "Embeddings in the form of OpenAI's API",
            "description": "Answers what `/embeddings` of OpenAI's API answers: `base_url` of its clients is this service's address and \
                            `/v1`. Texts have the same entries in the cache as at the prediction's own endpoint.",
            "operationId": "create_embeddings",
            "parameters": headers::parameter_references(false),
            "requestBody": {
                "description": format!("At most {} of JSON.", body::size(body::limit(model))),
                "required": true,
                "content": { "application/json": { "schema": request, "examples": requests } },
            },
            "responses": responses,
        },
    }))
}

/// An object that has exactly these members.
fn object(properties: Value) -> Value {
    let required: Vec<_> = properties.as_object().into_iter().flat_map(Map::keys).collect();
    json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
}

/// Puts a response with problems into the form of the endpoint's errors.
fn as_openai(response: &mut Value) {
    let text = |description: &str| json!({ "type": "string", "description": description });
    let schema = object(json!({
        "error": object(json!({
            "message": text("What was wrong with this request, in human-readable form."),
            "type": { "enum": ["invalid_request_error", "server_error"] },
            "param": { "type": ["string", "null"], "description": "The invalid member of the request." },
            "code": text("The kind of error: its name in the documentation of the errors, with underscores."),
        })),
    }));
    let mut examples = response["content"][problems::PROBLEM_JSON]["examples"].take();
    for example in examples.as_object_mut().into_iter().flat_map(Map::values_mut) {
        example["value"] = embeddings::openai_error(&example["value"]);
    }
    response["content"] = json!({ "application/json": { "schema": schema, "examples": examples } });
}
