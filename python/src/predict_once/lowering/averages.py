"""Bagging and voting: averages of the members' predictions."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..class_names import class_names
from ..columns.symbols import Column
from ..context import Context
from ..graph import Array
from .adaboost import all_trees, class_index
from .forests import average, class_shares, tree_of
from .registry import Lowered
from .registry import lower_member as lower_any


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    if any(name in ("sklearn.BaggingClassifier", "sklearn.BaggingRegressor") for name in class_names(model)):
        return bagging(context, model, columns, path)
    return voting(context, model, columns, path)


def bagging(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    """Bagging, whose members were each fitted on some of the columns."""
    chosen = [np.asarray(features) for features in model.estimators_features_]
    members = model.estimators_
    if hasattr(model, "classes_"):
        size = len(model.classes_)
        # The members know the classes by their positions.
        positions = [np.asarray(member.classes_, dtype=int) for member in members]
        if all_trees(model):
            trees = [tree_of(m, class_shares(m), p.tolist(), f) for m, p, f in zip(members, positions, chosen, strict=True)]
            return Lowered(probabilities=average(context, columns, trees, size))
        tensors = []
        for index, (member, known, features) in enumerate(zip(members, positions, chosen, strict=True)):
            lowered = lower_any(context, member, [columns[f] for f in features], f"{path} → member {index}")
            tensors.append(spread(context, member_shares(context, lowered, len(known)), known, size))
        return Lowered(probabilities=weighted_sum(context, tensors, np.full(len(tensors), 1 / len(tensors))))
    if all_trees(model):
        trees = [tree_of(m, m.tree_.value[:, 0, :], (0,), f) for m, f in zip(members, chosen, strict=True)]
        return Lowered(value=average(context, columns, trees, 1))
    values = [
        lower_any(context, m, [columns[f] for f in features], f"{path} → member {i}").value or ""
        for i, (m, features) in enumerate(zip(members, chosen, strict=True))
    ]
    return Lowered(value=weighted_sum(context, values, np.full(len(values), 1 / len(values))))


def member_shares(context: Context, lowered: Lowered, size: int) -> str:
    """A member's probabilities, or 1 for the class that it predicts."""
    return lowered.probabilities or votes(context, lowered, size)


def votes(context: Context, lowered: Lowered, size: int) -> str:
    """1 for the class that a member predicts."""
    return context.graph.node("Gather", context.graph.constant(np.eye(size)), class_index(context, lowered), axis=0)


def spread(context: Context, tensor: str, known: Array, size: int) -> str:
    """A member's columns at their positions among all classes; 0 for classes that it does not know."""
    if known.tolist() == list(range(size)):
        return tensor
    matrix = np.zeros((len(known), size))
    matrix[np.arange(len(known)), known] = 1
    return context.graph.node("MatMul", tensor, context.graph.constant(matrix))


def weighted_sum(context: Context, tensors: Sequence[str], weights: Array) -> str:
    """The sum of the tensors times their weights."""
    graph = context.graph
    total = ""
    for tensor, weight in zip(tensors, weights, strict=True):
        part = graph.node("Mul", tensor, graph.constant(weight))
        total = graph.node("Add", total, part) if total else part
    return total


def voting(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    """Averages of predictions or probabilities, or a vote."""
    names = [name for name, member in model.estimators if member != "drop"]
    parts = [
        lower_any(context, member, columns, f"{path} → {name!r}") for name, member in zip(names, model.estimators_, strict=True)
    ]
    weights = np.ones(len(parts)) if model.weights is None else np.asarray(model._weights_not_none, dtype=np.float64)
    if not hasattr(model, "classes_"):
        return Lowered(value=weighted_sum(context, [part.value or "" for part in parts], weights / weights.sum()))
    size = len(model.classes_)
    if model.voting == "hard":
        return Lowered(scores=weighted_sum(context, [votes(context, part, size) for part in parts], weights))
    shares = [part.probabilities or "" for part in parts]
    return Lowered(probabilities=weighted_sum(context, shares, weights / weights.sum()))
