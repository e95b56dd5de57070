//! The passes over a tree that add up the contributions of a row.

use super::{
    node::{NONE, Node},
    quadrature::{LANES, Lanes, Points},
};

/// Memory for one tree, used for all.
pub(super) struct Scratch {
    /// Whether the row passes the test of each branch.
    pub(super) passes: Vec<bool>,
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

impl Scratch {
    /// For trees of at most so many nodes.
    pub(super) fn new(size: usize) -> Self {
        Self {
            passes: vec![false; size],
            states: vec![State { product: [0.0; LANES], inverse: [0.0; LANES], on: true }; size],
        }
    }
}

/// From the root to the leaves: the products of the parts of all players.
pub(super) fn down(nodes: &[Node], points: &Points, scratch: &mut Scratch) {
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
pub(super) fn up(nodes: &[Node], points: &Points, scratch: &mut Scratch, out: &mut [f64]) {
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
