"""NumPy's element-wise functions: those of a FunctionTransformer, and as parts of other transformers."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..context import Context
from ..errors import ExportError
from ..graph import Graph
from .symbols import Column, Function, Number, applied
from .variables import Variable


def transform(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    """FunctionTransformer with one of these functions."""
    from .transformers import described, refuse_texts

    function = function_of(step.func)
    if function is None or step.kw_args:
        given = getattr(step.func, "__name__", repr(step.func))
        raise ExportError(
            f"{path} (FunctionTransformer) on {described(columns, context.variables)} applies {given!r}, a Python function that "
            f"no graph can hold. Pass one of NumPy's: {', '.join(FUNCTIONS)}. Or apply it to the data before the fit."
        )
    refuse_texts(columns, context.variables, path)
    for column in columns:
        if isinstance(column, Number) and isinstance(column.source, int) and not column.steps:
            refuse_integer_arithmetic(function, context.variables[column.source], path)
    return [column.then(applied(function)) for column in columns]


def refuse_integer_arithmetic(function: Function, variable: Variable, path: str) -> None:
    """NumPy calculates the squares and the reciprocals of whole numbers in integers: some overflow, and 1/2 is 0."""
    if variable.type == "integer" and variable.series.dtype.kind in "iu":
        if function.name == "reciprocal":
            raise ExportError(
                f"{path} takes the reciprocal of column {variable.name!r}, which is 0 for whole numbers above 1. Turn the column "
                "into floating-point numbers (astype(float)) and fit again."
            )
        if function.name == "square":
            largest = int(np.sqrt(np.iinfo(str(variable.series.dtype)).max))
            variable.restrict(-largest, largest)


def function_of(given: Any) -> Function | None:
    """The function that is this NumPy function itself."""
    name = getattr(given, "__name__", "")
    return FUNCTIONS[name] if name in FUNCTIONS and given is getattr(np, name) else None


def log1p(graph: Graph, x: str) -> str:
    """log(1 + x), with the relative precision of x."""
    one = graph.constant(1.0)
    sum_ = graph.node("Add", x, one)
    rounded = graph.node("Sub", sum_, one)
    none = graph.node("Equal", rounded, graph.constant(0.0))
    safe = graph.node("Where", none, one, rounded)
    return graph.node("Where", none, x, graph.node("Mul", graph.node("Log", sum_), graph.node("Div", x, safe)))


def expm1(graph: Graph, x: str) -> str:
    """exp(x) - 1, with the relative precision of x: by its series near 0."""
    one = graph.constant(1.0)
    far = graph.node("Sub", graph.node("Exp", x), one)
    inner = one
    for divisor in range(13, 1, -1):  # x (1 + x/2 (1 + x/3 (…)))
        scaled = graph.node("Mul", x, graph.constant(1.0 / divisor))
        inner = graph.node("Add", graph.node("Mul", scaled, inner), one)
    near = graph.node("Mul", x, inner)
    small = graph.node("Less", graph.node("Abs", x), graph.constant(0.3))
    return graph.node("Where", small, near, far)


def operator(name: str) -> Callable[[Graph, str], str]:
    """One operator of ONNX."""
    return lambda graph, x: graph.node(name, x)


def scaled_log(base: float) -> Callable[[Graph, str], str]:
    return lambda graph, x: graph.node("Div", graph.node("Log", x), graph.constant(np.log(base)))


def power_of(base: float) -> Callable[[Graph, str], str]:
    return lambda graph, x: graph.node("Pow", graph.constant(base), x)


def cube_root(graph: Graph, x: str) -> str:
    root = graph.node("Pow", graph.node("Abs", x), graph.constant(1 / 3))
    return graph.node("Where", graph.node("Less", x, graph.constant(0.0)), graph.node("Neg", root), root)


def quotient(divisor: float) -> Callable[[Graph, str], str]:
    return lambda graph, x: graph.node("Mul", x, graph.constant(divisor))


def sign(graph: Graph, x: str) -> str:
    zero, one = graph.constant(0.0), graph.constant(1.0)
    negative = graph.node("Where", graph.node("Less", x, zero), graph.constant(-1.0), x)
    return graph.node("Where", graph.node("Greater", x, zero), one, negative)


def truncated(graph: Graph, x: str) -> str:
    negative = graph.node("Less", x, graph.constant(0.0))
    return graph.node("Where", negative, graph.node("Ceil", x), graph.node("Floor", x))


INCREASING: dict[str, Callable[[Graph, str], str]] = {
    "log": operator("Log"),
    "log2": scaled_log(2.0),
    "log10": scaled_log(10.0),
    "log1p": log1p,
    "sqrt": operator("Sqrt"),
    "cbrt": cube_root,
    "exp": operator("Exp"),
    "exp2": power_of(2.0),
    "expm1": expm1,
    "tanh": operator("Tanh"),
    "floor": operator("Floor"),
    "ceil": operator("Ceil"),
    "trunc": truncated,
    "rint": operator("Round"),
    "sign": sign,
    "positive": operator("Identity"),
    "deg2rad": quotient(np.pi / 180),
    "radians": quotient(np.pi / 180),
    "rad2deg": quotient(180 / np.pi),
    "degrees": quotient(180 / np.pi),
}
OTHERS: dict[str, Callable[[Graph, str], str]] = {
    "abs": operator("Abs"),
    "absolute": operator("Abs"),
    "fabs": operator("Abs"),
    "square": lambda graph, x: graph.node("Mul", x, x),
    "reciprocal": lambda graph, x: graph.node("Div", graph.constant(1.0), x),
    "negative": operator("Neg"),
    "sin": operator("Sin"),
    "cos": operator("Cos"),
}


def evaluated(name: str) -> Callable[[Any], Any]:
    """NumPy's function, without its warnings."""

    def evaluate(x: Any) -> Any:
        with np.errstate(all="ignore"):
            return getattr(np, name)(x)

    return evaluate


FUNCTIONS = {name: Function(name, evaluated(name), build, name in INCREASING) for name, build in (INCREASING | OTHERS).items()}
