"""Feature columns as functions of one field.

Preprocessing becomes such functions rather than operators. So a tree's comparison `scaled age <= 0.3` can become a comparison
of the age itself, and a linear model's weights absorb the scaling: most preprocessing costs nothing in the graph.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, assert_never

import numpy as np

from ..graph import Array, Graph

NONE: Any = type("None_", (), {"__repr__": lambda self: "NONE"})()
"""The entry of a category's table for a state that cannot occur."""


@dataclass(frozen=True)
class Tensor:
    """A column that the graph computes, such as the prediction of a stacked model."""

    name: str
    index: int
    can_be_nan: bool = False


@dataclass(frozen=True)
class Function:
    """An element-wise function: as the library computes it, and as operators of the graph."""

    name: str
    evaluate: Callable[[Array], Array]
    build: Callable[[Graph, str], str]
    increasing: bool = False
    """Whether it never decreases where it is defined."""
    values: tuple[float, ...] = ()
    """All numbers that it can be, if they are few."""


@dataclass(frozen=True)
class Step:
    """One element-wise operation: `fill` (of missing values), `add`, `subtract`, `multiply`, `divide`, `clip`, `flag` (1 where
    the value is missing) or `apply` (a function). In float64 if `wide`, whatever the data type of the column."""

    kind: Literal["fill", "add", "subtract", "multiply", "divide", "clip", "flag", "apply"]
    value: float = 0.0
    upper: float = 0.0
    wide: bool = False
    function: Function | None = None

    def apply(self, x: Array) -> Array:
        """Applies the operation; the result has the data type of `x`."""
        return self.calculated(x.astype(np.float64)).astype(x.dtype) if self.wide else self.calculated(x)

    def calculated(self, x: Array) -> Array:
        """The result in the data type of `x`."""
        value = x.dtype.type(self.value)
        match self.kind:
            case "fill":
                return np.where(np.isnan(x), value, x)
            case "add":
                return np.asarray(x + value)
            case "subtract":
                return np.asarray(x - value)
            case "multiply":
                return np.asarray(x * value)
            case "divide":
                return np.asarray(x / value)
            case "clip":
                return np.clip(x, value, x.dtype.type(self.upper))
            case "flag":
                return np.isnan(x).astype(x.dtype)
            case "apply":
                return np.asarray(self.function.evaluate(x)).astype(x.dtype) if self.function else x
            case unknown:
                assert_never(unknown)


def applied(function: Function) -> Step:
    """The step that applies a function."""
    return Step("apply", function=function)


def computed(steps: Sequence[Step]) -> int:
    """How many of the steps the graph must compute one by one: up to the last function, and to what then replaces its NaN."""
    functions = [position for position, step in enumerate(steps) if step.kind == "apply"]
    if not functions:
        return 0
    return 1 + max(p for p, step in enumerate(steps) if p in functions or (p > functions[0] and step.kind in ("fill", "flag")))


@dataclass(frozen=True)
class Number:
    """A number, from a variable (its position) or from a tensor, after some steps in the arithmetic of `dtype`.

    `narrow` if the library reads the source as float32.
    """

    source: int | Tensor
    steps: tuple[Step, ...] = ()
    dtype: Any = np.float64
    narrow: bool = False

    def then(self, *steps: Step) -> "Number":
        """The same number after further steps."""
        return replace(self, steps=self.steps + steps)

    def evaluate(self, x: Array) -> Array:
        """Applies the steps to values of the source, with scikit-learn's arithmetic."""
        with np.errstate(all="ignore"):
            result = (x.astype(np.float32) if self.narrow else x).astype(self.dtype)
            for step in self.steps:
                result = step.apply(result)
        return result

    @property
    def takes_missing(self) -> bool:
        """Whether a step turns missing values into numbers."""
        return any(step.kind in ("fill", "flag") for step in self.steps)

    @property
    def functions(self) -> list[Function]:
        """The functions that the steps apply."""
        return [step.function for step in self.steps if step.function is not None]


@dataclass(frozen=True, eq=False)
class Table:
    """An entry for each value of a variable: those in `special`, by the value's position, and else the default.

    An indicator of one of 10,000 values is one special entry.
    """

    size: int
    special: Mapping[int, Any]
    default: Any = NONE

    @classmethod
    def of(cls, entries: Sequence[Any]) -> "Table":
        return cls(len(entries), dict(enumerate(entries)))

    def map(self, function: Callable[[Any], Any]) -> "Table":
        """The table of the results."""
        default = self.default if self.default is NONE else function(self.default)
        return Table(self.size, {position: function(entry) for position, entry in self.special.items()}, default)

    @property
    def entries(self) -> list[Any]:
        return [self.special.get(position, self.default) for position in range(self.size)]

    def numbers(self) -> Array:
        """The entries as numbers; NaN for states that cannot occur."""
        result = np.full(self.size, as_number(self.default))
        if self.special:
            result[list(self.special)] = [as_number(entry) for entry in self.special.values()]
        return result


def as_number(state: Any) -> float:
    return float("nan") if state is NONE or state is None else float(state)


@dataclass(frozen=True, eq=False)
class Category:
    """A category, as a table of what each value of the variable, a missing value and an unknown value become."""

    variable: int
    values: tuple[Any, ...]
    table: Table
    missing: Any = NONE
    unknown: Any = NONE

    @classmethod
    def plain(cls, variable: int, values: tuple[Any, ...], missing: Any = NONE, unknown: Any = NONE) -> "Category":
        """The column of the data frame itself."""
        return cls(variable, values, Table.of(values), missing, unknown)

    @property
    def is_plain(self) -> bool:
        """Whether the column is an unchanged column of the data frame."""
        return all(self.table.special.get(position) is value for position, value in enumerate(self.values))

    def map(self, function: Callable[[Any], Any]) -> "Category":
        """The same variable, with the function applied to each entry that can occur."""

        def special(state: Any) -> Any:
            return NONE if state is NONE else function(state)

        return replace(self, table=self.table.map(function), missing=special(self.missing), unknown=special(self.unknown))

    def then(self, *steps: Step) -> "Category":
        """The same variable, with the steps applied to each entry of the table."""

        def applied(state: Any) -> float:
            array = np.array([state], dtype=np.float64)
            for step in steps:
                array = step.apply(array)
            return float(array[0])

        return self.map(applied)

    def numbers(self) -> Array:
        """The whole table as numbers, then the missing and the unknown state; NaN for states that cannot occur."""
        return np.concatenate([self.table.numbers(), [as_number(self.missing), as_number(self.unknown)]])


@dataclass(frozen=True)
class Unusable:
    """A column that no field can hold. It is allowed as long as nothing reads it."""

    variable: int


Column = Number | Category
AnyColumn = Number | Category | Unusable


def variable_of(column: AnyColumn) -> int | None:
    """The position of the variable that a column is a function of; None for a tensor."""
    source = column.source if isinstance(column, Number) else column.variable
    return source if isinstance(source, int) else None
