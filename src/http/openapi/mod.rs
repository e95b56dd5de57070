//! The OpenAPI document, made of the domain's types and of what this module's neighbours answer.
//!
//! `make openapi` writes it to `docs/openapi.json`, which is what the service serves: nothing here runs in the service.

mod headers;
mod pages;
mod predictions;
mod problems;

use serde_json::{Map, Value, json};

use super::predictions::PREDICTION_PATHS;
use crate::{
    domain::{self, Example, Input, Model},
    onnx::ModelError,
    prediction::{Prediction, PredictionVisitor},
};

/// The tags of the operations.
const PREDICTIONS: &str = "Predictions";
const DOCUMENTATION: &str = "Documentation";

/// What a client developer is told first, after what the domain says of itself. `{path}` stands for a prediction's, `{example}`
/// for an input.
const INTRODUCTION: &str = include_str!("introduction.md");

/// Makes the document (OpenAPI 3.1). The answers to its examples are the embedded model's.
///
/// # Errors
///
/// If the model cannot be loaded or fails.
pub fn document() -> Result<Value, ModelError> {
    let mut parts = PredictionParts {
        model: Model::embedded()?,
        examples: Input::examples(),
        paths: Map::new(),
        schemas: Map::from_iter([(name_of::<Input>(), Input::schema())]),
        failed: None,
    };
    domain::each_prediction(&mut parts);
    let PredictionParts { mut paths, mut schemas, failed, examples, .. } = parts;
    if let Some(error) = failed {
        return Err(error);
    }
    paths.extend(pages::paths());
    schemas.extend(problems::schemas());
    let example = examples.first().map_or_else(String::new, |example| format!("{:#}", example.input));
    let introduction = INTRODUCTION.replace("{path}", &PREDICTION_PATHS[0]).replace("{example}", &example);
    Ok(json!({
        "openapi": "3.1.1",
        "info": {
            "title": "predict-once",
            "description": format!("{}\n\n{}", domain::DESCRIPTION, introduction.trim_end()),
            "contact": { "name": "The predict-once developers" },
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
            "version": env!("CARGO_PKG_VERSION"),
        },
        "servers": [{ "url": ".", "description": "The service that this document comes from" }],
        // Nothing is asked of a client here; who may call is the gateway's to say.
        "security": [],
        "tags": [
            { "name": PREDICTIONS, "description": "One model, asked in several ways. Each of them takes the same input." },
            { "name": DOCUMENTATION, "description": "This documentation, for people and for programs." },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": problems::responses(),
            "parameters": headers::parameters(),
            "headers": headers::headers(),
        },
    }))
}

/// What the domain's predictions add to the document.
struct PredictionParts {
    model: Model,
    examples: Vec<Example>,
    paths: Map<String, Value>,
    schemas: Map<String, Value>,
    failed: Option<ModelError>,
}

impl PredictionVisitor for PredictionParts {
    fn visit<P: Prediction>(&mut self) {
        self.schemas.insert(name_of::<P>(), P::schema(&self.model));
        match predictions::path_item::<P>(&self.model, &self.examples) {
            Ok(item) => {
                self.paths.insert(super::predictions::path::<P>(), item);
            }
            Err(error) => self.failed = Some(error),
        }
    }
}

/// A type's own name, without its path: its schema's name.
fn name_of<T>() -> String {
    let path = std::any::type_name::<T>();
    path.rsplit("::").next().unwrap_or(path).to_owned()
}

/// A reference to one of the components.
fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}
