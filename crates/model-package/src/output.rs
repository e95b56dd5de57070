//! The graph's output, from which all predictions are derived, and its text in the cache.

use std::fmt::{self, Write};

use bytes::Bytes;

use super::{
    precision::Precision,
    tensor::{DataType, Tensor},
};

/// The outputs of the graph that predictions read, for one input.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Without the batch dimension, in the order of [`Signature::outputs`](crate::Signature::outputs).
    tensors: Vec<Tensor>,
    /// The type in which integers and booleans are compared and written, except as a tensor.
    of_integers: Precision,
}

impl Output {
    /// `of_integers` is the type in which integers and booleans are compared and written.
    pub fn new(tensors: Vec<Tensor>, of_integers: Precision) -> Self {
        Self { tensors, of_integers }
    }

    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// The type in which the numbers of the tensor at this position are compared and written.
    pub fn precision(&self, position: usize) -> Precision {
        match self.tensors[position].datatype() {
            DataType::Float16 | DataType::Float32 => Precision::Float32,
            DataType::Float64 => Precision::Float64,
            DataType::Int32 | DataType::Int64 | DataType::Uint8 | DataType::Bool => self.of_integers,
        }
    }

    /// The numbers of the tensor at this position, in this [precision](Self::precision).
    pub fn columns(&self, position: usize) -> Vec<f64> {
        let precision = self.precision(position);
        let mut numbers = self.tensors[position].numbers();
        numbers.iter_mut().for_each(|number| *number = precision.round(*number));
        numbers
    }
}

/// How outputs are written to the cache.
#[derive(Clone, Debug)]
pub(crate) enum OutputForm {
    /// Decimal numbers separated by commas, which Redis' own tools show: the columns of one tensor of this type and shape.
    Text { datatype: DataType, shape: Vec<usize>, precision: Precision },
    /// The shape and the bytes of each tensor of these types.
    Bytes { datatypes: Vec<DataType>, of_integers: Precision },
}

impl OutputForm {
    /// The form of outputs like this one.
    pub(crate) fn of(output: &Output, as_text: bool) -> Self {
        match &output.tensors[..] {
            [tensor] if as_text => Self::Text {
                datatype: tensor.datatype(),
                shape: tensor.shape().to_vec(),
                precision: output.precision(0),
            },
            tensors => Self::Bytes {
                datatypes: tensors.iter().map(Tensor::datatype).collect(),
                of_integers: output.of_integers,
            },
        }
    }

    /// The cache entry. `None` if a number is not finite.
    pub(crate) fn write(&self, output: &Output) -> Option<Bytes> {
        match self {
            Self::Text { precision, .. } => {
                let columns = output.columns(0);
                let mut entry = String::with_capacity(12 * columns.len());
                for number in columns {
                    if !number.is_finite() {
                        return None;
                    }
                    let separator = if entry.is_empty() { "" } else { "," };
                    // Writing to a String does not fail. Adding zero turns negative zero into zero.
                    let _ = write!(entry, "{separator}{}", Decimal(number + 0.0, *precision));
                }
                Some(entry.into())
            }
            Self::Bytes { .. } => {
                let mut entry = Vec::new();
                output.tensors.iter().for_each(|tensor| tensor.write(&mut entry));
                Some(entry.into())
            }
        }
    }

    /// Parses an entry. `None` for anything that [`Self::write`] would not write.
    pub(crate) fn read(&self, mut entry: &[u8]) -> Option<Output> {
        match self {
            Self::Text { datatype, shape, precision } => {
                let numbers = std::str::from_utf8(entry).ok()?.split(',').map(|text| Decimal::read(text, *precision));
                let numbers = numbers.collect::<Option<Vec<_>>>()?;
                let is_whole = numbers.len() == shape.iter().product::<usize>();
                let tensor = || Tensor::from_numbers(*datatype, shape.clone(), &numbers);
                is_whole.then(|| Output::new(vec![tensor()], *precision))
            }
            Self::Bytes { datatypes, of_integers } => {
                let tensors = datatypes.iter().map(|datatype| Tensor::read(*datatype, &mut entry));
                let tensors = tensors.collect::<Option<_>>()?;
                entry.is_empty().then(|| Output::new(tensors, *of_integers))
            }
        }
    }
}

/// Displays a finite number as the shortest decimal that parses to the same number of this type, so that cached and computed answers
/// are equal. The text is also valid JSON.
pub(crate) struct Decimal(pub(crate) f64, pub(crate) Precision);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, precision) = *self;
        match precision {
            Precision::Float32 => write!(f, "{:?}", number as f32),
            Precision::Float64 => write!(f, "{number:?}"),
        }
    }
}

impl Decimal {
    /// Parses only the text that `Display` writes, and neither `+0.3`, `3e-1` nor `0.30`.
    pub(crate) fn read(text: &str, precision: Precision) -> Option<f64> {
        let number = match precision {
            Precision::Float32 => text.parse::<f32>().ok()?.into(),
            Precision::Float64 => text.parse::<f64>().ok()?,
        };
        let is_negative_zero = number == 0.0 && number.is_sign_negative();
        let is_answer = number.is_finite() && !is_negative_zero;
        (is_answer && Self(number, precision).to_string() == text).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(columns: &[f64], precision: Precision) -> (OutputForm, Output) {
        let datatype = if precision == Precision::Float32 { DataType::Float32 } else { DataType::Float64 };
        let output = Output::new(vec![Tensor::from_numbers(datatype, vec![columns.len()], columns)], precision);
        (OutputForm::of(&output, true), output)
    }

    #[test]
    fn an_output_reads_back_as_it_was_written() {
        for columns in [&[0.320_254_27][..], &[-0.5, 1e-20, 3.0], &[f32::MAX, f32::MIN_POSITIVE, 0.1]] {
            let columns: Vec<_> = columns.iter().map(|number| f64::from(*number)).collect();
            let (form, output) = text(&columns, Precision::Float32);
            let entry = form.write(&output).expect("finite");
            assert_eq!(form.read(&entry), Some(output), "{entry:?}");
        }
        for columns in [&[0.320_254_268_675_103_1][..], &[f64::MAX, f64::MIN_POSITIVE, 0.1], &[1_700_000_007.5]] {
            let (form, output) = text(columns, Precision::Float64);
            let entry = form.write(&output).expect("finite");
            assert_eq!(form.read(&entry), Some(output), "{entry:?}");
            assert_eq!(text(columns, Precision::Float32).0.read(&entry), None, "{entry:?}");
        }
        for precision in [Precision::Float32, Precision::Float64] {
            let entry = |columns: &[f64]| {
                let (form, output) = text(columns, precision);
                form.write(&output)
            };
            assert_eq!(entry(&[-0.0, 1.0]).as_deref(), Some(&b"0.0,1.0"[..]));
            assert_eq!(entry(&[f64::NAN]), None);
        }
    }

    #[test]
    fn tensors_of_any_type_and_shape_read_back_and_anything_else_is_refused() {
        let tensors = vec![
            Tensor::from_numbers(DataType::Float32, vec![2, 2], &[0.1, -0.0, f64::NAN, 4.0]),
            Tensor::from_numbers(DataType::Int64, vec![], &[-7.0]),
            Tensor::zeros(DataType::Bool, vec![0, 3]),
        ];
        let output = Output::new(tensors, Precision::Float64);
        let form = OutputForm::of(&output, false);
        let entry = form.write(&output).expect("any");
        let read = form.read(&entry).expect("an output");
        assert_eq!((read.tensors(), read.tensors()[0].bytes()), (output.tensors(), output.tensors()[0].bytes()));
        for length in 0..entry.len() {
            assert_eq!(form.read(&entry[..length]), None, "{length} bytes");
        }
        assert_eq!(form.read(&[&entry[..], &[0]].concat()), None);
        assert_eq!(form.read(&[0xff; 64]), None);
    }

    #[test]
    fn text_in_another_form_is_refused() {
        for entry in
            ["", "0.5", "0.5,", "0.5,0.25,1.0", "0.50,0.25", "0.5, 0.25", "+0.5,0.25", "-0.0,1.0", "NaN,1.0", "ACCEPT"]
        {
            for precision in [Precision::Float32, Precision::Float64] {
                assert_eq!(text(&[0.0; 2], precision).0.read(entry.as_bytes()), None, "{entry}");
            }
        }
    }
}
