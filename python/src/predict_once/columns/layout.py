"""Chooses how each field is encoded as columns of the graph's input, so that the graph has little to do.

A text becomes one number (its position in `values`) if the model compares or scales positions, and a column for each value if the
model has one. The service replaces a missing value if the model only ever sees the replacement.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from .symbols import NONE, Category, Column, Number
from .variables import Variable


@dataclass(frozen=True)
class Coding:
    """The encoding of one field, as in model.toml."""

    encoding: Literal["number", "ordinal", "one_hot"]
    values: tuple[Any, ...] = ()
    missing: Any = NONE  # "nan", "zeros", a number, or ("value", one of the values); NONE: the field is required
    unknown: bool = False

    @property
    def width(self) -> int:
        return len(self.values) if self.encoding == "one_hot" else 1

    @property
    def can_be_nan(self) -> bool:
        return isinstance(self.missing, str) and self.missing == "nan"


@dataclass
class Requests:
    """The columns that the model reads, by variable."""

    columns: dict[int, list[tuple[Column, bool]]] = field(default_factory=dict)

    def add(self, column: Column, dense: bool) -> None:
        """Records a column; `dense` if the model calculates with it."""
        variable = column.source if isinstance(column, Number) else column.variable
        if isinstance(variable, int):
            self.columns.setdefault(variable, []).append((column, dense))


class Layout:
    """The codings of the fields that the model reads, and the positions of their columns."""

    def __init__(self, codings: dict[int, Coding]) -> None:
        self.codings = dict(sorted(codings.items()))
        self.first: dict[int, int] = {}
        self.width = 0
        for variable, coding in self.codings.items():
            self.first[variable] = self.width
            self.width += coding.width

    def column_names(self, variables: list[Variable]) -> list[str]:
        """The names of the graph's columns, as docs/model-package.md defines them."""
        names = []
        for position, coding in self.codings.items():
            name = variables[position].name
            if coding.encoding == "one_hot":
                names += [f"{name}={value}" for value in coding.values]
            else:
                names.append(name)
        return names

    @property
    def can_be_nan(self) -> list[int]:
        """The input columns that may be NaN."""
        return [
            self.first[variable] + offset
            for variable, coding in self.codings.items()
            if coding.can_be_nan
            for offset in range(coding.width)
        ]


def provisional(variables: list[Variable]) -> Layout:
    """The layout of the first lowering, which finds out what the model reads."""
    return Layout(
        {
            position: Coding("one_hot" if v.type == "string" else "number", v.values, "nan", v.type == "string")
            for position, v in enumerate(variables)
        }
    )


def layout_for(variables: list[Variable], requests: Requests) -> Layout:
    """The layout for what the model reads. Fields that it does not read are left out."""
    return Layout({position: coding_for(variables[position], asked) for position, asked in requests.columns.items()})


def coding_for(variable: Variable, asked: list[tuple[Column, bool]]) -> Coding:
    categories = [(column, dense) for column, dense in asked if isinstance(column, Category)]
    if variable.type == "boolean":
        missing = missing_for(variable, asked, (False, True))
        if isinstance(missing, tuple):  # a boolean's replacement is a number
            missing = float(missing[1])
        return Coding("ordinal", (False, True), missing)
    if variable.type != "string":
        return Coding("number", (), missing_for(variable, asked, ()))
    unknown = all(column.unknown is not NONE for column, _ in categories)
    order = order_of(variable.values, [column for column, _ in categories])
    missing = missing_for(variable, asked, variable.values)
    if not unknown and all(follows(column, order, dense) for column, dense in categories):
        return Coding("ordinal", tuple(variable.values[index] for index in order), missing)
    if missing == "nan" and all(not unknown or same(column.missing, column.unknown) for column, _ in categories):
        missing = "zeros"
    return Coding("one_hot", variable.values, missing, unknown)


def order_of(values: tuple[Any, ...], categories: Iterable[Category]) -> list[int]:
    """The order of the values: the data's, unless the model numbers them otherwise."""
    for column in categories:
        table = column.numbers()[: len(values)]
        if len(np.unique(table)) == len(values):
            return [int(index) for index in np.argsort(table, kind="stable")]
    return list(range(len(values)))


def follows(column: Category, order: list[int], dense: bool) -> bool:
    """Whether the position in this order can replace the column."""
    table = column.numbers()[: len(order)][order]
    if dense:
        return affine(table) is not None
    steps = np.diff(table)
    return bool(np.all(steps >= 0) or np.all(steps <= 0))


def affine(table: Any) -> tuple[float, float] | None:
    """Factor and offset, if the table is an affine function of the position."""
    positions = np.arange(len(table))
    factor = float(table[-1] - table[0]) / (len(table) - 1) if len(table) > 1 else 0.0
    offset = float(table[0])
    return (factor, offset) if np.allclose(positions * factor + offset, table, rtol=1e-12, atol=1e-12) else None


def missing_for(variable: Variable, asked: list[tuple[Column, bool]], values: tuple[Any, ...]) -> Any:
    """The number or value that the graph reads for a missing value."""
    if variable.missing is NONE:
        return NONE
    columns = [column for column, _ in asked]
    if all(isinstance(column, Number) for column in columns):
        if not all(dense for _, dense in asked):
            # Trees route missing values themselves. A replacement could cross a threshold when it is rounded to float32: the
            # mean minus the mean is close to 0.
            return "nan"
        fills = {
            column.steps[0].value if column.steps and column.steps[0].kind == "fill" else None
            for column in columns
            if isinstance(column, Number)
        }
        fill = fills.pop() if len(fills) == 1 else None
        whole = variable.type == "number" or (fill is not None and fill == int(fill))
        return fill if fill is not None and whole else "nan"
    categories = [column for column in columns if isinstance(column, Category)]
    if len(categories) == len(columns) and values:
        for index, value in enumerate(values):
            if all(column.values == values and same(column.missing, column.table[index]) for column in categories):
                return ("value", value)
    return "nan"


def same(one: Any, other: Any) -> bool:
    """Whether two entries of a table are the same number."""
    return one is not NONE and other is not NONE and bool(np.array_equal(float(one), float(other), equal_nan=True))
