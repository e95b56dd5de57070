"""Isotonic regression: the line between the fitted points."""

from collections.abc import Sequence
from typing import Any

from ..columns.dense import matrix
from ..columns.symbols import Column, Number
from ..context import Context
from .isotonic import interpolated
from .registry import Lowered


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    [column] = columns
    if model.out_of_bounds != "clip" and isinstance(column, Number) and isinstance(column.source, int) and not column.steps:
        context.variables[column.source].restrict(float(model.X_min_), float(model.X_max_))
    return Lowered(value=interpolated(context.graph, matrix(context, columns), model))
