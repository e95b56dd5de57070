//! The OpenAPI document, generated from the model's signature and the code that answers requests.
//!
//! The service generates it on the first request for it; `make openapi` writes the shipped model's document to `docs/openapi.json`.

mod answers;
mod embeddings;
mod fields;
mod headers;
mod pages;
mod predictions;
mod problems;

use std::sync::Arc;

use axum_core::response::{IntoResponse, Response};
use http::HeaderMap;
use model_package::{EntryContent, ModelError};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use self::embeddings::EMBEDDINGS;
use super::{
    assets::Asset,
    embeddings as http_embeddings,
    predictions::{contributions_path, prediction_paths},
    problem::Problem,
};
use crate::{
    model::Model,
    service::{NoPrediction, Question},
};

pub(super) const OPENAPI: &str = "/openapi.json";

const PREDICTIONS: &str = "Predictions";
const DOCUMENTATION: &str = "Documentation";

/// For client developers; follows the model's own description. `{path}` stands for a prediction's path, `{example}` for an input.
const INTRODUCTION: &str = include_str!("introduction.md");

/// The documents that have been generated, each on the first request for it, with what stands in front of their paths.
#[derive(Default)]
pub(super) struct OpenApi(Mutex<Vec<(String, Arc<Asset>)>>);

impl OpenApi {
    pub(super) fn answer(&self, model: &Model, base: &str, request: &HeaderMap) -> Response {
        match self.document(model, base) {
            Ok(document) => document.answer(request),
            Err(error) => Problem::from(NoPrediction::Failed(error)).below(base).into_response(),
        }
    }

    fn document(&self, model: &Model, base: &str) -> Result<Arc<Asset>, ModelError> {
        /// A service has few stages and base paths. The documents of further ones are generated for each request.
        const MOST: usize = 8;
        if let Some((_, document)) = self.0.lock().iter().find(|(of, _)| of == base) {
            return Ok(Arc::clone(document));
        }
        let text = format!("{:#}\n", document_below(model, base)?);
        let document = Arc::new(Asset::compress(OPENAPI, "application/json", text.as_bytes()));
        let mut documents = self.0.lock();
        if documents.len() < MOST {
            documents.push((base.to_owned(), Arc::clone(&document)));
        }
        Ok(document)
    }
}

/// Generates the document (OpenAPI 3.1). The model computes the answers to the examples.
///
/// # Errors
///
/// If the model fails on an example.
pub fn document(model: &Model) -> Result<Value, ModelError> {
    document_below(model, "")
}

/// Generates the document of a service whose paths are below `base`.
fn document_below(model: &Model, base: &str) -> Result<Value, ModelError> {
    let signature = model.signature();
    let mut schemas = Map::new();
    schemas.insert(signature.input_name.clone(), fields::input(signature, signature.fields()));
    let mut paths = Map::new();
    for (position, (path, prediction)) in prediction_paths(model).zip(signature.predictions()).enumerate() {
        schemas.insert(prediction.schema().to_owned(), answers::prediction(prediction));
        paths.insert(path, predictions::path_item(model, Question::Prediction(position), base)?);
    }
    if let Some(contributions) = signature.contributions() {
        schemas.insert(contributions.schema.clone(), answers::contributions(signature, contributions));
    }
    if let Some(path) = contributions_path(model) {
        paths.insert(path, predictions::path_item(model, Question::Contributions, base)?);
    }
    let mut tags =
        vec![json!({ "name": PREDICTIONS, "description": "The model's predictions. All take the same input." })];
    if let Some((path, embedding)) = http_embeddings::endpoint(model) {
        paths.insert(path.to_owned(), embeddings::path_item(model, embedding, base)?);
        tags.push(json!({ "name": EMBEDDINGS, "description": "The same vectors, for clients of OpenAI's API." }));
    }
    tags.push(json!({ "name": DOCUMENTATION, "description": "This documentation, for people and for programs." }));
    let example = signature.examples.iter().find(|example| example.valid);
    let example =
        example.map_or_else(|| "{…}".to_owned(), |example| format!("{:#}", Value::Object(example.input.clone())));
    let path = paths.keys().next().cloned().unwrap_or_default();
    let introduction = INTRODUCTION.replace("{path}", &path).replace("{example}", &example);
    paths.extend(pages::paths());
    schemas.extend(problems::schemas(base));
    Ok(json!({
        "openapi": "3.1.1",
        "info": {
            "title": signature.title,
            // For the page, which shows the description apart from the introduction.
            "x-model": {
                "name": signature.name,
                "fingerprint": model.fingerprint(EntryContent::Answer),
                "description": signature.description,
            },
            "description": format!("{}\n\n{}", signature.description, introduction.trim_end()).trim_start(),
            "contact": { "name": "The predict-once developers" },
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
            "version": env!("CARGO_PKG_VERSION"),
        },
        "servers": [{ "url": if base.is_empty() { "/" } else { base }, "description": "The service that serves this document" }],
        // No authentication: access control is the gateway's job.
        "security": [],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": problems::responses(model, base),
            "parameters": headers::parameters(signature),
            "headers": headers::headers(),
        },
    }))
}

fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}
