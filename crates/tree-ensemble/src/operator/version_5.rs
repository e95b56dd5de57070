//! Reads the attributes of `TreeEnsemble` (version 5 of ai.onnx.ml), which has separate lists of branches and leaves.

use std::borrow::Cow;

use tract_onnx::{model::ParsingContext, pb::NodeProto, tract_hir::internal::*};

use super::{
    model::Model,
    read::{Floats, integers, targets, tensor},
};
use crate::{
    attributes::{Aggregate, Mode, PostTransform},
    error::{AttributeError, Result},
    forest::{Forest, Graph, LeafWeights, MAX_NODES, Names, same_length, target},
    number::Number,
    regressor::Regressor,
};

pub(super) fn read(context: &ParsingContext, node: &NodeProto) -> TractResult<Model> {
    let splits = tensor(context, node, "nodes_splits")?.context("nodes_splits: missing")?;
    let weights = tensor(context, node, "leaf_weights")?.context("leaf_weights: missing")?;
    let members = tensor(context, node, "membership_values")?.unwrap_or(Floats::F32(Cow::Borrowed(&[])));
    let lists = Lists::read(context, node)?;
    match (splits, weights, members) {
        (Floats::F32(splits), Floats::F32(weights), Floats::F32(members)) => {
            Ok(Model::Regressor32(lists.build(node, &splits, &weights, &members)?))
        }
        (splits, weights, members) => {
            Ok(Model::Regressor64(lists.build(node, &splits.widen(), &weights.widen(), &members.widen())?))
        }
    }
}

/// The integer attributes.
struct Lists<'a> {
    roots: &'a [i64],
    features: &'a [i64],
    modes: Vec<Mode>,
    missing_tracks_true: &'a [i64],
    true_ids: &'a [i64],
    true_leafs: &'a [i64],
    false_ids: &'a [i64],
    false_leafs: &'a [i64],
    leaf_targets: &'a [i64],
    aggregate: Aggregate,
    post_transform: PostTransform,
}

impl<'a> Lists<'a> {
    fn read(context: &ParsingContext, node: &'a NodeProto) -> TractResult<Self> {
        let modes = node.get_attr::<&tract_onnx::pb::TensorProto>("nodes_modes")?;
        let modes = context.load_tensor(modes).context("nodes_modes: not a tensor")?;
        ensure!(modes.datum_type() == u8::datum_type(), "nodes_modes: must be uint8");
        Ok(Self {
            roots: integers(node, "tree_roots")?,
            features: integers(node, "nodes_featureids")?,
            modes: modes.try_as_plain_ram()?.as_slice::<u8>()?.iter().map(|&code| mode(code)).collect::<Result<_>>()?,
            missing_tracks_true: integers(node, "nodes_missing_value_tracks_true")?,
            true_ids: integers(node, "nodes_truenodeids")?,
            true_leafs: integers(node, "nodes_trueleafs")?,
            false_ids: integers(node, "nodes_falsenodeids")?,
            false_leafs: integers(node, "nodes_falseleafs")?,
            leaf_targets: integers(node, "leaf_targetids")?,
            aggregate: match node.get_attr_opt::<i64>("aggregate_function")?.unwrap_or(1) {
                0 => Aggregate::Average,
                1 => Aggregate::Sum,
                2 => Aggregate::Min,
                3 => Aggregate::Max,
                other => bail!("aggregate_function: must be from 0 to 3, not {other}"),
            },
            // The order of the specification. ONNX Runtime 1.32 swaps 1 and 2.
            post_transform: match node.get_attr_opt::<i64>("post_transform")?.unwrap_or(0) {
                0 => PostTransform::None,
                1 => PostTransform::Softmax,
                2 => PostTransform::Logistic,
                3 => PostTransform::SoftmaxZero,
                4 => PostTransform::Probit,
                other => bail!("post_transform: must be from 0 to 4, not {other}"),
            },
        })
    }

    fn build<T: Number>(
        &self,
        node: &NodeProto,
        splits: &[T],
        weights: &[T],
        members: &[T],
    ) -> TractResult<Regressor<T>> {
        let targets = targets(node, weights.len())?;
        let forest = Forest::new(&self.graph(splits, weights, members, targets)?, targets)?;
        Ok(Regressor::new(forest, Vec::new(), self.aggregate, self.post_transform)?)
    }

    /// The graph's nodes are the branches, followed by the leaves.
    fn graph<T: Number>(
        &self,
        splits: &[T],
        weights: &[T],
        members: &[T],
        targets: usize,
    ) -> Result<Graph<'static, T>> {
        let branches = self.modes.len();
        let leaves = weights.len();
        for (name, length) in [
            ("nodes_featureids", self.features.len()),
            ("nodes_splits", splits.len()),
            ("nodes_truenodeids", self.true_ids.len()),
            ("nodes_trueleafs", self.true_leafs.len()),
            ("nodes_falsenodeids", self.false_ids.len()),
            ("nodes_falseleafs", self.false_leafs.len()),
        ] {
            same_length(name, length, "nodes_modes", branches)?;
        }
        same_length("leaf_targetids", self.leaf_targets.len(), "leaf_weights", leaves)?;
        if !self.missing_tracks_true.is_empty() {
            same_length("nodes_missing_value_tracks_true", self.missing_tracks_true.len(), "nodes_modes", branches)?;
        }
        let count = branches + leaves;
        if branches == 0 || count > MAX_NODES {
            return Err(AttributeError::new(
                "nodes_modes",
                format!(
                    "must have 1 to {MAX_NODES} nodes, at least one a branch, not {branches} branches and {leaves} leaves"
                ),
            ));
        }
        let mut values = splits.to_vec();
        values.resize(count, T::default());
        let sets = sets(&self.modes, members, &mut values)?;
        let child = |id_name, leaf_name, id: i64, is_leaf: i64| {
            let (start, length) = match is_leaf {
                0 => (0, branches),
                1 => (branches, leaves),
                other => return Err(AttributeError::new(leaf_name, format!("must be 0 or 1, not {other}"))),
            };
            let found = usize::try_from(id).ok().filter(|&id| id < length);
            let missing =
                || AttributeError::new(id_name, format!("must be from 0 to {}, not {id}", length.saturating_sub(1)));
            found.map(|id| (start + id) as u32).ok_or_else(missing)
        };
        let mut children = Vec::with_capacity(count);
        for branch in 0..branches {
            children.push([
                child("nodes_truenodeids", "nodes_trueleafs", self.true_ids[branch], self.true_leafs[branch])?,
                child("nodes_falsenodeids", "nodes_falseleafs", self.false_ids[branch], self.false_leafs[branch])?,
            ]);
        }
        children.resize(count, [0; 2]);
        let mut roots = Vec::with_capacity(self.roots.len());
        for &root in self.roots {
            roots.push(child("tree_roots", "tree_roots", root, 0)?);
        }
        let entries = self
            .leaf_targets
            .iter()
            .zip(weights)
            .map(|(&id, &weight)| Ok((target("leaf_targetids", id, targets)?, weight)))
            .collect::<Result<_>>()?;
        let mut modes = self.modes.clone();
        modes.resize(count, Mode::Leaf);
        let filled = |list: &[i64]| {
            let mut list = list.to_vec();
            list.resize(count, 0);
            Cow::Owned(list)
        };
        Ok(Graph {
            modes: Cow::Owned(modes),
            features: filled(self.features),
            values: Cow::Owned(values),
            missing_tracks_true: filled(self.missing_tracks_true),
            children,
            roots,
            weights: LeafWeights {
                starts: (0..=count).map(|node| node.saturating_sub(branches) as u32).collect(),
                entries,
            },
            sets,
            names: Names {
                values: "nodes_splits",
                ids: None,
                true_children: "nodes_truenodeids",
                nodes: "nodes_truenodeids",
            },
        })
    }
}

fn mode(code: u8) -> Result<Mode> {
    Ok(match code {
        0 => Mode::LessOrEqual,
        1 => Mode::Less,
        2 => Mode::GreaterOrEqual,
        3 => Mode::Greater,
        4 => Mode::Equal,
        5 => Mode::NotEqual,
        6 => Mode::Member,
        other => return Err(AttributeError::new("nodes_modes", format!("must be from 0 to 6, not {other}"))),
    })
}

/// The sets of the BRANCH_MEMBER nodes, each in ascending order. Sets the values of these nodes to the positions of their sets.
fn sets<T: Number>(modes: &[Mode], members: &[T], values: &mut [T]) -> Result<Vec<Vec<T>>> {
    let mut lists = members.split(|member| member.is_nan());
    let mut sets = Vec::new();
    for (mode, value) in modes.iter().zip(values) {
        if *mode == Mode::Member {
            let mut set = lists.next().unwrap_or_default().to_vec();
            if set.is_empty() {
                return Err(AttributeError::new(
                    "membership_values",
                    "has fewer sets than there are BRANCH_MEMBER nodes",
                ));
            }
            set.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
            *value = T::from_position(sets.len() as u32);
            sets.push(set);
        }
    }
    // A delimiter may follow the last set.
    if lists.any(|rest| !rest.is_empty()) {
        return Err(AttributeError::new("membership_values", "has more sets than there are BRANCH_MEMBER nodes"));
    }
    Ok(sets)
}
