"""TransformedTargetRegressor: a prediction, turned back into the scale of the target."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..class_names import class_names
from ..columns.functions import FUNCTIONS, function_of
from ..columns.power import inverse as inverse_power
from ..columns.symbols import Column
from ..context import Context
from ..errors import ExportError
from .registry import Lowered
from .registry import lower_member as lower_any


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    lowered = lower_any(context, model.regressor_, columns, f"{path} → the regressor")
    value = lowered.value or ""
    step = model.transformer_
    return Lowered(value=inverted(context, step, value, lowered.count, path), count=lowered.count)


def inverted(context: Context, step: Any, value: str, count: int, path: str) -> str:
    """`inverse_transform` of the target's transformer."""
    graph = context.graph
    names = class_names(step)

    def row(numbers: Any) -> str:
        return graph.constant(np.asarray(numbers, dtype=np.float64).reshape(1, -1))

    if "sklearn.Pipeline" in names:
        for _, part in reversed(step.steps):
            value = inverted(context, part, value, count, path)
        return value
    if "sklearn.FunctionTransformer" in names:
        if step.inverse_func is None:
            return value
        function = function_of(step.inverse_func)
        if function is None or step.inv_kw_args:
            given = getattr(step.inverse_func, "__name__", repr(step.inverse_func))
            raise ExportError(
                f"{path} turns predictions back with {given!r}, a Python function that no graph can hold. Pass one of NumPy's as "
                f"inverse_func: {', '.join(FUNCTIONS)}."
            )
        return function.build(graph, value)
    if "sklearn.StandardScaler" in names:
        value = graph.node("Mul", value, row(step.scale_)) if step.with_std else value
        return graph.node("Add", value, row(step.mean_)) if step.with_mean else value
    if "sklearn.RobustScaler" in names:
        value = graph.node("Mul", value, row(step.scale_)) if step.with_scaling else value
        return graph.node("Add", value, row(step.center_)) if step.with_centering else value
    if "sklearn.MinMaxScaler" in names:
        return graph.node("Div", graph.node("Sub", value, row(step.min_)), row(step.scale_))
    if "sklearn.MaxAbsScaler" in names:
        return graph.node("Mul", value, row(step.scale_))
    if "sklearn.PowerTransformer" in names and count == 1:
        return inverse_power(step, graph, value)
    raise ExportError(
        f"{path} transforms its target with {type(step).__name__}, which cannot be exported. Use StandardScaler, RobustScaler, "
        "MinMaxScaler, MaxAbsScaler, PowerTransformer, or NumPy's functions as func and inverse_func."
    )
