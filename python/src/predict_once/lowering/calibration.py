"""CalibratedClassifierCV: the mean of the members' calibrated decisions."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..columns.symbols import Column
from ..context import Context
from ..errors import ExportError
from .averages import weighted_sum
from .isotonic import isotonic_shares
from .registry import Lowered
from .registry import lower_member as lower_any
from .shares import sigmoid_shares


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    members = model.calibrated_classifiers_
    paths = [f"{path} → member {index}" for index in range(len(members))]
    size = len(model.classes_)
    calibrate = {"sigmoid": sigmoid, "isotonic": isotonic, "temperature": temperature}.get(model.method)
    if calibrate is None:
        raise ExportError(
            f"{path}: method={model.method!r} cannot be exported. Calibrate with 'sigmoid', 'isotonic' or 'temperature'."
        )
    parts = [calibrate(context, member, columns, where, size) for member, where in zip(members, paths, strict=True)]
    return Lowered(probabilities=weighted_sum(context, parts, np.full(len(parts), 1 / len(parts))))


def decides(member: Any) -> bool:
    """Whether the calibration reads a decision; else, it reads probabilities."""
    return hasattr(member.estimator, "decision_function")


def read(context: Context, member: Any, columns: Sequence[Column], path: str, size: int) -> str:
    """The tensor that the calibration reads: a column for each class, or one column for two classes."""
    lowered = lower_any(context, member.estimator, columns, path)
    tensor = lowered.decision if decides(member) else lowered.probabilities
    if tensor is None:
        raise ExportError(
            f"{path}: the calibration reads an output of {type(member.estimator).__name__} that cannot be exported."
        )
    return context.graph.take(tensor, [1]) if size == 2 and not decides(member) else tensor


def sigmoid(context: Context, member: Any, columns: Sequence[Column], path: str, size: int) -> str:
    """Platt's calibration: 1 / (1 + exp(a * decision + b))."""
    graph = context.graph
    tensor = read(context, member, columns, path, size)
    slopes = np.array([[calibrator.a_ for calibrator in member.calibrators]])
    offsets = np.array([[calibrator.b_ for calibrator in member.calibrators]])
    if size == 2:  # the first class has the rest
        scaled = graph.node("Mul", tensor, graph.constant(np.hstack([slopes, -slopes])))
        return graph.node("Sigmoid", graph.node("Add", scaled, graph.constant(np.hstack([offsets, -offsets]))))
    scaled = graph.node("Add", graph.node("Mul", tensor, graph.constant(-slopes)), graph.constant(-offsets))
    return sigmoid_shares(graph, scaled, size)


def temperature(context: Context, member: Any, columns: Sequence[Column], path: str, size: int) -> str:
    """One factor for the logits of all classes."""
    graph = context.graph
    if decides(member):
        tensor = read(context, member, columns, path, size)
        factor = float(member.calibrators[0].beta_)
        if size == 2:
            return graph.node("Sigmoid", graph.node("MatMul", tensor, graph.constant([[-2 * factor, 2 * factor]])))
    else:
        shares = lower_any(context, member.estimator, columns, path).probabilities or ""
        tensor = graph.node("Log", graph.node("Add", shares, graph.constant([[1e-12]])))  # as in scikit-learn
        factor = float(member.calibrators[0].beta_)
    return graph.node("Softmax", graph.node("Mul", tensor, graph.constant([[factor]])), axis=1)


def isotonic(context: Context, member: Any, columns: Sequence[Column], path: str, size: int) -> str:
    """The line between fitted points."""
    return isotonic_shares(context.graph, read(context, member, columns, path, size), member.calibrators, size)
