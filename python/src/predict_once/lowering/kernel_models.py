"""Sums of kernels of the training rows: kernel ridge regression and label propagation."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..columns.dense import matrix
from ..columns.kernels import kernel
from ..columns.symbols import Column
from ..context import Context
from ..errors import ExportError
from .registry import Lowered
from .shares import divided


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    graph = context.graph
    features = matrix(context, columns)
    if hasattr(model, "dual_coef_"):
        rows = np.asarray(model.X_fit_.toarray() if hasattr(model.X_fit_, "toarray") else model.X_fit_, dtype=np.float64)
        gamma = 1 / rows.shape[1] if model.gamma is None else float(model.gamma)
        values = kernel(context, features, rows, model.kernel, gamma, float(model.coef0), model.degree, path)
        weights = np.asarray(model.dual_coef_, dtype=np.float64).reshape(len(rows), -1)
        return Lowered(value=graph.node("MatMul", values, graph.constant(weights)), count=weights.shape[1])
    if model.kernel != "rbf":
        raise ExportError(f"{path} has the kernel {model.kernel!r}. Fit with 'rbf'.")
    values = kernel(context, features, np.asarray(model.X_, dtype=np.float64), "rbf", float(model.gamma), 0.0, 0, path)
    each = graph.node("MatMul", values, graph.constant(model.label_distributions_))
    return Lowered(probabilities=divided(graph, each, len(model.classes_)))
