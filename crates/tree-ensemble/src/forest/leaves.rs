//! What the leaves of a forest hold, and how they become scores.

use crate::{
    attributes::{Aggregate, Mode},
    forest::{
        graph::{Graph, LeafWeights},
        node::Node,
    },
    number::Number,
};

/// A target's score, and whether any leaf of this row had a weight for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Score<T> {
    pub(crate) value: T,
    pub(crate) seen: bool,
}

impl<T: Number> Score<T> {
    pub(crate) const fn unseen(zero: T) -> Self {
        Self { value: zero, seen: false }
    }

    /// 0 if no leaf had a weight for it, whatever was added to it since.
    pub(crate) fn or_zero(self) -> T {
        if self.seen { self.value } else { T::default() }
    }

    fn add(&mut self, weight: T) {
        self.value = self.value + weight;
        self.seen = true;
    }

    fn take(&mut self, weight: T, better: impl Fn(&T, &T) -> bool) {
        if !self.seen || better(&weight, &self.value) {
            self.value = weight;
        }
        self.seen = true;
    }
}

/// Where the weights are: beside the nodes if each leaf has one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Leaves<T> {
    /// One weight per leaf, all for one target: the slot's value.
    OneTarget(u32),
    /// One weight per leaf: the slot's value, for the target in its payload.
    OneEach,
    /// A weight for each target in order: a row of this table, whose beginning is the slot's value.
    Dense(Vec<T>),
    /// Any: as many of these as the payload says, from the slot's value on.
    Sparse(Vec<(u32, T)>),
}

impl<T: Number> Leaves<T> {
    pub(crate) fn new(graph: &Graph<'_, T>, targets: usize) -> Self {
        let weights = &graph.weights;
        let mut one = true;
        let mut dense = true;
        for (node, mode) in graph.modes.iter().enumerate() {
            if *mode == Mode::Leaf {
                let own = weights.of(node);
                one &= own.len() == 1;
                dense &= own.len() == targets && (0..).zip(own).all(|(position, entry)| entry.0 == position);
            }
        }
        let first = weights.entries.first().map_or(0, |entry| entry.0);
        // A weight of a branch is ignored as ONNX Runtime does, but counts here: the worse for speed, not for the answer.
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

    /// What a leaf's slot holds: value and payload.
    pub(crate) fn slot(&self, weights: &LeafWeights<T>, leaf: usize) -> (T, u32) {
        let own = weights.of(leaf);
        match (self, own) {
            (Self::OneTarget(_), [(_, value), ..]) => (*value, 0),
            (Self::OneEach, [(target, value), ..]) => (*value, *target),
            _ => (T::from_position(weights.starts[leaf]), own.len() as u32),
        }
    }

    /// Adds the leaves that one row has come to, in the order of the trees.
    #[inline(always)]
    pub(crate) fn aggregate<N: Node<Value = T>>(
        &self,
        reached: impl Iterator<Item = N>,
        how: Aggregate,
        scores: &mut [Score<T>],
    ) {
        match how {
            Aggregate::Sum | Aggregate::Average => self.fold(reached, scores, Score::add),
            Aggregate::Min => self.fold(reached, scores, |score, weight| score.take(weight, T::lt)),
            Aggregate::Max => self.fold(reached, scores, |score, weight| score.take(weight, T::gt)),
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

    /// The same in float64.
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
