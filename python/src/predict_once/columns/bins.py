"""KBinsDiscretizer and Binarizer: which interval contains a number."""

from functools import partial
from typing import Any

import numpy as np
from onnx import TensorProto

from ..class_names import class_names
from ..context import Context
from ..graph import Array, Graph
from .symbols import Category, Column, Function, applied
from .tensors import computed_column, features_of, widened
from .transformers import refuse_texts


def transform(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    refuse_texts(columns, context.variables, path)
    if "sklearn.Binarizer" in class_names(step):
        above = exceeds(float(step.threshold))
        return [column.then(applied(above)) for column in widened(columns)]
    result: list[Column] = []
    for index, column in enumerate(widened(columns)):
        binned = column.then(applied(bin_of(np.asarray(step.bin_edges_[index][1:-1]))))
        if step.encode == "ordinal":
            result.append(binned)
            continue
        positions = [float(position) for position in step._encoder.categories_[index]]
        if isinstance(binned, Category):
            result += [binned.map(partial(equals, position)) for position in positions]
            continue
        tensor = computed_column(context, binned)
        flags = context.graph.node("Equal", tensor, context.graph.constant([positions]))
        result += features_of(context.graph.double(flags), len(positions))
    return result


def equals(position: float, state: float) -> float:
    return float(state == position)


def exceeds(threshold: float) -> Function:
    """1 above the threshold, else 0."""

    def evaluate(x: Any) -> Any:
        return (x > threshold).astype(np.float64)

    def build(graph: Graph, x: str) -> str:
        return graph.double(graph.node("Greater", x, graph.constant(threshold)))

    return Function("a Binarizer", evaluate, build, increasing=True)


def bin_of(edges: Array) -> Function:
    """The number of edges at or below a number."""

    def evaluate(x: Any) -> Any:
        return np.searchsorted(edges, x, side="right").astype(np.float64)

    def build(graph: Graph, x: str) -> str:
        if not len(edges):
            return graph.node("Mul", graph.double(graph.present(x)), graph.constant(0.0))
        reached = graph.cast(graph.node("GreaterOrEqual", x, graph.constant([edges])), TensorProto.DOUBLE)
        return graph.sum(reached)

    return Function("a KBinsDiscretizer", evaluate, build, increasing=True)
