"""Several targets, with one estimator for each: separate, or in a chain whose later members read the earlier predictions."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..class_names import class_names
from ..columns.symbols import Column, Number, Tensor
from ..context import Context
from ..errors import ExportError
from .registry import Lowered
from .registry import lower_member as lower_any
from .stacking import predictions


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    chain = any(name in ("sklearn.ClassifierChain", "sklearn.RegressorChain") for name in class_names(model))
    members = chained(context, model, columns, path) if chain else separate(context, model, columns, path)
    if hasattr(model, "classes_"):
        return Lowered(members=members)
    return Lowered(value=context.graph.concat([member.value or "" for member in members]), count=len(members))


def separate(context: Context, model: Any, columns: Sequence[Column], path: str) -> list[Lowered]:
    result = []
    for index, member in enumerate(model.estimators_):
        lowered = lower_any(context, member, columns, f"{path} → target {index}")
        result.append(replace(lowered, labels=member.classes_) if hasattr(member, "classes_") else lowered)
    return result


def chained(context: Context, model: Any, columns: Sequence[Column], path: str) -> list[Lowered]:
    """The members in the order of the targets."""
    graph = context.graph
    method = getattr(model, "chain_method_", "predict")
    method = method if isinstance(method, str) else method[0]
    result: dict[int, Lowered] = {}
    features = list(columns)
    for target, member in zip(model.order_, model.estimators_, strict=True):
        where = f"{path} → target {target}"
        lowered = lower_any(context, member, features, where)
        if hasattr(member, "classes_"):
            classes = np.asarray(member.classes_, dtype=np.float64)
            if len(classes) != 2:
                raise ExportError(f"{where} has {len(classes)} classes. A ClassifierChain can be exported for two per target.")
            lowered = replace(lowered, labels=member.classes_)
        [feature] = predictions(context, member, lowered, method)
        if method == "predict" and lowered.value is None:
            chosen = graph.node(
                "Gather", graph.constant(classes), graph.node("ArgMax", lowered.classes, axis=1, keepdims=1), axis=0
            )
            feature = Tensor(chosen, 0)
        features = [*features, Number(feature)]
        result[int(target)] = lowered
    return [result[target] for target in sorted(result)]
