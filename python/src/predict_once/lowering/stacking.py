"""Stacking: the members' predictions are the last model's features."""

from collections.abc import Sequence
from typing import Any

from ..columns.symbols import Column, Number, Tensor
from ..context import Context
from .registry import Lowered
from .registry import lower_member as lower_any


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    names = [name for name, member in model.estimators if member != "drop"]
    features: list[Column] = []
    for name, member, method in zip(names, model.estimators_, model.stack_method_, strict=True):
        lowered = lower_any(context, member, columns, f"{path} → {name!r}")
        features += [Number(tensor) for tensor in predictions(context, member, lowered, method)]
    if model.passthrough:
        features += list(columns)
    outer, context.sparse = context.sparse, context.sparse and model.passthrough
    result = lower_any(context, model.final_estimator_, features, f"{path} → the final estimator")
    context.sparse = outer
    return result


def predictions(context: Context, member: Any, lowered: Lowered, method: str) -> list[Tensor]:
    """The features that a member gives to the last model: of two classes, only the second one's probability."""
    if method == "predict_proba":
        size = len(member.classes_)
        first = 1 if size == 2 else 0
        return [Tensor(lowered.probabilities or "", index) for index in range(first, size)]
    if method == "decision_function":
        size = len(member.classes_)
        return [Tensor(lowered.decision or "", index) for index in range(1 if size == 2 else size)]
    if lowered.value is not None:
        return [Tensor(lowered.value, 0)]
    return [Tensor(context.graph.index(lowered.classes), 0)]
