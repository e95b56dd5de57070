"""libsvm's probabilities: a sigmoid for each pair of classes, coupled to shares of all classes."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..graph import Graph

SMALLEST = 1e-7  # libsvm keeps the pairs' probabilities this far from 0 and 1
TOLERANCE = 0.005  # divided by the number of classes: where libsvm stops
ROUNDS_OF_TWO, ROUNDS = 3, 6
"""Unrolled rounds. libsvm allows 100, but stops after at most two for two classes, and after at most four for three to ten: in a
million random couplings, and in a search for couplings that take longer. A test repeats this on a smaller scale."""


def probabilities(graph: Graph, decisions: str, slopes: NDArray[np.float64], offsets: NDArray[np.float64], size: int) -> str:
    """Probabilities of all classes, float64 `[N, size]`, from the decisions of the pairs."""
    scaled = graph.node("Mul", decisions, number(graph, slopes))
    power = graph.node("Exp", graph.node("Add", scaled, number(graph, offsets)))
    first = graph.node("Div", number(graph, 1), graph.node("Add", number(graph, 1), power))
    first = graph.node("Min", graph.node("Max", first, number(graph, SMALLEST)), number(graph, 1 - SMALLEST))
    return coupled(graph, first, size)


def number(graph: Graph, value: float | NDArray[np.float64]) -> str:
    """A float64 constant that applies to all rows."""
    return graph.constant(np.atleast_2d(np.asarray(value, dtype=np.float64)))


def coupled(graph: Graph, first: str, size: int) -> str:
    """Wu, Lin and Weng's second method, as libsvm iterates it: the shares p that minimise pᵀQp.

    `first` has, for each pair, the probability of the first of the two. A row stays unchanged once libsvm would have stopped.
    """
    quadratic, diagonal = quadratic_form(graph, first, size)
    shares = number(graph, np.full(size, 1 / size))
    gradient = graph.node("Mul", total(graph, quadratic), number(graph, 1 / size))
    value = graph.node("ReduceSum", graph.node("Mul", shares, gradient), graph.constant([1], np.int64), keepdims=1)
    running = ""
    for _ in range(ROUNDS_OF_TWO if size == 2 else ROUNDS):
        distance = graph.node("ReduceMax", graph.node("Abs", graph.node("Sub", gradient, value)), axes=[1], keepdims=1)
        far = graph.node("GreaterOrEqual", distance, number(graph, TOLERANCE / size))
        far = graph.double(far)
        running = graph.node("Mul", running, far) if running else far
        for target in range(size):
            own, slope = graph.take(diagonal, [target]), graph.take(gradient, [target])
            step = graph.node("Mul", running, graph.node("Div", graph.node("Sub", value, slope), own))
            norm = graph.node("Add", number(graph, 1), step)
            change = graph.node("Add", graph.node("Mul", step, own), graph.node("Mul", slope, number(graph, 2)))
            value = graph.node("Add", value, graph.node("Mul", step, change))
            value = graph.node("Div", graph.node("Div", value, norm), norm)
            gradient = graph.node("Div", graph.node("Add", gradient, graph.node("Mul", step, quadratic[target])), norm)
            moved = graph.node("Mul", step, number(graph, np.eye(size)[target]))
            shares = graph.node("Div", graph.node("Add", shares, moved), norm)
    return shares


def quadratic_form(graph: Graph, first: str, size: int) -> tuple[list[str], str]:
    """The rows of Q, and its diagonal."""
    pairs = list(combinations(range(size), 2))
    second = graph.node("Sub", number(graph, 1), first)
    of_first, of_second = np.zeros((len(pairs), size)), np.zeros((len(pairs), size))
    others = np.zeros((size, len(pairs), size))
    for index, (one, other) in enumerate(pairs):
        # Q holds, for each class, the probabilities of the other classes against it.
        of_first[index, other], of_second[index, one] = 1, 1
        others[one, index, other] = others[other, index, one] = -1
    diagonal = graph.node(
        "Add",
        graph.node("MatMul", graph.node("Mul", first, first), graph.constant(of_first)),
        graph.node("MatMul", graph.node("Mul", second, second), graph.constant(of_second)),
    )
    product = graph.node("Mul", first, second)
    rows = []
    for target in range(size):
        beside = graph.node("MatMul", product, graph.constant(others[target]))
        rows.append(graph.node("Add", beside, graph.node("Mul", diagonal, number(graph, np.eye(size)[target]))))
    return rows, diagonal


def total(graph: Graph, tensors: list[str]) -> str:
    result = tensors[0]
    for tensor in tensors[1:]:
        result = graph.node("Add", result, tensor)
    return result
