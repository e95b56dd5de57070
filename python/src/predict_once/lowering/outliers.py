"""Outliers: support vectors of one class, local density, and an ellipse."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..class_names import class_names
from ..columns.dense import linear
from ..columns.symbols import Column
from ..context import Context
from ..errors import ExportError
from .neighbours import TIES, distance
from .registry import Lowered
from .svm import kernel_matrix

LABELS = (-1, 1)
"""Outliers and inliers."""


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    graph = context.graph
    names = class_names(model)
    if "sklearn.EllipticEnvelope" in names:
        precision = np.asarray(model.precision_, dtype=np.float64)
        centred = linear(context, columns, np.eye(len(precision)), -np.asarray(model.location_))
        products = graph.node("Mul", graph.node("MatMul", centred, graph.constant(precision)), centred)
        return outlier(context, graph.node("Neg", graph.sum(products)), float(model.offset_))
    if "sklearn.LocalOutlierFactor" in names:
        return local_outlier_factor(context, model, columns, path)
    if "sklearn.SGDOneClassSVM" in names:
        weights = np.asarray(model.coef_, dtype=np.float64).T
        offset = float(np.ravel(model.offset_)[0])
        score = linear(context, columns, weights.reshape(-1, 1))
        return outlier(context, score, offset, at_zero=False)
    values = kernel_matrix(context, model, columns, path)
    decision = graph.node(
        "Add", graph.node("MatMul", values, graph.constant(model._dual_coef_.T)), graph.constant([model._intercept_])
    )
    offset = float(np.ravel(model.offset_)[0])
    score = graph.node("Add", decision, graph.constant(offset))
    return verdict(context, score, decision, at_zero=False)


def outlier(context: Context, score: str, offset: float, at_zero: bool = True) -> Lowered:
    """The verdict on a score, from which the decision differs by an offset."""
    return verdict(context, score, context.graph.node("Sub", score, context.graph.constant(offset)), at_zero)


def verdict(context: Context, score: str, decision: str, at_zero: bool = True) -> Lowered:
    """An inlier has a positive decision, or one of 0 if `at_zero`."""
    graph = context.graph
    inside = graph.double(graph.node("GreaterOrEqual" if at_zero else "Greater", decision, graph.constant(0.0)))
    both = graph.node("Add", graph.node("MatMul", inside, graph.constant([[-1.0, 1.0]])), graph.constant([[0.5, -0.5]]))
    return Lowered(scores=both, decision=decision, score=score, labels=LABELS)


def local_outlier_factor(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    if not model.novelty:
        raise ExportError(f"{path} was fitted with novelty=False, so it cannot predict new rows. Fit with novelty=True.")
    graph = context.graph
    context.cautions[TIES] = None
    count = int(model.n_neighbors_)
    near = distance(context, model, columns, path)
    if squared(model):
        near = graph.node("Sqrt", near)
    nearest, places = graph.nodes("TopK", [near, graph.constant([count], np.int64)], 2, axis=1, largest=0, sorted=1)
    reach = graph.node("Gather", graph.constant(model._distances_fit_X_[:, count - 1]), places, axis=0)
    reach = graph.node("Where", graph.node("Greater", nearest, reach), nearest, reach)
    share = graph.constant(1 / count)
    mean = graph.node("Add", graph.node("Mul", graph.sum(reach), share), graph.constant(1e-10))
    density = graph.node("Mul", graph.sum(graph.node("Gather", graph.constant(model._lrd), places, axis=0)), share)
    score = graph.node("Neg", graph.node("Mul", density, mean))
    return outlier(context, score, float(model.offset_))


def squared(model: Any) -> bool:
    """Whether `distance` gives squares."""
    power = (model.effective_metric_params_ or {}).get("p", 2)
    return bool(model.effective_metric_ == "euclidean" or (model.effective_metric_ == "minkowski" and power == 2))
