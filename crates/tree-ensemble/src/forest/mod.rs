//! A checked forest, laid out for speed. Maps a row of features to one score per target.

mod graph;
mod layout;
mod leaves;
mod node;
mod walk;

pub(crate) use graph::{Graph, LeafWeights, MAX_NODES, Names, resolve, same_length, target};
pub(crate) use layout::branch;
pub(crate) use leaves::Score;
pub(crate) use node::Kind;
pub(crate) use walk::is_member;

use self::{
    layout::{Failure, Layout, lay_out},
    leaves::Leaves,
    node::{Narrow, Node, Wide},
};
use crate::{
    attributes::{Aggregate, Mode},
    error::{AttributeError, Result},
    number::Number,
};

/// Checked trees: every walk ends at a leaf, for any row.
#[derive(Debug, Clone)]
pub(crate) struct Forest<T: Copy> {
    slots: Slots<T>,
    roots: Vec<u32>,
    /// Whether a missing value can go to the true child of any branch.
    missing: bool,
    leaves: Leaves<T>,
    targets: usize,
    columns: usize,
}

#[derive(Debug, Clone)]
enum Slots<T: Copy> {
    /// Every test is `x <= value`. `strict` applies to all of them: see [`node::Test`].
    Narrow { nodes: Vec<Narrow<T>>, strict: bool },
    /// As `Narrow`, for wide rows and large trees.
    Wide(Vec<Wide<T>>),
    /// Tests of several kinds.
    Mixed { nodes: Vec<Wide<T>>, sets: Vec<Vec<T>> },
}

impl<T: Number> Forest<T> {
    /// Checks a graph and lays it out.
    pub(crate) fn new(graph: &Graph<'_, T>, targets: usize) -> Result<Self> {
        let leaves = Leaves::new(graph, targets);
        let modes = Modes::of(graph);
        let (slots, roots, missing) = match modes.narrow().then(|| lay_out::<Narrow<T>>(graph, &leaves)) {
            Some(Ok(Layout { slots, roots, missing })) => {
                (Slots::Narrow { nodes: slots, strict: modes.strict }, roots, missing)
            }
            Some(Err(Failure::Malformed(error))) => return Err(error),
            Some(Err(Failure::TooNarrow)) | None => match lay_out::<Wide<T>>(graph, &leaves) {
                Ok(Layout { slots, roots, missing }) => (Slots::wide(slots, graph.sets.clone()), roots, missing),
                Err(Failure::Malformed(error)) => return Err(error),
                // Unreachable for files that fit into memory, because distances and payloads have 32 bits.
                Err(Failure::TooNarrow) => return Err(AttributeError::new(graph.names.nodes, "too many nodes")),
            },
        };
        Ok(Self { slots, roots, missing, leaves, targets, columns: modes.columns })
    }

    /// The forest that the same attributes would give as float64.
    pub(crate) fn widen(&self) -> Forest<f64>
    where
        T: Into<f64>,
    {
        let in_place = matches!(self.leaves, Leaves::OneTarget(_) | Leaves::OneEach);
        let value = |value: T, branch: bool, strict: bool| {
            if branch && strict {
                // Undo the step below the file's threshold in float32, and repeat it in float64.
                let below: f64 = value.into();
                if below.is_nan() { below } else { value.next_above().into().next_below() }
            } else if branch || in_place {
                value.into()
            } else {
                f64::from_position(value.position())
            }
        };
        let widen = |nodes: &[Wide<T>]| {
            nodes
                .iter()
                .map(|node| {
                    let test = node.test();
                    let is_member = test.is_some_and(|test| test.kind == Kind::Member);
                    node.with_value(if is_member {
                        f64::from_position(node.value().position())
                    } else {
                        value(node.value(), test.is_some(), test.is_some_and(|test| test.strict))
                    })
                })
                .collect()
        };
        let slots = match &self.slots {
            Slots::Narrow { nodes, strict } => Slots::Narrow {
                nodes: nodes
                    .iter()
                    .map(|node| node.with_value(value(node.value(), node.is_branch(), *strict)))
                    .collect(),
                strict: *strict,
            },
            Slots::Wide(nodes) => Slots::Wide(widen(nodes)),
            Slots::Mixed { nodes, sets } => Slots::Mixed {
                nodes: widen(nodes),
                sets: sets.iter().map(|set| set.iter().map(|&member| member.into()).collect()).collect(),
            },
        };
        Forest {
            slots,
            roots: self.roots.clone(),
            missing: self.missing,
            leaves: self.leaves.widen(),
            targets: self.targets,
            columns: self.columns,
        }
    }

    /// The least number of features in a row.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    pub(crate) fn targets(&self) -> usize {
        self.targets
    }

    pub(crate) fn trees(&self) -> usize {
        self.roots.len()
    }

    /// Aggregates the leaves that a row reaches, in the order of the trees. `scores` has one entry per target; `row` has at least
    /// [`Forest::columns`] features.
    pub(crate) fn evaluate(&self, row: &[T], how: Aggregate, scores: &mut [Score<T>]) {
        scores.fill(Score::unseen(T::default()));
        match &self.slots {
            Slots::Narrow { nodes, .. } => self.evaluate_in_step(nodes, row, how, scores),
            Slots::Wide(nodes) => self.evaluate_in_step(nodes, row, how, scores),
            Slots::Mixed { nodes, sets } => {
                let reached = self.roots.iter().map(|&root| nodes[walk::mixed(nodes, sets, root, row)]);
                self.leaves.aggregate(reached, how, scores);
            }
        }
    }

    fn evaluate_in_step<N: Node<Value = T>>(&self, nodes: &[N], row: &[T], how: Aggregate, scores: &mut [Score<T>]) {
        for roots in self.roots.chunks(walk::LANES) {
            let mut at = [roots[0]; walk::LANES];
            at[..roots.len()].copy_from_slice(roots);
            // If no feature is read, every tree is a leaf.
            if self.columns > 0 {
                if self.missing {
                    walk::in_step::<N, true>(nodes, &mut at, row);
                } else {
                    walk::in_step::<N, false>(nodes, &mut at, row);
                }
            }
            let reached = at[..roots.len()].iter().map(|&at| nodes[at as usize]);
            self.leaves.aggregate(reached, how, scores);
        }
    }
}

impl<T: Number> Slots<T> {
    fn wide(nodes: Vec<Wide<T>>, sets: Vec<Vec<T>>) -> Self {
        let plain = |node: &Wide<T>| node.test().is_none_or(|test| test.kind == Kind::LessOrEqual);
        if nodes.iter().all(plain) { Self::Wide(nodes) } else { Self::Mixed { nodes, sets } }
    }
}

/// Properties of all branches of an ensemble.
struct Modes {
    /// Whether all tests are `<`, `<=`, `>` or `>=`.
    ordered: bool,
    /// Whether any test is `<` or `>=`.
    strict: bool,
    /// Whether any test is `<=` or `>`.
    loose: bool,
    /// One more than the largest feature that any branch reads.
    columns: usize,
}

impl Modes {
    fn of<T: Number>(graph: &Graph<'_, T>) -> Self {
        let mut modes = Self { ordered: true, strict: false, loose: false, columns: 0 };
        for (mode, &feature) in graph.modes.iter().zip(graph.features.iter()) {
            match mode {
                Mode::Leaf => continue,
                Mode::LessOrEqual | Mode::Greater => modes.loose = true,
                Mode::Less | Mode::GreaterOrEqual => modes.strict = true,
                Mode::Equal | Mode::NotEqual | Mode::Member => modes.ordered = false,
            }
            // The layout refuses negative features.
            modes.columns = modes.columns.max(usize::try_from(feature).map_or(0, |feature| feature.saturating_add(1)));
        }
        modes
    }

    fn narrow(&self) -> bool {
        self.ordered && !(self.strict && self.loose)
    }
}
