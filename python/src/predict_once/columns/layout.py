"""Chooses how each field is encoded as columns of the graph's input, so that the graph has little to do.

A text becomes one number (its position in `values`) if the model compares or scales positions, and a column for each value if the
model has one. The service replaces a missing value if the model only ever sees the replacement.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ..errors import ExportError
from ..graph import Array
from .symbols import NONE, Category, Column, Number, as_number, variable_of
from .variables import Variable


@dataclass(frozen=True)
class Coding:
    """The encoding of one field, as in model.toml."""

    encoding: Literal["number", "ordinal", "one_hot", "text"]
    values: tuple[Any, ...] = ()
    missing: Any = NONE  # "nan", "zeros", a number, or ("value", one of the values); NONE: the field is required
    unknown: bool = False
    size: int = 1  # of a text: the columns of its vectorizers

    @property
    def width(self) -> int:
        if self.encoding == "text":
            return self.size
        return len(self.values) if self.encoding == "one_hot" else 1

    @property
    def can_be_nan(self) -> bool:
        return isinstance(self.missing, str) and self.missing == "nan"


@dataclass(frozen=True)
class Request:
    """A column that the model reads: see `Context.request`."""

    column: Column
    dense: bool
    missing: bool
    narrow: bool

    @property
    def takes_missing(self) -> bool:
        """Whether the library accepts a missing value here."""
        if isinstance(self.column, Number):
            return self.missing or self.column.takes_missing
        return self.column.missing is not NONE and (self.missing or not np.isnan(as_number(self.column.missing)))

    @property
    def takes_float32(self) -> bool:
        """Whether rounding the field to float32 changes nothing."""
        if isinstance(self.column, Number):
            return self.column.narrow or (self.narrow and all(step.kind in ("fill", "flag") for step in self.column.steps))
        return all(isinstance(value, (str, bool)) for value in self.column.values[:1])  # they have the same type


@dataclass
class Requests:
    """The columns that the model reads, by variable."""

    columns: dict[int, list[Request]] = field(default_factory=dict)
    shares_leaves: bool = False
    """Whether several targets share the leaves of a tree, or a library adds in float32."""

    def add(self, column: Column, request: Request) -> None:
        variable = variable_of(column)
        if variable is not None:
            self.columns.setdefault(variable, []).append(request)


class Layout:
    """The codings of the fields that the model reads, and the positions of their columns.

    The graph's input is float64 if `wide`, else float32. A `provisional` layout serves to find out what the model reads.
    `shares_leaves` as in `Requests`.
    """

    def __init__(
        self, codings: dict[int, Coding], wide: bool = True, provisional: bool = False, shares_leaves: bool = False
    ) -> None:
        self.codings = dict(sorted(codings.items()))
        self.wide = wide
        self.provisional = provisional
        self.shares_leaves = shares_leaves
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
            if coding.encoding == "text":
                names += [f"{name}[{index}]" for index in range(coding.size)]
            elif coding.encoding == "one_hot":
                names += [f"{name}={value}" for value in coding.values]
            else:
                names.append(name)
        return names

    @property
    def can_be_nan(self) -> set[int]:
        """The input columns that may be NaN."""
        return {
            self.first[variable] + offset
            for variable, coding in self.codings.items()
            if coding.can_be_nan
            for offset in range(coding.width)
        }


def provisional(variables: list[Variable]) -> Layout:
    """The layout of the first lowering, which finds out what the model reads."""
    return Layout(
        {
            position: Coding("one_hot" if v.type == "string" else "number", v.values, "nan", v.type == "string")
            for position, v in enumerate(variables)
        },
        provisional=True,
    )


def layout_for(variables: list[Variable], requests: Requests, texts: dict[int, Coding]) -> Layout:
    """The layout for what the model reads, with the codings of texts. Fields that it does not read are left out."""
    codings = {position: coding_for(variables[position], asked) for position, asked in requests.columns.items()}
    narrow = all(request.takes_float32 for asked in requests.columns.values() for request in asked)
    wide = not narrow or bool(texts) or any(variables[position].is_large for position in codings)
    return Layout(codings | texts, wide, shares_leaves=requests.shares_leaves)


def coding_for(variable: Variable, asked: list[Request]) -> Coding:
    categories = [(request.column, request.dense) for request in asked if isinstance(request.column, Category)]
    if variable.type == "boolean":
        missing = missing_for(variable, asked, (False, True))
        if isinstance(missing, tuple):  # a boolean's replacement is a number
            missing = float(missing[1])
        return Coding("ordinal", (False, True), missing)
    if variable.type != "string":
        return Coding("number", (), missing_for(variable, asked, ()))
    unknown = all(column.unknown is not NONE for column, _ in categories)
    order = order_of(variable.values, (column for column, _ in categories))
    missing = missing_for(variable, asked, variable.values)
    if not unknown and all(follows(column, order, dense) for column, dense in categories):
        return Coding("ordinal", tuple(variable.values[index] for index in order), missing)
    if missing == "nan" and all(not unknown or same(column.missing, column.unknown) for column, _ in categories):
        missing = "zeros"
    return Coding("one_hot", variable.values, missing, unknown)


def order_of(values: tuple[Any, ...], categories: Iterable[Category]) -> list[int]:
    """The order of the values: the data's, unless the model numbers them otherwise."""
    for column in categories:
        table = column.table.numbers()
        if len(np.unique(table)) == len(values):
            return [int(index) for index in np.argsort(table, kind="stable")]
        if len(column.table.special) < len(values):
            break  # an indicator, like its neighbours
    return list(range(len(values)))


def follows(column: Category, order: list[int], dense: bool) -> bool:
    """Whether the position in this order can replace the column."""
    table = column.table.numbers()[order]
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


def missing_for(variable: Variable, asked: list[Request], values: tuple[Any, ...]) -> Any:
    """The number or value that the graph reads for a missing value; NONE if the library refuses missing values."""
    if variable.required or not all(request.takes_missing for request in asked):
        if variable.observed:
            raise ExportError(
                f"column {variable.name!r} has missing values, but the model calculates with it. "
                "Put a SimpleImputer in front of the model and fit again."
            )
        return NONE
    columns = [request.column for request in asked]
    numbers = [column for column in columns if isinstance(column, Number)]
    if len(numbers) == len(columns):
        fills = {column.steps[0].value if column.steps and column.steps[0].kind == "fill" else None for column in numbers}
        fill = fills.pop() if len(fills) == 1 else None
        if variable.is_date:
            return "nan"
        whole = variable.type == "number" or (fill is not None and fill == int(fill))
        return fill if fill is not None and whole else "nan"
    categories = [column for column in columns if isinstance(column, Category)]
    if len(categories) == len(columns) and values:
        alike = np.ones(len(values), dtype=bool)
        for column in categories:
            if column.values != values or not alike.any():
                return "nan"
            alike &= equal(column.table.numbers(), as_number(column.missing))
        if alike.any():
            return ("value", values[int(alike.argmax())])
    return "nan"


def equal(numbers: Array, other: float) -> Array:
    """Which of the numbers are the other one; NaN equals NaN."""
    return np.isnan(numbers) if np.isnan(other) else np.asarray(numbers == other)


def same(one: Any, other: Any) -> bool:
    """Whether two entries of a table are the same number."""
    return one is not NONE and other is not NONE and bool(np.array_equal(as_number(one), as_number(other), equal_nan=True))
