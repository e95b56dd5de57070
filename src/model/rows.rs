//! Runs of many rows at once, and the check that no row influences another's output.
//!
//! A graph can compute a sum, a mean or a softmax over its rows. Such an answer would depend on the other inputs of its array, and would
//! be stored as if it did not.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use model_package::{Draw, MAX_INPUTS, ModelError, Output, Precision};
use tract_onnx::prelude::TypedRunnableModel;

use super::graph::first_output;

/// The sizes that are checked: powers of two up to an array of [`MAX_INPUTS`].
const SIZES: usize = MAX_INPUTS.next_power_of_two().ilog2() as usize;

/// Larger inputs of the graph are checked with fewer rows: this many numbers take 16 MiB.
const MAX_NUMBERS: usize = 1 << 22;

/// The number of rows that also run alone.
const ALONE: usize = 16;

/// The largest difference between a row's output alone and among others; relative for numbers above 1. The two runs may round
/// differently, because tract chooses other kernels for one row.
const ROUNDING: f64 = 1e-4;

/// A graph for any number of rows.
pub(super) struct Rows {
    runnable: Arc<TypedRunnableModel>,
    /// The type of the input.
    precision: Precision,
    width: usize,
    /// For 2, 4, 8, … rows: whether they are independent. Checked before the first run of this or half this size.
    independent: [OnceLock<Result<(), Apart>>; SIZES],
}

/// Why each row needs a run of its own.
#[derive(Clone, Debug, PartialEq)]
pub enum Apart {
    /// The graph accepts only one row.
    OneRowOnly,
    /// The graph fails on valid rows.
    Fails,
    /// A row's output depends on the other rows. The first output that differs: among some rows, or alone, and among others.
    Mixed {
        /// The number of rows.
        rows: usize,
        outputs: [f64; 2],
    },
}

impl Rows {
    pub(super) fn new(runnable: Arc<TypedRunnableModel>, precision: Precision, width: usize) -> Self {
        Self { runnable, precision, width, independent: [const { OnceLock::new() }; SIZES] }
    }

    pub(super) fn run(&self, rows: &[f64], count: usize) -> Result<Output, ModelError> {
        first_output(&self.runnable, self.precision, rows, count)
    }

    /// Whether `count` rows can run together: each row's output is the same among other rows and alone. `alone` runs one row.
    pub(super) fn are_independent(
        &self,
        count: usize,
        alone: impl Fn(&[f64]) -> Result<Output, ModelError>,
        draw: impl Fn(Draw) -> Vec<f64>,
    ) -> Result<(), &Apart> {
        let largest = (MAX_NUMBERS / self.width).clamp(2, 1 << SIZES).ilog2();
        let size = count.max(2).next_power_of_two().ilog2().min(largest);
        let independent = self.independent[size as usize - 1].get_or_init(|| self.compare(1 << size, alone, draw));
        independent.as_ref().copied()
    }

    fn compare(
        &self,
        count: usize,
        alone: impl Fn(&[f64]) -> Result<Output, ModelError>,
        draw: impl Fn(Draw) -> Vec<f64>,
    ) -> Result<(), Apart> {
        let run = |rows: &[f64]| self.run(rows, count).map_err(|_| Apart::Fails);
        let mixed = |outputs| Apart::Mixed { rows: count, outputs };
        let mut rows = Vec::with_capacity(count * self.width);
        for seed in 0..count as u64 {
            rows.extend(draw(if seed % 2 == 0 { Draw::Usual(seed) } else { Draw::Extreme(seed) }));
        }
        let together = run(&rows)?;
        let together = together.columns();
        let columns = together.len() / count;
        if columns == 0 || together.len() % count != 0 {
            return Err(Apart::Fails);
        }
        // A row keeps its place and the number of rows its size, so that its output has the same bits if the others do not matter.
        let (half, numbers) = (count / 2, count / 2 * self.width);
        for (replacement, replaced, kept) in [
            (draw(Draw::Largest), numbers..rows.len(), 0..half * columns),
            (draw(Draw::Smallest), 0..numbers, half * columns..together.len()),
        ] {
            let mut others = rows.clone();
            others[replaced].chunks_mut(self.width).for_each(|row| row.copy_from_slice(&replacement));
            let others = run(&others)?;
            let others = others.columns();
            if others.len() != together.len() {
                return Err(Apart::Fails);
            }
            let is_same = |one: f64, other: f64| one == other || (one.is_nan() && other.is_nan());
            let mut pairs = together[kept.clone()].iter().zip(&others[kept]);
            if let Some((one, other)) = pairs.find(|(one, other)| !is_same(**one, **other)) {
                return Err(mixed([*one, *other]));
            }
        }
        // The output could still depend on the number of rows. Large numbers are left out: their sums round differently.
        for row in (0..count).step_by(2).take(ALONE) {
            let alone = alone(&rows[row * self.width..][..self.width]).map_err(|_| Apart::Fails)?;
            let alone = alone.columns();
            let among = &together[row * columns..][..columns];
            let is_close = |(one, other): (&f64, &f64)| {
                one == other || (one - other).abs() <= ROUNDING * one.abs().max(1.0) || (one.is_nan() && other.is_nan())
            };
            if alone.len() != columns {
                return Err(Apart::Fails);
            }
            if let Some((one, other)) = alone.iter().zip(among).find(|pair| !is_close(*pair)) {
                return Err(mixed([*one, *other]));
            }
        }
        Ok(())
    }
}

/// A clause after "one row at a time:".
impl fmt::Display for Apart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneRowOnly => f.write_str("the graph accepts only one row"),
            Self::Fails => f.write_str("the graph fails on many valid rows"),
            Self::Mixed { rows, outputs: [one, other] } => {
                write!(
                    f,
                    "rows influence each other: one of {rows} has the output {one}, and {other} beside other rows"
                )
            }
        }
    }
}
