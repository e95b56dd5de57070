"""CalibratedClassifierCV: the members' decisions, each through its calibration, and their mean."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..columns.symbols import Column
from ..context import Context
from ..errors import ExportError
from .averages import weighted_sum
from .registry import Lowered, lower as lower_any
from .shares import sigmoid_shares


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    parts = [
        calibrated(context, part, columns, f"{path} → member {index}", len(model.classes_))
        for index, part in enumerate(model.calibrated_classifiers_)
    ]
    return Lowered(probabilities=weighted_sum(context, parts, np.full(len(parts), 1 / len(parts))))


def calibrated(context: Context, part: Any, columns: Sequence[Column], path: str, size: int) -> str:
    """One member's probabilities."""
    graph = context.graph
    if part.method != "sigmoid":
        raise ExportError(f"{path}: method={part.method!r} cannot be exported. Calibrate with method='sigmoid'.")
    lowered = lower_any(context, part.estimator, columns, path)
    decides = hasattr(part.estimator, "decision_function")
    tensor = lowered.decision if decides else lowered.probabilities
    if tensor is None:
        raise ExportError(f"{path}: what {type(part.estimator).__name__} decides cannot be exported.")
    if size == 2:
        # A probability is 1 / (1 + exp(a * decision + b)); the other class has the rest.
        column = tensor if decides else graph.take(tensor, [1])
        slope, offset = part.calibrators[0].a_, part.calibrators[0].b_
        scaled = graph.node("Mul", column, graph.constant([[slope, -slope]]))
        return graph.node("Sigmoid", graph.node("Add", scaled, graph.constant([[offset, -offset]])))
    slopes = np.array([[calibrator.a_ for calibrator in part.calibrators]])
    offsets = np.array([[calibrator.b_ for calibrator in part.calibrators]])
    scaled = graph.node("Add", graph.node("Mul", tensor, graph.constant(-slopes)), graph.constant(-offsets))
    return sigmoid_shares(graph, scaled, size)
