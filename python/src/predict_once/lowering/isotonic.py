"""Isotonic calibration: linear interpolation between the fitted points."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto

from ..graph import Graph
from .shares import divided


def isotonic_shares(graph: Graph, decisions: str, calibrators: Sequence[Any], size: int) -> str:
    """The calibrated probabilities of all classes, `[N, size]`, from the decisions."""
    columns = [
        interpolated(graph, graph.take(decisions, [position]), calibrator) for position, calibrator in enumerate(calibrators)
    ]
    if size == 2:
        return graph.concat([graph.node("Sub", graph.constant([[1.0]]), columns[0]), columns[0]])
    return divided(graph, graph.concat(columns), size)


def interpolated(graph: Graph, column: str, calibrator: Any) -> str:
    """The line between the two points around a value, as in SciPy's `interp1d`. Beyond the outermost points it is flat."""
    x = np.asarray(calibrator.X_thresholds_, dtype=np.float64)
    y = np.asarray(calibrator.y_thresholds_, dtype=np.float64)
    inside = graph.node("Max", column, graph.constant([[calibrator.X_min_]]))
    inside = graph.node("Min", inside, graph.constant([[calibrator.X_max_]]))
    if len(x) == 1:  # a constant: a flat line
        x, y = np.append(x, x + 1), np.append(y, y)
    borders = x[1:-1] if len(x) > 2 else x[1:]  # of two points the last, which no value exceeds
    beyond = graph.cast(graph.node("Greater", inside, graph.constant([borders])), TensorProto.INT64)
    segment = graph.sum(beyond)

    def of_segment(values: Any) -> str:
        return graph.node("Gather", graph.constant(values), segment, axis=0)

    slope = of_segment(np.diff(y) / np.diff(x))
    return graph.node("Add", graph.node("Mul", slope, graph.node("Sub", inside, of_segment(x[:-1]))), of_segment(y[:-1]))
