//! The text of an input in cache keys.

use std::fmt;

use super::{
    field::Encoded,
    precision::Precision,
    values::{Input, Values},
};

/// Short text for the cache key: numbers, and codes of categories and bands, separated by commas. NaN is an empty string (`2,30,,0`),
/// a row of zeros a question mark, and a tensor the digest of its type, shape and bytes.
impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Ascii { formatter: f, buffer: [0; BUFFER], length: 0 };
        match self.values() {
            Values::All(values) => {
                for (position, value) in values.iter().enumerate() {
                    if position > 0 {
                        text.push(b',')?;
                    }
                    text.push_value(value)?;
                }
            }
            Values::Sent { sent, missing } => {
                let mut next = 0;
                for (position, value) in sent {
                    text.push_text(missing.text(next, *position))?;
                    text.push_value(value)?;
                    next = position + 1;
                    if next < missing.len() {
                        text.push(b',')?;
                    }
                }
                text.push_text(missing.text(next, missing.len()))?;
            }
        }
        text.flush()
    }
}

/// Whether this is a whole number in the range in which the type represents every integer.
pub(crate) fn is_integer(number: f64, precision: Precision) -> bool {
    number.fract() == 0.0 && number.abs() <= precision.largest_integer()
}

const BUFFER: usize = 64;

/// Collects short ASCII texts: a formatter takes longer for each than they do.
struct Ascii<'a, 'f> {
    formatter: &'a mut fmt::Formatter<'f>,
    buffer: [u8; BUFFER],
    length: usize,
}

impl Ascii<'_, '_> {
    fn push(&mut self, byte: u8) -> fmt::Result {
        if self.length == BUFFER {
            self.flush()?;
        }
        self.buffer[self.length] = byte;
        self.length += 1;
        Ok(())
    }

    fn push_text(&mut self, text: &str) -> fmt::Result {
        self.flush()?;
        self.formatter.write_str(text)
    }

    fn push_value(&mut self, value: &Encoded) -> fmt::Result {
        match value {
            Encoded::Code(code) => self.push_integer((*code).into()),
            // 30, not 30.0, as far as the type represents every integer.
            Encoded::Number(number) if is_integer((*number).into(), Precision::Float32) => {
                self.push_integer(*number as i64)
            }
            Encoded::Number(number) => {
                self.flush()?;
                write!(self.formatter, "{number:?}")
            }
            Encoded::Double(number) if is_integer(*number, Precision::Float64) => self.push_integer(*number as i64),
            Encoded::Double(number) => {
                self.flush()?;
                write!(self.formatter, "{number:?}")
            }
            Encoded::Nan => Ok(()),
            Encoded::Zeros => self.push(b'?'),
            Encoded::Tensors(tensors) => {
                self.flush()?;
                write!(self.formatter, "{tensors}")
            }
        }
    }

    fn push_integer(&mut self, number: i64) -> fmt::Result {
        if number < 0 {
            self.push(b'-')?;
        }
        // Of an i64.
        let (mut digits, mut first, mut rest) = ([0; 19], 19, number.unsigned_abs());
        loop {
            first -= 1;
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        digits[first..].iter().try_for_each(|digit| self.push(*digit))
    }

    fn flush(&mut self) -> fmt::Result {
        // It is always ASCII.
        let text = str::from_utf8(&self.buffer[..self.length]).map_err(|_| fmt::Error)?;
        self.length = 0;
        self.formatter.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_written_as_the_standard_library_writes_them() {
        for number in [0, 7, 9, 10, 99, 100, 65_535, 16_777_216, -1, -10, -16_777_216] {
            let input = Input::new(vec![Encoded::Number(number as f32)]);
            assert_eq!(input.to_string(), number.to_string());
        }
        for number in [0, 10, 16_777_217, -9_007_199_254_740_991, 9_007_199_254_740_992_i64] {
            let input = Input::new(vec![Encoded::Double(number as f64)]);
            assert_eq!(input.to_string(), number.to_string());
        }
    }

    #[test]
    fn long_inputs_are_written_whole() {
        let values = (0..1_000).map(|code| match code % 4 {
            0 => Encoded::Code(code),
            1 => Encoded::Number(0.25),
            2 => Encoded::Nan,
            _ => Encoded::Zeros,
        });
        let expected: Vec<_> = (0..1_000)
            .map(|code| match code % 4 {
                0 => code.to_string(),
                1 => "0.25".to_owned(),
                2 => String::new(),
                _ => "?".to_owned(),
            })
            .collect();
        assert_eq!(Input::new(values.collect()).to_string(), expected.join(","));
    }
}
