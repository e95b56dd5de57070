"""Shares of the classes, in float64."""

import numpy as np
from onnx import TensorProto

from ..graph import Graph


def sigmoid_shares(graph: Graph, scores: str, classes: int) -> str:
    """One-versus-rest probabilities, float32 `[N, classes]`: each class's sigmoid divided by their sum; equal where all are 0.

    In float64: the sigmoid of float32 is 0 for scores below about -17, and a row of such scores would be 0 / 0.
    """
    one = graph.constant([[1.0]], np.float64)
    negative = graph.node("Neg", graph.cast(scores, TensorProto.DOUBLE))
    each = graph.node("Div", one, graph.node("Add", one, graph.node("Exp", negative)))
    return graph.cast(divided(graph, each, classes), TensorProto.FLOAT)


def divided(graph: Graph, each: str, classes: int) -> str:
    """Float64 columns divided by their sum; equal shares where that is 0."""
    total = graph.node("ReduceSum", each, graph.constant([1], np.int64), keepdims=1)
    empty = graph.node("Equal", total, graph.constant([[0.0]], np.float64))
    shares = graph.node("Div", each, graph.node("Where", empty, graph.constant([[1.0]], np.float64), total))
    return graph.node("Where", empty, graph.constant([[1.0 / classes]], np.float64), shares)


def softmax64(graph: Graph, scores: str) -> str:
    """The softmax of float64 scores, in float64."""
    relative = graph.node("Sub", scores, graph.node("ReduceMax", scores, axes=[1], keepdims=1))
    each = graph.node("Exp", relative)
    return graph.node("Div", each, graph.node("ReduceSum", each, graph.constant([1], np.int64), keepdims=1))
