//! `POST /v1/embeddings`: the vectors of a model that reads texts, in the form of OpenAI's API, so that its clients can be used. The texts
//! have the same entries in the cache as at the prediction's own endpoint.

mod error;
mod request;

use bytes::Bytes;
use model_package::{Embedding, Input, ModelError, VectorEncoding};

use crate::{model::Model, service::Body};

pub(super) use self::{
    error::{as_openai, openai_error},
    request::{read, token_ids},
};

/// How the vectors of a request are answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    /// The position of the prediction.
    prediction: usize,
    encoding: VectorEncoding,
    /// The number of tokens that the model reads of the request's texts.
    tokens: usize,
}

/// The path and the embedding, if the model has one.
pub(super) fn endpoint(model: &Model) -> Option<(&'static str, Embedding)> {
    model.signature().embedding().map(|embedding| ("/v1/embeddings", embedding))
}

/// The answer with the vectors of a request's texts, in their order.
///
/// # Errors
///
/// If the model failed on one of the texts.
pub(super) fn answer(model: &Model, vectors: Body, format: Format) -> Result<Bytes, ModelError> {
    let (distinct, order) = match vectors {
        Body::One(vector) => (vec![vector], vec![0]),
        Body::Many { distinct, order } => (distinct.into_iter().collect::<Result<Vec<_>, _>>()?, order),
    };
    let Format { prediction, encoding, tokens } = format;
    let signature = model.signature();
    let prediction = &signature.predictions()[prediction];
    // The service has read the entries.
    let text = |entry: &Bytes| prediction.vector_text(&prediction.read_vector(entry).unwrap_or_default(), encoding);
    let distinct: Vec<_> = distinct.iter().map(text).collect();
    let length: usize = order.iter().map(|position| distinct[*position].len() + 64).sum();
    let mut json = String::with_capacity(length + 256);
    json.push_str(r#"{"object":"list","data":["#);
    for (index, position) in order.into_iter().enumerate() {
        let separator = if index == 0 { "" } else { "," };
        let vector = &distinct[position];
        json.extend([
            separator,
            r#"{"object":"embedding","index":"#,
            &index.to_string(),
            r#","embedding":"#,
            vector,
            "}",
        ]);
    }
    // The name consists of a-z, 0-9, `_` and `-`.
    let (name, tokens) = (&*signature.name, &*tokens.to_string());
    json.extend([
        r#"],"model":""#,
        name,
        r#"","usage":{"prompt_tokens":"#,
        tokens,
        r#","total_tokens":"#,
        tokens,
        "}}",
    ]);
    Ok(json.into())
}

/// The answer to a text alone, for the documentation.
///
/// # Errors
///
/// If the model fails on the text.
pub(super) fn example(model: &Model, embedding: Embedding, text: &Input) -> Result<Bytes, ModelError> {
    let vector = model.predict(embedding.prediction, text)?.entry;
    let tokens = model.signature().tokens(text);
    let format = Format { prediction: embedding.prediction, encoding: VectorEncoding::Float, tokens };
    answer(model, Body::One(vector), format)
}
