//! The two number types of an ensemble.

use std::fmt::Debug;

use num_traits::Float;

/// float32, or float64 if the file or the graph's input uses it.
pub(crate) trait Number: Float + Debug + Default + From<f32> + Send + Sync + 'static {
    /// The largest number below this one, so that `x < t` is `x <= t.next_below()`. NaN for minus infinity, so that no number passes the
    /// test.
    fn next_below(self) -> Self;
    fn next_above(self) -> Self;
    /// Stores a position in place of a value.
    fn from_position(position: u32) -> Self;
    /// Reverses [`Number::from_position`].
    fn position(self) -> u32;
    fn from_count(count: usize) -> Self;
}

/// A number whose nearest number of the type `O` can be an output.
pub(crate) trait Output<O>: Number {
    fn output(self) -> O;
}

impl<T: Number> Output<T> for T {
    fn output(self) -> T {
        self
    }
}

impl Output<f32> for f64 {
    fn output(self) -> f32 {
        self as f32
    }
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
        position.into()
    }

    fn position(self) -> u32 {
        self as u32
    }

    fn from_count(count: usize) -> Self {
        count as Self
    }
}
