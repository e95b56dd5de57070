"""QuantileTransformer: interpolation between the quantiles, to a uniform or a normal distribution."""

from typing import Any

import numpy as np
from onnx import TensorProto
from scipy import stats

from ..context import Context
from ..graph import Array, Graph
from .normal import quantile as normal_quantile
from .symbols import Column, Function, applied
from .tensors import widened
from .transformers import refuse_texts

EDGE = 1e-7
"""Up to this far from the outermost quantiles, numbers count as the outermost."""
LEAST = EDGE - float(np.spacing(1))


def transform(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    refuse_texts(columns, context.variables, path)
    return [column.then(applied(distribution(step, index))) for index, column in enumerate(widened(columns))]


def distribution(step: Any, index: int) -> Function:
    """The function of one column."""
    quantiles, references = np.asarray(step.quantiles_[:, index], dtype=np.float64), np.asarray(step.references_)

    def evaluate(x: Any) -> Any:
        with np.errstate(all="ignore"):
            return step._transform_col(np.array(x, copy=True), quantiles, False)

    def build(graph: Graph, x: str) -> str:
        forwards = interpolated(graph, x, quantiles, references)
        backwards = interpolated(graph, graph.node("Neg", x), -quantiles[::-1], -references[::-1])
        result = graph.node("Mul", graph.node("Sub", forwards, backwards), graph.constant(0.5))
        first, last = graph.constant(quantiles[0]), graph.constant(quantiles[-1])
        if step.output_distribution == "uniform":
            low, high = graph.node("Equal", x, first), graph.node("Equal", x, last)
        else:
            low = graph.node("Less", graph.node("Sub", x, graph.constant(EDGE)), first)
            high = graph.node("Greater", graph.node("Add", x, graph.constant(EDGE)), last)
        result = graph.node("Where", high, graph.constant(1.0), result)
        result = graph.node("Where", low, graph.constant(0.0), result)
        if step.output_distribution == "uniform":
            return result
        least, most = graph.constant(LEAST), graph.constant(1 - LEAST)
        share = graph.node("Where", graph.node("Less", result, least), least, result)
        share = graph.node("Where", graph.node("Greater", share, most), most, share)
        inside = normal_quantile(graph, share)
        lower, upper = (graph.constant(stats.norm.ppf(edge)) for edge in (LEAST, 1 - LEAST))
        inside = graph.node("Where", graph.node("Equal", share, least), lower, inside)
        return graph.node("Where", graph.node("Equal", share, most), upper, inside)

    return Function("a QuantileTransformer", evaluate, build, increasing=True)


def interpolated(graph: Graph, x: str, points: Array, values: Array) -> str:
    """The line between the two points around a number, as NumPy's `interp`: at a repeated point, its last value."""
    inside = graph.node("Where", graph.node("Less", x, graph.constant(points[0])), graph.constant(points[0]), x)
    inside = graph.node("Where", graph.node("Greater", x, graph.constant(points[-1])), graph.constant(points[-1]), inside)
    with np.errstate(all="ignore"):
        slopes = np.append(np.diff(values) / np.diff(points), 0.0)
    slopes[~np.isfinite(slopes)] = 0.0
    reached = graph.cast(graph.node("GreaterOrEqual", inside, graph.constant([points])), TensorProto.INT64)
    place = graph.node("Max", graph.node("Sub", graph.sum(reached), graph.constant(1, np.int64)), graph.constant(0, np.int64))

    def of_place(entries: Any) -> str:
        return graph.node("Gather", graph.constant(entries), place, axis=0)

    line = graph.node("Mul", of_place(slopes), graph.node("Sub", inside, of_place(points)))
    return graph.node(
        "Where",
        graph.node("Less", x, graph.constant(points[0])),
        graph.constant(values[0]),
        graph.node("Add", line, of_place(values)),
    )
