"""Classifiers with a threshold of their own: another class than the most probable."""

from collections.abc import Sequence
from typing import Any

from ..class_names import class_names
from ..columns.symbols import Column
from ..context import Context
from ..errors import ExportError
from .registry import Lowered
from .registry import lower_member as lower_any


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    inner = getattr(model, "estimator_", model.estimator)
    lowered = lower_any(context, inner, columns, f"{path} → the classifier")
    if len(model.classes_) != 2:
        raise ExportError(f"{path} has {len(model.classes_)} classes, but a threshold needs two.")
    method = model._get_response_method()
    methods = [method] if isinstance(method, str) else list(method)
    used = next((name for name in methods if hasattr(inner, name)), "")
    tensor = lowered.probabilities if used == "predict_proba" else lowered.decision
    if tensor is None:
        raise ExportError(f"{path} reads {used} of {type(inner).__name__}, which cannot be exported.")
    if "sklearn.TunedThresholdClassifierCV" in class_names(model):
        threshold, positive = float(model.best_threshold_), model._curve_scorer._get_pos_label()
    else:
        automatic = 0.5 if used == "predict_proba" else 0.0
        threshold = automatic if model.threshold == "auto" else float(model.threshold)
        positive = model.pos_label
    second = positive is None or positive == model.classes_[1]
    graph = context.graph
    if used == "predict_proba":
        score = graph.take(tensor, [1 if second else 0])
    else:
        score = tensor if second else graph.node("Neg", tensor)
    reached = graph.double(graph.node("GreaterOrEqual", score, graph.constant(threshold)))
    index = reached if second else graph.node("Sub", graph.constant(1.0), reached)
    flags = graph.node("MatMul", index, graph.constant([[-1.0, 1.0]]))
    return Lowered(
        probabilities=lowered.probabilities,
        scores=graph.node("Add", flags, graph.constant([[0.5, -0.5]])),
        decision=lowered.decision,
        index=index if lowered.probabilities else None,
    )
