"""Baselines that predict the same for every input."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..columns.symbols import Column
from ..context import Context
from ..errors import ExportError
from ..graph import INPUT, Array
from .registry import Lowered


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    if not hasattr(model, "classes_"):
        values = np.asarray(model.constant_, dtype=np.float64).ravel()
        return Lowered(value=constant(context, columns, values), count=len(values))
    if model.strategy not in ("prior", "most_frequent", "constant"):
        raise ExportError(f"{path} predicts at random (strategy={model.strategy!r}). Use strategy='prior'.")
    shares = model.predict_proba(np.zeros((1, 1)))[0]
    return Lowered(probabilities=constant(context, columns, shares))


def constant(context: Context, columns: Sequence[Column], values: Array) -> str:
    """The same values for each row."""
    context.request(columns, dense=False, missing=True)
    graph = context.graph
    some = graph.missing(graph.take(INPUT, [0]))
    return graph.node("Add", graph.node("MatMul", some, graph.constant(np.zeros((1, len(values))))), graph.constant([values]))
