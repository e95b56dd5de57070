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
    labelled = hasattr(model, "classes_") and model._label_binarizer.y_type_.startswith("multilabel")
    layers = [
        (np.asarray(weights, dtype=np.float64), np.asarray(bias, dtype=np.float64))
        for weights, bias in zip(model.coefs_, model.intercepts_, strict=True)
    ]
    binary = model.out_activation_ == "logistic" and not labelled and len(getattr(model, "classes_", ())) == 2
    if binary:
        weights, bias = layers[-1]
        layers[-1] = (np.hstack([-weights, weights]), np.concatenate([-bias, bias]))
    tensor = linear(context, columns, *layers[0])
    for weights, bias in layers[1:]:
        hidden = activated(graph, model.activation, tensor)
        tensor = graph.node("Add", graph.node("MatMul", hidden, graph.constant(weights)), graph.constant([bias]))
    match model.out_activation_:
        case "logistic" if labelled:
            return labels_of_shares(graph, graph.node("Sigmoid", tensor), model.n_outputs_)
        case "softmax":
            return Lowered(probabilities=graph.node("Softmax", tensor, axis=1))
        case "logistic":
            return Lowered(probabilities=graph.node("Sigmoid", tensor))
        case "identity":
            return Lowered(value=tensor, count=model.n_outputs_)
        case unknown:
            raise ExportError(f"{path} has the output activation {unknown!r}, which cannot be exported.")


def labels_of_shares(graph: Graph, shares: str, count: int) -> Lowered:
    """A label for each share above 1/2."""
    members = []
    for index in range(count):
        share = graph.take(shares, [index])
        both = graph.concat([graph.node("Sub", graph.constant(1.0), share), share])
        members.append(Lowered(probabilities=both, labels=(0, 1)))
    return Lowered(members=members)


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
