//! The weights of leaves, and their aggregation into scores.

use crate::{
    attributes::{Aggregate, Mode},
    forest::{
        graph::{Graph, LeafWeights},
        node::Node,
    },
    number::Number,
};

/// A target's score, and whether any reached leaf had a weight for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Score<T> {
    pub(crate) value: T,
    pub(crate) seen: bool,
}

impl<T: Number> Score<T> {
    pub(crate) const fn unseen(zero: T) -> Self {
        Self { value: zero, seen: false }
    }

    /// 0 if no leaf had a weight for the target, even if a base value was added since.
    pub(crate) fn or_zero(self) -> T {
        if self.seen { self.value } else { T::default() }
    }

    fn add(&mut self, weight: T) {
        self.value = self.value + weight;
        self.seen = true;
    }

    fn replace_if(&mut self, is_better: impl Fn(&T, &T) -> bool, weight: T) {
        if !self.seen || is_better(&weight, &self.value) {
            self.value = weight;
        }
        self.seen = true;
    }
}

/// How the weights are stored: in the slots if each leaf has exactly one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Leaves<T> {
    /// One weight per leaf, all for this target. The weight is the slot's value.
    OneTarget(u32),
    /// One weight per leaf. The weight is the slot's value, the target its payload.
    OneEach,
    /// One weight per target, in order. The slot's value is the position of the first one in this table.
    Dense(Vec<T>),
    /// Any number of weights. The slot's value is the position of the first one in this list, the payload their number.
    Sparse(Vec<(u32, T)>),
}

impl<T: Number> Leaves<T> {
    pub(crate) fn new(graph: &Graph<'_, T>, targets: usize) -> Self {
        let weights = &graph.weights;
        let mut one = true;
        let mut dense = true;
        for (node, mode) in graph.modes.iter().enumerate() {
            if *mode == Mode::Leaf {
                let entries = weights.of(node);
                one &= entries.len() == 1;
                dense &= entries.len() == targets && (0..).zip(entries).all(|(position, entry)| entry.0 == position);
            }
        }
        let first = weights.entries.first().map_or(0, |entry| entry.0);
        // Weights of branches are ignored, as in ONNX Runtime. Counting them here can only choose a slower form.
        if one && weights.entries.iter().all(|entry| entry.0 == first) {
            Self::OneTarget(first)
        } else if one {
            Self::OneEach
        } else if dense {
            Self::Dense(weights.entries.iter().map(|entry| entry.1).collect())
        } else {
            Self::Sparse(weights.entries.clone())
        }
    }

    /// The value and the payload of a leaf's slot.
    pub(crate) fn slot(&self, weights: &LeafWeights<T>, leaf: usize) -> (T, u32) {
        let entries = weights.of(leaf);
        match (self, entries) {
            (Self::OneTarget(_), [(_, value), ..]) => (*value, 0),
            (Self::OneEach, [(target, value), ..]) => (*value, *target),
            _ => (T::from_position(weights.starts[leaf]), entries.len() as u32),
        }
    }

    /// Aggregates the leaves that one row reaches, in the order of the trees.
    #[inline(always)]
    pub(crate) fn aggregate<N: Node<Value = T>>(
        &self,
        reached: impl Iterator<Item = N>,
        how: Aggregate,
        scores: &mut [Score<T>],
    ) {
        match how {
            Aggregate::Sum | Aggregate::Average => self.fold(reached, scores, Score::add),
            Aggregate::Min => self.fold(reached, scores, |score, weight| score.replace_if(T::lt, weight)),
            Aggregate::Max => self.fold(reached, scores, |score, weight| score.replace_if(T::gt, weight)),
        }
    }

    #[inline(always)]
    fn fold<N: Node<Value = T>>(
        &self,
        reached: impl Iterator<Item = N>,
        scores: &mut [Score<T>],
        with: impl Fn(&mut Score<T>, T),
    ) {
        match self {
            Self::OneTarget(target) => {
                let score = &mut scores[*target as usize];
                reached.for_each(|leaf| with(score, leaf.value()));
            }
            Self::OneEach => reached.for_each(|leaf| with(&mut scores[leaf.payload() as usize], leaf.value())),
            Self::Dense(table) => {
                for leaf in reached {
                    let start = leaf.value().position() as usize;
                    for (score, &weight) in scores.iter_mut().zip(&table[start..]) {
                        with(score, weight);
                    }
                }
            }
            Self::Sparse(entries) => {
                for leaf in reached {
                    let start = leaf.value().position() as usize;
                    for &(target, weight) in &entries[start..start + leaf.payload() as usize] {
                        with(&mut scores[target as usize], weight);
                    }
                }
            }
        }
    }

    pub(crate) fn widen(&self) -> Leaves<f64>
    where
        T: Into<f64>,
    {
        match self {
            Self::OneTarget(target) => Leaves::OneTarget(*target),
            Self::OneEach => Leaves::OneEach,
            Self::Dense(table) => Leaves::Dense(table.iter().map(|&weight| weight.into()).collect()),
            Self::Sparse(entries) => {
                Leaves::Sparse(entries.iter().map(|&(target, weight)| (target, weight.into())).collect())
            }
        }
    }
}
