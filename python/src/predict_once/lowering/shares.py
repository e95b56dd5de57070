"""Shares of the classes."""

from ..graph import Graph


def sigmoid_shares(graph: Graph, scores: str, classes: int) -> str:
    """One-versus-rest probabilities, `[N, classes]`: each class's sigmoid divided by their sum; equal where all are 0.

    The quotient of tiny sigmoids needs their relative precision, which ONNX Runtime's Sigmoid does not have.
    """
    one = graph.constant([[1.0]])
    each = graph.node("Div", one, graph.node("Add", one, graph.node("Exp", graph.node("Neg", scores))))
    return divided(graph, each, classes)


def divided(graph: Graph, each: str, classes: int) -> str:
    """Columns divided by their sum; equal shares where that is 0."""
    total = graph.sum(each)
    empty = graph.node("Equal", total, graph.constant([[0.0]]))
    shares = graph.node("Div", each, graph.node("Where", empty, graph.constant([[1.0]]), total))
    return graph.node("Where", empty, graph.constant([[1.0 / classes]]), shares)
