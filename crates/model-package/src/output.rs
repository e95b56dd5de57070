//! The graph's output, from which all predictions are derived, and its text in the cache.

use std::fmt::{self, Write};

use bytes::Bytes;

use super::precision::Precision;

/// The graph's output columns for one input.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    columns: Vec<f64>,
    precision: Precision,
}

impl Output {
    /// `columns` are numbers of this type.
    pub fn new(columns: Vec<f64>, precision: Precision) -> Self {
        Self { columns, precision }
    }

    pub fn columns(&self) -> &[f64] {
        &self.columns
    }

    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The cache entry: decimal numbers separated by commas. `None` if a number is not finite.
    pub fn to_entry(&self) -> Option<Bytes> {
        let mut entry = String::with_capacity(12 * self.columns.len());
        for number in &self.columns {
            if !number.is_finite() {
                return None;
            }
            let separator = if entry.is_empty() { "" } else { "," };
            // Writing to a String does not fail. Adding zero turns negative zero into zero.
            let _ = write!(entry, "{separator}{}", Decimal(*number + 0.0, self.precision));
        }
        Some(entry.into())
    }

    /// Parses an entry of this many columns of this type. `None` for anything that [`Self::to_entry`] would not write.
    pub fn read(entry: &[u8], columns: usize, precision: Precision) -> Option<Self> {
        let numbers = std::str::from_utf8(entry).ok()?.split(',').map(|text| Decimal::read(text, precision));
        let numbers = numbers.collect::<Option<Vec<_>>>()?;
        (numbers.len() == columns).then_some(Self { columns: numbers, precision })
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

    #[test]
    fn an_output_reads_back_as_it_was_written() {
        for columns in [&[0.320_254_27][..], &[-0.5, 1e-20, 3.0], &[f32::MAX, f32::MIN_POSITIVE, 0.1]] {
            let output = Output::new(columns.iter().map(|number| f64::from(*number)).collect(), Precision::Float32);
            let entry = output.to_entry().expect("finite");
            assert_eq!(Output::read(&entry, columns.len(), Precision::Float32), Some(output), "{entry:?}");
        }
        for columns in [&[0.320_254_268_675_103_1][..], &[f64::MAX, f64::MIN_POSITIVE, 0.1], &[1_700_000_007.5]] {
            let output = Output::new(columns.to_vec(), Precision::Float64);
            let entry = output.to_entry().expect("finite");
            assert_eq!(Output::read(&entry, columns.len(), Precision::Float64), Some(output), "{entry:?}");
            assert_eq!(Output::read(&entry, columns.len(), Precision::Float32), None, "{entry:?}");
        }
        for precision in [Precision::Float32, Precision::Float64] {
            let entry = |columns: &[f64]| Output::new(columns.to_vec(), precision).to_entry();
            assert_eq!(entry(&[-0.0, 1.0]).as_deref(), Some(&b"0.0,1.0"[..]));
            assert_eq!(entry(&[f64::NAN]), None);
        }
    }

    #[test]
    fn text_in_another_form_is_refused() {
        for entry in
            ["", "0.5", "0.5,", "0.5,0.25,1.0", "0.50,0.25", "0.5, 0.25", "+0.5,0.25", "-0.0,1.0", "NaN,1.0", "ACCEPT"]
        {
            for precision in [Precision::Float32, Precision::Float64] {
                assert_eq!(Output::read(entry.as_bytes(), 2, precision), None, "{entry}");
            }
        }
    }
}
