"""Quadratic discriminant analysis: the distance from each class's mean in its own scale."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..columns.dense import linear
from ..columns.symbols import Column
from ..context import Context
from .registry import Lowered


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    graph = context.graph
    terms = []
    for rotation, scaling, mean in zip(model.rotations_, model.scalings_, model.means_, strict=True):
        weights = np.asarray(rotation) * np.asarray(scaling) ** -0.5
        centred = linear(context, columns, weights, -np.asarray(mean) @ weights)
        terms.append(graph.sum(graph.node("Mul", centred, centred)))
    spread = np.array([np.sum(np.log(scaling)) for scaling in model.scalings_])
    scores = graph.node("Mul", graph.node("Add", graph.concat(terms), graph.constant([spread])), graph.constant(-0.5))
    scores = graph.node("Add", scores, graph.constant([np.log(model.priors_)]))
    return discriminant(context, scores, len(model.classes_))


def discriminant(context: Context, scores: str, size: int) -> Lowered:
    """Classes and probabilities from the logarithms of their likelihoods."""
    graph = context.graph
    relative = graph.node("Sub", scores, graph.node("ReduceMax", scores, axes=[1], keepdims=1))
    decision = graph.node("MatMul", scores, graph.constant([[-1.0], [1.0]])) if size == 2 else scores
    probabilities = graph.node("Softmax", relative, axis=1)
    return Lowered(probabilities=probabilities, scores=scores, decision=decision, index=graph.index(scores))
