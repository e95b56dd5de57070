"""AdaBoost: a weighted vote, or the weighted median."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto

from ..class_names import class_names
from ..columns.symbols import Column
from ..context import Context
from ..errors import ExportError
from ..graph import Array
from ..trees import exact_ensemble
from .forests import FLOAT32, tree_of
from .registry import Lowered
from .registry import lower_member as lower_any


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    weights = np.asarray(model.estimator_weights_, dtype=np.float64)[: len(model.estimators_)]
    if not hasattr(model, "classes_"):
        return Lowered(value=median(context, predictions(context, model, columns, path), weights))
    if getattr(model, "algorithm", "SAMME") == "SAMME.R":
        raise ExportError(f"{path} was fitted with algorithm='SAMME.R', which scikit-learn dropped. Fit with algorithm='SAMME'.")
    graph = context.graph
    size = len(model.classes_)
    shares = weights / weights.sum()
    votes = (
        tree_votes(context, model, columns, shares) if all_trees(model) else other_votes(context, model, columns, shares, path)
    )
    if size == 2:
        # The decision is the second column minus the first, and a probability is its logistic function.
        decision = graph.node("MatMul", votes, graph.constant([[-1], [1]]))
        both = graph.node("MatMul", votes, graph.constant([[1, -1], [-1, 1]]))
        return Lowered(probabilities=graph.node("Sigmoid", both), scores=both, decision=decision)
    scaled = graph.node("Mul", votes, graph.constant(1 / (size - 1)))
    return Lowered(probabilities=graph.node("Softmax", scaled, axis=1), scores=votes, decision=votes)


def all_trees(model: Any) -> bool:
    """Whether the members are decision trees, whose leaves can hold the votes."""
    kinds = ("sklearn.DecisionTreeClassifier", "sklearn.DecisionTreeRegressor")
    return all(set(class_names(member)) & set(kinds) for member in model.estimators_)


def vote_values(winners: Array, classes: Array, share: float) -> Array:
    """The share for the winning class, and the negative share, split evenly, for the others."""
    hit = winners[:, np.newaxis] == classes[np.newaxis, :]
    return np.where(hit, share, -share / (len(classes) - 1))


def tree_votes(context: Context, model: Any, columns: Sequence[Column], shares: Array) -> str:
    trees = []
    for member, share in zip(model.estimators_, shares, strict=True):
        winners = member.classes_[member.tree_.value[:, 0, :].argmax(axis=1)]
        trees.append(tree_of(member, vote_values(winners, model.classes_, share), range(len(model.classes_))))
    return exact_ensemble(context, columns, trees, FLOAT32, len(model.classes_))


def other_votes(context: Context, model: Any, columns: Sequence[Column], shares: Array, path: str) -> str:
    graph = context.graph
    total = ""
    for index, (member, share) in enumerate(zip(model.estimators_, shares, strict=True)):
        lowered = lower_any(context, member, columns, f"{path} → member {index}")
        table = vote_values(member.classes_, model.classes_, share)
        votes = graph.node("Gather", graph.constant(table), class_index(context, lowered), axis=0)
        total = graph.node("Add", total, votes) if total else votes
    return total


def class_index(context: Context, lowered: Lowered) -> str:
    """The position of the class: int64 [N]."""
    return context.graph.node("ArgMax", lowered.classes, axis=1, keepdims=0)


def predictions(context: Context, model: Any, columns: Sequence[Column], path: str) -> str:
    """The members' predictions side by side."""
    if all_trees(model):
        trees = [tree_of(member, member.tree_.value[:, 0, :], (index,)) for index, member in enumerate(model.estimators_)]
        return exact_ensemble(context, columns, trees, FLOAT32, len(trees))
    values = [lower_any(context, m, columns, f"{path} → member {i}").value or "" for i, m in enumerate(model.estimators_)]
    return context.graph.concat(values)


def median(context: Context, values: str, weights: Array) -> str:
    """The first of the sorted predictions at which half of the weight is reached."""
    graph = context.graph
    if len(weights) == 1:
        return values
    size = graph.constant([len(weights)], np.int64)
    ordered, positions = graph.nodes("TopK", [values, size], 2, axis=1, largest=0, sorted=1)
    sorted_weights = graph.node("Gather", graph.constant(weights), positions, axis=0)
    reached = graph.node("CumSum", sorted_weights, graph.constant(np.int64(1), np.int64))
    enough = graph.node("GreaterOrEqual", reached, graph.constant(weights.sum() / 2 * (1 - 1e-12)))
    first = graph.node("ArgMax", graph.cast(enough, TensorProto.FLOAT), axis=1, keepdims=1)
    return graph.node("GatherElements", ordered, first, axis=1)
