//! The columns of the graph's input that a field's value fills.

use super::{Encoded, Field, Kind, text};

/// How a value becomes input columns of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// One column: the number, or the code.
    Column,
    /// One column per code; this many codes.
    OneHot(usize),
}

impl Field {
    /// Appends the [`Self::width`] columns that the model reads. Each is a number of the graph's type.
    pub(crate) fn encode(&self, value: &Encoded, columns: &mut Vec<f64>) {
        let number = match *value {
            Encoded::Number(number) => number.into(),
            Encoded::Double(number) => number,
            Encoded::Code(code) => code.into(),
            Encoded::Nan => f64::NAN,
            Encoded::Zeros => 0.0,
            Encoded::Tensors(ref tensors) => {
                let first = columns.len();
                columns.resize(first + self.width(), 0.0);
                text::scatter(tensors, &mut columns[first..]);
                return;
            }
        };
        match (self.encoding, value) {
            (Encoding::Column, _) => columns.push(number),
            (Encoding::OneHot(codes), Encoded::Code(code)) => {
                let first = columns.len();
                columns.resize(first + codes, 0.0);
                columns[first + usize::from(*code)] = 1.0;
            }
            (Encoding::OneHot(codes), _) => columns.extend(std::iter::repeat_n(number, codes)),
        }
    }

    /// The names of its columns in the graph's input: the field's name, or `field=value` and `field=band` with one-hot encoding.
    pub fn columns(&self) -> Vec<String> {
        match (self.encoding, &self.kind) {
            (_, Kind::Array(_) | Kind::Image(_)) => Vec::new(),
            (_, Kind::Text(text)) => (0..text.width()).map(|column| format!("{}[{column}]", self.name)).collect(),
            (Encoding::Column, _) => vec![self.name.clone()],
            (Encoding::OneHot(_), Kind::Category(category)) => {
                category.values().iter().map(|value| format!("{}={}", self.name, value.name)).collect()
            }
            (Encoding::OneHot(codes), Kind::Number(_) | Kind::Boolean | Kind::Date(_)) => {
                (0..codes).map(|code| format!("{}={code}", self.name)).collect()
            }
        }
    }

    /// The number of columns that the model reads.
    pub fn width(&self) -> usize {
        match self.encoding {
            Encoding::Column => match &self.kind {
                Kind::Array(_) | Kind::Image(_) => 0,
                Kind::Text(text) => text.width(),
                Kind::Number(_) | Kind::Boolean | Kind::Category(_) | Kind::Date(_) => 1,
            },
            Encoding::OneHot(codes) => codes,
        }
    }
}
