//! `TreeEnsembleRegressor`, and `TreeEnsemble`, which computes the same.

use crate::{
    attributes::{Aggregate, PostTransform},
    error::{AttributeError, Result},
    forest::{Forest, Score},
    number::{Number, Output},
    transform::probit,
};

/// Maps a row of features to one score per target.
#[derive(Debug, Clone)]
pub(crate) struct Regressor<T: Copy> {
    pub(crate) forest: Forest<T>,
    base_values: Vec<T>,
    aggregate: Aggregate,
    post_transform: PostTransform,
}

impl<T: Number> Regressor<T> {
    /// `base_values` is empty or has one entry per target.
    pub(crate) fn new(
        forest: Forest<T>,
        base_values: Vec<T>,
        aggregate: Aggregate,
        post_transform: PostTransform,
    ) -> Result<Self> {
        let (given, targets) = (base_values.len(), forest.targets());
        if given != 0 && given != targets {
            return Err(AttributeError::new("base_values", format!("has {given} entries for {targets} targets")));
        }
        Ok(Self { forest, base_values, aggregate, post_transform })
    }

    pub(crate) fn widen(&self) -> Regressor<f64>
    where
        T: Into<f64>,
    {
        Regressor {
            forest: self.forest.widen(),
            base_values: self.base_values.iter().map(|&value| value.into()).collect(),
            aggregate: self.aggregate,
            post_transform: self.post_transform,
        }
    }

    /// Evaluates one row. `scores` is scratch space, `out` receives the scores; both have one entry per target.
    pub(crate) fn evaluate<O: Number>(&self, row: &[T], scores: &mut [Score<T>], out: &mut [O])
    where
        T: Output<O>,
    {
        self.forest.evaluate(row, self.aggregate, scores);
        let trees = T::from_count(self.forest.trees());
        let single = scores.len() == 1;
        for (target, (score, out)) in scores.iter().zip(&mut *out).enumerate() {
            // As in ONNX Runtime, if there are several targets, one without a weight in any reached leaf is 0, without its base value.
            if !score.seen && !single {
                *out = O::default();
                continue;
            }
            let mut value = score.value;
            if self.aggregate == Aggregate::Average {
                value = value / trees;
            }
            if let Some(&base) = self.base_values.get(target) {
                value = value + base;
            }
            *out = value.output();
        }
        match out {
            // ONNX Runtime applies no other transformation to a single score.
            [score] if self.post_transform == PostTransform::Probit => *score = probit(*score),
            [_] => {}
            _ => self.post_transform.apply(out),
        }
    }
}
