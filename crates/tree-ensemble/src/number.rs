//! The two types that an ensemble computes in.

use std::{
    fmt::Debug,
    ops::{Add, Div, Neg, Sub},
};

/// float32, or float64 where the file or the graph's input says so.
pub(crate) trait Number:
    Copy
    + Debug
    + Default
    + PartialOrd
    + From<f32>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Send
    + Sync
    + 'static
{
    /// The largest number below this one, so that `x < t` is `x <= t.next_below()`. NaN, of which no number is below, for
    /// minus infinity.
    fn next_below(self) -> Self;
    fn next_above(self) -> Self;
    /// A position that is kept where a value usually stands.
    fn from_position(position: u32) -> Self;
    /// The position that [`Number::from_position`] kept.
    fn position(self) -> u32;
    fn is_nan(self) -> bool;
    /// The nearest float32.
    fn narrow(self) -> f32;
    /// A number of trees.
    fn from_count(count: usize) -> Self;
}

impl Number for f32 {
    fn next_below(self) -> Self {
        if self == f32::NEG_INFINITY { f32::NAN } else { self.next_down() }
    }

    fn next_above(self) -> Self {
        self.next_up()
    }

    fn from_position(position: u32) -> Self {
        Self::from_bits(position)
    }

    fn position(self) -> u32 {
        self.to_bits()
    }

    fn is_nan(self) -> bool {
        self.is_nan()
    }

    fn narrow(self) -> f32 {
        self
    }

    fn from_count(count: usize) -> Self {
        count as Self
    }
}

impl Number for f64 {
    fn next_below(self) -> Self {
        if self == f64::NEG_INFINITY { f64::NAN } else { self.next_down() }
    }

    fn next_above(self) -> Self {
        self.next_up()
    }

    fn from_position(position: u32) -> Self {
        Self::from(position)
    }

    fn position(self) -> u32 {
        self as u32
    }

    fn is_nan(self) -> bool {
        self.is_nan()
    }

    fn narrow(self) -> f32 {
        self as f32
    }

    fn from_count(count: usize) -> Self {
        count as Self
    }
}
