"""Gaussian naive Bayes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..columns.dense import matrix
from ..columns.symbols import Column
from ..context import Context
from .registry import Lowered


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    graph = context.graph
    features = graph.node("Unsqueeze", matrix(context, columns), graph.constant([1], np.int64))
    scaled = graph.node("Sub", features, graph.constant(model.theta_[np.newaxis]))
    scaled = graph.node("Mul", scaled, graph.constant((1 / np.sqrt(model.var_))[np.newaxis]))
    squares = graph.node("Mul", scaled, scaled)
    total = graph.sum(squares, axis=2, keepdims=0)
    constant = np.log(model.class_prior_) - 0.5 * np.log(2 * np.pi * model.var_).sum(axis=1)
    half = graph.node("Mul", total, graph.constant([[-0.5]]))
    joint = graph.node("Add", half, graph.constant([constant]))
    relative = graph.node("Sub", joint, graph.node("ReduceMax", joint, axes=[1], keepdims=1))
    return Lowered(probabilities=graph.node("Softmax", relative, axis=1))
