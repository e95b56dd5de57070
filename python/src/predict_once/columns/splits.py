"""Turns a comparison of a feature into a comparison of the graph's input, with the same outcome for every input.

For a number's feature `f(x) <= t`, where f is increasing, the threshold of x is the largest number for which it holds: f includes
the library's rounding, so the graph neither calculates nor rounds. (A division in the graph would not do: tract multiplies by
the reciprocal, whose last bit may differ.) For a category, the set of values for which it holds becomes a comparison of the
position or of one column. If no such comparison exists, the graph computes a column that is 1 for the values of the set.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import TensorProto

from ..context import Context
from ..graph import INPUT, Array
from .layout import Coding
from .symbols import NONE, Category, Number, Tensor

LEQ, NEQ = b"BRANCH_LEQ", b"BRANCH_NEQ"
"""ONNX Runtime merges consecutive BRANCH_EQ nodes whose leaves have the same weight, of whatever target (version 1.32). So a
single value is compared with BRANCH_NEQ, which is true for missing values."""


@dataclass(frozen=True)
class Split:
    """A comparison of a column of the trees' input."""

    column: int
    threshold: float
    mode: bytes
    swapped: bool  # the comparison holds where the feature's does not
    missing: bool  # whether a missing value takes the branch of the feature's comparison


@dataclass(frozen=True)
class Membership:
    """The states of a variable for which a comparison holds."""

    variable: int
    values: tuple[Any, ...]
    inside: tuple[bool, ...]
    missing: bool
    unknown: bool | None  # None: unknown values cannot occur

    def inside_for(self, values: tuple[Any, ...]) -> list[bool]:
        """`inside` in the order of other values."""
        if values == self.values:
            return list(self.inside)
        known = dict(zip(self.values, self.inside, strict=True))
        return [known.get(value, bool(self.unknown)) for value in values]


@dataclass(frozen=True)
class Code:
    """The position of a one-hot field's value, and -1 for a row of zeros."""

    variable: int


@dataclass
class Extras:
    """The columns of the trees' input that the graph computes, in float64."""

    context: Context
    entries: dict[Membership | Code | Tensor, int] = field(default_factory=dict)

    def column(self, entry: Membership | Code | Tensor) -> int:
        if isinstance(entry, Tensor) and entry.name == INPUT:
            return entry.index
        return self.entries.setdefault(entry, self.context.layout.width + len(self.entries))

    def tensor(self) -> tuple[str, Array]:
        """The trees' input, and the position in it of each column that `column` has numbered."""
        graph, width = self.context.graph, self.context.layout.width
        order = np.arange(width + len(self.entries))
        if not self.entries:
            return INPUT, order
        tensors, position = [graph.numbers], width
        groups: dict[tuple[int, tuple[Any, ...]], list[Membership]] = {}
        computed: dict[str, list[Tensor]] = {}
        for entry, column in self.entries.items():
            if isinstance(entry, Membership):
                groups.setdefault((entry.variable, entry.values), []).append(entry)
            elif isinstance(entry, Tensor):
                computed.setdefault(entry.name, []).append(entry)
            else:
                tensors.append(code(self.context, entry.variable))
                order[column] = position
                position += 1
        for name, entries in computed.items():
            tensors.append(graph.take(name, [entry.index for entry in entries]))
            for entry in entries:
                order[self.entries[entry]] = position
                position += 1
        for members in groups.values():
            tensors.append(memberships(self.context, members))
            for member in members:
                order[self.entries[member]] = position
                position += 1
        return graph.concat(tensors), order


def number_thresholds(column: Number, thresholds: Array, strict: bool, dtype: Any, kind: Any) -> Array:
    """For each threshold t, the largest number x of the type `kind` for which `f(x) <= t` holds (`< t` if strict)."""
    bits: Any = np.int32 if kind is np.float32 else np.int64

    def number(rank: Array) -> Array:
        size: Array = np.abs(rank).astype(bits).view(kind)
        signed: Array = np.where(rank < 0, -size, size)
        return signed

    def holds(rank: Array) -> Array:
        with np.errstate(all="ignore"):
            value = column.evaluate(number(rank).astype(np.float64)).astype(dtype)
            value = np.where(np.isnan(value), -np.inf, value)  # below the numbers for which a function is defined
        return np.asarray(value < thresholds if strict else value <= thresholds)

    # The order of floating-point numbers is that of their bits, read as integers.
    largest = int(kind(np.finfo(kind).max).view(bits))
    low, high = np.full(len(thresholds), -largest), np.full(len(thresholds), largest)
    never = ~holds(low)
    while np.any(low < high):
        middle = (low | high) - ((low ^ high) >> 1)  # rounded up; the difference itself can be too large for an integer
        inside = holds(middle)
        low = np.where(inside, middle, low)
        high = np.where(inside, high, middle - 1)
    return np.where(never, -np.finfo(kind).max, number(low))


def membership_of(column: Category, inside: Array) -> Membership:
    """The states of a category's variable for which a comparison holds."""
    return Membership(
        column.variable,
        column.values,
        tuple(inside[:-2].tolist()),
        bool(inside[-2]) and column.missing is not NONE,
        None if column.unknown is NONE else bool(inside[-1]),
    )


def split_of(extras: Extras, member: Membership) -> Split:
    """The comparison that holds for these states."""
    layout = extras.context.layout
    coding, first = layout.codings[member.variable], layout.first[member.variable]
    found = None
    if coding.encoding == "number":
        order = np.argsort(np.array(member.values, dtype=np.float64), kind="stable")
        points = [float(member.values[index]) for index in order]
        found = line_split([member.inside[index] for index in order], points, member.unknown, first, member.missing)
    else:
        inside = member.inside_for(coding.values)
        if coding.encoding == "ordinal":
            found = line_split(inside, range(len(inside)), None, first, member.missing)
        else:
            zeros, members = zeros_inside(coding, member), np.asarray(inside)
            found = one_hot_split(members, zeros, first, member.missing)
            if found is None and len(steps := changes(np.append(zeros, members))) == 1:
                column = extras.column(Code(member.variable))
                found = Split(column, steps[0] - 1.5, LEQ, not zeros, member.missing)
    if found and found.mode == NEQ and coding.can_be_nan and found.missing == found.swapped:
        found = None  # a missing value would have to count as equal
    return found or Split(extras.column(member), 0.5, LEQ, True, member.missing)


def zeros_inside(coding: Coding, member: Membership) -> bool:
    """Whether a row of zeros, an unknown or a missing value, is in the set."""
    return member.missing if coding.missing == "zeros" and member.unknown is None else bool(member.unknown)


def one_hot_split(inside: Array, unknown: bool, first: int, missing: bool) -> Split | None:
    """A comparison of one column, if that is enough."""
    different = np.flatnonzero(inside != unknown).tolist()
    if not different:
        return always(first, unknown, missing)
    if len(different) == 1:
        return Split(first + different[0], 0.5, LEQ, not unknown, missing)
    return None


def always(column: int, inside: bool, missing: bool) -> Split:
    """A comparison with the same outcome for all numbers."""
    return Split(column, float(np.finfo(np.float64).max), LEQ, not inside, missing)


def changes(inside: list[bool] | Array) -> list[int]:
    """The positions whose entry differs from the one before."""
    array = np.asarray(inside)
    return [int(index) + 1 for index in np.flatnonzero(array[1:] != array[:-1])]


def line_split(inside: list[bool], points: Any, unknown: bool | None, column: int, missing: bool) -> Split | None:
    """A comparison with one point of the line, if that is enough."""
    steps = changes(inside)
    if not steps and unknown in (None, inside[0]):
        return always(column, inside[0], missing)
    if len(steps) == 1 and unknown is None:
        border = (points[steps[0] - 1] + points[steps[0]]) / 2
        return Split(column, border, LEQ, not inside[0], missing)
    for value in (True, False):
        alone = np.flatnonzero(np.asarray(inside) == value).tolist()
        if len(alone) == 1 and unknown in (None, not value):
            return Split(column, float(points[alone[0]]), NEQ, value, missing)
    return None


def code(context: Context, variable: int) -> str:
    """The position of a value of a one-hot or ordinal field, `[N, 1]`; -1 for a row of zeros."""
    graph, layout = context.graph, context.layout
    coding, first = layout.codings[variable], layout.first[variable]
    if coding.encoding == "ordinal":
        return graph.take(graph.numbers, [first])
    columns = graph.take(graph.numbers, range(first, first + coding.width))
    position = graph.node("MatMul", columns, graph.constant(np.arange(1.0, coding.width + 1)[:, np.newaxis]))
    return graph.node("Sub", position, graph.constant([[1.0]]))


def memberships(context: Context, members: list[Membership]) -> str:
    """A tensor with a column for each of these sets of one variable's states: 1 where the state is in the set."""
    graph, layout = context.graph, context.layout
    variable = members[0].variable
    coding, first = layout.codings[variable], layout.first[variable]
    missing = np.array([[member.missing for member in members]])
    if coding.encoding != "number":
        zeros = np.array([[zeros_inside(coding, member) for member in members]])
        inside = np.array([member.inside_for(coding.values) for member in members]).T
        position = graph.node("Gather", code(context, variable), graph.constant(0, np.int64), axis=1)
        if coding.can_be_nan:
            end = graph.constant(float(len(inside)))
            position = graph.node("Where", graph.present(position), position, end)
        row = graph.cast(graph.node("Add", position, graph.constant(1.0)), TensorProto.INT64)
        table = np.vstack([zeros, inside, missing]).astype(np.uint8)
        return graph.double(graph.node("Gather", graph.constant(table, np.uint8), row, axis=0))
    inside = np.array([member.inside_for(members[0].values) for member in members], dtype=np.float64).T
    base = np.array([[zeros_inside(coding, member) for member in members]], dtype=np.float64)
    result = graph.node("MatMul", indicators(context, variable, members[0].values), graph.constant(inside - base))
    if base.any():
        result = graph.node("Add", result, graph.constant(base))
    if coding.can_be_nan:
        result = graph.node("Where", graph.present(graph.take(INPUT, [first])), result, graph.constant(missing))
    return result


def indicators(context: Context, variable: int, values: tuple[Any, ...]) -> str:
    """A column for each value of a variable: 1 where the variable has that value."""
    graph, layout = context.graph, context.layout
    coding, first = layout.codings[variable], layout.first[variable]
    if coding.encoding == "one_hot":
        columns = graph.take(graph.numbers, range(first, first + coding.width))
        return zero_if_nan(context, columns) if coding.can_be_nan else columns
    points = [coding.values.index(value) if coding.values else float(value) for value in values]
    return graph.double(graph.node("Equal", graph.take(graph.numbers, [first]), graph.constant([points])))


def zero_if_nan(context: Context, tensor: str) -> str:
    """The tensor with NaN replaced by zero."""
    graph = context.graph
    return graph.node("Where", graph.present(tensor), tensor, graph.constant(0.0))
