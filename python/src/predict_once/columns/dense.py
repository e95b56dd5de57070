"""Feature columns as a matrix, for models that calculate with them.

All features are an affine function of a *base*: the graph's input with missing values replaced, and a few computed columns. A
linear model absorbs the matrix of that function into its weights, so the graph only computes the base.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np
from onnx import TensorProto

from ..context import Context
from ..errors import ExportError
from ..graph import INPUT, Array
from .layout import affine as affine_table
from .splits import indicators
from .symbols import NONE, Category, Column, Number, Tensor

NO_BOUND = float("inf")


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
    matrix: Array
    offset: Array
    centres: Array  # of the base: typical values

    @property
    def identity(self) -> bool:
        """Whether the features are the base."""
        return self.matrix.shape[0] == self.matrix.shape[1] and bool(
            np.all(self.matrix == np.eye(len(self.matrix))) and np.all(self.offset == 0)
        )


class Base:
    """Collects the columns of the base."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.entries: dict[Entry, int] = {}
        self.centres: list[float] = []

    def position(self, entry: Entry, centre: float = 0.0) -> int:
        """The position of an entry in the base."""
        if entry not in self.entries:
            self.entries[entry] = len(self.entries)
            self.centres.append(centre)
        return self.entries[entry]

    def tensor(self) -> tuple[str, Array]:
        """The base, and the position of each entry in it."""
        graph, width = self.context.graph, self.context.layout.width
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
            if tensor == INPUT and len(set(indices)) == len(indices):
                # The whole input rather than some of its columns: that saves an operator, and the other columns weigh 0.
                rows = [None] * width
                for entry in entries:
                    rows[entry.index] = entry
                indices = list(range(width))
                source = tensor
            else:
                source = graph.take(tensor, indices)
            can_be_nan = tensor == INPUT and bool(set(indices) & set(self.context.layout.can_be_nan))
            tensors.append(cleaned(self.context, source, rows, can_be_nan))
            for position, row in enumerate(rows):
                if row is not None:
                    order[self.entries[row]] = first + position
            first += len(rows)
        return graph.concat(tensors), order


def cleaned(context: Context, source: str, rows: list[Entry | None], can_be_nan: bool) -> str:
    """A part of the base, with NaN replaced and values clipped."""
    graph = context.graph
    if can_be_nan:
        fills = [[row.fill if row else 0.0 for row in rows]]
        source = graph.node("Where", graph.node("IsNaN", source), graph.constant(fills), source)
    lower = np.array([[row.lower if row else -NO_BOUND for row in rows]])
    upper = np.array([[row.upper if row else NO_BOUND for row in rows]])
    if np.isfinite(lower).any():
        source = graph.node("Max", source, graph.constant(lower))
    if np.isfinite(upper).any():
        source = graph.node("Min", source, graph.constant(upper))
    return source


def affine(context: Context, columns: Sequence[Column]) -> Affine:
    """The features as an affine function of a base."""
    context.request(columns, dense=True)
    base = Base(context)
    weights: list[dict[int, float]] = []
    offsets: list[float] = []
    for column in columns:
        if isinstance(column, Number):
            terms, offset = number_terms(base, column)
        else:
            terms, offset = category_terms(base, column)
        weights.append(terms)
        offsets.append(offset)
    tensor, order = base.tensor()
    size = base_width(context, base)
    matrix = np.zeros((size, len(columns)))
    for feature, terms in enumerate(weights):
        for position, weight in terms.items():
            matrix[order[position], feature] += weight
    centres = np.zeros(size)
    centres[order] = base.centres
    return Affine(tensor, matrix, np.array(offsets), centres)


def base_width(context: Context, base: Base) -> int:
    """The number of columns of the base."""
    indices = [entry.index for entry in base.entries if entry.tensor == INPUT]
    others = len(base.entries) - len(indices)
    whole = len(set(indices)) == len(indices) and indices
    return others + (context.layout.width if whole else len(indices))


def number_terms(base: Base, column: Number) -> tuple[dict[int, float], float]:
    """The feature of a number as weights of the base and an offset: its steps combined."""
    source, context = column.source, base.context
    tensor, index, centre, can_be_nan = INPUT, 0, 0.0, False
    if isinstance(source, Tensor):
        tensor, index = source.name, source.index
    else:
        coding = context.layout.codings[source]
        index, centre, can_be_nan = context.layout.first[source], context.variables[source].reference, coding.can_be_nan
    factor, offset, fill, lower, upper = 1.0, 0.0, None, -NO_BOUND, NO_BOUND
    for step in column.steps:
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
                edges = sorted(((step.value - offset) / factor, (step.upper - offset) / factor))
                lower, upper = max(lower, edges[0]), min(upper, edges[1])
            case "flag":
                if not can_be_nan:
                    return {}, 0.0
                flags = context.graph.cast(context.graph.node("IsNaN", context.graph.take(INPUT, [index])), TensorProto.FLOAT)
                return {base.position(Entry(flags, 0)): factor}, offset
            case unknown:
                assert_never(unknown)
    if can_be_nan and fill is None:
        if not isinstance(source, int) or context.variables[source].missing is not NONE:
            name = context.variables[source].name if isinstance(source, int) else "a prediction"
            raise ExportError(
                f"column {name!r} has missing values, but the model calculates with it. "
                "Put a SimpleImputer in front of the model and fit again."
            )
        fill = 0.0
    return {base.position(Entry(tensor, index, fill or 0.0, lower, upper), centre): factor}, offset


def category_terms(base: Base, column: Category) -> tuple[dict[int, float], float]:
    """The feature of a category as weights of the base and an offset: a weight for each value."""
    context = base.context
    layout, graph = context.layout, context.graph
    coding, first = layout.codings[column.variable], layout.first[column.variable]
    numbers = column.numbers()
    known = dict(zip(column.values, numbers[:-2], strict=True))
    missing, unknown = float(numbers[-2]), float(numbers[-1])
    if column.missing is not NONE and np.isnan(missing) and coding.can_be_nan:
        name = context.variables[column.variable].name
        raise ExportError(
            f"column {name!r} has missing values, but the model calculates with it. "
            "Put a SimpleImputer in front of the model and fit again."
        )
    if coding.encoding == "ordinal":
        table = np.array([known[value] for value in coding.values])
        line = affine_table(table)
        if line is None:
            line = (0.0, 0.0)  # the first lowering, with the provisional layout
        factor, offset = line
        if factor == 0 and coding.can_be_nan and not np.isnan(missing):
            flag = graph.cast(graph.node("IsNaN", graph.take(INPUT, [first])), TensorProto.FLOAT)
            return {base.position(Entry(flag, 0)): missing - offset}, offset
        fill = (missing - offset) / factor if factor and not np.isnan(missing) else 0.0
        return {base.position(Entry(INPUT, first, fill)): factor}, offset
    neutral = unknown
    if column.unknown is NONE:  # a row of zeros is a missing value, if it can occur
        neutral = missing if coding.missing == "zeros" else 0.0
    terms: dict[int, float] = {}
    if coding.encoding == "one_hot":
        values = coding.values
        sources = [(INPUT, first + index) for index in range(len(values))]
    else:
        values = column.values
        states = indicators(context, column.variable, values)
        sources = [(states, index) for index in range(len(values))]
    for value, (tensor, index) in zip(values, sources, strict=True):
        terms[base.position(Entry(tensor, index))] = known.get(value, neutral) - neutral
    if coding.can_be_nan and not np.isnan(missing) and missing != neutral:
        flag = graph.cast(graph.node("IsNaN", graph.take(INPUT, [first])), TensorProto.FLOAT)
        terms[base.position(Entry(flag, 0))] = missing - neutral
    return terms, neutral


def linear(context: Context, columns: Sequence[Column], weights: Array, bias: Array) -> str:
    """`features @ weights + bias` in float32.

    Float32 loses the small difference of two large sums. If the sums are large compared with their result, typical values
    are subtracted from the inputs first.
    """
    graph = context.graph
    form = affine(context, columns)
    folded = form.matrix @ weights
    constant = form.offset @ weights + bias
    base, around = form.base, np.zeros(len(form.centres))
    middle = constant + form.centres @ folded
    if np.any(np.abs(form.centres) @ np.abs(folded) > 16 * np.maximum(1, np.abs(middle))):
        around = form.centres.astype(np.float32).astype(np.float64)
        base = graph.node("Sub", base, graph.constant([around]))
    return graph.node("Gemm", base, graph.constant(folded), graph.constant(constant + around @ folded))


def linear64(context: Context, columns: Sequence[Column], weights: Array, bias: Array) -> str:
    """`features @ weights + bias` in float64."""
    graph = context.graph
    form = affine(context, columns)
    product = graph.node("MatMul", graph.cast(form.base, TensorProto.DOUBLE), graph.constant(form.matrix @ weights, np.float64))
    return graph.node("Add", product, graph.constant([form.offset @ weights + bias], np.float64))


def matrix64(context: Context, columns: Sequence[Column]) -> str:
    """The features themselves, in float64."""
    graph = context.graph
    form = affine(context, columns)
    base = graph.cast(form.base, TensorProto.DOUBLE)
    if form.identity:
        return base
    product = graph.node("MatMul", base, graph.constant(form.matrix, np.float64))
    return graph.node("Add", product, graph.constant([form.offset], np.float64)) if form.offset.any() else product
