//! `TreeEnsembleClassifier`. Follows ONNX Runtime where the specification is silent: two classes with weights for only one, ties between
//! labels.

use crate::{
    attributes::{Aggregate, PostTransform},
    error::{AttributeError, Result},
    forest::{Forest, Score},
    number::{Number, Output},
    transform::{logistic, probit},
};

/// Maps a row of features to the position of a class and one score per class.
#[derive(Debug, Clone)]
pub(crate) struct Classifier<T: Copy> {
    pub(crate) forest: Forest<T>,
    base_values: Vec<T>,
    post_transform: PostTransform,
    weights: WeightsOf,
}

/// The classes that have weights. Matters only for two classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WeightsOf {
    /// Only one class has weights. They are probabilities with the threshold 0.5 if none is negative, otherwise log-odds with the
    /// threshold 0.
    OneClass {
        all_positive: bool,
    },
    SeveralClasses,
}

impl WeightsOf {
    /// From the attributes `class_ids` and `class_weights`.
    pub(crate) fn new<T: Number>(class_ids: &[i64], weights: &[T]) -> Self {
        match class_ids {
            [first, others @ ..] if others.iter().all(|id| id == first) => {
                Self::OneClass { all_positive: !weights.iter().any(|&weight| weight < T::default()) }
            }
            _ => Self::SeveralClasses,
        }
    }
}

impl<T: Number> Classifier<T> {
    /// `base_values` is empty, or has one entry per class, or one entry for two classes.
    pub(crate) fn new(
        forest: Forest<T>,
        base_values: Vec<T>,
        post_transform: PostTransform,
        weights: WeightsOf,
    ) -> Result<Self> {
        let (given, classes) = (base_values.len(), forest.targets());
        if given != 0 && given != classes && !(given == 1 && classes == 2) {
            return Err(AttributeError::new("base_values", format!("has {given} entries for {classes} classes")));
        }
        Ok(Self { forest, base_values, post_transform, weights })
    }

    pub(crate) fn widen(&self) -> Classifier<f64>
    where
        T: Into<f64>,
    {
        Classifier {
            forest: self.forest.widen(),
            base_values: self.base_values.iter().map(|&value| value.into()).collect(),
            post_transform: self.post_transform,
            weights: self.weights,
        }
    }
}

impl<T: Output<f32>> Classifier<T> {
    /// Evaluates one row and returns the position of its class. `scores` is scratch space, `out` receives the scores; both have one
    /// entry per class.
    pub(crate) fn evaluate(&self, row: &[T], scores: &mut [Score<T>], out: &mut [f32]) -> usize {
        self.forest.evaluate(row, Aggregate::Sum, scores);
        match (scores, out) {
            ([score], [out]) => {
                *out = self.base_values.first().map_or(score.or_zero(), |&base| score.or_zero() + base).output();
                if self.post_transform == PostTransform::Probit {
                    *out = probit(*out);
                }
                0
            }
            ([first, second], [out_first, out_second]) => {
                let (class, values) = self.two_classes(*first, *second);
                (*out_first, *out_second) = values;
                class
            }
            (scores, out) => self.several_classes(scores, out),
        }
    }

    fn several_classes(&self, scores: &mut [Score<T>], out: &mut [f32]) -> usize {
        for (score, &base) in scores.iter_mut().zip(&self.base_values) {
            *score = Score { value: score.or_zero() + base, seen: true };
        }
        // The first maximum wins. A class without a weight in any reached leaf cannot win.
        let mut winner: Option<(usize, T)> = None;
        for (class, (score, out)) in scores.iter().zip(&mut *out).enumerate() {
            if score.seen && winner.is_none_or(|(_, largest)| score.value > largest) {
                winner = Some((class, score.value));
            }
            *out = score.or_zero().output();
        }
        self.post_transform.apply(out);
        winner.map_or(0, |(class, _)| class)
    }

    fn two_classes(&self, mut first: Score<T>, mut second: Score<T>) -> (usize, (f32, f32)) {
        let mut both = second.seen;
        match *self.base_values {
            [_, base] if second.seen => {
                second.value = first.value + base;
                first.value = -second.value;
            }
            [base, _] => {
                first.value = first.value + base;
                both = true;
            }
            [base] => first.value = first.value + base,
            _ => {}
        }
        let zero = T::default();
        let decisive = if second.seen { second.value } else { first.or_zero() };
        let threshold = match self.weights {
            WeightsOf::OneClass { all_positive: true } => 0.5_f32.into(),
            _ => zero,
        };
        let class = usize::from(decisive > threshold);
        if both {
            let mut out = [first.or_zero().output(), second.or_zero().output()];
            self.post_transform.apply(&mut out);
            return (class, out.into());
        }
        (class, self.one_score(first.or_zero()))
    }

    /// Turns the only score of two classes into two scores.
    fn one_score(&self, score: T) -> (f32, f32) {
        match (self.post_transform, self.weights) {
            // ONNX Runtime leaves the other column of its output unwritten.
            (PostTransform::Probit, _) => (probit(score.output()), 0.0),
            (_, WeightsOf::OneClass { all_positive: true }) => ((T::one() - score).output(), score.output()),
            (_, WeightsOf::SeveralClasses) if self.base_values.len() == 1 => (score.output(), 0.0),
            (PostTransform::Logistic, _) => (logistic((-score).output()), logistic(score.output())),
            _ => ((-score).output(), score.output()),
        }
    }
}
