//! Trees as contributions need them: nodes with their shares of the training rows.

use std::ops::Range;

use super::quadrature::{LANES, Lanes, Points, rule};
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
    /// A cover is negative or not a number, or there is not one for each node.
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
    /// Of all trees, each in pre-order: a branch's true child is next.
    nodes: Vec<Node>,
    trees: Vec<Range<usize>>,
    sets: Vec<Vec<f64>>,
    rule: Vec<Points>,
    base: f64,
    columns: usize,
    players: usize,
}

/// A node, and the edge that leads to it. Positions are relative to the tree's root.
#[derive(Debug, Clone, Copy)]
struct Node {
    parent: u32,
    /// The end of the closest edge above that tests the same player, or [`NONE`].
    above: u32,
    /// Whose contribution the parent's test counts to.
    player: u32,
    /// The share of the parent's training rows that the edge takes.
    ratio: f64,
    /// The product of the ratios of this edge and those above it that test the same player.
    share: f64,
    /// [`None`] for a leaf.
    test: Option<Test>,
    /// A threshold, the position of a set, or a leaf's value.
    value: f64,
}

#[derive(Debug, Clone, Copy)]
struct Test {
    kind: Kind,
    feature: u32,
    /// Whether a missing value passes the test.
    missing: bool,
    /// The false child.
    otherwise: u32,
}

const NONE: u32 = u32::MAX;

/// Memory for one tree, used for all.
struct Scratch {
    /// Whether the row passes the test of each branch.
    passes: Vec<bool>,
    states: Vec<State>,
}

/// A node in the passes, and the edge that leads to it.
#[derive(Clone, Copy)]
struct State {
    /// The product of the parts of all players above the node; on the way back, the sum over the leaves below it.
    product: Lanes,
    /// `1 / (t + (1 − t)·z)` of the edge's player.
    inverse: Lanes,
    /// `o`: whether the row passes the tests of the player down to this edge.
    on: bool,
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
        let mut scratch = Scratch {
            passes: vec![false; size],
            states: vec![State { product: [0.0; LANES], inverse: [0.0; LANES], on: true }; size],
        };
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

/// From the root to the leaves: the products of the parts of all players.
fn down(nodes: &[Node], points: &Points, scratch: &mut Scratch) {
    let size = nodes.len();
    let (passes, states) = (&scratch.passes[..size], &mut scratch.states[..size]);
    let start = if nodes[0].test.is_some() { 1.0 } else { nodes[0].value };
    states[0].product = [start; LANES];
    for (at, node) in nodes.iter().enumerate().skip(1) {
        let parent = node.parent as usize;
        let mut on = passes[parent] == (at == parent + 1);
        let mut product = states[parent].product;
        // The quotient of this edge's part and that of the edge above it.
        let mut quotient = [0.0; LANES];
        let mut inverse = [0.0; LANES];
        if node.above == NONE {
            for lane in 0..LANES {
                let rest = points.rest[lane] * node.share;
                let full = points.t[lane] + rest;
                inverse[lane] = 1.0 / full;
                quotient[lane] = if on { full } else { rest };
            }
        } else {
            let above = &states[node.above as usize];
            on &= above.on;
            for lane in 0..LANES {
                let rest = points.rest[lane] * node.share;
                let full = points.t[lane] + rest;
                inverse[lane] = 1.0 / full;
                let part = if on { full } else { rest };
                // Below a failed test, both parts can be 0.
                quotient[lane] = if above.on { part * above.inverse[lane] } else { node.ratio };
            }
        }
        let value = if node.test.is_none() { node.value } else { 1.0 };
        for lane in 0..LANES {
            product[lane] *= quotient[lane] * value;
        }
        states[at] = State { product, inverse, on };
    }
}

/// From the leaves to the root: the sums of the leaves, and each edge's part in the contribution of its player.
fn up(nodes: &[Node], points: &Points, scratch: &mut Scratch, out: &mut [f64]) {
    let states = &mut scratch.states[..nodes.len()];
    for (at, node) in nodes.iter().enumerate().skip(1).rev() {
        let State { product: sum, inverse, on } = states[at];
        let mut factor = edge_factor(points, on, node.share, &inverse);
        if node.above != NONE {
            // The leaves below this edge do not count to the one above it.
            let above = &states[node.above as usize];
            let other = edge_factor(points, above.on, nodes[node.above as usize].share, &above.inverse);
            for lane in 0..LANES {
                factor[lane] -= other[lane];
            }
        }
        let mut contribution = 0.0;
        for lane in 0..LANES {
            contribution += factor[lane] * sum[lane];
        }
        out[node.player as usize] += contribution;
        let parent = node.parent as usize;
        let above = &mut states[parent].product;
        let keep = if at == parent + 1 { 1.0 } else { 0.0 };
        for lane in 0..LANES {
            // The false child comes first.
            above[lane] = above[lane] * keep + sum[lane];
        }
    }
}

/// `weight · (o − z) / (t·o + (1 − t)·z)`
#[inline(always)]
fn edge_factor(points: &Points, on: bool, share: f64, inverse: &Lanes) -> Lanes {
    let mut factor = [0.0; LANES];
    for lane in 0..LANES {
        let taken = points.weight[lane] * (1.0 - share) * inverse[lane];
        factor[lane] = if on { taken } else { points.without[lane] };
    }
    factor
}
