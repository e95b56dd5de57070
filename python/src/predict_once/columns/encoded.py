"""Encoders behind functions, such as a OneHotEncoder of months: the graph computes the number, and compares it with those that
the encoder knows."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..context import Context
from ..errors import ExportError
from .symbols import NONE, Category, Column, Number
from .tensors import computed_column, features_of

NO_VARIABLE = -1


def computed_category(column: Number, known: Sequence[Any], missing: Any, refuses: bool, path: str) -> Category:
    """The states of a computed number, for the encoder's table: all that it can be, or those that are known and another one."""
    domain = column.functions[-1].values if column.steps[-1].function is not None else ()
    if domain and (not refuses or set(domain) <= set(known)):
        return Category.plain(NO_VARIABLE, domain, missing)
    if refuses:
        raise ExportError(
            f"{path} knows {len(known)} values of {column.functions[-1].name} and fails on any other number. Fit it with "
            "handle_unknown='ignore'."
        )
    return Category.plain(NO_VARIABLE, tuple(known), missing, max(known) + 1)


def encoded(context: Context, column: Number, made: Sequence[Category]) -> list[Column]:
    """The encoder's outputs for a computed number: rows of its table."""
    graph, first = context.graph, made[0]
    table = np.nan_to_num(np.stack([category.numbers() for category in made], axis=1))
    known, missing, unknown = table[:-2], table[-2], table[-1]
    number = computed_column(context, column, missing=first.missing is not NONE)
    flags = graph.double(graph.node("Equal", number, graph.constant([first.values])))
    result = graph.node("MatMul", flags, graph.constant(known - unknown))
    if unknown.any():
        result = graph.node("Add", result, graph.constant([unknown]))
    if (missing != unknown).any():
        result = graph.node("Where", graph.present(number), result, graph.constant([missing]))
    return features_of(result, len(made))
