"""Normalizer: each row divided by its norm."""

from typing import Any

import numpy as np

from ..context import Context
from .dense import matrix
from .symbols import Column
from .tensors import features_of, widened
from .transformers import refuse_texts


def transform(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    refuse_texts(columns, context.variables, path)
    graph = context.graph
    features = matrix(context, widened(columns))
    if step.norm == "l2":
        norm = graph.node("Sqrt", graph.sum(graph.node("Mul", features, features)))
    elif step.norm == "l1":
        norm = graph.sum(graph.node("Abs", features))
    else:
        norm = graph.node("ReduceMax", graph.node("Abs", features), axes=[1], keepdims=1)
    tiny = graph.node("Less", norm, graph.constant(10 * np.finfo(np.float64).eps))  # scikit-learn does not divide by these
    norm = graph.node("Where", tiny, graph.constant(1.0), norm)
    return features_of(graph.node("Div", features, norm), len(columns))
