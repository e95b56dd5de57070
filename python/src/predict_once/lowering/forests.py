"""scikit-learn's trees and forests."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..columns.symbols import Column
from ..context import Context
from ..graph import Array
from ..trees import Comparison, Tree, exact_ensemble
from .registry import Lowered

FLOAT32 = Comparison(np.float32)


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    members = getattr(model, "estimators_", [model])
    if model.n_outputs_ > 1:
        return several(context, model, members, columns)
    if hasattr(model, "classes_"):
        size = len(model.classes_)
        trees = [tree_of(member, class_shares(member), range(size)) for member in members]
        return Lowered(probabilities=average(context, columns, trees, size))
    trees = [tree_of(member, member.tree_.value[:, 0, :], (0,)) for member in members]
    return Lowered(value=average(context, columns, trees, 1))


def several(context: Context, model: Any, members: Sequence[Any], columns: Sequence[Column]) -> Lowered:
    """Several targets, whose leaves the trees share."""
    count = model.n_outputs_
    if not hasattr(model, "classes_"):
        trees = [tree_of(member, member.tree_.value[:, :, 0], range(count)) for member in members]
        return Lowered(value=average(context, columns, trees, count), count=count)
    sizes = [len(classes) for classes in model.classes_]
    trees = [
        tree_of(
            member, np.hstack([class_shares(member, target)[:, :size] for target, size in enumerate(sizes)]), range(sum(sizes))
        )
        for member in members
    ]
    shares = average(context, columns, trees, sum(sizes))
    ends = np.cumsum(sizes)
    parts = [context.graph.take(shares, range(end - size, end)) for end, size in zip(ends, sizes, strict=True)]
    return Lowered(
        members=[Lowered(probabilities=part, labels=classes) for part, classes in zip(parts, model.classes_, strict=True)]
    )


def average(context: Context, columns: Sequence[Column], trees: list[Tree], targets: int) -> str:
    """The mean of the trees' leaf values."""
    context.shares = context.shares or targets > 1
    if context.exact_shares and targets > 1 and not context.explain:
        alone = [
            replace(tree, values=np.asarray(tree.values).reshape(len(tree.left), -1)[:, [place]], targets=(target,))
            for tree in trees
            for place, target in enumerate(tree.targets)
        ]
        sums = exact_ensemble(context, columns, alone, FLOAT32, targets)
        return context.graph.node("Div", sums, context.graph.constant(float(len(trees))))
    return exact_ensemble(context, columns, trees, FLOAT32, targets, weights=1 / len(trees))


def class_shares(member: Any, target: int = 0) -> Array:
    """Each node's share of the classes of a target."""
    return np.asarray(member.tree_.value[:, target, :])


def tree_of(member: Any, values: Array, targets: Sequence[int], features: Array | None = None) -> Tree:
    """A fitted decision tree, with these values in its nodes. `features` are the columns that it was fitted on."""
    tree = member.tree_
    feature = np.maximum(tree.feature, 0)
    return Tree(
        left=tree.children_left,
        right=tree.children_right,
        feature=feature if features is None else np.asarray(features)[feature],
        threshold=tree.threshold,
        values=values,
        targets=tuple(targets),
        missing_left=np.asarray(tree.missing_go_to_left, dtype=bool),
        cover=tree.weighted_n_node_samples,
    )
