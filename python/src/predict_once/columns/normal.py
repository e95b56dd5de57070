"""The quantiles of the normal distribution, by the approximation of the Cephes library, which SciPy uses."""

from collections.abc import Sequence

import numpy as np

from ..graph import Graph

TAIL = float(np.exp(-2))
P0 = (-59.9633501014107895267, 98.0010754185999661536, -56.6762857469070293439, 13.9312609387279679503, -1.23916583867381258016)
Q0 = (
    1.0,
    1.95448858338141759834,
    4.67627912898881538453,
    86.3602421390890590575,
    -225.462687854119370527,
    200.260212380060660359,
    -82.0372256168333339912,
    15.9056225126211695515,
    -1.18331621121330003142,
)
P1 = (
    4.05544892305962419923,
    31.5251094599893866154,
    57.1628192246421288162,
    44.0805073893200834700,
    14.6849561928858024014,
    2.18663306850790267539,
    -0.140256079171354495875,
    -0.0350424626827848203418,
    -8.57456785154685413611e-4,
)
Q1 = (
    1.0,
    15.7799883256466749731,
    45.3907635128879210584,
    41.3172038254672030440,
    15.0425385692907503408,
    2.50464946208309415979,
    -0.142182922854787788574,
    -0.0380806407691578277194,
    -9.33259480895457427372e-4,
)


def polynomial(graph: Graph, x: str, coefficients: Sequence[float]) -> str:
    """The polynomial, beginning with the highest power."""
    total = graph.constant(coefficients[0])
    for coefficient in coefficients[1:]:
        total = graph.node("Add", graph.node("Mul", total, x), graph.constant(coefficient))
    return total


def quantile(graph: Graph, share: str) -> str:
    """The number below which this share of a standard normal distribution lies, for shares from 1e-14 to 1 - 1e-14."""
    half, one = graph.constant(0.5), graph.constant(1.0)
    upper = graph.node("Greater", share, half)
    small = graph.node("Where", upper, graph.node("Sub", one, share), share)
    centred = graph.node("Sub", share, half)
    square = graph.node("Mul", centred, centred)
    ratio = graph.node("Div", polynomial(graph, square, P0), polynomial(graph, square, Q0))
    middle = graph.node("Add", centred, graph.node("Mul", centred, graph.node("Mul", square, ratio)))
    middle = graph.node("Mul", middle, graph.constant(np.sqrt(2 * np.pi)))

    in_tail = graph.node("Less", small, graph.constant(TAIL))
    safe = graph.node("Where", in_tail, small, graph.constant(TAIL))
    root = graph.node("Sqrt", graph.node("Mul", graph.node("Log", safe), graph.constant(-2.0)))
    z = graph.node("Div", one, root)
    correction = graph.node("Mul", z, graph.node("Div", polynomial(graph, z, P1), polynomial(graph, z, Q1)))
    size = graph.node("Sub", graph.node("Sub", root, graph.node("Div", graph.node("Log", root), root)), correction)
    tail = graph.node("Where", upper, size, graph.node("Neg", size))
    return graph.node("Where", in_tail, tail, middle)
