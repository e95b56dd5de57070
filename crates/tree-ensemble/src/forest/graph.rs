//! Resolves the references of an ensemble: children become positions, and weights are grouped by node.

use std::borrow::Cow;

use crate::{
    attributes::{Mode, Nodes, Weights},
    error::{AttributeError, Result},
};

/// The nodes of all trees, in the order of the file.
#[derive(Debug)]
pub(crate) struct Graph<'a, T: Clone> {
    pub(crate) modes: Cow<'a, [Mode]>,
    pub(crate) features: Cow<'a, [i64]>,
    pub(crate) values: Cow<'a, [T]>,
    /// Empty, or one entry per node.
    pub(crate) missing_tracks_true: Cow<'a, [i64]>,
    /// The positions of each branch's true and false child in these lists.
    pub(crate) children: Vec<[u32; 2]>,
    pub(crate) roots: Vec<u32>,
    pub(crate) weights: LeafWeights<T>,
    /// The sets of [`Mode::Member`] nodes, whose values are positions in this list.
    pub(crate) sets: Vec<Vec<T>>,
    pub(crate) names: Names<'a>,
}

/// Weights grouped by node.
#[derive(Debug)]
pub(crate) struct LeafWeights<T> {
    /// Where the weights of each node begin; one more entry marks the end.
    pub(crate) starts: Vec<u32>,
    /// Pairs of target and weight.
    pub(crate) entries: Vec<(u32, T)>,
}

impl<T> LeafWeights<T> {
    pub(crate) fn of(&self, node: usize) -> &[(u32, T)] {
        &self.entries[self.starts[node] as usize..self.starts[node + 1] as usize]
    }
}

/// The names of nodes and attributes in errors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'a> {
    pub(crate) values: &'static str,
    /// The ids of trees and nodes, for `TreeEnsembleClassifier` and `TreeEnsembleRegressor`.
    pub(crate) ids: Option<(&'a [i64], &'a [i64])>,
    pub(crate) true_children: &'static str,
    pub(crate) nodes: &'static str,
}

impl Names<'_> {
    pub(crate) fn node(&self, position: usize) -> String {
        match self.ids {
            Some((trees, nodes)) => format!("node {} of tree {}", nodes[position], trees[position]),
            None => format!("node {position}"),
        }
    }
}

/// Positions are u32, and a layout may use two slots for one node.
pub(crate) const MAX_NODES: usize = 1 << 30;

/// Resolves the attributes of `TreeEnsembleClassifier` and `TreeEnsembleRegressor`.
pub(crate) fn resolve<'a, T: Copy>(
    nodes: Nodes<'a, T>,
    weights: Weights<'_, T>,
    targets: usize,
) -> Result<Graph<'a, T>> {
    let count = nodes.node_ids.len();
    for (name, length) in [
        ("nodes_treeids", nodes.tree_ids.len()),
        ("nodes_featureids", nodes.feature_ids.len()),
        ("nodes_modes", nodes.modes.len()),
        ("nodes_values", nodes.values.len()),
        ("nodes_truenodeids", nodes.true_ids.len()),
        ("nodes_falsenodeids", nodes.false_ids.len()),
    ] {
        same_length(name, length, "nodes_nodeids", count)?;
    }
    if !nodes.missing_tracks_true.is_empty() {
        same_length("nodes_missing_value_tracks_true", nodes.missing_tracks_true.len(), "nodes_nodeids", count)?;
    }
    if count == 0 || count > MAX_NODES {
        return Err(AttributeError::new("nodes_nodeids", format!("must have 1 to {MAX_NODES} entries, not {count}")));
    }
    let trees = Trees::new(nodes.tree_ids, nodes.node_ids)?;
    let names = Names {
        values: "nodes_values",
        ids: Some((nodes.tree_ids, nodes.node_ids)),
        true_children: "nodes_truenodeids",
        nodes: "nodes_nodeids",
    };
    let mut children = vec![[0; 2]; count];
    for tree in &trees.trees {
        for (node, pair) in (tree.start..).zip(&mut children[tree.start..tree.end]) {
            if nodes.modes[node] == Mode::Leaf {
                continue;
            }
            let child = |attribute, id| {
                trees.find(tree, id).ok_or_else(|| {
                    AttributeError::new(
                        attribute,
                        format!("{} has the child {id}, which is not in its tree", names.node(node)),
                    )
                })
            };
            *pair = [
                child("nodes_truenodeids", nodes.true_ids[node])?,
                child("nodes_falsenodeids", nodes.false_ids[node])?,
            ];
        }
    }
    Ok(Graph {
        modes: Cow::Borrowed(nodes.modes),
        features: Cow::Borrowed(nodes.feature_ids),
        values: Cow::Borrowed(nodes.values),
        missing_tracks_true: Cow::Borrowed(nodes.missing_tracks_true),
        children,
        roots: trees.trees.iter().map(|tree| tree.start as u32).collect(),
        weights: leaf_weights(&trees, weights, count, targets)?,
        sets: Vec::new(),
        names,
    })
}

/// Checks that two attributes have the same length.
pub(crate) fn same_length(name: &'static str, length: usize, other: &str, expected: usize) -> Result<()> {
    if length == expected {
        return Ok(());
    }
    Err(AttributeError::new(name, format!("has {length} entries, but {other} has {expected}")))
}

/// Checks a target's id, which must be less than `targets`.
pub(crate) fn target(attribute: &'static str, id: i64, targets: usize) -> Result<u32> {
    u32::try_from(id).ok().filter(|&id| (id as usize) < targets).ok_or_else(|| {
        AttributeError::new(attribute, format!("must be from 0 to {}, not {id}", targets.saturating_sub(1)))
    })
}

/// Groups the weights by node. Those of one node keep their order.
fn leaf_weights<T: Copy>(
    trees: &Trees,
    weights: Weights<'_, T>,
    nodes: usize,
    targets: usize,
) -> Result<LeafWeights<T>> {
    let names = weights.names;
    let count = weights.target_ids.len();
    for (name, length) in [
        (names.tree_ids, weights.tree_ids.len()),
        (names.node_ids, weights.node_ids.len()),
        (names.values, weights.values.len()),
    ] {
        same_length(name, length, names.target_ids, count)?;
    }
    if count == 0 || count > MAX_NODES {
        return Err(AttributeError::new(names.target_ids, format!("must have 1 to {MAX_NODES} entries, not {count}")));
    }
    let mut starts = vec![0_u32; nodes + 1];
    let mut owners = Vec::with_capacity(count);
    let mut tree = 0;
    for (&tree_id, &node_id) in weights.tree_ids.iter().zip(weights.node_ids) {
        tree = trees.tree(tree_id, tree).ok_or_else(|| {
            AttributeError::new(names.tree_ids, format!("has a weight for tree {tree_id}, which has no nodes"))
        })?;
        let owner = trees.find(&trees.trees[tree], node_id).ok_or_else(|| {
            AttributeError::new(
                names.node_ids,
                format!("has a weight for node {node_id} of tree {tree_id}, which does not exist"),
            )
        })?;
        starts[owner as usize + 1] += 1;
        owners.push(owner);
    }
    for node in 0..nodes {
        starts[node + 1] += starts[node];
    }
    let first = (target(names.target_ids, weights.target_ids[0], targets)?, weights.values[0]);
    let mut entries = vec![first; count];
    let mut next = starts.clone();
    for ((&owner, &id), &value) in owners.iter().zip(weights.target_ids).zip(weights.values) {
        let next = &mut next[owner as usize];
        entries[*next as usize] = (target(names.target_ids, id, targets)?, value);
        *next += 1;
    }
    Ok(LeafWeights { starts, entries })
}

/// Looks up trees and nodes by id.
struct Trees {
    trees: Vec<Tree>,
    /// The trees' ids and positions, sorted. Empty if the file lists the trees in ascending order.
    by_id: Vec<(i64, u32)>,
    /// Ids and positions of the nodes of trees without consecutive ids, sorted within each tree.
    sorted: Vec<(i64, u32)>,
}

struct Tree {
    id: i64,
    start: usize,
    end: usize,
    numbering: Numbering,
}

enum Numbering {
    /// first, first + 1, …
    Consecutive { first: i64 },
    /// Look up ids in [`Trees::sorted`], from `start`.
    Sorted { start: usize },
}

impl Trees {
    fn new(tree_ids: &[i64], node_ids: &[i64]) -> Result<Self> {
        let mut trees: Vec<Tree> = Vec::new();
        let mut sorted = Vec::new();
        let mut start = 0;
        for ids in tree_ids.chunk_by(|a, b| a == b) {
            let end = start + ids.len();
            let first = node_ids[start];
            let consecutive = (0..).zip(&node_ids[start..end]).all(|(k, id)| id.checked_sub(first) == Some(k));
            let numbering = if consecutive {
                Numbering::Consecutive { first }
            } else {
                let from = sorted.len();
                sorted.extend((start..end).map(|node| (node_ids[node], node as u32)));
                sorted[from..].sort_unstable();
                if let Some(duplicate) = sorted[from..].windows(2).find(|pair| pair[0].0 == pair[1].0) {
                    return Err(AttributeError::new(
                        "nodes_nodeids",
                        format!("tree {} has two nodes with id {}", ids[0], duplicate[0].0),
                    ));
                }
                Numbering::Sorted { start: from }
            };
            trees.push(Tree { id: ids[0], start, end, numbering });
            start = end;
        }
        let mut by_id = Vec::new();
        if !trees.is_sorted_by(|a, b| a.id < b.id) {
            by_id = (0..).zip(&trees).map(|(position, tree)| (tree.id, position)).collect();
            by_id.sort_unstable();
            if let Some(duplicate) = by_id.windows(2).find(|pair| pair[0].0 == pair[1].0) {
                return Err(AttributeError::new(
                    "nodes_treeids",
                    format!("the nodes of tree {} are not contiguous", duplicate[0].0),
                ));
            }
        }
        Ok(Self { trees, by_id, sorted })
    }

    /// The position of a tree. Tries `near` and the one after it first, because weights usually have the order of the trees.
    fn tree(&self, id: i64, near: usize) -> Option<usize> {
        if let Some(offset) = self.trees[near..].iter().take(2).position(|tree| tree.id == id) {
            return Some(near + offset);
        }
        if self.by_id.is_empty() {
            return self.trees.binary_search_by_key(&id, |tree| tree.id).ok();
        }
        let found = self.by_id.binary_search_by_key(&id, |entry| entry.0).ok()?;
        Some(self.by_id[found].1 as usize)
    }

    /// The position of a node of this tree.
    fn find(&self, tree: &Tree, id: i64) -> Option<u32> {
        let count = tree.end - tree.start;
        match tree.numbering {
            Numbering::Consecutive { first } => {
                let offset = usize::try_from(id.checked_sub(first)?).ok()?;
                (offset < count).then_some((tree.start + offset) as u32)
            }
            Numbering::Sorted { start } => {
                let nodes = &self.sorted[start..start + count];
                nodes.binary_search_by_key(&id, |entry| entry.0).ok().map(|found| nodes[found].1)
            }
        }
    }
}
