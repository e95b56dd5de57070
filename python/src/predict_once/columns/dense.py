"""Feature columns as a matrix, for models that calculate with them.

All features are an affine function of a *base*: the graph's input with missing values replaced, and a few computed columns. A
linear model absorbs the matrix of that function into its weights, so the graph only computes the base.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

import numpy as np
from scipy import sparse

from ..context import Context
from ..graph import INPUT, Array
from .layout import Coding
from .layout import affine as affine_table
from .splits import indicators
from .stepwise import rounded, stepwise
from .symbols import NONE, Category, Column, Number, Step, Tensor, as_number, computed

NO_BOUND = float("inf")
CANCELLATION = 1024
"""How much larger than their sum its terms may be: they lose as many digits."""


@dataclass(frozen=True)
class Entry:
    """A column of the base: a column of a tensor, with the replacement of NaN and the limits that it is clipped to."""

    tensor: str
    index: int
    fill: float = 0.0
    lower: float = -NO_BOUND
    upper: float = NO_BOUND


@dataclass
class Affine:
    """`features = base @ matrix + offset`."""

    base: str
    matrix: Any  # sparse
    offset: Array
    centres: Array  # of the base: typical values
    middle: Array  # the features at the centres, more exactly than by the formula

    @property
    def identity(self) -> bool:
        """Whether the features are the base."""
        rows, columns = self.matrix.shape
        return rows == columns and not self.offset.any() and (self.matrix - sparse.eye_array(rows)).nnz == 0


class Base:
    """Collects the columns of the base."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.entries: dict[Entry, int] = {}
        self.centres: list[float] = []
        self.known: dict[tuple[int, int], list[int]] = {}

    def position(self, entry: Entry, centre: float = 0.0) -> int:
        """The position of an entry in the base."""
        if entry not in self.entries:
            self.entries[entry] = len(self.entries)
            self.centres.append(centre)
        return self.entries[entry]

    def places(self, column: Category, coding: Coding, first: int) -> list[int]:
        """The positions of the indicators of a variable's values. An encoder makes many columns of one variable."""
        key = (column.variable, id(column.values))
        if key not in self.known:
            one_hot = coding.encoding == "one_hot"
            tensor = INPUT if one_hot else indicators(self.context, column.variable, column.values)
            start = first if one_hot else 0
            self.known[key] = [self.position(Entry(tensor, start + index)) for index in range(len(column.values))]
        return self.known[key]

    def tensor(self) -> tuple[str, Array, int]:
        """The base, the position of each entry in it, and its width."""
        context = self.context
        graph, width, may_be_nan = context.graph, context.layout.width, context.layout.can_be_nan
        groups: dict[str, list[Entry]] = {INPUT: []}
        for entry in self.entries:
            groups.setdefault(entry.tensor, []).append(entry)
        order = np.zeros(len(self.entries), dtype=int)
        tensors, first = [], 0
        for tensor, entries in groups.items():
            if not entries:
                continue
            indices = [entry.index for entry in entries]
            rows: list[Entry | None] = list(entries)
            source = graph.numbers if tensor == INPUT else tensor
            if tensor == INPUT and len(set(indices)) == len(indices):
                # The whole input rather than some of its columns: that saves an operator, and the other columns weigh 0.
                rows = [None] * width
                for entry in entries:
                    rows[entry.index] = entry
                indices = list(range(width))
            else:
                source = graph.take(source, indices)
            is_input = tensor in (INPUT, rounded(context))
            tensors.append(cleaned(context, source, rows, is_input and not may_be_nan.isdisjoint(indices)))
            for position, row in enumerate(rows):
                if row is not None:
                    order[self.entries[row]] = first + position
            first += len(rows)
        return graph.concat(tensors), order, first


def cleaned(context: Context, source: str, rows: list[Entry | None], can_be_nan: bool) -> str:
    """A part of the base, with NaN replaced and values clipped."""
    graph = context.graph
    if can_be_nan:
        fills = [[row.fill if row else 0.0 for row in rows]]
        source = graph.node("Where", graph.present(source), source, graph.constant(fills))
    lower = np.array([[row.lower if row else -NO_BOUND for row in rows]])
    upper = np.array([[row.upper if row else NO_BOUND for row in rows]])
    if np.isfinite(lower).any():
        source = graph.node("Max", source, graph.constant(lower))
    if np.isfinite(upper).any():
        source = graph.node("Min", source, graph.constant(upper))
    return source


@dataclass
class Terms:
    """A feature: weights of the base's columns, an offset, and the value at the base's centres."""

    weights: dict[int, float]
    offset: float
    middle: float


def affine(context: Context, columns: Sequence[Column]) -> Affine:
    """The features as an affine function of a base."""
    context.request(columns, dense=True)
    context.float32 = context.float32 or any(isinstance(column, Number) and column.narrow for column in columns)
    base = Base(context)
    terms = [number_terms(base, column) if isinstance(column, Number) else category_terms(base, column) for column in columns]
    tensor, order, size = base.tensor()
    counts = [len(term.weights) for term in terms]
    rows = order[np.array([position for term in terms for position in term.weights], dtype=int)]
    weights = [weight for term in terms for weight in term.weights.values()]
    places = (rows, np.repeat(np.arange(len(columns)), counts))
    matrix = sparse.csr_array((weights, places), shape=(size, len(columns)), dtype=np.float64)
    centres = np.zeros(size)
    centres[order] = base.centres
    return Affine(tensor, matrix, np.array([term.offset for term in terms]), centres, np.array([term.middle for term in terms]))


def number_terms(base: Base, column: Number) -> Terms:
    """The feature of a number: its steps combined."""
    if cut := computed(column.steps):
        computed_part = Tensor(stepwise(base.context, replace(column, steps=column.steps[:cut])), 0)
        return number_terms(base, Number(computed_part, column.steps[cut:], column.dtype))
    source, context = column.source, base.context
    graph = context.graph
    tensor, index, centre, can_be_nan = INPUT, 0, 0.0, False
    if isinstance(source, Tensor):
        tensor, index = source.name, source.index
    else:
        coding = context.layout.codings[source]
        index, centre, can_be_nan = context.layout.first[source], context.variables[source].reference, coding.can_be_nan
        if column.narrow:
            tensor, centre = rounded(context), float(np.float32(centre))
    factor, offset, fill, lower, upper = 1.0, 0.0, None, -NO_BOUND, NO_BOUND
    steps: Sequence[Step] = column.steps
    for position, step in enumerate(column.steps):
        match step.kind:
            case "fill":
                fill = (step.value - offset) / factor if fill is None and factor else fill
            case "add":
                offset += step.value
            case "subtract":
                offset -= step.value
            case "multiply":
                factor, offset = factor * step.value, offset * step.value
            case "divide":
                factor, offset = factor / step.value, offset / step.value
            case "clip":
                edges = sorted(((step.value - offset) / factor, (step.upper - offset) / factor)) if factor else [lower, upper]
                lower, upper = max(lower, edges[0]), min(upper, edges[1])
            case "flag":
                steps = column.steps[position + 1 :]
                if not can_be_nan or fill is not None:
                    value = float(Number(0, steps).evaluate(np.zeros(1))[0])
                    return Terms({}, value, value)
                tensor, index, centre = graph.missing(graph.take(INPUT, [index])), 0, 0.0
                factor, offset, can_be_nan, lower, upper = 1.0, 0.0, False, -NO_BOUND, NO_BOUND
            case "apply":
                raise AssertionError("the graph computes functions step by step")
            case unknown:
                assert_never(unknown)
    centre = min(max(centre, lower), upper)
    middle = float(Number(0, tuple(steps), column.dtype).evaluate(np.array([centre]))[0])
    return Terms({base.position(Entry(tensor, index, fill or 0.0, lower, upper), centre): factor}, offset, middle)


def category_terms(base: Base, column: Category) -> Terms:
    """The feature of a category: a weight for each value."""
    context = base.context
    layout, graph = context.layout, context.graph
    coding, first = layout.codings[column.variable], layout.first[column.variable]
    missing, unknown = as_number(column.missing), as_number(column.unknown)
    if coding.encoding == "ordinal":
        table = column.table.numbers()
        if coding.values != column.values:
            known = dict(zip(column.values, table.tolist(), strict=True))
            table = np.array([known[value] for value in coding.values])
        line = affine_table(table)
        if line is None:
            line = (0.0, 0.0)  # the first lowering, with the provisional layout
        factor, offset = line
        if factor == 0 and coding.can_be_nan and not np.isnan(missing):
            flag = graph.missing(graph.take(INPUT, [first]))
            return Terms({base.position(Entry(flag, 0)): missing - offset}, offset, offset)
        fill = (missing - offset) / factor if factor and not np.isnan(missing) else 0.0
        return Terms({base.position(Entry(INPUT, first, fill)): factor}, offset, offset)
    neutral = unknown
    if column.unknown is NONE:  # a row of zeros is a missing value, if it can occur
        neutral = missing if coding.missing == "zeros" else 0.0
    weights: dict[int, float] = {}
    places = base.places(column, coding, first)
    relative = column.table.numbers() - neutral
    for index in np.flatnonzero(relative):
        weights[places[index]] = float(relative[index])
    if coding.can_be_nan and not np.isnan(missing) and missing != neutral:
        flag = graph.missing(graph.take(INPUT, [first]))
        weights[base.position(Entry(flag, 0))] = missing - neutral
    return Terms(weights, neutral, neutral)


def linear(context: Context, columns: Sequence[Column], weights: Array, bias: Array | float = 0.0) -> str:
    """`features @ weights + bias`.

    If the sums are large compared with their result, typical values are subtracted from the inputs first.
    """
    graph = context.graph
    form = affine(context, columns)
    folded = np.asarray(form.matrix @ weights)
    constant = np.asarray(form.offset @ weights + bias)
    middle = np.asarray(form.middle @ weights + bias)
    base = form.base
    if np.any(np.abs(form.centres) @ np.abs(folded) > CANCELLATION * np.maximum(1, np.abs(middle))):
        base, constant = graph.node("Sub", base, graph.constant([form.centres])), middle
    graph.dense.append(base)
    product = graph.node("MatMul", base, graph.constant(folded))
    return graph.node("Add", product, graph.constant([constant])) if constant.any() else product


def matrix(context: Context, columns: Sequence[Column]) -> str:
    """The features themselves."""
    form = affine(context, columns)
    return form.base if form.identity else linear(context, columns, np.eye(len(columns)))
