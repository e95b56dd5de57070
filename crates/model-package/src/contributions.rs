//! The kind `contributions`: how much each field adds to the model's score.
//!
//! It is no value of the graph's output, so it is not among the predictions. Its cache entry holds the base and the contribution of
//! every field. The answer also has the fields' values as the client sent them, so it is made for each request.

use std::fmt::Write;

use bytes::Bytes;

use super::{
    field::Field,
    manifest::PredictionEntry,
    mistake::Entry,
    output::Decimal,
    precision::Precision,
    prediction::{Common, schema_of},
};

/// The entry of `[[predictions]]` with the kind `contributions`.
#[derive(Clone, Debug)]
pub struct Contributions {
    /// The member's name in an answer, and part of the cache key. Contains no colon.
    pub name: String,
    /// The path of its own endpoint, without a slash. `None` if it is only a member of other answers.
    pub endpoint: Option<String>,
    /// The schema's name in the OpenAPI document.
    pub schema: String,
    /// Describes the endpoint in a few words.
    pub summary: String,
    /// Describes the endpoint, in Markdown.
    pub description: String,
    /// Describes the answer, in Markdown.
    pub meaning: String,
    /// The column of the graph's output whose score is explained. `None` if it has only one.
    pub output: Option<usize>,
    /// The number of fields in an answer of its endpoint. `None` for all.
    pub top: Option<usize>,
}

/// The base and the contribution of each field, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    pub base: f64,
    pub contributions: Vec<f64>,
}

/// The values of an input as the client sent them: JSON, by field; `None` for an absent field.
pub type SentValues<'a> = Vec<Option<&'a str>>;

impl Contributions {
    /// Checks an entry. `None` if it has mistakes, which are added to `entry`.
    pub(crate) fn new(written: &PredictionEntry, fields: usize, entry: &mut Entry<'_>) -> Option<Self> {
        let Common { name, endpoint, summary, description, meaning } = Common::new(written, entry);
        for (key, given) in [
            ("cuts", written.cuts.is_some()),
            ("values", written.values.is_some()),
            ("outputs", written.outputs.is_some()),
            ("from", written.from.is_some()),
            ("k", written.k.is_some()),
            ("encoding", written.encoding.is_some()),
        ] {
            entry.require(!given, format_args!("`{key}` does not apply to this `kind`: remove it"));
        }
        let is_count = written.top.is_none_or(|top| (1..=fields).contains(&top));
        entry.require(is_count, format_args!("`top` must be from 1 to the number of fields ({fields})"));
        let schema = schema_of(written, entry);
        entry.has_no_mistakes().then_some(Self {
            name,
            endpoint,
            schema,
            summary,
            description,
            meaning,
            output: written.output,
            top: written.top,
        })
    }

    /// Everything that an entry can depend on, for the model's fingerprint.
    pub fn identity(&self) -> String {
        format!("{:?} contributions {:?}", self.name, self.output)
    }

    /// The answer's member: a JSON object with the `top` fields with the largest contributions; `sent` are the input's values.
    pub fn answer(&self, fields: &[Field], explained: &Explained, sent: &SentValues<'_>, top: usize) -> String {
        let Explained { base, contributions } = explained;
        let mut order: Vec<usize> = (0..contributions.len()).collect();
        order.sort_by(|&one, &other| contributions[other].abs().total_cmp(&contributions[one].abs()));
        let (listed, others) = order.split_at(top.min(order.len()));
        let decimal = |number: f64| Decimal(number + 0.0, Precision::Float64);
        let mut text = format!("{{\"base\":{},\"contributions\":[", decimal(*base));
        // Writing to a String does not fail.
        for (position, &field) in listed.iter().enumerate() {
            let separator = if position > 0 { "," } else { "" };
            let of = &fields[field];
            let value = sent.get(field).copied().flatten().unwrap_or("null");
            let name = serde_json::Value::from(of.name());
            let contribution = decimal(contributions[field]);
            let _ = write!(text, "{separator}{{\"field\":{name},\"value\":{value},\"contribution\":{contribution}");
            if let Some(reason) = of.reason_for(value) {
                let _ = write!(text, ",\"reason\":{}", serde_json::Value::from(reason));
            }
            text.push('}');
        }
        let others: f64 = others.iter().map(|&field| contributions[field]).sum();
        let listed: f64 = listed.iter().map(|&field| contributions[field]).sum();
        let score = base + listed + others;
        let _ = write!(text, "],\"others\":{},\"score\":{}}}", decimal(others), decimal(score));
        text
    }
}

impl Explained {
    /// The cache entry: decimal numbers separated by commas. `None` if a number is not finite.
    pub fn to_entry(&self) -> Option<Bytes> {
        let mut entry = String::with_capacity(20 * (self.contributions.len() + 1));
        for number in std::iter::once(&self.base).chain(&self.contributions) {
            if !number.is_finite() {
                return None;
            }
            let separator = if entry.is_empty() { "" } else { "," };
            // Writing to a String does not fail. Adding zero turns negative zero into zero.
            let _ = write!(entry, "{separator}{}", Decimal(number + 0.0, Precision::Float64));
        }
        Some(entry.into())
    }

    /// Parses an entry with the contributions of this many fields. `None` for anything that [`Self::to_entry`] would not write.
    pub fn from_entry(entry: &[u8], fields: usize) -> Option<Self> {
        let numbers = std::str::from_utf8(entry).ok()?.split(',').map(|text| Decimal::read(text, Precision::Float64));
        let mut numbers = numbers.collect::<Option<Vec<_>>>()?;
        (numbers.len() == fields + 1).then(|| Self { base: numbers.remove(0), contributions: numbers })
    }
}
