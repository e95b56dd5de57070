//! Derives an answer from the graph's output or from a cache entry.

use std::fmt::Write;

use bytes::Bytes;

use super::{AnswerValue, Column, ModelError, Prediction, PredictionKind, Scores, arrays::highest};
use crate::{
    output::{Decimal, Output},
    tensor::Tensor,
};

/// Tolerance for probabilities outside 0 to 1. The rounding error of a float32 sum of a thousand trees is smaller.
const ROUNDING: f32 = 1e-5;

/// From here on, a column of [`PredictionKind::Labels`] stands for yes.
pub(super) const LEAST: f64 = 0.5;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The cache entry: short readable text, or the bytes of a vector.
    pub entry: Bytes,
    /// The response body: a JSON object with one member, the prediction's name.
    pub body: Bytes,
}

/// An answer before it is written as text.
enum Derived<'a> {
    Number(f64),
    OneOf(&'a AnswerValue),
    Distribution(Vec<f64>),
    Chosen(Vec<bool>),
    Vector(Vec<f64>),
    /// The positions of classes, and their scores.
    Top(Vec<(usize, f64)>),
    Tensor(&'a Tensor),
}

impl Prediction {
    /// Derives the answer from the graph's output, which the prediction has been [checked](crate::Signature::set_output) against.
    ///
    /// # Errors
    ///
    /// If a number is not finite, not a probability, or not the position of a class.
    pub fn derive(&self, output: &Output) -> Result<Answer, ModelError> {
        Ok(match self.value(output)? {
            Derived::Number(number) => self.number(number),
            Derived::OneOf(value) => self.one_of(value),
            Derived::Distribution(probabilities) => {
                let texts: Vec<_> = probabilities.into_iter().map(|number| self.decimal(number)).collect();
                self.distribution(&texts)
            }
            Derived::Chosen(flags) => self.chosen(&flags),
            Derived::Vector(numbers) => self.vector(&numbers, self.vector_entry(&numbers)),
            Derived::Top(classes) => {
                let texts: Vec<_> = classes.into_iter().map(|(class, score)| (class, self.decimal(score))).collect();
                self.top(&texts)
            }
            Derived::Tensor(tensor) => self.tensor(tensor),
        })
    }

    /// Whether an answer can be [derived](Self::derive) from this output.
    pub(crate) fn accepts(&self, output: &Output) -> bool {
        self.value(output).is_ok()
    }

    fn value<'a>(&'a self, output: &'a Output) -> Result<Derived<'a>, ModelError> {
        let outputs = output.columns(self.source);
        let outputs = &outputs[..];
        let fail = |what: String| ModelError::Output(format!("{}: {what}", self.name));
        let finite = |number: f64| {
            if number.is_finite() {
                Ok(number + 0.0)
            } else {
                Err(fail(format!("{} is not finite", self.decimal(number))))
            }
        };
        let probability = |number: f64| {
            if (f64::from(-ROUNDING)..=f64::from(1.0 + ROUNDING)).contains(&number) {
                Ok(number.clamp(0.0, 1.0) + 0.0)
            } else {
                Err(fail(format!("{} is not a probability", self.decimal(number))))
            }
        };
        Ok(match &self.kind {
            PredictionKind::Value(column) => Derived::Number(finite(column.of(outputs))?),
            PredictionKind::Probability(column) => Derived::Number(probability(column.of(outputs))?),
            PredictionKind::Bands(column, cuts, values) => {
                let number = finite(column.of(outputs))?;
                Derived::OneOf(&values[cuts.partition_point(|cut| number >= self.precision.round(*cut))])
            }
            PredictionKind::ClassAt(column, values) => {
                let position = column.of(outputs);
                let is_position = position >= 0.0 && position.fract() == 0.0;
                let value = if is_position { values.get(position as usize) } else { None };
                let fail = || fail(format!("{} is not the position of a class", self.decimal(position)));
                Derived::OneOf(value.ok_or_else(fail)?)
            }
            PredictionKind::Class(scores, values) => {
                let mut best: Option<(f64, &AnswerValue)> = None;
                for (score, value) in scores.of(outputs).zip(values) {
                    let score = finite(score)?;
                    if best.is_none_or(|(highest, _)| score > highest) {
                        best = Some((score, value));
                    }
                }
                Derived::OneOf(best.ok_or_else(|| fail("the graph returned no scores".to_owned()))?.1)
            }
            PredictionKind::Values(scores, _) => {
                Derived::Distribution(scores.of(outputs).map(finite).collect::<Result<_, _>>()?)
            }
            PredictionKind::Labels(scores, _) => Derived::Chosen(
                scores.of(outputs).map(|number| Ok(finite(number)? >= LEAST)).collect::<Result<_, _>>()?,
            ),
            PredictionKind::Probabilities(scores, _) => {
                Derived::Distribution(scores.of(outputs).map(probability).collect::<Result<_, _>>()?)
            }
            PredictionKind::Top(scores, k, _) => {
                let scores = scores.of(outputs).map(finite).collect::<Result<Vec<_>, _>>()?;
                Derived::Top(highest(&scores, *k))
            }
            PredictionKind::Tensor => {
                outputs.iter().copied().try_for_each(|number| finite(number).map(drop))?;
                Derived::Tensor(&output.tensors()[self.source])
            }
            PredictionKind::Vector(_) => {
                Derived::Vector(outputs.iter().copied().map(finite).collect::<Result<_, _>>()?)
            }
        })
    }

    /// Parses a cache entry. `None` for anything that [`Self::derive`] would not produce.
    pub fn read(&self, entry: &Bytes) -> Option<Answer> {
        if let PredictionKind::Vector(_) = &self.kind {
            return Some(self.vector(&self.read_vector(entry)?, entry.clone()));
        }
        if let PredictionKind::Tensor = &self.kind {
            return self.read_tensor(entry);
        }
        let text = std::str::from_utf8(entry).ok()?;
        let body = match &self.kind {
            PredictionKind::Value(_) => {
                self.read_decimal(text)?;
                self.body(text)
            }
            PredictionKind::Probability(_) => {
                self.read_decimal(text).filter(|number| (0.0..=1.0).contains(number))?;
                self.body(text)
            }
            PredictionKind::Class(_, values)
            | PredictionKind::ClassAt(_, values)
            | PredictionKind::Bands(_, _, values) => self.body(&values.iter().find(|value| value.text == text)?.json),
            PredictionKind::Labels(_, values) => {
                let flags = text.bytes().map(|byte| match byte {
                    b'0' => Some(false),
                    b'1' => Some(true),
                    _ => None,
                });
                let flags = flags.collect::<Option<Vec<_>>>()?;
                return (flags.len() == values.len()).then(|| self.chosen(&flags));
            }
            PredictionKind::Values(_, values) | PredictionKind::Probabilities(_, values) => {
                let texts: Vec<_> = text.split(',').collect();
                let any = matches!(self.kind, PredictionKind::Values(..));
                let possible =
                    |text: &&str| self.read_decimal(text).is_some_and(|number| any || (0.0..=1.0).contains(&number));
                if texts.len() != values.len() || !texts.iter().all(possible) {
                    return None;
                }
                return Some(Answer { entry: entry.clone(), body: self.distribution(&texts).body });
            }
            PredictionKind::Top(..) => return self.read_top(text),
            PredictionKind::Vector(_) | PredictionKind::Tensor => return None,
        };
        Some(Answer { entry: entry.clone(), body })
    }

    fn decimal(&self, number: f64) -> String {
        Decimal(number, self.precision).to_string()
    }

    pub(super) fn read_decimal(&self, text: &str) -> Option<f64> {
        Decimal::read(text, self.precision)
    }

    fn number(&self, number: f64) -> Answer {
        let text = self.decimal(number);
        Answer { body: self.body(&text), entry: text.into() }
    }

    fn one_of(&self, value: &AnswerValue) -> Answer {
        Answer { entry: Bytes::copy_from_slice(value.text.as_bytes()), body: self.body(&value.json) }
    }

    /// The values whose flag is set. The entry holds the flags: `101`.
    fn chosen(&self, flags: &[bool]) -> Answer {
        let entry: String = flags.iter().map(|flag| if *flag { '1' } else { '0' }).collect();
        let chosen = flags.iter().zip(self.values()).filter(|(flag, _)| **flag).map(|(_, value)| value.json.as_str());
        let array = chosen.collect::<Vec<_>>().join(",");
        Answer { body: self.body(&format!("[{array}]")), entry: entry.into() }
    }

    fn distribution<T: AsRef<str>>(&self, numbers: &[T]) -> Answer {
        let mut entry = String::with_capacity(12 * numbers.len());
        let mut object = String::with_capacity(24 * numbers.len());
        for (number, value) in numbers.iter().map(AsRef::as_ref).zip(self.values()) {
            let separator = if entry.is_empty() { "" } else { "," };
            // Writing to a String does not fail.
            let _ = write!(entry, "{separator}{number}");
            let _ = write!(object, "{separator}{}:{number}", value.member());
        }
        Answer { body: self.body(&format!("{{{object}}}")), entry: entry.into() }
    }

    pub(super) fn body(&self, json: &str) -> Bytes {
        let mut body = Vec::with_capacity(self.opening.len() + json.len() + 1);
        body.extend_from_slice(self.opening.as_bytes());
        body.extend_from_slice(json.as_bytes());
        body.push(b'}');
        body.into()
    }
}

impl Column {
    fn of(self, outputs: &[f64]) -> f64 {
        outputs[self.0.unwrap_or(0)]
    }
}

impl Scores {
    fn of<'a>(&'a self, outputs: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
        let chosen = self.0.as_deref().unwrap_or_default();
        let all = if self.0.is_none() { outputs } else { &[] };
        all.iter().copied().chain(chosen.iter().map(|column| outputs[*column]))
    }
}
