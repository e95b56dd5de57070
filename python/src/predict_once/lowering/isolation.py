"""Isolation forests: how deep a row lies in trees that split at random."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..columns.symbols import Column
from ..context import Context
from ..trees import exact_ensemble
from .forests import FLOAT32, tree_of
from .outliers import outlier
from .registry import Lowered


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    graph = context.graph
    trees = []
    for index, (member, features) in enumerate(zip(model.estimators_, model.estimators_features_, strict=True)):
        depth = np.asarray(model._decision_path_lengths[index]) + model._average_path_length_per_tree[index] - 1.0
        trees.append(tree_of(member, depth.reshape(-1, 1), (0,), features))
    total = exact_ensemble(context, columns, trees, FLOAT32, 1)
    mean = model._max_samples
    usual = len(trees) * average_path_length(mean)
    share = graph.node("Div", total, graph.constant(-usual)) if usual else graph.constant([[-1.0]])
    score = graph.node("Neg", graph.node("Exp", graph.node("Mul", share, graph.constant(float(np.log(2.0))))))
    return outlier(context, score, float(model.offset_))


def average_path_length(rows: int) -> float:
    """The mean depth of a row in a random tree of so many rows."""
    if rows <= 1:
        return 0.0
    return 1.0 if rows == 2 else float(2.0 * (np.log(rows - 1.0) + np.euler_gamma) - 2.0 * (rows - 1.0) / rows)
