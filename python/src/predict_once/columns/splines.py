"""SplineTransformer: the basis splines of a column, as polynomials between the knots."""

from math import factorial
from typing import Any

import numpy as np
from onnx import TensorProto

from ..context import Context
from ..errors import ExportError
from ..graph import Array
from .symbols import Column, Number
from .tensors import computed_column, features_of, widened
from .transformers import described, refuse_texts


def transform(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    refuse_texts(columns, context.variables, path)
    if step.degree == 0:
        raise ExportError(f"{path} has degree=0, which cannot be exported. Use KBinsDiscretizer.")
    result: list[Column] = []
    for index, column in enumerate(widened(columns)):
        if not isinstance(column, Number):
            raise ExportError(f"{path} makes splines of {described([column], context.variables)}, which has only a few values.")
        spline = step.bsplines_[index]
        if step.extrapolation == "error" and isinstance(column.source, int) and not column.steps:
            context.variables[column.source].restrict(float(spline.t[step.degree]), float(spline.t[-step.degree - 1]))
        result += basis(context, column, spline, step)
    return result


def basis(context: Context, column: Number, spline: Any, step: Any) -> list[Column]:
    """The basis splines of one column."""
    graph = context.graph
    zeros = getattr(step, "handle_missing", "error") == "zeros"
    x = computed_column(context, column, missing=zeros)
    lowest, highest = float(spline.t[step.degree]), float(spline.t[-step.degree - 1])
    if step.extrapolation == "periodic":
        period = graph.constant(highest - lowest)
        rest = graph.node("Mod", graph.node("Sub", x, graph.constant(lowest)), period, fmod=1)
        rest = graph.node("Where", graph.node("Less", rest, graph.constant(0.0)), graph.node("Add", rest, period), rest)
        x = graph.node("Add", rest, graph.constant(lowest))
    elif step.extrapolation == "constant":
        low, high = graph.constant(lowest), graph.constant(highest)
        x = graph.node("Where", graph.node("Less", x, low), low, x)
        x = graph.node("Where", graph.node("Greater", x, high), high, x)
    starts, polynomials = pieces(spline, step)
    reached = graph.cast(graph.node("GreaterOrEqual", x, graph.constant([starts[1:]])), TensorProto.INT64)
    place = graph.node("ReduceSum", reached, graph.constant([1], np.int64), keepdims=0)

    def of_place(table: Array) -> str:
        return graph.node("Gather", graph.constant(table), place, axis=0)

    distance = graph.node("Sub", x, of_place(starts[:, np.newaxis]))
    total = of_place(polynomials[-1])
    for table in polynomials[-2::-1]:
        total = graph.node("Add", graph.node("Mul", total, distance), of_place(table))
    if zeros:
        total = graph.node("Where", graph.present(x), total, graph.constant(0.0))
    count = polynomials.shape[2]
    return features_of(total, count if step.include_bias else count - 1)


def pieces(spline: Any, step: Any) -> tuple[Array, Array]:
    """Where each polynomial starts, and their coefficients by power of the distance from there: [powers, pieces, splines]."""
    degree = int(step.degree)
    starts = np.unique(spline.t[degree : -degree - 1])
    tables = [np.asarray(spline(starts, nu=power)) / factorial(power) for power in range(degree + 1)]
    table = np.stack(tables)
    if step.extrapolation == "linear":
        edges = np.array([spline.t[degree], spline.t[-degree - 1]])
        flat = np.zeros((degree + 1, 2, table.shape[2]))
        flat[0], flat[1] = spline(edges), spline(edges, nu=1)
        starts = np.array([edges[0], *starts, edges[1]])
        table = np.concatenate([flat[:, :1], table, flat[:, 1:]], axis=1)
    return starts, table
