//! Runs of many rows at once, and the check that no row influences another's output.
//!
//! A graph can compute a sum, a mean or a softmax over its rows. Such an answer would depend on the other inputs of its array, and would
//! be stored as if it did not.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use model_package::{Draw, Input, MAX_INPUTS, ModelError, Output, Precision, Tensor};
use tract_onnx::prelude::TypedRunnableModel;

use super::run::run_rows;

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
    /// The type in which integers of outputs are compared and written.
    of_integers: Precision,
    /// The most rows that are checked, as a power of two.
    largest: u32,
    /// For 2, 4, 8, … rows: whether they are independent. Checked before the first run of this or half this size.
    independent: [OnceLock<Result<(), Unbatchable>>; SIZES],
}

/// Why each row needs a run of its own.
#[derive(Clone, Debug, PartialEq)]
pub enum Unbatchable {
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
    /// `size` is the number of numbers that the graph reads for a row.
    pub(super) fn new(runnable: Arc<TypedRunnableModel>, of_integers: Precision, size: usize) -> Self {
        let largest = (MAX_NUMBERS / size.max(1)).clamp(2, 1 << SIZES).ilog2();
        Self { runnable, of_integers, largest, independent: [const { OnceLock::new() }; SIZES] }
    }

    pub(super) fn run(&self, rows: &[Tensor], count: usize) -> Result<Vec<Output>, ModelError> {
        run_rows(&self.runnable, self.of_integers, rows, count)
    }

    /// Whether `count` rows can run together: each row's output is the same among other rows and alone. `alone` runs one row.
    pub(super) fn are_independent(
        &self,
        count: usize,
        alone: impl Fn(&[Tensor]) -> Result<Output, ModelError>,
        draw: impl Fn(Draw) -> Input,
        feed: impl Fn(&[&Input]) -> Option<Vec<Tensor>>,
    ) -> Result<(), &Unbatchable> {
        let size = count.max(2).next_power_of_two().ilog2().min(self.largest);
        let independent =
            self.independent[size as usize - 1].get_or_init(|| self.compare(1 << size, alone, draw, feed));
        independent.as_ref().copied()
    }

    fn compare(
        &self,
        count: usize,
        alone: impl Fn(&[Tensor]) -> Result<Output, ModelError>,
        draw: impl Fn(Draw) -> Input,
        feed: impl Fn(&[&Input]) -> Option<Vec<Tensor>>,
    ) -> Result<(), Unbatchable> {
        let fed = |inputs: &[&Input]| feed(inputs).ok_or(Unbatchable::Fails);
        let run = |inputs: &[&Input]| -> Result<Vec<Vec<f64>>, Unbatchable> {
            let outputs = self.run(&fed(inputs)?, count).map_err(|_| Unbatchable::Fails)?;
            Ok(outputs.iter().map(numbers).collect())
        };
        let mixed = |outputs| Unbatchable::Mixed { rows: count, outputs };
        let of_seed = |seed| draw(if seed % 2 == 0 { Draw::Usual(seed) } else { Draw::Extreme(seed) });
        let drawn: Vec<_> = (0..count as u64).map(of_seed).collect();
        let inputs: Vec<_> = drawn.iter().collect();
        let together = run(&inputs)?;
        if together[0].is_empty() {
            return Err(Unbatchable::Fails);
        }
        // A row keeps its place and the number of rows its size, so that its output has the same bits if the others do not matter.
        let half = count / 2;
        for (replacement, replaced, kept) in
            [(draw(Draw::Largest), half..count, 0..half), (draw(Draw::Smallest), 0..half, half..count)]
        {
            let mut others = inputs.clone();
            others[replaced].fill(&replacement);
            let others = run(&others)?;
            let is_same = |one: f64, other: f64| one == other || (one.is_nan() && other.is_nan());
            for (row, among_others) in together[kept.clone()].iter().zip(&others[kept]) {
                if row.len() != among_others.len() {
                    return Err(Unbatchable::Fails);
                }
                if let Some((one, other)) = row.iter().zip(among_others).find(|(one, other)| !is_same(**one, **other)) {
                    return Err(mixed([*one, *other]));
                }
            }
        }
        // The output could still depend on the number of rows. Large numbers are left out: their sums round differently.
        for row in (0..count).step_by(2).take(ALONE) {
            let alone = numbers(&alone(&fed(&inputs[row..=row])?).map_err(|_| Unbatchable::Fails)?);
            let among = &together[row];
            let is_close = |(one, other): (&f64, &f64)| {
                one == other || (one - other).abs() <= ROUNDING * one.abs().max(1.0) || (one.is_nan() && other.is_nan())
            };
            if alone.len() != among.len() {
                return Err(Unbatchable::Fails);
            }
            if let Some((one, other)) = alone.iter().zip(among).find(|pair| !is_close(*pair)) {
                return Err(mixed([*one, *other]));
            }
        }
        Ok(())
    }
}

/// All numbers of a row's outputs.
fn numbers(output: &Output) -> Vec<f64> {
    (0..output.tensors().len()).flat_map(|tensor| output.columns(tensor)).collect()
}

/// A clause after "one row at a time:".
impl fmt::Display for Unbatchable {
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
