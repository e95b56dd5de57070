//! Walks trees from the root to a leaf.

use crate::{
    forest::node::{Kind, Node, Wide},
    number::Number,
};

/// The number of trees that are walked in lockstep. While one walk waits for memory, the others proceed.
pub(crate) const LANES: usize = 8;

/// Walks several trees until all have reached a leaf. Every test is `x <= value`.
///
/// Does not branch on the outcome of a test, which the processor could not predict.
#[inline(always)]
pub(crate) fn in_step<N: Node, const MISSING: bool>(nodes: &[N], at: &mut [u32; LANES], row: &[N::Value]) {
    loop {
        let mut moved = 0;
        for at in &mut *at {
            let step = nodes[*at as usize].step::<MISSING>(row);
            *at += step;
            moved |= step;
        }
        if moved == 0 {
            return;
        }
    }
}

/// Walks one tree with any kind of test and returns the position of the leaf.
pub(crate) fn mixed<T: Number>(nodes: &[Wide<T>], sets: &[Vec<T>], root: u32, row: &[T]) -> usize {
    let mut at = root;
    loop {
        let node = nodes[at as usize];
        let Some(test) = node.test() else {
            return at as usize;
        };
        let holds = match test.kind {
            Kind::Jump => false,
            kind => {
                let x = row[node.feature() as usize];
                let holds = match kind {
                    Kind::LessOrEqual => x <= node.value(),
                    Kind::Equal => x == node.value(),
                    Kind::Member => is_member(&sets[node.value().position() as usize], x),
                    Kind::Jump => false,
                };
                holds || (test.missing && x.is_nan())
            }
        };
        at = if holds { at + 1 } else { at.wrapping_add(node.payload()) };
    }
}

/// `set` must be in ascending order.
pub(crate) fn is_member<T: Number>(set: &[T], x: T) -> bool {
    set.get(set.partition_point(|&member| member < x)) == Some(&x)
}
