"""KNNImputer and IterativeImputer: missing values computed from the other columns of the row."""

from typing import Any

import numpy as np
import pandas as pd

from ..class_names import class_names
from ..context import Context
from ..errors import ExportError
from ..graph import Array
from .dense import matrix
from .symbols import Category, Column, Number, Step, Tensor
from .tensors import features_of, widened
from .transformers import flag_of, refuse_texts

FAR = 1e300
"""Stands for the distance to a row that has no column in common."""


def transform(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    refuse_texts(columns, context.variables, path)
    if not is_nan(step.missing_values):
        raise ExportError(f"{path} replaces {step.missing_values!r}. Write missing values as NaN and fit again.")
    columns = widened(columns)
    impute = nearest if "sklearn.KNNImputer" in class_names(step) else iterated
    result = impute(step, columns, context, path)
    if step.indicator_ is not None:
        result += [flag_of(columns[index], step.missing_values) for index in step.indicator_.features_]
    return result


def is_nan(value: Any) -> bool:
    return value is pd.NA or (isinstance(value, float) and bool(np.isnan(value)))


def absent(column: Column) -> Column:
    """1 where the column is missing."""
    return column.then(Step("flag"))


def filled(column: Column, value: float) -> Column:
    return column.then(Step("fill", float(value)))


def can_be_missing(context: Context, column: Column) -> bool:
    """Whether the column can be missing in a request."""
    if isinstance(column, Category):
        return context.layout.codings[column.variable].can_be_nan
    if isinstance(column.source, Tensor):
        return column.source.can_be_nan and not column.takes_missing
    return context.layout.codings[column.source].can_be_nan and not column.takes_missing


def nearest(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    """The mean of the nearest training rows that have a value."""
    graph = context.graph
    present = ~np.asarray(step._mask_fit_X, dtype=bool)
    rows = np.where(present, step._fit_X, 0.0)
    own = matrix(context, [filled(column, 0.0) for column in columns])
    missing = matrix(context, [absent(column) for column in columns])
    kept = [index for index in range(len(columns)) if step.keep_empty_features or step._valid_mask[index]]
    if not callable(step.metric) and step.metric != "nan_euclidean":
        raise ExportError(f"{path} has the metric {step.metric!r}. Fit with 'nan_euclidean'.")
    if callable(step.weights) or callable(step.metric):
        raise ExportError(f"{path} has a function as weights or metric, which cannot be exported.")
    distances = ""
    result: list[Column] = []
    for index in kept:
        if not step._valid_mask[index]:
            zero = graph.node("Mul", graph.take(missing, [index]), graph.constant(0.0))
            result.append(Number(Tensor(zero, 0)))
            continue
        if not can_be_missing(context, columns[index]):
            result.append(columns[index])
            continue
        distances = distances or row_distances(context, own, missing, rows, present)
        donors = np.flatnonzero(present[:, index])
        value = from_donors(context, step, graph.take(distances, donors.tolist()), rows[donors, index])
        flag = graph.node("Greater", graph.take(missing, [index]), graph.constant(0.5))
        result.append(Number(Tensor(graph.node("Where", flag, value, graph.take(own, [index])), 0)))
    return result


def row_distances(context: Context, own: str, missing: str, rows: Array, present: Array) -> str:
    """The distances to the training rows over the columns that both have, scaled up to all columns."""
    graph = context.graph

    def wide(tensor: str) -> str:
        return graph.node("Unsqueeze", tensor, graph.constant([1], np.int64))

    known = wide(graph.node("Sub", graph.constant(1.0), missing))
    difference = graph.node("Sub", wide(own), graph.constant(rows[np.newaxis]))
    both = graph.node("Mul", known, graph.constant(present[np.newaxis]))
    squares = graph.node("Mul", graph.node("Mul", difference, difference), both)
    total, count = graph.sum(squares, axis=2, keepdims=0), graph.sum(both, axis=2, keepdims=0)
    none = graph.node("Equal", count, graph.constant(0.0))
    count = graph.node("Where", none, graph.constant(1.0), count)
    scaled = graph.node("Mul", graph.node("Div", total, count), graph.constant(float(rows.shape[1])))
    return graph.node("Where", none, graph.constant(FAR), graph.node("Sqrt", scaled))


def from_donors(context: Context, step: Any, distances: str, values: Array) -> str:
    """The mean of the nearest donors' values, `[N, 1]`; the mean of all where none has a distance."""
    graph = context.graph
    count = min(step.n_neighbors, len(values))
    near, places = graph.nodes("TopK", [distances, graph.constant([count], np.int64)], 2, axis=1, largest=0, sorted=1)
    found = graph.node("Gather", graph.constant(values), places, axis=0)
    usable = graph.double(graph.node("Less", near, graph.constant(FAR)))
    weights = usable
    if step.weights == "distance":
        zero = graph.double(graph.node("Equal", near, graph.constant(0.0)))
        some = graph.node("Greater", graph.sum(zero), graph.constant(0.5))
        reciprocal = graph.node("Div", usable, graph.node("Add", near, zero))
        weights = graph.node("Where", some, zero, reciprocal)
    total = graph.sum(weights)
    none = graph.node("Equal", total, graph.constant(0.0))
    mean = graph.node("Div", graph.sum(graph.node("Mul", found, weights)), graph.node("Where", none, graph.constant(1.0), total))
    return graph.node("Where", none, graph.constant(float(values.mean())), mean)


def iterated(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    """Each column predicted from the others, in rounds."""
    from ..lowering.registry import lower_member

    if step.sample_posterior:
        raise ExportError(f"{path} draws random numbers (sample_posterior=True). Fit with sample_posterior=False.")
    graph = context.graph
    statistics = np.asarray(step.initial_imputer_.statistics_, dtype=np.float64)
    empty = np.asarray(step._is_empty_feature, dtype=bool)
    kept = [index for index in range(len(columns)) if step.keep_empty_features or not empty[index]]
    start = [filled(columns[index], 0.0 if np.isnan(statistics[index]) else statistics[index]) for index in kept]
    current = matrix(context, start)
    missing = matrix(context, [absent(columns[index]) for index in kept])
    open_ended = [not empty[index] and can_be_missing(context, columns[index]) for index in kept]
    if context.layout.provisional or not any(open_ended):
        return start
    flags = graph.node("Greater", missing, graph.constant(0.5))
    for triplet in step.imputation_sequence_ if step.n_iter_ else ():
        feature = int(triplet.feat_idx)
        if not open_ended[feature]:
            continue
        others = [Number(Tensor(current, int(index))) for index in triplet.neighbor_feat_idx]
        value = lower_member(context, triplet.estimator, others, f"{path} → the estimator of column {feature}").value or ""
        value = clipped(context, value, step._min_value[feature], step._max_value[feature])
        own = graph.constant(np.arange(len(kept))[np.newaxis] == feature, bool)
        current = graph.node("Where", graph.node("And", flags, own), value, current)
    made = features_of(current, len(kept))
    return [made[place] if open_ended[place] else start[place] for place in range(len(kept))]


def clipped(context: Context, value: str, lower: float, upper: float) -> str:
    graph = context.graph
    if np.isfinite(lower):
        value = graph.node("Max", value, graph.constant(float(lower)))
    return graph.node("Min", value, graph.constant(float(upper))) if np.isfinite(upper) else value
