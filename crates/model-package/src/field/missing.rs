//! Checks `missing`: the value that the model reads if a request leaves the field out.

use super::{Encoded, Encoding, Field, Kind};
use crate::{manifest::MissingEntry, mistake::Entry, precision::Precision};

impl Field {
    /// Checks `missing`: the value that the model reads if a request leaves the field out.
    pub(super) fn read_missing(&self, written: Option<&MissingEntry>, entry: &mut Entry<'_>) -> Option<Encoded> {
        let missing = match (written, self.encoding) {
            (None, _)
            | (Some(MissingEntry::Zeros), Encoding::Column)
            | (Some(MissingEntry::Number(_)), Encoding::OneHot(_)) => None,
            (Some(MissingEntry::Nan), _) => Some(Encoded::Nan),
            (Some(MissingEntry::Zeros), Encoding::OneHot(_)) => Some(Encoded::Zeros),
            (Some(MissingEntry::Number(number)), Encoding::Column) => self.missing_number(*number),
            (Some(MissingEntry::Value(name)), _) => match &self.kind {
                Kind::Category(category) => category.code(name).map(Encoded::Code),
                Kind::Date(date) => date.read_text(name),
                Kind::Number(_) | Kind::Boolean | Kind::Array(_) | Kind::Text(_) | Kind::Image(_) => None,
            },
        };
        if missing.is_none() {
            let allowed = match (&self.kind, self.encoding) {
                (Kind::Category(_), Encoding::OneHot(_)) => {
                    "\"nan\", \"zeros\", or { value = \"…\" } with one of `values`"
                }
                (Kind::Category(_), Encoding::Column) => "\"nan\", a number, or { value = \"…\" } with one of `values`",
                (_, Encoding::OneHot(_)) => "\"nan\" or \"zeros\"",
                (Kind::Date(_), Encoding::Column) => "\"nan\", or { value = \"…\" } with a date",
                (Kind::Number(number), Encoding::Column) if number.bands().is_some() => "\"nan\"",
                (_, Encoding::Column) => match self.precision {
                    Precision::Float32 => "\"nan\" or a number within the range of float32",
                    Precision::Float64 => "\"nan\" or a finite number",
                },
            };
            entry.mistake(format_args!(
                "`required = false` needs `missing`, the value that the model reads for an absent field: {allowed}"
            ));
        }
        missing
    }

    /// The value of a number in `missing`. A number that equals a code becomes the code, so that equal inputs have equal values.
    fn missing_number(&self, number: f64) -> Option<Encoded> {
        let codes = match &self.kind {
            Kind::Number(kind) if kind.bands().is_some() => return None,
            Kind::Date(_) => return None,
            Kind::Number(_) | Kind::Array(_) | Kind::Text(_) | Kind::Image(_) => 0..0,
            Kind::Boolean => 0..2,
            // The cast is lossless: a category has at most 10,000 values.
            Kind::Category(category) => 0..category.values().len() as u16,
        };
        let number = self.precision.round(number);
        let code = Some(number as u16).filter(|code| codes.contains(code) && f64::from(*code) == number);
        code.map(Encoded::Code).or_else(|| Encoded::number(number, self.precision))
    }
}
