//! The graph's output, from which all predictions are derived, and its text in the cache.

use std::fmt::{self, Write};

use bytes::Bytes;

/// The graph's output columns for one input.
#[derive(Clone, Debug, PartialEq)]
pub struct Output(Vec<f32>);

impl Output {
    pub fn new(columns: Vec<f32>) -> Self {
        Self(columns)
    }

    pub fn columns(&self) -> &[f32] {
        &self.0
    }

    /// The cache entry: decimal numbers separated by commas. `None` if a number is not finite.
    pub fn to_entry(&self) -> Option<Bytes> {
        let mut entry = String::with_capacity(12 * self.0.len());
        for number in &self.0 {
            if !number.is_finite() {
                return None;
            }
            let separator = if entry.is_empty() { "" } else { "," };
            // Writing to a String does not fail. Adding zero turns negative zero into zero.
            let _ = write!(entry, "{separator}{}", Decimal(*number + 0.0));
        }
        Some(entry.into())
    }

    /// Parses an entry of this many columns. `None` for anything that [`Self::to_entry`] would not write.
    pub fn read(entry: &[u8], columns: usize) -> Option<Self> {
        let numbers: Option<Vec<_>> = std::str::from_utf8(entry).ok()?.split(',').map(Decimal::read).collect();
        numbers.filter(|numbers| numbers.len() == columns).map(Self)
    }
}

/// Displays a finite number as the shortest decimal that parses to the same `f32`, so that cached and computed answers are equal. The
/// text is also valid JSON.
pub(crate) struct Decimal(pub(crate) f32);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl Decimal {
    /// Parses only the text that `Display` writes, and neither `+0.3`, `3e-1` nor `0.30`.
    pub(crate) fn read(text: &str) -> Option<f32> {
        let number: f32 = text.parse().ok().filter(|number: &f32| number.is_finite())?;
        let is_negative_zero = number == 0.0 && number.is_sign_negative();
        (!is_negative_zero && Self(number).to_string() == text).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_reads_back_as_it_was_written() {
        for columns in [&[0.320_254_27][..], &[-0.5, 1e-20, 3.0], &[f32::MAX, f32::MIN_POSITIVE, 0.1]] {
            let output = Output::new(columns.to_vec());
            let entry = output.to_entry().expect("finite");
            assert_eq!(Output::read(&entry, columns.len()), Some(output), "{entry:?}");
        }
        assert_eq!(Output::new(vec![-0.0, 1.0]).to_entry().as_deref(), Some(&b"0.0,1.0"[..]));
        assert_eq!(Output::new(vec![f32::NAN]).to_entry(), None);
    }

    #[test]
    fn text_in_another_form_is_refused() {
        for entry in
            ["", "0.5", "0.5,", "0.5,0.25,1.0", "0.50,0.25", "0.5, 0.25", "+0.5,0.25", "-0.0,1.0", "NaN,1.0", "ACCEPT"]
        {
            assert_eq!(Output::read(entry.as_bytes(), 2), None, "{entry}");
        }
    }
}
