"""Baselines that predict the same for every input."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..columns.dense import linear
from ..columns.symbols import Column
from ..context import Context
from ..errors import ExportError
from .registry import Lowered


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    if not hasattr(model, "classes_"):
        constant = np.asarray(model.constant_, dtype=np.float64).ravel()
        return Lowered(value=linear(context, columns, np.zeros((len(columns), len(constant))), constant))
    if model.strategy not in ("prior", "most_frequent", "constant"):
        raise ExportError(f"{path} predicts at random (strategy={model.strategy!r}). Use strategy='prior'.")
    shares = model.predict_proba(np.zeros((1, 1)))[0]
    return Lowered(probabilities=linear(context, columns, np.zeros((len(columns), len(shares))), shares))
