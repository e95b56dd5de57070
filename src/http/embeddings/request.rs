//! Reads a request for embeddings.

use std::{borrow::Cow, fmt};

use axum_core::extract::Request;
use model_package::{
    Embedding, FieldError, FieldErrorCode, Inputs, InvalidInput, MAX_INPUTS, Signature, VectorEncoding,
};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::Format;
use crate::{
    http::{
        body,
        problem::{Problem, ProblemKind, invalid_json},
    },
    service::PredictionService,
};

/// The members that matter. `model`, since the service has one, and `user` are not read.
#[derive(Deserialize)]
struct Sent<'a> {
    #[serde(borrow, default)]
    input: Option<Value<'a>>,
    #[serde(borrow, default)]
    encoding_format: Option<Value<'a>>,
    #[serde(borrow, default)]
    dimensions: Option<Value<'a>>,
}

/// A JSON value, as far as it matters.
enum Value<'a> {
    Text(Cow<'a, str>),
    Number(f64),
    /// The first items, none of an array within another, and the number of all.
    Array(Vec<Self>, usize),
    /// The kind of value, with its article.
    Other(&'static str),
}

/// Reads the texts of a request, and how to answer their vectors.
pub(crate) async fn read(
    request: Request,
    service: &PredictionService,
    embedding: Embedding,
    limit: usize,
) -> Result<(Inputs, Format), Problem> {
    let body = body::read_json(request, service.model(), limit).await?;
    body::parse(service, body.len(), move |signature| parsed(signature, embedding, &body)).await
}

fn parsed(signature: &Signature, embedding: Embedding, body: &[u8]) -> Result<(Inputs, Format), Box<Problem>> {
    let not_an_object = || {
        Problem::new(
            ProblemKind::InvalidFields,
            "the body must be a JSON object with the member input, and each member once",
        )
    };
    let sent: Sent<'_> = serde_json::from_slice(body).map_err(|error| match error.is_data() {
        true => not_an_object(),
        false => invalid_json(body, &error),
    })?;
    // A list of the members is one, too, for serde.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(not_an_object().into());
    }
    let encoding = match &sent.encoding_format {
        None => VectorEncoding::Float,
        Some(Value::Text(text)) if text == "float" => VectorEncoding::Float,
        Some(Value::Text(text)) if text == "base64" => VectorEncoding::Base64,
        Some(other) => {
            let detail = format!("must be \"float\" or \"base64\", got {other}");
            return Err(invalid("encoding_format", detail).into());
        }
    };
    let length = embedding.dimensions;
    match sent.dimensions {
        None => {}
        Some(Value::Number(number)) if number == length as f64 => {}
        Some(other) => {
            let detail = format!("must be {length}, the length of this model's vectors, or absent, got {other}");
            return Err(invalid("dimensions", detail).into());
        }
    }
    let inputs = inputs(sent.input, signature).map_err(|detail| invalid("input", detail))?;
    let tokens = match &inputs {
        Inputs::One(input) => signature.tokens(input),
        Inputs::Many(inputs) => inputs.iter().map(|input| signature.tokens(input)).sum(),
    };
    Ok((inputs, Format { prediction: embedding.prediction, encoding, tokens }))
}

/// The inputs, or why there are none, as a predicate about `input`.
fn inputs(sent: Option<Value<'_>>, signature: &Signature) -> Result<Inputs, String> {
    let most = signature.max_inputs();
    let (items, count) = match sent {
        None => return Err("is missing: send a text or a list of texts".to_owned()),
        Some(Value::Text(text)) => return signature.read_text(&text).map(Inputs::One),
        Some(Value::Array(items, count)) => (items, count),
        Some(other) => return Err(format!("must be a text or a list of texts, got {other}")),
    };
    if let Some(Value::Number(_) | Value::Array(..)) = items.first() {
        return Err(TOKEN_IDS.to_owned());
    }
    if !(1..=most).contains(&count) {
        return Err(format!("must hold 1 to {most} texts, got {count}"));
    }
    let read = |(position, item): (usize, Value<'_>)| {
        let read = match item {
            Value::Text(text) => signature.read_text(&text),
            other => Err(format!("must be a string, got {other}")),
        };
        read.map_err(|detail| format!("is invalid at index {position}: it {detail}"))
    };
    items.into_iter().enumerate().map(read).collect::<Result<_, _>>().map(Inputs::Many)
}

/// Clients that were made for OpenAI's models send the ids of their tokens.
const TOKEN_IDS: &str = "must be a text or a list of texts, got token ids: this model has its own tokenizer. In LangChain, set \
                         check_embedding_ctx_length=False";

/// The answer to token ids.
pub(crate) fn token_ids() -> Problem {
    invalid("input", TOKEN_IDS.to_owned())
}

fn invalid(parameter: &str, detail: String) -> Problem {
    let (field, code) = (parameter.to_owned(), FieldErrorCode::Invalid);
    let error = FieldError { field, code, detail: detail.into(), received: None, suggestion: None };
    InvalidInput::Fields { errors: vec![error], unlisted: 0 }.into()
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("a string"),
            Self::Number(number) => number.fmt(f),
            Self::Array(..) => f.write_str("an array"),
            Self::Other(kind) => f.write_str(kind),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor { keeps_items: true })
    }
}

/// An item of an array.
struct Item<'a>(Value<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Item<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor { keeps_items: false }).map(Self)
    }
}

struct ValueVisitor {
    keeps_items: bool,
}

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Value::Other("a boolean"))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Other("null"))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let (mut kept, mut count) = (Vec::new(), 0);
        while self.keeps_items && count < MAX_INPUTS {
            let Some(Item(item)) = items.next_element()? else { return Ok(Value::Array(kept, count)) };
            kept.push(item);
            count += 1;
        }
        while items.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Value::Array(kept, count))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Other("an object"))
    }
}
