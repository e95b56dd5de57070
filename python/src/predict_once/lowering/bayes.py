"""Naive Bayes: Gaussian, multinomial, complement, Bernoulli and categorical."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto

from ..class_names import class_names
from ..columns.dense import linear, matrix
from ..columns.symbols import Column, Number
from ..context import Context
from .registry import Lowered


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    name = class_names(model)
    graph = context.graph
    if "sklearn.GaussianNB" in name:
        joint = gaussian(context, model, columns)
    elif "sklearn.BernoulliNB" in name:
        joint = bernoulli(context, model, columns)
    elif "sklearn.CategoricalNB" in name:
        joint = categorical(context, model, columns)
    else:
        not_negative(context, columns, None)
        complement = "sklearn.ComplementNB" in name and len(model.classes_) > 1
        bias = np.zeros(len(model.classes_)) if complement else model.class_log_prior_
        joint = linear(context, columns, np.asarray(model.feature_log_prob_).T, bias)
    relative = graph.node("Sub", joint, graph.node("ReduceMax", joint, axes=[1], keepdims=1))
    return Lowered(probabilities=graph.node("Softmax", relative, axis=1), scores=joint, index=graph.index(joint))


def not_negative(context: Context, columns: Sequence[Column], most: Sequence[int] | None) -> None:
    """The library refuses negative numbers, and those above `most`."""
    for index, column in enumerate(columns):
        if isinstance(column, Number) and isinstance(column.source, int):
            if column.steps:
                context.curved.add(column.source)
            else:
                context.variables[column.source].restrict(0, None if most is None else most[index])


def bernoulli(context: Context, model: Any, columns: Sequence[Column]) -> str:
    graph = context.graph
    yes, no = np.asarray(model.feature_log_prob_), np.log(1 - np.exp(model.feature_log_prob_))
    weights, bias = (yes - no).T, model.class_log_prior_ + no.sum(axis=1)
    if model.binarize is None:
        return linear(context, columns, weights, bias)
    above = graph.double(graph.node("Greater", matrix(context, columns), graph.constant(float(model.binarize))))
    return graph.node("Add", graph.node("MatMul", above, graph.constant(weights)), graph.constant([bias]))


def categorical(context: Context, model: Any, columns: Sequence[Column]) -> str:
    graph = context.graph
    not_negative(context, columns, [int(size) - 1 for size in model.n_categories_])
    codes = graph.cast(matrix(context, columns), TensorProto.INT64)
    total = graph.constant([model.class_log_prior_])
    for index, table in enumerate(model.feature_log_prob_):
        code = graph.node("Gather", codes, graph.constant(index, np.int64), axis=1)
        total = graph.node("Add", total, graph.node("Gather", graph.constant(table.T), code, axis=0))
    return total


def gaussian(context: Context, model: Any, columns: Sequence[Column]) -> str:
    graph = context.graph
    features = graph.node("Unsqueeze", matrix(context, columns), graph.constant([1], np.int64))
    scaled = graph.node("Sub", features, graph.constant(model.theta_[np.newaxis]))
    scaled = graph.node("Mul", scaled, graph.constant((1 / np.sqrt(model.var_))[np.newaxis]))
    squares = graph.node("Mul", scaled, scaled)
    total = graph.sum(squares, axis=2, keepdims=0)
    constant = np.log(model.class_prior_) - 0.5 * np.log(2 * np.pi * model.var_).sum(axis=1)
    half = graph.node("Mul", total, graph.constant([[-0.5]]))
    return graph.node("Add", half, graph.constant([constant]))
