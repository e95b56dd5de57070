"""Multi-layer perceptrons."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..columns.dense import linear
from ..columns.symbols import Column
from ..context import Context
from ..errors import ExportError
from ..graph import Graph
from .registry import Lowered


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    graph = context.graph
    if not hasattr(model, "classes_") and model.n_outputs_ > 1:
        raise ExportError(f"{path} predicts several targets at once. Fit and export one model for each.")
    layers = [
        (np.asarray(weights, dtype=np.float64), np.asarray(bias, dtype=np.float64))
        for weights, bias in zip(model.coefs_, model.intercepts_, strict=True)
    ]
    binary = model.out_activation_ == "logistic" and hasattr(model, "classes_") and len(model.classes_) == 2
    if binary:
        weights, bias = layers[-1]
        layers[-1] = (np.hstack([-weights, weights]), np.concatenate([-bias, bias]))
    tensor = linear(context, columns, *layers[0])
    for weights, bias in layers[1:]:
        hidden = activated(graph, model.activation, tensor)
        tensor = graph.node("Add", graph.node("MatMul", hidden, graph.constant(weights)), graph.constant([bias]))
    match model.out_activation_:
        case "softmax":
            return Lowered(probabilities=graph.node("Softmax", tensor, axis=1))
        case "logistic":
            return Lowered(probabilities=graph.node("Sigmoid", tensor))
        case "identity":
            return Lowered(value=tensor)
        case unknown:
            raise ExportError(f"{path} has the output activation {unknown!r}, which cannot be exported.")


def activated(graph: Graph, activation: str, tensor: str) -> str:
    """The activation of a layer."""
    match activation:
        case "relu":
            return graph.node("Max", tensor, graph.constant(0.0))
        case "tanh":
            return graph.node("Tanh", tensor)
        case "logistic":
            return graph.node("Sigmoid", tensor)
        case _:
            return tensor
