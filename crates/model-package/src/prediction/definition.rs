//! Checks the entries of `[[predictions]]`.

use serde_json::Value;

use super::{AnswerValue, Column, Prediction, PredictionKind, Scores};
use crate::{
    field::{MAX_NAME_LENGTH, is_name},
    manifest::{AnswerEntry, KindEntry, PredictionEntry},
    mistake::Entry,
    precision::Precision,
    signature::require_schema_name,
    tensor::DataType,
};

/// Paths of the service's own endpoints.
const RESERVED_ENDPOINTS: [&str; 5] = ["docs", "openapi.json", "health", "ready", "metrics"];

/// The default of `k`.
const DEFAULT_K: usize = 5;

const MAX_VALUES: usize = 10_000;

impl Prediction {
    /// Checks an entry of `[[predictions]]`. `None` if it has mistakes, which are added to `entry`.
    pub(crate) fn new(written: &PredictionEntry, entry: &mut Entry<'_>) -> Option<Self> {
        let PredictionEntry { kind, output, outputs, from, k, encoding, cuts, values, .. } = written;
        let Common { name, endpoint, summary, description, meaning } = Common::new(written, entry);
        entry.require(endpoint.is_some(), "`endpoint` is missing");
        entry.require(written.top.is_none(), "`top` does not apply to this `kind`: remove it");
        let schema = schema_of(written, entry);
        let (has_cuts, has_values, has_outputs, has_output) = match kind {
            KindEntry::Value | KindEntry::Probability => (false, false, false, true),
            KindEntry::Class => (false, true, true, true),
            KindEntry::Values | KindEntry::Labels | KindEntry::Probabilities | KindEntry::Top => {
                (false, true, true, false)
            }
            KindEntry::Bands => (true, true, false, true),
            KindEntry::Vector | KindEntry::Tensor => (false, false, false, false),
            // No prediction of the graph's output.
            KindEntry::Contributions => return None,
        };
        for (key, given, applies) in [
            ("k", k.is_some(), *kind == KindEntry::Top),
            ("encoding", encoding.is_some(), *kind == KindEntry::Vector),
            ("cuts", cuts.is_some(), has_cuts),
            ("values", values.is_some(), has_values),
            ("outputs", outputs.is_some(), has_outputs),
            ("output", output.is_some(), has_output),
        ] {
            entry.require(!given || applies, format_args!("`{key}` does not apply to this `kind`: remove it"));
        }
        let least = if matches!(kind, KindEntry::Values | KindEntry::Labels) { 1 } else { 2 };
        let values = if has_values { answer_values(written, least, entry) } else { Vec::new() };
        let column = Column(*output);
        let scores = Scores(outputs.clone());
        if let Some(outputs) = outputs {
            entry.require(
                outputs.len() == values.len(),
                format_args!(
                    "`outputs` has {} columns, but there are {} `values`: list one column per value",
                    outputs.len(),
                    values.len()
                ),
            );
            entry.require(
                output.is_none(),
                "give `output` (the class's position) or `outputs` (one score per class), not both",
            );
        }
        let kind = match kind {
            KindEntry::Value => PredictionKind::Value(column),
            KindEntry::Probability => PredictionKind::Probability(column),
            KindEntry::Class if output.is_some() => PredictionKind::ClassAt(column, values),
            KindEntry::Class => PredictionKind::Class(scores, values),
            KindEntry::Values => PredictionKind::Values(scores, values),
            KindEntry::Labels => PredictionKind::Labels(scores, values),
            KindEntry::Probabilities => PredictionKind::Probabilities(scores, values),
            KindEntry::Contributions => return None,
            KindEntry::Bands => {
                let cuts = cuts.clone().unwrap_or_default();
                entry.require(
                    !cuts.is_empty()
                        && cuts.is_sorted_by(|one, next| one < next)
                        && cuts.iter().all(|cut| cut.is_finite()),
                    "`cuts` must be finite numbers in strictly ascending order",
                );
                entry.require(
                    values.len() == cuts.len() + 1,
                    format_args!(
                        "{} `cuts` make {} bands, but there are {} `values`: give one value per band",
                        cuts.len(),
                        cuts.len() + 1,
                        values.len()
                    ),
                );
                PredictionKind::Bands(column, cuts, values)
            }
            KindEntry::Vector => PredictionKind::Vector(encoding.unwrap_or_default()),
            KindEntry::Top => {
                let k = k.unwrap_or_else(|| DEFAULT_K.min(values.len()));
                entry.require(
                    (1..=values.len().max(1)).contains(&k),
                    format_args!("`k` must be 1 to {}, the number of `values`, not {k}", values.len()),
                );
                PredictionKind::Top(scores, k, values)
            }
            KindEntry::Tensor => PredictionKind::Tensor,
        };
        entry.has_no_mistakes().then(|| Self {
            opening: format!("{{{}:", Value::from(name.as_str())),
            name,
            endpoint: endpoint.unwrap_or_default(),
            schema,
            summary,
            description,
            meaning,
            kind,
            from: from.clone(),
            source: 0,
            precision: Precision::default(),
            datatype: DataType::Float32,
            shape: None,
        })
    }
}

/// The entries that all kinds of prediction share.
pub(crate) struct Common {
    pub(crate) name: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) summary: String,
    pub(crate) description: String,
    pub(crate) meaning: String,
}

impl Common {
    pub(crate) fn new(written: &PredictionEntry, entry: &mut Entry<'_>) -> Self {
        let PredictionEntry { name, endpoint, summary, description, meaning, .. } = written;
        entry.require(
            is_name(name) && name.len() <= 64 && !name.contains(':') && !name.starts_with('@'),
            "`name` is part of the cache key: it must be 1 to 64 bytes of UTF-8, without colons or control characters, and must not begin \
             with `@`",
        );
        if let Some(endpoint) = endpoint {
            let is_reserved = RESERVED_ENDPOINTS.contains(&endpoint.as_str());
            entry.require(
                (1..=64).contains(&endpoint.len())
                    && endpoint.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
                    || is_reserved,
                format_args!(
                    "`endpoint` is {endpoint:?} but must be 1 to 64 characters from A-Z, a-z, 0-9, `_` and `-`"
                ),
            );
            entry.require(
                !is_reserved,
                format_args!("`endpoint` {endpoint:?} is reserved for the service: choose another"),
            );
        }
        Self {
            name: name.clone(),
            endpoint: endpoint.clone(),
            summary: summary.clone(),
            description: description.trim().to_owned(),
            meaning: meaning.trim().to_owned(),
        }
    }
}

/// The name of a prediction's schema.
pub(crate) fn schema_of(written: &PredictionEntry, entry: &mut Entry<'_>) -> String {
    let schema = written.schema.clone().unwrap_or_else(|| pascal_case(&written.name));
    require_schema_name(&schema, "set `schema` to another name", entry);
    schema
}

fn answer_values(written: &PredictionEntry, least: usize, entry: &mut Entry<'_>) -> Vec<AnswerValue> {
    let values = written.values.as_deref().unwrap_or_default();
    entry.require(
        (least..=MAX_VALUES).contains(&values.len()),
        format_args!("this `kind` needs {least} to {MAX_VALUES} `values`, but has {}", values.len()),
    );
    let values: Vec<_> = values
        .iter()
        .take(MAX_VALUES)
        .map(|AnswerEntry { name, description }| AnswerValue {
            text: name.as_str().map_or_else(|| name.to_string(), str::to_owned),
            json: name.to_string(),
            value: name.clone(),
            description: description.clone(),
        })
        .collect();
    for value in &values {
        entry.require(
            is_name(&value.text),
            format_args!("{} in `values` must be 1 to {MAX_NAME_LENGTH} printable characters", value.json),
        );
    }
    let mut texts: Vec<_> = values.iter().map(|value| value.text.as_str()).collect();
    texts.sort_unstable();
    if let Some(twice) = texts.windows(2).find(|pair| pair[0] == pair[1]) {
        entry.mistake(format_args!("{:?} is in `values` twice: remove one", twice[0]));
    }
    values
}

/// `risk_category` → `RiskCategory`. Letters outside ASCII are dropped.
fn pascal_case(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| format!("{}{}", word[..1].to_ascii_uppercase(), &word[1..])).collect()
}
