"""A feature column computed by the graph step by step, in the library's order: no weights can absorb a function."""

from typing import assert_never

from onnx import TensorProto

from ..context import Context
from ..graph import INPUT
from .symbols import Number, Step, Tensor


def stepwise(context: Context, column: Number) -> str:
    """The feature, `[N, 1]`. NaN stays NaN unless a step replaces it."""
    graph = context.graph
    if isinstance(column.source, Tensor):
        result = graph.take(column.source.name, [column.source.index])
    else:
        source = rounded(context) if column.narrow and graph.wide else graph.numbers
        result = graph.take(source, [context.layout.first[column.source]])
    for step in column.steps:
        result = after(context, step, result)
        if column.dtype == "float32":
            result = graph.double(graph.cast(result, TensorProto.FLOAT))
    return result


def rounded(context: Context) -> str:
    """The input, rounded to float32."""
    graph = context.graph
    return graph.double(graph.cast(INPUT, TensorProto.FLOAT)) if graph.wide else INPUT


def after(context: Context, step: Step, number: str) -> str:
    """The number after one more step."""
    graph = context.graph
    value = graph.constant(step.value)
    match step.kind:
        case "fill":
            return graph.node("Where", graph.present(number), number, value)
        case "add":
            return graph.node("Add", number, value)
        case "subtract":
            return graph.node("Sub", number, value)
        case "multiply":
            return graph.node("Mul", number, value)
        case "divide":
            return graph.node("Div", number, value)
        case "clip":
            least = graph.node("Where", graph.node("Less", number, value), value, number)
            upper = graph.constant(step.upper)
            return graph.node("Where", graph.node("Greater", least, upper), upper, least)
        case "flag":
            return graph.missing(number)
        case "apply":
            return step.function.build(graph, number) if step.function else number
        case unknown:
            assert_never(unknown)
