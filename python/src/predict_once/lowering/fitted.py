"""Estimators that predict as another one, which they have fitted."""

from collections.abc import Sequence
from typing import Any

from ..columns.symbols import Column
from ..context import Context
from .registry import Lowered
from .registry import lower as lower_any


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    return lower_any(context, model.estimator_, columns, f"{path} → the estimator")
