"""Gaussian process regression: kernels of the training rows, times the fitted weights."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..class_names import class_names
from ..columns.dense import matrix
from ..columns.kernels import squared_distances
from ..columns.symbols import Column
from ..context import Context
from ..errors import ExportError
from ..graph import Array
from .registry import Lowered

MOST_NUMBERS = 2_000_000
"""The most numbers of training data that a graph holds."""


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    graph = context.graph
    rows = np.asarray(model.X_train_, dtype=np.float64)
    if rows.size > MOST_NUMBERS:
        raise ExportError(f"{path} holds {rows.size:,} numbers of training data; at most {MOST_NUMBERS:,} can be exported.")
    values = kernel(context, model.kernel_, matrix(context, columns), rows, path)
    weights = np.asarray(model.alpha_, dtype=np.float64).reshape(len(rows), -1)
    scale, mean = np.ravel(model._y_train_std), np.ravel(model._y_train_mean)
    # Large weights of opposite signs cancel: the library's own answer is no more exact than this.
    largest = float((np.abs(weights).sum(axis=0) * scale).max() * model.kernel_.diag(rows).max())
    context.rounding = max(context.rounding, 4 * float(np.finfo(np.float64).eps) * largest)
    sums = graph.node("MatMul", values, graph.constant(weights))
    return Lowered(
        value=graph.node("Add", graph.node("Mul", sums, graph.constant([scale])), graph.constant([mean])), count=weights.shape[1]
    )


def kernel(context: Context, part: Any, features: str, rows: Array, path: str) -> str:
    """A kernel of the inputs and the training rows, `[N, rows]`."""
    graph = context.graph
    name = next((name.split(".")[1] for name in class_names(part) if name.split(".")[1] in KERNELS), "")
    one = graph.constant(1.0)

    def distances() -> str:
        length = np.ravel(part.length_scale)
        scaled = graph.node("Div", features, graph.constant([length]))
        return squared_distances(context, scaled, rows / length)

    if name in ("Sum", "Product"):
        first, second = kernel(context, part.k1, features, rows, path), kernel(context, part.k2, features, rows, path)
        return graph.node("Add" if name == "Sum" else "Mul", first, second)
    if name == "Exponentiation":
        return graph.node("Pow", kernel(context, part.kernel, features, rows, path), graph.constant(float(part.exponent)))
    if name in ("ConstantKernel", "WhiteKernel"):  # noise does not reach new rows
        value = float(part.constant_value) if name == "ConstantKernel" else 0.0
        flat = graph.node("MatMul", features, graph.constant(np.zeros((rows.shape[1], len(rows)))))
        return graph.node("Add", flat, graph.constant(value))
    if name == "DotProduct":
        product = graph.node("MatMul", features, graph.constant(rows.T))
        return graph.node("Add", product, graph.constant(float(part.sigma_0) ** 2))
    if name == "RBF":
        return graph.node("Exp", graph.node("Mul", distances(), graph.constant(-0.5)))
    if name == "RationalQuadratic":
        base = graph.node(
            "Mul", squared_distances(context, features, rows), graph.constant(1 / (2 * part.alpha * part.length_scale**2))
        )
        return graph.node("Pow", graph.node("Add", base, one), graph.constant(-float(part.alpha)))
    if name == "Matern" and part.nu in (0.5, 1.5, 2.5):
        distance = graph.node("Mul", graph.node("Sqrt", distances()), graph.constant(float(np.sqrt(2 * part.nu))))
        decay = graph.node("Exp", graph.node("Neg", distance))
        if part.nu == 0.5:
            return decay
        factor = graph.node("Add", distance, one)
        if part.nu == 2.5:
            square = graph.node("Mul", graph.node("Mul", distance, distance), graph.constant(1 / 3))
            factor = graph.node("Add", factor, square)
        return graph.node("Mul", factor, decay)
    raise ExportError(
        f"{path} has the kernel {part}, which cannot be exported. Use RBF, Matern with nu=0.5, 1.5 or 2.5, RationalQuadratic, "
        "DotProduct, ConstantKernel, WhiteKernel, and sums, products and powers of them."
    )


KERNELS = (
    "Sum",
    "Product",
    "Exponentiation",
    "ConstantKernel",
    "WhiteKernel",
    "DotProduct",
    "Matern",
    "RBF",
    "RationalQuadratic",
)
