//! Valid inputs drawn from the fields, to try a model on.

use serde_json::{Value, json};

use super::{
    field::{Array, Encoded, Field, Kind, Number, Tensors},
    signature::Signature,
    tensor::{DataType, Tensor},
    values::Input,
};

/// The input to draw.
#[derive(Clone, Copy, Debug)]
pub enum Draw {
    /// The smallest value of each field.
    Smallest,
    /// The largest value of each field.
    Largest,
    /// Values at random, numbers within ±100 where the bounds allow it. Equal seeds give equal inputs.
    Usual(u64),
    /// Values at random, numbers within ±1,000,000 where the bounds allow it.
    Extreme(u64),
}

impl Signature {
    /// Draws an input that a request may send.
    pub fn draw(&self, draw: Draw) -> Input {
        let (reach, seed) = match draw {
            Draw::Smallest | Draw::Largest => (1e6, 0),
            Draw::Usual(seed) => (100.0, seed),
            Draw::Extreme(seed) => (1e6, seed),
        };
        let value = |(field, position): (&Field, u64)| match draw {
            Draw::Smallest => field.value_at(0.0, reach),
            Draw::Largest => field.value_at(1.0, reach),
            Draw::Usual(_) | Draw::Extreme(_) => {
                let random = mixed(mixed(seed) ^ position);
                // The low bits decide whether the field is missing, the high bits its value.
                let missing = field.missing().filter(|_| random.is_multiple_of(16));
                missing.cloned().unwrap_or_else(|| field.value_at((random >> 11) as f64 / (1_u64 << 53) as f64, reach))
            }
        };
        Input::new(self.fields().iter().zip(0..).map(value).collect())
    }
}

/// A well-distributed permutation of the 64-bit numbers (SplitMix64).
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Field {
    /// The value at a position from 0, the smallest value, to 1, the largest. Without a bound, numbers end at ±`reach`.
    fn value_at(&self, position: f64, reach: f64) -> Encoded {
        let code = |count: usize| Encoded::Code(((position * count as f64) as usize).min(count - 1) as u16);
        match self.kind() {
            Kind::Number(number) => match number.bands() {
                Some(limits) => code(limits.len() + 1),
                None => number.value_at(position, reach),
            },
            Kind::Boolean => code(2),
            Kind::Category(category) => code(category.values().len()),
            Kind::Date(date) => date.value_at(position),
            Kind::Text(text) => Encoded::Tensors(text.drawn(position.to_bits() >> 20)),
            Kind::Image(image) => image.drawn(|byte| match position {
                0.0 | 1.0 => 255 * position as u8,
                _ => mixed(position.to_bits() ^ byte) as u8,
            }),
            Kind::Array(array) => Encoded::Tensors(Tensors::new(vec![array.tensor_at(position, reach).into()])),
        }
    }
}

impl Array {
    /// Arrays that a request may send. Equal seeds give equal arrays.
    pub fn drawn(&self, seed: u64) -> Value {
        let share = (mixed(seed) >> 11) as f64 / (1_u64 << 53) as f64;
        let tensor = self.tensor_at(share, 10.0);
        let item = |number: f64| match tensor.datatype() {
            DataType::Bool => json!(number != 0.0),
            DataType::Float16 | DataType::Float32 | DataType::Float64 => json!(number),
            DataType::Int32 | DataType::Int64 | DataType::Uint8 => json!(number as i64),
        };
        let items = tensor.numbers().into_iter().map(item).collect();
        let nest = |items: Vec<Value>, size: &usize| items.chunks(*size).map(Value::from).collect();
        let mut nested: Vec<Value> = tensor.shape().iter().rev().fold(items, nest);
        nested.remove(0)
    }

    /// At 0 and 1, all elements are the smallest or largest; in between, they are random.
    fn tensor_at(&self, position: f64, reach: f64) -> Tensor {
        let (low, high) = match self.format.datatype {
            DataType::Float16 | DataType::Float32 | DataType::Float64 => (-reach.min(1e4), reach.min(1e4)),
            // They may be positions in a table of any length.
            DataType::Int32 | DataType::Int64 | DataType::Bool => (0.0, 1.0),
            DataType::Uint8 => (0.0, 255.0),
        };
        let low = self.format.lower.map_or(low, |bound| bound.limit + if bound.exclusive { 1e-3 } else { 0.0 });
        let high =
            self.format.upper.map_or(high.max(low), |bound| bound.limit - if bound.exclusive { 1e-3 } else { 0.0 });
        let element = |element: u64| {
            let share = match position {
                0.0 | 1.0 => position,
                _ => (mixed(position.to_bits() ^ element) >> 11) as f64 / (1_u64 << 53) as f64,
            };
            let number = low + (high - low) * share;
            // An excluded bound is a little off an integer.
            if self.format.datatype.is_float() { number } else { number.round().max(low.ceil()).min(high.floor()) }
        };
        let shape = self.usual_shape();
        let numbers: Vec<_> = (0..shape.iter().product::<usize>() as u64).map(element).collect();
        Tensor::from_numbers(self.format.datatype, shape.to_vec(), &numbers)
    }
}

impl Number {
    fn value_at(&self, position: f64, reach: f64) -> Encoded {
        let (lower, upper) = (self.lower().map(|bound| bound.limit), self.upper().map(|bound| bound.limit));
        let mut low = lower.map_or(-reach, |lower| lower.max(-reach));
        let mut high = upper.map_or(reach, |upper| upper.min(reach));
        // The bounds lie beyond ±reach: the part of the range that is nearest to zero.
        if let Some(lower) = lower.filter(|lower| *lower > reach) {
            high = upper.unwrap_or(f64::INFINITY).min(lower + reach);
        }
        if let Some(upper) = upper.filter(|upper| *upper < -reach) {
            low = lower.unwrap_or(f64::NEG_INFINITY).max(upper - reach);
        }
        let value = low + (high - low) * position;
        let value = if self.is_integer() { value.floor() } else { value };
        // A bound that is excluded is replaced by a neighbour, or by what lies between the bounds.
        let candidates = [value, value + 1.0, value - 1.0, low.midpoint(high), low, high];
        let valid = candidates.into_iter().find_map(|candidate| self.read(candidate));
        valid.or_else(|| Encoded::number(value, self.precision())).unwrap_or(Encoded::Nan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{json::Json, testing::field};

    #[test]
    fn every_position_gives_a_value_that_a_request_could_send() {
        for written in [
            "type = 'number'",
            "type = 'number'\nminimum = 0",
            "type = 'number'\nmaximum = -5e6",
            "type = 'number'\nminimum = 1e8\nmaximum = 3e30",
            "type = 'number'\nexclusive_minimum = 0\nexclusive_maximum = 1",
            "type = 'number'\nminimum = 3\nmaximum = 3",
            "type = 'integer'",
            "type = 'integer'\nexclusive_minimum = 0\nexclusive_maximum = 2",
            "type = 'integer'\nminimum = -16777216\nmaximum = -16777216",
        ] {
            let field = field(written);
            for step in 0..=64 {
                for reach in [100.0, 1e6] {
                    let Encoded::Number(number) = field.value_at(f64::from(step) / 64.0, reach) else {
                        panic!("{written}: not a number")
                    };
                    assert_eq!(field.read(&Json::Number(number.into())), Some(Encoded::Number(number)), "{written}");
                }
            }
        }
    }

    #[test]
    fn positions_cover_all_codes() {
        for (written, codes) in [
            ("type = 'boolean'", 2),
            ("type = 'string'\nvalues = ['a', 'b', 'c']", 3),
            ("type = 'number'\nbands = [0, 1, 2]", 4),
        ] {
            let field = field(written);
            let found: Vec<_> =
                (0..codes).map(|code| field.value_at((f64::from(code) + 0.5) / f64::from(codes), 1.0)).collect();
            assert_eq!(found, (0..codes as u16).map(Encoded::Code).collect::<Vec<_>>(), "{written}");
            assert_eq!(field.value_at(1.0, 1.0), Encoded::Code(codes as u16 - 1), "{written}");
        }
    }
}
