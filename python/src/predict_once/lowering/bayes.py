"""Gaussian naive Bayes, in float64: the sums of squares are large compared with their differences."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto

from ..columns.dense import matrix64
from ..columns.symbols import Column
from ..context import Context
from .registry import Lowered


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    graph = context.graph
    features = graph.node("Unsqueeze", matrix64(context, columns), graph.constant([1], np.int64))
    scaled = graph.node("Sub", features, graph.constant(model.theta_[np.newaxis], np.float64))
    scaled = graph.node("Mul", scaled, graph.constant((1 / np.sqrt(model.var_))[np.newaxis], np.float64))
    squares = graph.node("Mul", scaled, scaled)
    total = graph.node("ReduceSum", squares, graph.constant([2], np.int64), keepdims=0)
    constant = np.log(model.class_prior_) - 0.5 * np.log(2 * np.pi * model.var_).sum(axis=1)
    half = graph.node("Mul", total, graph.constant([[-0.5]], np.float64))
    joint = graph.node("Add", half, graph.constant([constant], np.float64))
    relative = graph.node("Sub", joint, graph.node("ReduceMax", joint, axes=[1], keepdims=1))
    return Lowered(probabilities=graph.node("Softmax", graph.cast(relative, TensorProto.FLOAT), axis=1))
