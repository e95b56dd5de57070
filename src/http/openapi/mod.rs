//! The OpenAPI document, generated from a model's signature and from the code that answers requests.
//!
//! The service generates it on the first request; `make openapi` writes the shipped model's to `docs/openapi.json`.

mod fields;
mod headers;
mod pages;
mod predictions;
mod problems;

use serde_json::{Map, Value, json};

use super::prediction_paths;
use crate::model::{Model, ModelError};

/// The tags of the operations.
const PREDICTIONS: &str = "Predictions";
const DOCUMENTATION: &str = "Documentation";

/// The introduction for client developers, after the model's own description. `{path}` stands for a prediction's path, `{example}`
/// for an input.
const INTRODUCTION: &str = include_str!("introduction.md");

/// Generates the document (OpenAPI 3.1). The answers to its examples are the model's.
///
/// # Errors
///
/// If the model fails on an example.
pub fn document(model: &Model) -> Result<Value, ModelError> {
    let signature = model.signature();
    let mut schemas = Map::new();
    schemas.insert(signature.input_name.clone(), fields::input(signature, model.fields()));
    let mut paths = Map::new();
    for (position, (path, prediction)) in prediction_paths(model).zip(model.predictions()).enumerate() {
        schemas.insert(prediction.schema().to_owned(), fields::prediction(prediction));
        paths.insert(path, predictions::path_item(model, position)?);
    }
    let example = signature.examples.iter().find(|example| example.valid);
    let example =
        example.map_or_else(|| "{…}".to_owned(), |example| format!("{:#}", Value::Object(example.input.clone())));
    let path = paths.keys().next().cloned().unwrap_or_default();
    let introduction = INTRODUCTION.replace("{path}", &path).replace("{example}", &example);
    paths.extend(pages::paths());
    schemas.extend(problems::schemas());
    Ok(json!({
        "openapi": "3.1.1",
        "info": {
            "title": signature.title,
            "description": format!("{}\n\n{}", signature.description, introduction.trim_end()).trim_start(),
            "contact": { "name": "The predict-once developers" },
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
            "version": env!("CARGO_PKG_VERSION"),
        },
        "servers": [{ "url": ".", "description": "The service that serves this document" }],
        // The service authenticates nobody: access control is the gateway's job.
        "security": [],
        "tags": [
            { "name": PREDICTIONS, "description": "The predictions of one model. All of them take the same input." },
            { "name": DOCUMENTATION, "description": "This documentation, for people and for programs." },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": problems::responses(model),
            "parameters": headers::parameters(),
            "headers": headers::headers(),
        },
    }))
}

/// A reference to one of the components.
fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}
