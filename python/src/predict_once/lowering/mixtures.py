"""Gaussian mixtures: the likelihood of each component."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..columns.dense import linear
from ..columns.symbols import Column
from ..context import Context
from .registry import Lowered


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    graph = context.graph
    means = np.asarray(model.means_, dtype=np.float64)
    count, width = means.shape
    squares = []
    for index, mean in enumerate(means):
        scale = cholesky(model, index, width)
        centred = linear(context, columns, scale, -mean @ scale)
        squares.append(graph.sum(graph.node("Mul", centred, centred)))
    # The library's own constant: at a component's mean, its square is 0.
    constant = np.array([model._estimate_weighted_log_prob(mean[np.newaxis])[0, index] for index, mean in enumerate(means)])
    joint = graph.node("Add", graph.node("Mul", graph.concat(squares), graph.constant(-0.5)), graph.constant([constant]))
    largest = graph.node("ReduceMax", joint, axes=[1], keepdims=1)
    relative = graph.node("Sub", joint, largest)
    score = graph.node("Add", graph.node("Log", graph.sum(graph.node("Exp", relative))), largest)
    return Lowered(
        probabilities=graph.node("Softmax", relative, axis=1),
        scores=joint,
        index=graph.index(joint),
        score=score,
        labels=range(count),
    )


def cholesky(model: Any, component: int, width: int) -> Any:
    """The matrix whose square is the component's precision."""
    factors = np.asarray(model.precisions_cholesky_, dtype=np.float64)
    match model.covariance_type:
        case "full":
            return factors[component]
        case "tied":
            return factors
        case "diag":
            return np.diag(factors[component])
        case _:
            return np.eye(width) * factors[component]
