"""Sparse matrices, in which XGBoost reads each zero as a missing value."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..class_names import class_names
from ..context import Context
from ..graph import INPUT, Array, Graph
from .symbols import Category, Column, Function, Number, Tensor, applied
from .texts import is_vectorizer

KEEPING = {
    "FunctionTransformer",
    "MaxAbsScaler",
    "Normalizer",
    "Binarizer",
    "PolynomialFeatures",
    "RobustScaler",
    "SimpleImputer",
    "SparseRandomProjection",
    "StandardScaler",
    "TfidfTransformer",
}
"""They make sparse columns of sparse columns, and dense ones of dense ones."""


def makes_sparse(step: Any, sparse: bool) -> bool:
    """Whether the output of a transformer is a sparse matrix, if its input is or is not."""
    if step is None or isinstance(step, str):  # "passthrough"
        return sparse
    names = {name.removeprefix("sklearn.") for name in class_names(step)}
    if "Pipeline" in names:
        for _, part in step.steps:
            sparse = makes_sparse(part, sparse)
        return sparse
    if "ColumnTransformer" in names:
        return bool(step.sparse_output_)
    if "FeatureUnion" in names:
        return any(makes_sparse(part, sparse) for _, part in step.transformer_list)
    if "OneHotEncoder" in names or "SplineTransformer" in names:
        return bool(step.sparse_output)
    if "KBinsDiscretizer" in names:
        return str(step.encode) == "onehot"
    if hasattr(step, "get_support") or hasattr(step, "fit_resample"):
        return sparse
    return is_vectorizer(step) or (sparse and not KEEPING.isdisjoint(names))


def evaluate(x: Array) -> Array:
    return np.where(x == 0, np.nan, x)


def build(graph: Graph, x: str) -> str:
    zero = graph.node("Equal", x, graph.constant(0.0))
    return graph.node("Where", zero, graph.constant(np.nan), x)


ABSENT = applied(Function("zero as missing", evaluate, build))


def zeros_missing(columns: Sequence[Column], context: Context) -> list[Column]:
    """The columns, with missing values in place of zeros."""
    result: list[Column] = []
    for column in columns:
        if isinstance(column, Category):
            result.append(column.then(ABSENT))
        elif isinstance(column.source, Tensor) and not column.steps:
            source = context.graph.numbers if column.source.name == INPUT else column.source.name
            result.append(Number(Tensor(build(context.graph, source), column.source.index, can_be_nan=True)))
        else:
            result.append(column.then(ABSENT))
    return result
