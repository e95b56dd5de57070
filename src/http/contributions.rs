//! Contributions: the whole answer at their own endpoint, or a member of a prediction's answer with the parameter `explain`.

use bytes::Bytes;
use model_package::{Explained, Input, ModelError, SentValues, Signature};

use super::problem::{Problem, ProblemKind};
use crate::{
    model::Model,
    service::{Answer, Body, CacheOutcome, Question},
};

/// The query parameter that requests contributions: the number of fields.
pub(super) const EXPLAIN: &str = "explain";

/// The parameter is not a valid number of fields; becomes an [`invalid_query`].
pub(super) struct InvalidExplain;

/// The number of fields whose contributions the answer has. `None` if it has no contributions.
///
/// # Errors
///
/// If the parameter is not a number of fields.
pub(super) fn requested(
    model: &Model,
    question: Question,
    query: Option<&str>,
) -> Result<Option<usize>, InvalidExplain> {
    let signature = model.signature();
    let Some(contributions) = signature.contributions() else { return Ok(None) };
    let fields = signature.fields().len();
    let parameters = query.unwrap_or_default().split('&').filter_map(|parameter| parameter.split_once('='));
    let mut sent = parameters.filter(|(name, _)| *name == EXPLAIN).map(|(_, value)| value);
    let top = match (sent.next(), sent.next()) {
        (None, _) => None,
        (Some(value), None) => {
            // Rust's own grammar of numbers has a plus, which is a space in a query.
            let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
            let top = value.parse().ok().filter(|top| is_number && (1..=fields).contains(top));
            Some(top.ok_or(InvalidExplain)?)
        }
        (Some(_), Some(_)) => return Err(InvalidExplain),
    };
    Ok(match question {
        Question::Prediction(_) => top,
        Question::Vector(_) => None,
        Question::Contributions => top.or(contributions.top).or(Some(fields)),
    })
}

pub(super) fn invalid_query(model: &Model) -> Problem {
    let fields = model.signature().fields().len();
    let detail = format!("{EXPLAIN} must be a whole number from 1 to {fields}, the number of fields, and appear once");
    Problem::new(ProblemKind::InvalidQuery, detail)
}

/// The number of fields in the documentation's examples.
pub(super) fn example(signature: &Signature) -> usize {
    signature.fields().len().min(3)
}

/// The answer to an input, which was sent as `body`: of the contributions' endpoint, or with `prediction`, as if the request had asked for
/// the contributions of [as many fields](example).
///
/// # Errors
///
/// If the graph fails.
pub(super) fn answer(
    model: &Model,
    prediction: Option<&Bytes>,
    input: &Input,
    body: &[u8],
) -> Result<Bytes, ModelError> {
    let signature = model.signature();
    let top = match prediction {
        Some(_) => Some(example(signature)),
        None => signature.contributions().and_then(|contributions| contributions.top),
    };
    let entry = model.explain(input)?.to_entry().unwrap_or_default();
    let sent = signature.sent_values(body);
    let sent = sent.first().cloned().unwrap_or_default();
    Ok(member(model, prediction, &entry, &sent, top.unwrap_or(signature.fields().len())))
}

/// The answer with the `top` contributions. `answer` is the contributions' own, or a prediction's, whose contributions are `explained`.
/// `body` is the request's.
pub(super) fn explained(model: &Model, answer: Answer, explained: Option<Answer>, body: &[u8], top: usize) -> Answer {
    let Answer { body: main, mut served } = answer;
    let main = match main {
        Ok(main) => main,
        Err(none) => return Answer { body: Err(none), served },
    };
    let (predictions, entries) = match explained {
        None => (None, main),
        Some(explained) => {
            // The answer is a hit if all its parts are.
            if matches!(served.outcome, CacheOutcome::Hit(_)) {
                served = explained.served;
            }
            match explained.body {
                Ok(entries) => (Some(main), entries),
                Err(none) => return Answer { body: Err(none), served },
            }
        }
    };
    let sent = model.signature().sent_values(body);
    let with =
        |prediction: Option<&Bytes>, entry: &Bytes, sent: &SentValues<'_>| member(model, prediction, entry, sent, top);
    let body = match (predictions, entries) {
        (predictions, Body::One(entry)) => {
            let prediction = predictions.as_ref().and_then(|prediction| match prediction {
                Body::One(prediction) => Some(prediction),
                Body::Many { .. } => None,
            });
            Body::One(with(prediction, &entry, sent.first().unwrap_or(&Vec::new())))
        }
        (predictions, Body::Many { distinct, order }) => {
            // Inputs with the same entry may have been sent with other values.
            let one = |(position, sent): (&usize, &SentValues<'_>)| {
                let entry = distinct[*position].as_ref().map_err(copied)?;
                let prediction = match &predictions {
                    Some(Body::Many { distinct, .. }) => Some(distinct[*position].as_ref().map_err(copied)?),
                    Some(Body::One(_)) | None => None,
                };
                Ok(with(prediction, entry, sent))
            };
            let all: Vec<_> = order.iter().zip(&sent).map(one).collect();
            Body::Many { order: (0..all.len()).collect(), distinct: all }
        }
    };
    Answer { body: Ok(body), served }
}

fn copied(error: &ModelError) -> ModelError {
    match error {
        ModelError::Output(problem) => ModelError::Output(problem.clone()),
    }
}

/// One answer: a prediction, if any, and the contributions.
fn member(model: &Model, prediction: Option<&Bytes>, entry: &Bytes, sent: &SentValues<'_>, top: usize) -> Bytes {
    let signature = model.signature();
    let mut text = match prediction {
        // An object with one member.
        Some(prediction) => [&prediction[..prediction.len() - 1], b","].concat(),
        None => b"{".to_vec(),
    };
    if let (Some(contributions), Some(explained)) =
        (signature.contributions(), Explained::from_entry(entry, signature.fields().len()))
    {
        text.extend_from_slice(serde_json::Value::from(contributions.name.as_str()).to_string().as_bytes());
        text.push(b':');
        text.extend_from_slice(contributions.answer(signature.fields(), &explained, sent, top).as_bytes());
    }
    text.push(b'}');
    text.into()
}
