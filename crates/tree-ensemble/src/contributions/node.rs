//! A node of a tree.

use crate::forest::Kind;

/// A node, and the edge that leads to it. Positions are relative to the tree's root.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) parent: u32,
    /// The end of the closest edge above that tests the same player, or [`NONE`].
    pub(super) above: u32,
    /// The player to whose contribution the parent's test counts.
    pub(super) player: u32,
    /// The share of the parent's training rows that the edge takes.
    pub(super) ratio: f64,
    /// The product of the ratios of this edge and those above it that test the same player.
    pub(super) share: f64,
    /// [`None`] for a leaf.
    pub(super) test: Option<Test>,
    /// A threshold, the position of a set, or a leaf's value.
    pub(super) value: f64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Test {
    pub(super) kind: Kind,
    pub(super) feature: u32,
    /// Whether a missing value passes the test.
    pub(super) missing: bool,
    /// The false child.
    pub(super) otherwise: u32,
}

pub(super) const NONE: u32 = u32::MAX;
