"""One-versus-rest probabilities: the sigmoid of each class's score, divided by their sum."""

import numpy as np
from onnx import TensorProto

from ..graph import Graph


def sigmoid_shares(graph: Graph, scores: str, classes: int) -> str:
    """The shares, float32 `[N, classes]`; equal ones where every sigmoid is 0.

    In float64: the sigmoid of float32 is 0 for scores below some -17, and a row of such scores would be 0 / 0.
    """
    one = graph.constant([[1.0]], np.float64)
    negative = graph.node("Neg", graph.cast(scores, TensorProto.DOUBLE))
    each = graph.node("Div", one, graph.node("Add", one, graph.node("Exp", negative)))
    total = graph.node("ReduceSum", each, graph.constant([1], np.int64), keepdims=1)
    empty = graph.node("Equal", total, graph.constant([[0.0]], np.float64))
    shares = graph.node("Div", each, graph.node("Where", empty, one, total))
    equal = graph.constant([[1.0 / classes]], np.float64)
    return graph.cast(graph.node("Where", empty, equal, shares), TensorProto.FLOAT)
