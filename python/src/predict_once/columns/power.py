"""PowerTransformer: Yeo-Johnson and Box-Cox."""

from typing import Any

import numpy as np
from scipy import special, stats

from ..context import Context
from ..graph import Graph
from .functions import expm1, log1p
from .symbols import Column, Function, applied
from .tensors import widened
from .transformers import refuse_texts, standard_steps

EPSILON = float(np.finfo(np.float64).eps)


def transform(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    refuse_texts(columns, context.variables, path)
    made = yeo_johnson if step.method == "yeo-johnson" else box_cox
    result: list[Column] = []
    for index, column in enumerate(widened(columns)):
        scaling = standard_steps(step._scaler, index) if step.standardize else []
        result.append(column.then(applied(made(float(step.lambdas_[index]))), *scaling))
    return result


def yeo_johnson(power: float) -> Function:
    def evaluate(x: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.where(np.isnan(x), np.nan, stats.yeojohnson(x, power))

    def build(graph: Graph, x: str) -> str:
        zero = graph.constant(0.0)
        negative = graph.node("Less", x, zero)
        logarithm = log1p(graph, graph.node("Abs", x))
        upper = logarithm if abs(power) < EPSILON else powered(graph, logarithm, power)
        lower = logarithm if abs(power - 2) <= EPSILON else powered(graph, logarithm, 2 - power)
        return graph.node("Where", negative, graph.node("Neg", lower), upper)

    return Function(f"the Yeo-Johnson transform with lambda={power:g}", evaluate, build, increasing=True)


def powered(graph: Graph, logarithm: str, power: float) -> str:
    """`(exp(power * logarithm) - 1) / power`."""
    factor = graph.constant(power)
    return graph.node("Div", expm1(graph, graph.node("Mul", logarithm, factor)), factor)


def box_cox(power: float) -> Function:
    def evaluate(x: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.where(x > 0, special.boxcox(np.where(x > 0, x, 1), power), np.nan)

    def build(graph: Graph, x: str) -> str:
        logarithm = graph.node("Log", x)
        return logarithm if abs(power) < 1e-19 else powered(graph, logarithm, power)

    return Function(f"the Box-Cox transform with lambda={power:g}", evaluate, build, increasing=True)


def inverse(step: Any, graph: Graph, value: str) -> str:
    """`inverse_transform` of one column."""
    if step.standardize:
        scaler = step._scaler
        value = graph.node("Add", graph.node("Mul", value, graph.constant(scaler.scale_[0])), graph.constant(scaler.mean_[0]))
    power = float(step.lambdas_[0])
    one = graph.constant(1.0)

    def root(x: str, exponent: float, close: float) -> str:
        """`(exponent * x + 1) ** (1 / exponent)`, or its limit, the exponential."""
        if abs(exponent) <= close:
            return graph.node("Exp", x)
        base = graph.node("Add", graph.node("Mul", x, graph.constant(exponent)), one)
        return graph.node("Pow", base, graph.constant(1 / exponent))

    if step.method == "box-cox":
        return root(value, power, 0.0)
    size = graph.node("Abs", value)
    upper = graph.node("Sub", root(size, power, EPSILON), one)
    lower = graph.node("Sub", one, root(size, 2 - power, EPSILON))
    return graph.node("Where", graph.node("Less", value, graph.constant(0.0)), lower, upper)
