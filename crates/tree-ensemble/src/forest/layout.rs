//! Lays out a resolved graph as slots in pre-order. Checks that every node is valid and reachable, and that there is no cycle.

use crate::{
    attributes::Mode,
    error::{AttributeError, Result},
    forest::{
        graph::Graph,
        leaves::Leaves,
        node::{Kind, Node, Test},
    },
    number::Number,
};

#[derive(Debug)]
pub(crate) struct Layout<N> {
    pub(crate) slots: Vec<N>,
    /// The first slot of each tree.
    pub(crate) roots: Vec<u32>,
    /// Whether a missing value can go to the true child of any branch.
    pub(crate) missing: bool,
}

pub(crate) enum Failure {
    /// A feature, distance or payload needs a wider layout.
    TooNarrow,
    Malformed(AttributeError),
}

impl From<AttributeError> for Failure {
    fn from(error: AttributeError) -> Self {
        Self::Malformed(error)
    }
}

/// No slot, or no parent.
const NONE: u32 = u32::MAX;

/// Lays out all trees.
///
/// Each branch is written once; further references to it become a [`Kind::Jump`], so that there are no more slots than edges. A leaf
/// with several parents is copied to each. Nothing recurses, because the file determines the depth of a tree.
pub(crate) fn lay_out<N: Node>(
    graph: &Graph<'_, N::Value>,
    leaves: &Leaves<N::Value>,
) -> std::result::Result<Layout<N>, Failure>
where
    N::Value: Number,
{
    let count = graph.modes.len();
    let mut layout: Layout<N> =
        Layout { slots: Vec::with_capacity(count), roots: Vec::with_capacity(graph.roots.len()), missing: false };
    let mut places = vec![NONE; count];
    let mut reached = 0;
    let mut shared = false;
    // Nodes to lay out, each with the branch whose false child it is. A true child directly follows its parent.
    let mut pending: Vec<(u32, u32)> = Vec::new();
    for &root in &graph.roots {
        layout.roots.push(layout.slots.len() as u32);
        pending.push((root, NONE));
        while let Some((node, parent)) = pending.pop() {
            let at = layout.slots.len() as u32;
            if parent != NONE {
                let skip = at - parent;
                if skip > N::MAX_PAYLOAD {
                    return Err(Failure::TooNarrow);
                }
                layout.slots[parent as usize].set_skip(skip);
            }
            let position = node as usize;
            let place = places[position];
            reached += usize::from(place == NONE);
            if graph.modes[position] == Mode::Leaf {
                places[position] = at;
                let (value, payload) = leaves.slot(&graph.weights, position);
                if payload > N::MAX_PAYLOAD {
                    return Err(Failure::TooNarrow);
                }
                layout.slots.push(N::leaf(value, payload));
                continue;
            }
            if place != NONE {
                shared = true;
                let mut jump =
                    N::branch(N::Value::default(), Test { kind: Kind::Jump, missing: false, strict: false }, 0);
                jump.set_skip(place.wrapping_sub(at));
                layout.slots.push(jump);
                continue;
            }
            places[position] = at;
            let (value, test, swapped) = branch(graph, position)?;
            layout.missing |= test.missing;
            layout.slots.push(N::branch(value, test, feature::<N>(graph, position)?));
            let [mut to_true, mut to_false] = graph.children[position];
            if swapped {
                std::mem::swap(&mut to_true, &mut to_false);
            }
            pending.push((to_false, at));
            pending.push((to_true, NONE));
        }
    }
    if reached < count {
        let unreachable = places.iter().position(|&place| place == NONE).unwrap_or_default();
        let problem = format!("{} cannot be reached from any root", graph.names.node(unreachable));
        return Err(AttributeError::new(graph.names.nodes, problem).into());
    }
    if shared {
        check_acyclic(graph)?;
    }
    Ok(layout)
}

fn feature<N: Node>(graph: &Graph<'_, N::Value>, position: usize) -> std::result::Result<u32, Failure>
where
    N::Value: Number,
{
    let id = graph.features[position];
    match u32::try_from(id) {
        Ok(feature) if feature <= N::MAX_FEATURE => Ok(feature),
        Ok(feature) if feature <= MAX_FEATURE => Err(Failure::TooNarrow),
        _ => Err(AttributeError::new(
            "nodes_featureids",
            format!("{} reads feature {id}, but features are from 0 to {MAX_FEATURE}", graph.names.node(position)),
        )
        .into()),
    }
}

/// The largest feature of the widest layout.
const MAX_FEATURE: u32 = super::node::Wide::<f32>::MAX_FEATURE;

/// A branch's value and test in the form that [`super::node`] describes, and whether its children are swapped.
pub(crate) fn branch<T: Number>(graph: &Graph<'_, T>, position: usize) -> Result<(T, Test, bool)> {
    let value = graph.values[position];
    if value.is_nan() {
        let problem =
            format!("{} has the threshold NaN, to which no value can be compared", graph.names.node(position));
        return Err(AttributeError::new(graph.names.values, problem));
    }
    let tracks_true = match graph.missing_tracks_true.get(position) {
        None | Some(0) => false,
        Some(1) => true,
        Some(other) => {
            return Err(AttributeError::new(
                "nodes_missing_value_tracks_true",
                format!("{} must have 0 or 1, not {other}", graph.names.node(position)),
            ));
        }
    };
    let less_or_equal = |missing, strict| Test { kind: Kind::LessOrEqual, missing, strict };
    let equal = |missing| Test { kind: Kind::Equal, missing, strict: false };
    Ok(match graph.modes[position] {
        Mode::LessOrEqual | Mode::Leaf => (value, less_or_equal(tracks_true, false), false),
        Mode::Less => (value.next_below(), less_or_equal(tracks_true, true), false),
        Mode::Greater => (value, less_or_equal(!tracks_true, false), true),
        Mode::GreaterOrEqual => (value.next_below(), less_or_equal(!tracks_true, true), true),
        Mode::Equal => (value, equal(tracks_true), false),
        // A missing value is not equal to anything, so it goes to the true child in any case.
        Mode::NotEqual => (value, equal(false), true),
        Mode::Member => (value, Test { kind: Kind::Member, missing: tracks_true, strict: false }, false),
    })
}

/// Refuses cycles by topological sorting: nodes without remaining parents are removed until none is left.
fn check_acyclic<T: Number>(graph: &Graph<'_, T>) -> Result<()> {
    let count = graph.modes.len();
    let mut parents = vec![0_u32; count];
    let branches = || (0..count).filter(|&node| graph.modes[node] != Mode::Leaf);
    for node in branches() {
        for child in graph.children[node] {
            parents[child as usize] += 1;
        }
    }
    let mut ready: Vec<usize> = (0..count).filter(|&node| parents[node] == 0).collect();
    while let Some(node) = ready.pop() {
        if graph.modes[node] == Mode::Leaf {
            continue;
        }
        for child in graph.children[node] {
            parents[child as usize] -= 1;
            if parents[child as usize] == 0 {
                ready.push(child as usize);
            }
        }
    }
    match branches().find(|&node| parents[node] > 0) {
        None => Ok(()),
        Some(node) => {
            let problem = format!("{} is part of a cycle or lies below one", graph.names.node(node));
            Err(AttributeError::new(graph.names.true_children, problem))
        }
    }
}
