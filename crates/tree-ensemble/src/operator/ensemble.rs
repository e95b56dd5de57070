//! Reads the trees of a node for their contributions, in float64.

use tract_onnx::{model::ParsingContext, pb::NodeProto, tract_hir::internal::*};

use super::read::{Common, aggregate, floats, integers, labels, leaf_weights, nodes};
use crate::{
    attributes::{Aggregate, Mode, PostTransform, WeightNames},
    classifier::WeightsOf,
    contributions::{Contributions, Unexplainable},
    forest::{Forest, Graph, resolve},
};

/// The trees of a `TreeEnsembleClassifier` or a `TreeEnsembleRegressor`, and how its scores are made of their sums.
#[derive(Debug)]
pub struct Ensemble {
    node: NodeProto,
    modes: Vec<Mode>,
    values: Vec<f64>,
    weights: Vec<f64>,
    covers: Vec<f64>,
    names: &'static WeightNames,
    targets: usize,
    scores: Vec<Score>,
}

/// A column of the scores before the post-transformation: a constant, and the sums of some targets times a factor.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The position of a target, and its factor.
    pub targets: Vec<(usize, f64)>,
    /// Added to the sums.
    pub constant: f64,
    /// Whether the column is a function of this score: a softmax, or a logistic function.
    pub transformed: bool,
}

impl Ensemble {
    /// Reads a node.
    ///
    /// # Errors
    ///
    /// If an attribute is malformed, or a score is not a sum of leaves.
    pub fn read(context: &ParsingContext, node: &NodeProto) -> TractResult<Self> {
        let (common, targets, aggregate, classes) = match node.op_type.as_str() {
            "TreeEnsembleRegressor" => {
                let common = Common::regressor(context, node)?;
                let targets = common.targets()?;
                (common, targets, aggregate(node)?, false)
            }
            "TreeEnsembleClassifier" => (Common::classifier(context, node)?, labels(node)?.len(), Aggregate::Sum, true),
            other => bail!("{other} does not have the numbers of training rows of its leaves"),
        };
        let covers = floats(context, node, "nodes_hitrates", "nodes_hitrates_as_tensor")?.widen();
        let Common { modes, values, weights, base_values, post_transform, names, .. } = common;
        let (values, weights, base_values) = (values.widen(), weights.widen(), base_values.widen());
        let transformed = match post_transform {
            PostTransform::None => false,
            PostTransform::Softmax | PostTransform::Logistic => true,
            PostTransform::SoftmaxZero | PostTransform::Probit => {
                bail!("its scores are transformed by {post_transform:?}")
            }
        };
        let mut ensemble =
            Self { node: node.clone(), modes, values, weights, covers, names, targets, scores: Vec::new() };
        let graph = ensemble.graph()?;
        // Checks the graph.
        Forest::new(&graph, targets)?;
        let leaves = ensemble.modes.iter().filter(|mode| **mode == Mode::Leaf).count();
        let is_dense = graph.weights.entries.len() == leaves * targets;
        let factor = match aggregate {
            Aggregate::Sum => 1.0,
            Aggregate::Average => 1.0 / graph.roots.len() as f64,
            Aggregate::Min | Aggregate::Max => bail!("its score is not the sum of its trees"),
        };
        drop(graph);
        let class_ids = integers(node, names.target_ids)?;
        ensemble.scores = match (classes, targets) {
            (true, 2) => two_classes(class_ids, &ensemble.weights, &base_values, is_dense, transformed)?,
            _ => {
                ensure!(
                    classes || base_values.is_empty() || targets == 1,
                    "base_values of several targets apply only to some of the rows"
                );
                let constant = |target| base_values.get(target).copied().unwrap_or_default();
                let score = |target| Score { targets: vec![(target, factor)], constant: constant(target), transformed };
                (0..targets).map(score).collect()
            }
        };
        Ok(ensemble)
    }

    fn graph(&self) -> TractResult<Graph<'_, f64>> {
        let weights = leaf_weights(&self.node, self.names, &self.weights)?;
        Ok(resolve(nodes(&self.node, &self.modes, &self.values)?, weights, self.targets)?)
    }

    /// The columns of the scores.
    pub fn scores(&self) -> &[Score] {
        &self.scores
    }

    /// The number of targets.
    pub fn targets(&self) -> usize {
        self.targets
    }

    /// Explains the sum of all targets times these weights. Columns of the input with the same entry in `players` are one feature.
    ///
    /// # Errors
    ///
    /// If the node has no covers, or its nodes do not form trees.
    pub fn contributions(&self, weights: &[f64], players: &[u32]) -> Result<Contributions, Unexplainable> {
        // Reading has checked the graph.
        let graph = self.graph().map_err(|_| Unexplainable::InvalidCovers)?;
        Contributions::new(&graph, &self.covers, weights, players)
    }
}

/// The two columns of a classifier with two classes, as [`Classifier`](crate::classifier::Classifier) makes them.
/// `is_dense` if each leaf has a weight for both.
fn two_classes(
    class_ids: &[i64],
    weights: &[f64],
    base_values: &[f64],
    is_dense: bool,
    transformed: bool,
) -> TractResult<Vec<Score>> {
    let one = |target, factor, constant, transformed| Score { targets: vec![(target, factor)], constant, transformed };
    match (WeightsOf::new(class_ids, weights), base_values) {
        (WeightsOf::SeveralClasses, []) if is_dense => {
            Ok(vec![one(0, 1.0, 0.0, transformed), one(1, 1.0, 0.0, transformed)])
        }
        (WeightsOf::OneClass { all_positive }, [] | [_]) if class_ids.first() == Some(&0) => {
            let base = base_values.first().copied().unwrap_or_default();
            Ok(if all_positive {
                vec![one(0, -1.0, 1.0 - base, false), one(0, 1.0, base, false)]
            } else {
                vec![one(0, -1.0, -base, transformed), one(0, 1.0, base, transformed)]
            })
        }
        _ => bail!("its two classes are not two sums of leaves"),
    }
}
