"""Feature columns that the graph computes in one tensor."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..context import Context
from ..graph import Array
from .dense import linear
from .stepwise import stepwise
from .symbols import Column, Number, Tensor


def features_of(tensor: str, count: int) -> list[Column]:
    """The columns of a tensor as features."""
    return [Number(Tensor(tensor, index)) for index in range(count)]


def projected(context: Context, columns: Sequence[Column], weights: Array, bias: Array | float = 0.0) -> list[Column]:
    """`features @ weights + bias` as features."""
    return features_of(linear(context, columns, weights, bias), weights.shape[1])


def computed_column(context: Context, column: Number, missing: bool = False) -> str:
    """One feature, `[N, 1]`, for a step that reads it by itself; `missing` if the step takes NaN."""
    context.request([column], dense=True, missing=missing)
    context.float32 = context.float32 or column.narrow
    return stepwise(context, column)


def widened(columns: Sequence[Column]) -> list[Column]:
    """The columns as scikit-learn puts them into one array: all in float64 if one of them is."""
    wide = any(not isinstance(column, Number) or column.dtype == np.float64 for column in columns)
    return [replace(column, dtype=np.float64) if isinstance(column, Number) and wide else column for column in columns]
