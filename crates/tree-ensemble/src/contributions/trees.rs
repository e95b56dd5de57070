//! Trees as contributions need them: nodes with their shares of the training rows.

use std::ops::Range;

use super::{
    node::{NONE, Node, Test},
    passes::{Scratch, down, up},
    quadrature::{Points, rule},
};
use crate::{
    attributes::Mode,
    forest::{Graph, Kind, branch, is_member},
};

/// The reason why contributions of an ensemble cannot be calculated: a predicate about its trees.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unexplainable {
    /// The file does not say how many training rows reached each node.
    #[error("have no covers (the attribute `nodes_hitrates`), the number of training rows that reached each node")]
    NoCovers,
    /// A cover is negative or not a number, or the number of covers is not that of the nodes.
    #[error(
        "have invalid covers (the attribute `nodes_hitrates`): each node needs a finite number of at least 0, each root one above 0"
    )]
    InvalidCovers,
    /// Two branches lead to the same node.
    #[error("have a node with several parents")]
    SharedNode,
}

/// Trees whose sum is explained: the contributions of the features of a row to it.
#[derive(Debug, Clone)]
pub struct Contributions {
    /// The nodes of all trees, each tree in pre-order: a branch is followed by its true child.
    nodes: Vec<Node>,
    trees: Vec<Range<usize>>,
    sets: Vec<Vec<f64>>,
    rule: Vec<Points>,
    base: f64,
    columns: usize,
    players: usize,
}

impl Contributions {
    /// `covers` has an entry per node of the graph; `weights` gives each target's weight in the sum, and `players` the player that
    /// each column belongs to: columns of one player are explained together, as one feature.
    pub(crate) fn new(
        graph: &Graph<'_, f64>,
        covers: &[f64],
        weights: &[f64],
        players: &[u32],
    ) -> Result<Self, Unexplainable> {
        if covers.is_empty() {
            return Err(Unexplainable::NoCovers);
        }
        let valid = covers.iter().all(|cover| cover.is_finite() && *cover >= 0.0);
        if covers.len() != graph.modes.len() || !valid || graph.roots.iter().any(|&root| covers[root as usize] == 0.0) {
            return Err(Unexplainable::InvalidCovers);
        }
        let mut trees = Self {
            nodes: Vec::with_capacity(graph.modes.len()),
            trees: Vec::with_capacity(graph.roots.len()),
            sets: graph.sets.clone(),
            rule: Vec::new(),
            base: 0.0,
            columns: 0,
            players: players.iter().max().map_or(0, |&last| last as usize + 1),
        };
        let mut seen = vec![false; graph.modes.len()];
        let mut longest = 0;
        for &root in &graph.roots {
            longest = longest.max(trees.add(root, graph, covers, weights, players, &mut seen)?);
        }
        trees.rule = rule(longest);
        Ok(trees)
    }

    /// Adds a tree, and returns the largest number of players on one of its paths.
    fn add(
        &mut self,
        root: u32,
        graph: &Graph<'_, f64>,
        covers: &[f64],
        weights: &[f64],
        players: &[u32],
        seen: &mut [bool],
    ) -> Result<usize, Unexplainable> {
        let start = self.nodes.len();
        // For each node of the tree: its share of the root's rows, and the number of players above it.
        let mut paths: Vec<(f64, usize)> = Vec::new();
        let mut longest = 0;
        let mut pending = vec![(root, 0_u32, 1.0)];
        while let Some((node, parent, ratio)) = pending.pop() {
            let position = node as usize;
            if std::mem::replace(&mut seen[position], true) {
                return Err(Unexplainable::SharedNode);
            }
            let at = (self.nodes.len() - start) as u32;
            let (above, player, count) = match self.nodes.get(start + parent as usize) {
                Some(Node { test: Some(test), .. }) if at > 0 => {
                    let player = players[test.feature as usize];
                    let above = self.above(start, parent, player);
                    (above, player, paths[parent as usize].1 + usize::from(above == NONE))
                }
                _ => (NONE, 0, 0),
            };
            if let Some(test) = self.nodes.get_mut(start + parent as usize).and_then(|branch| branch.test.as_mut()) {
                // The true child is next, so this is final once the false child has been added.
                test.otherwise = at;
            }
            let share = if above == NONE { ratio } else { ratio * self.nodes[start + above as usize].share };
            let reach = if at == 0 { 1.0 } else { paths[parent as usize].0 * ratio };
            paths.push((reach, count));
            longest = longest.max(count);
            let edge = Node { parent, above, player, ratio, share, test: None, value: 0.0 };
            if graph.modes[position] == Mode::Leaf {
                let value: f64 =
                    graph.weights.of(position).iter().map(|&(target, w)| weights[target as usize] * w).sum();
                self.base += reach * value;
                self.nodes.push(Node { value, ..edge });
                continue;
            }
            // The graph has been checked by the layout.
            let Ok((value, test, swapped)) = branch(graph, position) else { continue };
            let feature = graph.features[position] as u32;
            self.columns = self.columns.max(feature as usize + 1);
            let test = Test { kind: test.kind, feature, missing: test.missing, otherwise: NONE };
            self.nodes.push(Node { value, test: Some(test), ..edge });
            let [mut to_true, mut to_false] = graph.children[position];
            if swapped {
                std::mem::swap(&mut to_true, &mut to_false);
            }
            let (one, other) = (covers[to_true as usize], covers[to_false as usize]);
            // Nothing is known about a row in a branch that no training row reached.
            let ratio = if one + other > 0.0 { one / (one + other) } else { 0.5 };
            pending.push((to_false, at, 1.0 - ratio));
            pending.push((to_true, at, ratio));
        }
        self.trees.push(start..self.nodes.len());
        Ok(longest)
    }

    /// The end of the closest edge at or above `node` that tests this player.
    fn above(&self, start: usize, node: u32, player: u32) -> u32 {
        let mut at = node;
        while at != 0 {
            let edge = self.nodes[start + at as usize];
            if edge.player == player {
                return at;
            }
            at = edge.parent;
        }
        NONE
    }

    /// The sum's mean over the training rows, which is what the contributions add to.
    pub fn base(&self) -> f64 {
        self.base
    }

    /// The least number of columns in a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The number of players.
    pub fn players(&self) -> usize {
        self.players
    }

    /// The sum for a row of at least [`Self::columns`] numbers, in float64.
    pub fn sum(&self, row: &[f64]) -> f64 {
        self.trees
            .iter()
            .map(|tree| {
                let nodes = &self.nodes[tree.clone()];
                let mut at = 0;
                while let Some(test) = nodes[at].test {
                    at = if self.passes(test, nodes[at].value, row) { at + 1 } else { test.otherwise as usize };
                }
                nodes[at].value
            })
            .sum()
    }

    /// Adds the contributions of a row to `out`, which has [`Self::players`] entries. With [`Self::base`] they add up to [`Self::sum`],
    /// but for rounding in the last digits of float64.
    pub fn add_to(&self, row: &[f64], out: &mut [f64]) {
        let size = self.trees.iter().map(Range::len).max().unwrap_or_default();
        let mut scratch = Scratch::new(size);
        for tree in &self.trees {
            let nodes = &self.nodes[tree.clone()];
            for (node, passes) in nodes.iter().zip(&mut scratch.passes) {
                *passes = node.test.is_some_and(|test| self.passes(test, node.value, row));
            }
            for points in &self.rule {
                down(nodes, points, &mut scratch);
                up(nodes, points, &mut scratch, out);
            }
        }
    }

    fn passes(&self, test: Test, value: f64, row: &[f64]) -> bool {
        let x = row[test.feature as usize];
        let holds = match test.kind {
            Kind::LessOrEqual => x <= value,
            Kind::Equal => x == value,
            Kind::Member => is_member(&self.sets[value as usize], x),
            Kind::Jump => false,
        };
        holds || (test.missing && x.is_nan())
    }
}
