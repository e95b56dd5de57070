"""Kernels of the input and a set of rows."""

import numpy as np

from ..context import Context
from ..errors import ExportError
from ..graph import Array


def squared_distances(context: Context, features: str, rows: Array) -> str:
    """The squared Euclidean distances, `[N, rows]`: sums of the squared differences, which do not cancel."""
    graph = context.graph
    wide = graph.node("Unsqueeze", features, graph.constant([1], np.int64))
    difference = graph.node("Sub", wide, graph.constant(rows[np.newaxis]))
    return graph.node("ReduceSum", graph.node("Mul", difference, difference), graph.constant([2], np.int64), keepdims=0)


def kernel(
    context: Context, features: str, rows: Array, name: str, gamma: float, constant: float, degree: float, path: str
) -> str:
    """The kernel of each input with each row, `[N, rows]`."""
    graph = context.graph
    if name == "rbf":
        # Squares of the differences rather than differences of squares, which are large compared with the result.
        squares = squared_distances(context, features, rows)
        return graph.node("Exp", graph.node("Mul", squares, graph.constant(-gamma)))
    if name == "laplacian":
        wide = graph.node("Unsqueeze", features, graph.constant([1], np.int64))
        size = graph.node("Abs", graph.node("Sub", wide, graph.constant(rows[np.newaxis])))
        return graph.node("Exp", graph.node("Mul", graph.sum(size, axis=2, keepdims=0), graph.constant(-gamma)))
    if name == "cosine":
        norm = np.linalg.norm(rows, axis=1, keepdims=True)
        own = graph.node("Sqrt", graph.sum(graph.node("Mul", features, features)))
        own = graph.node("Where", graph.node("Equal", own, graph.constant(0.0)), graph.constant(1.0), own)
        product = graph.node("MatMul", features, graph.constant((rows / np.where(norm == 0, 1, norm)).T))
        return graph.node("Div", product, own)
    product = graph.node("MatMul", features, graph.constant(rows.T))
    if name == "linear":
        return product
    if name not in ("poly", "polynomial", "sigmoid"):
        raise ExportError(f"{path} has the kernel {name!r}. Fit with 'linear', 'rbf', 'poly' or 'sigmoid'.")
    scaled = graph.node("Mul", product, graph.constant(gamma))
    scaled = graph.node("Add", scaled, graph.constant(constant))
    if name == "sigmoid":
        return graph.node("Tanh", scaled)
    if degree != int(degree):
        return graph.node("Pow", scaled, graph.constant(float(degree)))
    power = scaled
    for _ in range(int(degree) - 1):
        power = graph.node("Mul", power, scaled)
    return power
