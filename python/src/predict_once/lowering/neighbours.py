"""Nearest neighbours, with the training rows as a constant of the graph."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto

from ..columns.dense import matrix
from ..columns.symbols import Column
from ..context import Context
from ..errors import ExportError
from .registry import Lowered

TIES = (
    "Of neighbours at equal distances, scikit-learn takes those that its search meets first, and the graph the first of the "
    "training rows. Distances are often equal between whole numbers: scale the columns, or fit another model."
)


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    graph = context.graph
    targets = np.asarray(model._y)
    targets = targets.reshape(len(targets), -1)
    classes: list[Any] = []
    if hasattr(model, "classes_"):
        classes = list(model.classes_) if model.outputs_2d_ else [model.classes_]
        tables = [np.eye(len(known))[targets[:, index].astype(int)] for index, known in enumerate(classes)]
        table = np.hstack(tables)
    else:
        table = targets.astype(np.float64)
    context.cautions[TIES] = None
    count = graph.constant([model.n_neighbors], np.int64)
    distances = distance(context, model, columns, path)
    nearest, positions = graph.nodes("TopK", [distances, count], 2, axis=1, largest=0, sorted=1)
    found = graph.node("Gather", graph.constant(table), positions, axis=0)  # [N, neighbours, targets]
    if model.weights == "uniform":
        mean = graph.node("ReduceSum", found, graph.constant([1], np.int64), keepdims=0)
        mean = graph.node("Mul", mean, graph.constant(1 / model.n_neighbors))
    elif model.weights == "distance":
        weights = inverse(context, model, nearest)
        total = graph.node("ReduceSum", weights, graph.constant([1], np.int64), keepdims=1)
        share = graph.node("Unsqueeze", graph.node("Div", weights, total), graph.constant([2], np.int64))
        mean = graph.node("ReduceSum", graph.node("Mul", found, share), graph.constant([1], np.int64), keepdims=0)
    else:
        raise ExportError(f"{path} has a function as weights. Fit with weights='uniform' or 'distance'.")
    if not classes:
        return Lowered(value=mean, count=table.shape[1])
    if not model.outputs_2d_:
        return Lowered(probabilities=mean)
    ends = np.cumsum([len(known) for known in classes])
    parts = [graph.take(mean, range(end - len(known), end)) for end, known in zip(ends, classes, strict=True)]
    return Lowered(members=[Lowered(probabilities=part, labels=known) for part, known in zip(parts, classes, strict=True)])


def distance(context: Context, model: Any, columns: Sequence[Column], path: str) -> str:
    """The distances to all training rows, [N, rows]; squared for the Euclidean metric."""
    graph = context.graph
    rows = np.asarray(model._fit_X)
    if hasattr(model._fit_X, "toarray"):
        rows = model._fit_X.toarray()
    metric, power = model.effective_metric_, (model.effective_metric_params_ or {}).get("p", 2)
    name = {1: "manhattan", 2: "euclidean"}.get(power, "") if metric == "minkowski" else metric
    features = graph.node("Unsqueeze", matrix(context, columns), graph.constant([1], np.int64))
    difference = graph.node("Sub", features, graph.constant(rows[np.newaxis]))
    axis = graph.constant([2], np.int64)
    if name in ("euclidean", "sqeuclidean"):
        return graph.node("ReduceSum", graph.node("Mul", difference, difference), axis, keepdims=0)
    if name in ("manhattan", "cityblock", "l1"):
        return graph.node("ReduceSum", graph.node("Abs", difference), axis, keepdims=0)
    if name in ("chebyshev", "infinity"):
        return graph.node("ReduceMax", graph.node("Abs", difference), axes=[2], keepdims=0)
    raise ExportError(f"{path} has the metric {metric!r} (p={power}). Fit with 'euclidean', 'manhattan' or 'chebyshev'.")


def inverse(context: Context, model: Any, nearest: str) -> str:
    """The reciprocals of the distances; if some are zero, 1 for these and 0 for the others."""
    graph = context.graph
    metric = model.effective_metric_
    power = (model.effective_metric_params_ or {}).get("p", 2)
    squared = metric in ("euclidean",) or (metric == "minkowski" and power == 2)
    distances = graph.node("Sqrt", nearest) if squared else nearest
    zero = graph.double(graph.node("Equal", distances, graph.constant(0)))
    some = graph.cast(graph.node("ReduceMax", zero, axes=[1], keepdims=1), TensorProto.BOOL)
    positive = graph.node("Add", distances, zero)  # never divides by zero
    reciprocal = graph.node("Div", graph.constant(1), positive)
    return graph.node("Where", some, zero, reciprocal)
