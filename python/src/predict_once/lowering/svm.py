"""Support vector machines: the kernel of the input and each support vector, and sums of it."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from ..columns.dense import matrix
from ..columns.kernels import kernel
from ..columns.symbols import Column
from ..context import Context
from ..errors import ExportError
from ..graph import Array
from .platt import probabilities
from .registry import Lowered

MOST_COUPLED = 10
"""The most classes for which probabilities are exported: the number of operators grows with its square."""


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    graph = context.graph
    values = kernel_matrix(context, model, columns, path)
    if not hasattr(model, "classes_"):
        value = graph.node("MatMul", values, graph.constant(model._dual_coef_.T))
        value = graph.node("Add", value, graph.constant([model._intercept_]))
        return Lowered(value=value)
    size = len(model.classes_)
    pairs = list(combinations(range(size), 2))
    sums = graph.node("MatMul", values, graph.constant(pair_weights(model, pairs)))
    sums = graph.node("Add", sums, graph.constant([model._intercept_]))  # > 0: the first of the pair
    lowered = two_classes(context, sums) if size == 2 else several_classes(context, model, sums, pairs)
    if getattr(model, "_effective_probability", getattr(model, "probability", False)) is not True:
        return lowered
    if size > MOST_COUPLED:
        raise ExportError(
            f"{path} was fitted with probability=True on {size} classes. Its probabilities come from an iteration, which can be "
            f"exported for up to {MOST_COUPLED} classes. Fit CalibratedClassifierCV(SVC(), ensemble=False), or SVC() for the "
            "class alone."
        )
    shares = probabilities(graph, sums, np.asarray(model._probA), np.asarray(model._probB), size)
    # The class is the winner of the vote, which need not be the most probable.
    return replace(lowered, probabilities=shares, index=graph.index(lowered.classes))


def two_classes(context: Context, sums: str) -> Lowered:
    """The decision, which has the opposite sign in libsvm."""
    graph = context.graph
    both = graph.node("Mul", sums, graph.constant([[1, -1]]))
    return Lowered(scores=both, decision=graph.take(both, [1]))


def several_classes(context: Context, model: Any, sums: str, pairs: list[tuple[int, int]]) -> Lowered:
    """Each pair of classes votes for one of them."""
    graph = context.graph
    size = len(model.classes_)
    first = graph.double(graph.node("Greater", sums, graph.constant(0)))
    ballots = np.zeros((len(pairs), size))
    base = np.zeros(size)
    confidence = np.zeros((len(pairs), size))
    for index, (one, other) in enumerate(pairs):
        ballots[index, one], ballots[index, other] = 1, -1
        base[other] += 1
        confidence[index, one], confidence[index, other] = 1, -1
    votes = graph.node("Add", graph.node("MatMul", first, graph.constant(ballots)), graph.constant([base]))
    if model.decision_function_shape == "ovo":
        return Lowered(scores=votes, decision=sums)
    # decision_function with one column for each class: the votes plus the confidence in them, which is scaled to below 1/3.
    trust = graph.node("MatMul", sums, graph.constant(confidence))
    scale = graph.node("Mul", graph.node("Add", graph.node("Abs", trust), graph.constant(1)), graph.constant(3))
    decision = graph.node("Add", votes, graph.node("Div", trust, scale))
    scores = decision if model.break_ties else votes
    return Lowered(scores=scores, decision=decision)


def pair_weights(model: Any, pairs: list[tuple[int, int]]) -> Array:
    """For each pair of classes the weight of each support vector, from libsvm's compact form."""
    counts = np.asarray(model._n_support)
    ends = np.cumsum([0, *counts])
    coefficients = np.asarray(model._dual_coef_)
    weights = np.zeros((coefficients.shape[1], len(pairs)))
    for index, (one, other) in enumerate(pairs):
        mine, theirs = slice(ends[one], ends[one + 1]), slice(ends[other], ends[other + 1])
        weights[mine, index] = coefficients[other - 1, mine]
        weights[theirs, index] = coefficients[one, theirs]
    return weights


def kernel_matrix(context: Context, model: Any, columns: Sequence[Column], path: str) -> str:
    """The kernel of each input with each support vector."""
    vectors = np.asarray(model.support_vectors_, dtype=np.float64)
    if hasattr(model.support_vectors_, "toarray"):
        vectors = model.support_vectors_.toarray()
    features = matrix(context, columns)
    gamma, constant = float(getattr(model, "_gamma", 0)), float(model.coef0)
    return kernel(context, features, vectors, model.kernel, gamma, constant, model.degree, path)
