"""Turns a comparison of a feature into a comparison of the graph's input, with the same outcome for every input.

For a number's feature `f(x) <= t`, where f is increasing, the threshold of x is the largest float32 for which it holds. For a
category, the set of values for which it holds becomes a comparison of the position or of one column. If no such comparison
exists, the graph computes a column that is 1 for the values of the set.
"""

from dataclasses import dataclass, field
from typing import Any, assert_never

import numpy as np
from onnx import TensorProto

from ..context import Context
from ..graph import INPUT, Array
from .layout import Coding
from .symbols import NONE, Category, Number, Tensor

LEQ, EQ = b"BRANCH_LEQ", b"BRANCH_EQ"
LARGEST = np.float32(np.finfo(np.float32).max)


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
        known = dict(zip(self.values, self.inside, strict=True))
        return [known.get(value, bool(self.unknown)) for value in values]


@dataclass
class Extras:
    """The columns of the trees' input that the graph computes."""

    context: Context
    entries: dict[Membership | Tensor, int] = field(default_factory=dict)

    def column(self, entry: Membership | Tensor) -> int:
        return self.entries.setdefault(entry, self.context.layout.width + len(self.entries))

    def tensor(self) -> tuple[str, Array]:
        """The trees' input, and the position in it of each column that `column` has numbered."""
        graph, width = self.context.graph, self.context.layout.width
        order = np.arange(width + len(self.entries))
        tensors, position = [INPUT], width
        for entry, column in self.entries.items():
            if isinstance(entry, Tensor):
                tensors.append(graph.take(entry.name, [entry.index]))
                order[column] = position
                position += 1
        groups: dict[tuple[int, tuple[Any, ...]], list[Membership]] = {}
        for entry in self.entries:
            if isinstance(entry, Membership):
                groups.setdefault((entry.variable, entry.values), []).append(entry)
        for members in groups.values():
            tensors.append(memberships(self.context, members))
            for member in members:
                order[self.entries[member]] = position
                position += 1
        return graph.concat(tensors), order


def number_thresholds(column: Number, thresholds: Array, strict: bool, dtype: Any, exact: bool) -> Array:
    """For each threshold t, the float32 number up to which `f(x) <= t` holds (`< t` if strict).

    A library that casts to float32 compares the numbers that the graph reads, and so does any library if float32 holds all data
    exactly: the result is the largest float32 x for which the comparison holds. Otherwise a threshold may be a value of the data
    (0.1), for which the graph reads the nearest float32: the result is the float32 nearest to the largest such float64 x.
    """
    kind: Any = np.float32 if exact or dtype == np.float32 else np.float64
    bits: Any = np.int32 if kind is np.float32 else np.int64

    def number(rank: Array) -> Array:
        size: Array = np.abs(rank).astype(bits).view(kind)
        signed: Array = np.where(rank < 0, -size, size)
        return signed

    def holds(rank: Array) -> Array:
        with np.errstate(all="ignore"):
            value = column.evaluate(number(rank).astype(np.float64)).astype(dtype)
        return np.asarray(value < thresholds if strict else value <= thresholds)

    # The order of floating-point numbers is that of their bits, read as integers.
    largest = int(kind(LARGEST).view(bits))
    low, high = np.full(len(thresholds), -largest), np.full(len(thresholds), largest)
    never = ~holds(low)
    while np.any(low < high):
        middle = (low | high) - ((low ^ high) >> 1)  # rounded up; the difference itself can be too large for an integer
        inside = holds(middle)
        low = np.where(inside, middle, low)
        high = np.where(inside, high, middle - 1)
    return np.where(never, -LARGEST, number(low).astype(np.float32))


def membership_of(column: Category, inside: Array) -> Membership:
    """The states of a category's variable for which a comparison holds."""
    return Membership(
        column.variable,
        column.values,
        tuple(bool(value) for value in inside[:-2]),
        bool(inside[-2]) and column.missing is not NONE,
        None if column.unknown is NONE else bool(inside[-1]),
    )


def split_of(extras: Extras, member: Membership) -> Split:
    """The comparison that holds for these states."""
    layout = extras.context.layout
    coding, first = layout.codings[member.variable], layout.first[member.variable]
    match coding.encoding:
        case "one_hot":
            inside = member.inside_for(coding.values)
            found = one_hot_split(inside, zeros_inside(coding, member), first, member.missing)
        case "ordinal":
            inside = member.inside_for(coding.values)
            found = line_split(inside, list(range(len(inside))), None, first, member.missing)
        case "number":
            order = np.argsort(np.array(member.values, dtype=np.float64), kind="stable")
            points = [float(member.values[index]) for index in order]
            found = line_split([member.inside[index] for index in order], points, member.unknown, first, member.missing)
        case unknown:
            assert_never(unknown)
    return found or Split(extras.column(member), 0.5, LEQ, True, member.missing)


def zeros_inside(coding: Coding, member: Membership) -> bool:
    """Whether a row of zeros, an unknown or a missing value, is in the set."""
    return member.missing if coding.missing == "zeros" and member.unknown is None else bool(member.unknown)


def one_hot_split(inside: list[bool], unknown: bool, first: int, missing: bool) -> Split | None:
    """A comparison of one column, if that is enough."""
    different = [index for index, value in enumerate(inside) if value != unknown]
    if not different:
        return Split(first, float(LARGEST) if unknown else -float(LARGEST), LEQ, False, missing)
    if len(different) == 1:
        return Split(first + different[0], 0.5, LEQ, not unknown, missing)
    return None


def line_split(inside: list[bool], points: list[Any], unknown: bool | None, column: int, missing: bool) -> Split | None:
    """A comparison with one point of the line, if that is enough."""
    changes = [index for index in range(1, len(inside)) if inside[index] != inside[index - 1]]
    if not changes and unknown in (None, inside[0]):
        return Split(column, float(LARGEST) if inside[0] else -float(LARGEST), LEQ, False, missing)
    if len(changes) == 1 and unknown is None:
        border = float(np.float32((points[changes[0] - 1] + points[changes[0]]) / 2))
        return Split(column, border, LEQ, not inside[0], missing)
    for value in (True, False):
        alone = [index for index, present in enumerate(inside) if present == value]
        if len(alone) == 1 and unknown in (None, not value):
            return Split(column, float(points[alone[0]]), EQ, not value, missing)
    return None


def memberships(context: Context, members: list[Membership]) -> str:
    """A tensor with a column for each of these sets of one variable's states: 1 where the state is in the set."""
    graph, layout = context.graph, context.layout
    variable = members[0].variable
    coding, first = layout.codings[variable], layout.first[variable]
    missing = np.array([[member.missing for member in members]], dtype=np.float32)
    if coding.encoding == "ordinal":
        table = np.array([member.inside_for(coding.values) for member in members], dtype=np.float32).T
        code = graph.node("Gather", INPUT, graph.constant(first, np.int64), axis=1)
        if coding.can_be_nan:
            code = graph.node("Where", graph.node("IsNaN", code), graph.constant(np.float32(len(table))), code)
            table = np.vstack([table, missing])
        return graph.node("Gather", graph.constant(table), graph.cast(code, TensorProto.INT64), axis=0)
    states = indicators(context, variable, members[0].values)
    values = coding.values if coding.encoding == "one_hot" else members[0].values
    inside = np.array([member.inside_for(values) for member in members], dtype=np.float32).T
    base = np.array([[zeros_inside(coding, member) for member in members]], dtype=np.float32)
    result = graph.node("MatMul", states, graph.constant(inside - base))
    if base.any():
        result = graph.node("Add", result, graph.constant(base))
    if coding.can_be_nan:
        is_missing = graph.node("IsNaN", graph.take(INPUT, [first]))
        result = graph.node("Where", is_missing, graph.constant(missing), result)
    return result


def indicators(context: Context, variable: int, values: tuple[Any, ...]) -> str:
    """A column for each value of a variable: 1 where the variable has that value."""
    graph, layout = context.graph, context.layout
    coding, first = layout.codings[variable], layout.first[variable]
    if coding.encoding == "one_hot":
        columns = graph.take(INPUT, list(range(first, first + coding.width)))
        return zero_if_nan(context, columns) if coding.can_be_nan else columns
    points = [coding.values.index(value) if coding.values else float(value) for value in values]
    equal = graph.node("Equal", graph.take(INPUT, [first]), graph.constant([points]))
    return graph.cast(equal, TensorProto.FLOAT)


def zero_if_nan(context: Context, tensor: str) -> str:
    """The tensor with NaN replaced by zero."""
    graph = context.graph
    return graph.node("Where", graph.node("IsNaN", tensor), graph.constant(np.float32(0)), tensor)
