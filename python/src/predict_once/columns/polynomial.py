"""PolynomialFeatures: products of the columns, multiplied in scikit-learn's order."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..context import Context
from ..errors import ExportError
from .dense import matrix
from .symbols import Column, Number, Tensor
from .tensors import widened
from .transformers import refuse_texts

MOST_PRODUCTS = 10_000


def transform(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    refuse_texts(columns, context.variables, path)
    if step.n_output_features_ > MOST_PRODUCTS:
        raise ExportError(f"{path} makes {step.n_output_features_:,} products; at most {MOST_PRODUCTS:,} can be exported.")
    graph = context.graph
    columns = widened(columns)
    features = matrix(context, columns)
    products = [factors(powers) for powers in step.powers_]
    place: dict[tuple[int, ...], Column] = {(index,): column for index, column in enumerate(columns)}
    below: list[tuple[int, ...]] = [(index,) for index in range(len(columns))]
    tensor = features
    for degree in range(2, max(map(len, products), default=0) + 1):
        terms = sorted({product[-degree:] for product in products if len(product) >= degree})
        positions = {term: position for position, term in enumerate(below)}
        rest = graph.take(tensor, [positions[term[1:]] for term in terms])
        tensor = graph.node("Mul", rest, graph.take(features, [term[0] for term in terms]))
        place |= {term: Number(Tensor(tensor, position)) for position, term in enumerate(terms)}
        below = terms
    if () in products:
        one = graph.double(graph.present(graph.take(features, [0])))
        place[()] = Number(Tensor(one, 0))
    return [place[product] for product in products]


def factors(powers: Sequence[int]) -> tuple[int, ...]:
    """The columns of a product, each as often as it occurs."""
    return tuple(np.repeat(np.arange(len(powers)), powers).tolist())
