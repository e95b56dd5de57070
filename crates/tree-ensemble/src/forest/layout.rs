//! From a resolved graph to slots in pre-order: every node checked, every node reached, no cycle.

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

/// The slots of a forest.
#[derive(Debug)]
pub(crate) struct Layout<N> {
    pub(crate) slots: Vec<N>,
    /// The first slot of each tree.
    pub(crate) roots: Vec<u32>,
    /// Whether a missing value goes to any branch's true child.
    pub(crate) missing: bool,
}

/// Why there is no layout.
pub(crate) enum Failure {
    /// Another layout can hold it.
    TooNarrow,
    Malformed(AttributeError),
}

impl From<AttributeError> for Failure {
    fn from(error: AttributeError) -> Self {
        Self::Malformed(error)
    }
}

const NOWHERE: u32 = u32::MAX;

/// Lays out all trees.
///
/// Each branch is written once; a second way to it is a [`Kind::Jump`], so that the slots are no more than the edges. A leaf
/// with several parents is copied to each. Nothing here recurses: the depth of a tree is the file's choice.
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
    let mut places = vec![NOWHERE; count];
    let mut reached = 0;
    let mut shared = false;
    // Nodes to be laid out, and the branch whose false child each is: a true child follows its parent by itself.
    let mut pending: Vec<(u32, u32)> = Vec::new();
    for &root in &graph.roots {
        layout.roots.push(layout.slots.len() as u32);
        pending.push((root, NOWHERE));
        while let Some((node, parent)) = pending.pop() {
            let at = layout.slots.len() as u32;
            if parent != NOWHERE {
                let skip = at - parent;
                if skip > N::MAX_PAYLOAD {
                    return Err(Failure::TooNarrow);
                }
                layout.slots[parent as usize].set_skip(skip);
            }
            let position = node as usize;
            let place = places[position];
            reached += usize::from(place == NOWHERE);
            if graph.modes[position] == Mode::Leaf {
                places[position] = at;
                let (value, payload) = leaves.slot(&graph.weights, position);
                if payload > N::MAX_PAYLOAD {
                    return Err(Failure::TooNarrow);
                }
                layout.slots.push(N::leaf(value, payload));
                continue;
            }
            if place != NOWHERE {
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
            pending.push((to_true, NOWHERE));
        }
    }
    if reached < count {
        let lost = places.iter().position(|&place| place == NOWHERE).unwrap_or_default();
        let problem = format!("{} cannot be reached from the first node of its tree", graph.names.node(lost));
        return Err(AttributeError::new(graph.names.nodes, problem).into());
    }
    if shared {
        acyclic(graph)?;
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
            format!("{} reads feature {id}, which is not from 0 to {MAX_FEATURE}", graph.names.node(position)),
        )
        .into()),
    }
}

/// The largest feature that any layout can hold.
const MAX_FEATURE: u32 = super::node::Wide::<f32>::MAX_FEATURE;

/// A branch's value and test, and whether its children change places, in the form that [`super::node`] describes.
fn branch<T: Number>(graph: &Graph<'_, T>, position: usize) -> Result<(T, Test, bool)> {
    let value = graph.values[position];
    if value.is_nan() {
        let problem =
            format!("{} has the threshold NaN, which no value can be compared with", graph.names.node(position));
        return Err(AttributeError::new(graph.names.values, problem));
    }
    let tracks_true = match graph.missing_tracks_true.get(position) {
        None | Some(0) => false,
        Some(1) => true,
        Some(other) => {
            return Err(AttributeError::new(
                "nodes_missing_value_tracks_true",
                format!("{} has {other} where 0 or 1 is expected", graph.names.node(position)),
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
        // A missing value is not equal to anything: it goes to the true child either way.
        Mode::NotEqual => (value, equal(false), true),
        Mode::Member => (value, Test { kind: Kind::Member, missing: tracks_true, strict: false }, false),
    })
}

/// Refuses a cycle, in a graph in which some node has two parents: nodes are taken away whose parents are all gone.
fn acyclic<T: Number>(graph: &Graph<'_, T>) -> Result<()> {
    let count = graph.modes.len();
    let mut parents = vec![0_u32; count];
    let branches = || (0..count).filter(|&node| graph.modes[node] != Mode::Leaf);
    for node in branches() {
        for child in graph.children[node] {
            parents[child as usize] += 1;
        }
    }
    let mut free: Vec<usize> = (0..count).filter(|&node| parents[node] == 0).collect();
    while let Some(node) = free.pop() {
        if graph.modes[node] == Mode::Leaf {
            continue;
        }
        for child in graph.children[node] {
            parents[child as usize] -= 1;
            if parents[child as usize] == 0 {
                free.push(child as usize);
            }
        }
    }
    match branches().find(|&node| parents[node] > 0) {
        None => Ok(()),
        Some(node) => {
            let problem = format!("{} is its own descendant, or lies below a node that is", graph.names.node(node));
            Err(AttributeError::new(graph.names.true_children, problem))
        }
    }
}
