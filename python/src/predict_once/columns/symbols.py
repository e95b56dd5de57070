"""Feature columns as functions of one field.

Preprocessing becomes such functions rather than operators. So a tree's comparison `scaled age <= 0.3` can become a comparison
of the age itself, and a linear model's weights absorb the scaling: most preprocessing costs nothing in the graph.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, assert_never

import numpy as np

from ..graph import Array

NONE: Any = type("None_", (), {"__repr__": lambda self: "NONE"})()
"""The entry of a category's table for a state that cannot occur."""


@dataclass(frozen=True)
class Tensor:
    """A column that the graph computes, such as the prediction of a stacked model."""

    name: str
    index: int


@dataclass(frozen=True)
class Step:
    """One element-wise operation: `fill` (of missing values), `add`, `subtract`, `multiply`, `divide`, `clip` or `flag` (1 where
    the value is missing)."""

    kind: Literal["fill", "add", "subtract", "multiply", "divide", "clip", "flag"]
    value: float = 0.0
    upper: float = 0.0

    def apply(self, x: Array) -> Array:
        """Applies the operation in the data type of `x`."""
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
            case unknown:
                assert_never(unknown)


@dataclass(frozen=True)
class Number:
    """A number, from a variable (its position) or from a tensor, after some steps."""

    source: int | Tensor
    steps: tuple[Step, ...] = ()
    dtype: Any = np.float64

    def then(self, *steps: Step) -> "Number":
        """The same number after further steps."""
        return replace(self, steps=self.steps + steps)

    def evaluate(self, x: Array) -> Array:
        """Applies the steps to values of the source, with scikit-learn's arithmetic."""
        result = x.astype(self.dtype)
        with np.errstate(all="ignore"):
            for step in self.steps:
                result = step.apply(result)
        return result


@dataclass(frozen=True)
class Category:
    """A category, as a table of what each value of the variable, a missing value and an unknown value become."""

    variable: int
    values: tuple[Any, ...]
    table: tuple[Any, ...]
    missing: Any = NONE
    unknown: Any = NONE

    @property
    def states(self) -> tuple[Any, ...]:
        """The whole table: the values, then the missing and the unknown one."""
        return (*self.table, self.missing, self.unknown)

    def with_states(self, states: list[Any]) -> "Category":
        """The same variable with another table."""
        return replace(self, table=tuple(states[:-2]), missing=states[-2], unknown=states[-1])

    def then(self, *steps: Step) -> "Category":
        """The same variable, with the steps applied to each entry of the table."""
        states = []
        for state in self.states:
            value = state
            if value is not NONE:
                array = np.array([value], dtype=np.float64)
                for step in steps:
                    array = step.apply(array)
                value = float(array[0])
            states.append(value)
        return self.with_states(states)

    def numbers(self) -> Array:
        """The table as numbers; NaN for states that cannot occur."""
        return np.array([np.nan if state is NONE else float(state) for state in self.states])


@dataclass(frozen=True)
class Unusable:
    """A column that no field can hold. It is allowed as long as nothing reads it."""

    variable: int


Column = Number | Category
AnyColumn = Number | Category | Unusable
