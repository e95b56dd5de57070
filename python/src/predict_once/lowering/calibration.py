"""CalibratedClassifierCV: the mean of the members' calibrated decisions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto

from ..columns.symbols import Column
from ..context import Context
from ..errors import ExportError
from .averages import weighted_sum
from .isotonic import isotonic_shares
from .registry import Lowered
from .registry import lower as lower_any
from .shares import sigmoid_shares


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    members = model.calibrated_classifiers_
    paths = [f"{path} → member {index}" for index in range(len(members))]
    size = len(model.classes_)
    if model.method == "isotonic":
        return isotonic(context, members, columns, paths, size)
    calibrate = {"sigmoid": sigmoid, "temperature": temperature}.get(model.method)
    if calibrate is None:
        raise ExportError(
            f"{path}: method={model.method!r} cannot be exported. Calibrate with 'sigmoid', 'isotonic' or 'temperature'."
        )
    parts = [calibrate(context, member, columns, where, size) for member, where in zip(members, paths, strict=True)]
    return Lowered(probabilities=weighted_sum(context, parts, np.full(len(parts), 1 / len(parts))))


def decides(member: Any) -> bool:
    """Whether the calibration reads a decision; else, it reads probabilities."""
    return hasattr(member.estimator, "decision_function")


def read(context: Context, member: Any, columns: Sequence[Column], path: str, size: int) -> tuple[Lowered, str]:
    """The tensor that the calibration reads: a column for each class, or one column for two classes."""
    lowered = lower_any(context, member.estimator, columns, path)
    tensor = lowered.decision if decides(member) else lowered.probabilities
    if tensor is None:
        raise ExportError(
            f"{path}: the calibration reads an output of {type(member.estimator).__name__} that cannot be exported."
        )
    return lowered, context.graph.take(tensor, [1]) if size == 2 and not decides(member) else tensor


def sigmoid(context: Context, member: Any, columns: Sequence[Column], path: str, size: int) -> str:
    """Platt's calibration: 1 / (1 + exp(a * decision + b))."""
    graph = context.graph
    _, tensor = read(context, member, columns, path, size)
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
    lowered, tensor = read(context, member, columns, path, size)
    if not decides(member):
        shares = graph.cast(lowered.probabilities or "", TensorProto.DOUBLE)
        smallest = graph.constant([[1e-12]], np.float64)  # as in scikit-learn
        tensor = graph.cast(graph.node("Log", graph.node("Add", shares, smallest)), TensorProto.FLOAT)
    factor = float(member.calibrators[0].beta_)
    if size == 2 and decides(member):
        return graph.node("Sigmoid", graph.node("Mul", tensor, graph.constant([[-2 * factor, 2 * factor]])))
    return graph.node("Softmax", graph.node("Mul", tensor, graph.constant([[factor]])), axis=1)


def isotonic(context: Context, members: Sequence[Any], columns: Sequence[Column], paths: Sequence[str], size: int) -> Lowered:
    """Isotonic calibration, in float64: it is steep between neighbouring decisions, and shares of classes are often equal."""
    graph = context.graph
    parts = []
    for member, path in zip(members, paths, strict=True):
        lowered, tensor = read(context, member, columns, path, size)
        if lowered.exact is not None:
            tensor = lowered.exact()
            tensor = graph.take(tensor, [1]) if size == 2 and not decides(member) else tensor
        parts.append(isotonic_shares(graph, graph.cast(tensor, TensorProto.DOUBLE), member.calibrators, size))
    mean = parts[0]
    for part in parts[1:]:
        mean = graph.node("Add", mean, part)
    mean = graph.node("Div", mean, graph.constant([[len(parts)]], np.float64))
    index = graph.cast(graph.node("ArgMax", mean, axis=1, keepdims=1), TensorProto.FLOAT)
    shares = graph.cast(mean, TensorProto.FLOAT)
    return Lowered(probabilities=shares, index=index, exact=lambda: mean)
