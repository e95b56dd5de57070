//! A classifier or a regressor, in float32 or float64.

use tract_onnx::tract_hir::internal::*;

use crate::{classifier::Classifier, forest::Score, number::Number, regressor::Regressor};

#[derive(Debug)]
pub(crate) enum Model {
    Classifier32(Classifier<f32>),
    Classifier64(Classifier<f64>),
    Regressor32(Regressor<f32>),
    Regressor64(Regressor<f64>),
}

/// The results for some rows: the position of each row's class (0 for a regressor), and a score per row and target.
pub(crate) struct Answers {
    pub(crate) classes: Vec<usize>,
    /// `[rows, targets]`
    pub(crate) scores: Tensor,
}

impl Model {
    /// The model in float64. `None` if it already is.
    pub(crate) fn widen(&self) -> Option<Self> {
        match self {
            Self::Classifier32(model) => Some(Self::Classifier64(model.widen())),
            Self::Regressor32(model) => Some(Self::Regressor64(model.widen())),
            Self::Classifier64(_) | Self::Regressor64(_) => None,
        }
    }

    /// The least number of features in a row.
    pub(crate) fn columns(&self) -> usize {
        match self {
            Self::Classifier32(model) => model.forest.columns(),
            Self::Classifier64(model) => model.forest.columns(),
            Self::Regressor32(model) => model.forest.columns(),
            Self::Regressor64(model) => model.forest.columns(),
        }
    }

    /// The number of scores per row.
    pub(crate) fn targets(&self) -> usize {
        match self {
            Self::Classifier32(model) => model.forest.targets(),
            Self::Classifier64(model) => model.forest.targets(),
            Self::Regressor32(model) => model.forest.targets(),
            Self::Regressor64(model) => model.forest.targets(),
        }
    }

    /// Evaluates the `rows` rows of `input`, which is in row-major order. `output` is the type of the scores: float64 is possible for a
    /// regressor in float64.
    pub(crate) fn evaluate(&self, input: &Tensor, rows: usize, output: DatumType) -> TractResult<Answers> {
        let targets = self.targets();
        match self {
            Self::Classifier32(model) => {
                evaluate(input, rows, targets, |row, scores, out| model.evaluate(row, scores, out))
            }
            Self::Classifier64(model) => {
                evaluate(input, rows, targets, |row, scores, out| model.evaluate(row, scores, out))
            }
            Self::Regressor32(model) => evaluate(input, rows, targets, |row, scores, out: &mut [f32]| {
                model.evaluate(row, scores, out);
                0
            }),
            Self::Regressor64(model) if output == DatumType::F64 => {
                evaluate(input, rows, targets, |row, scores, out: &mut [f64]| {
                    model.evaluate(row, scores, out);
                    0
                })
            }
            Self::Regressor64(model) => evaluate(input, rows, targets, |row, scores, out: &mut [f32]| {
                model.evaluate(row, scores, out);
                0
            }),
        }
    }
}

fn evaluate<T: Number + Datum, O: Number + Datum>(
    input: &Tensor,
    rows: usize,
    targets: usize,
    mut row: impl FnMut(&[T], &mut [Score<T>], &mut [O]) -> usize,
) -> TractResult<Answers> {
    let input = input.cast_to::<T>()?;
    let input = input.try_as_plain_ram()?.as_slice::<T>()?;
    let columns = input.len().checked_div(rows).unwrap_or(0);
    let mut scratch = vec![Score::unseen(T::default()); targets];
    let mut classes = Vec::with_capacity(rows);
    let mut scores = vec![O::default(); rows * targets];
    for (position, out) in scores.chunks_exact_mut(targets).enumerate() {
        let features = &input[position * columns..(position + 1) * columns];
        classes.push(row(features, &mut scratch, out));
    }
    Ok(Answers { classes, scores: Tensor::from_shape(&[rows, targets], &scores)? })
}
