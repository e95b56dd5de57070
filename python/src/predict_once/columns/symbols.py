"""A feature column as a function of one field.

Preprocessing is followed in these symbols rather than in operators. A tree's comparison `scaled age <= 0.3` can then become a
comparison of the age itself, and a linear model's weights take the scaling in: in the graph, most preprocessing costs nothing.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, assert_never

import numpy as np

from ..graph import Array

NONE: Any = type("None_", (), {"__repr__": lambda self: "NONE"})()
"""What a category's table holds for a state that cannot occur."""


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
        """The operation, in the type of `x`."""
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
        """With further steps."""
        return replace(self, steps=self.steps + steps)

    def evaluate(self, x: Array) -> Array:
        """What the steps make of these values of the source, calculated as scikit-learn does."""
        result = x.astype(self.dtype)
        with np.errstate(all="ignore"):
            for step in self.steps:
                result = step.apply(result)
        return result


@dataclass(frozen=True)
class Category:
    """A category: what each of the variable's values becomes, a missing one, and one that is none of them."""

    variable: int
    values: tuple[Any, ...]
    table: tuple[Any, ...]
    missing: Any = NONE
    unknown: Any = NONE

    @property
    def states(self) -> tuple[Any, ...]:
        """The whole table: of the values, of a missing one, of an unknown one."""
        return (*self.table, self.missing, self.unknown)

    def with_states(self, states: list[Any]) -> "Category":
        """The same variable with another table."""
        return replace(self, table=tuple(states[:-2]), missing=states[-2], unknown=states[-1])

    def then(self, *steps: Step) -> "Category":
        """With what some steps make of each entry of the table."""
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
    """A column that no field can hold. It may be there as long as nothing reads it."""

    variable: int


Column = Number | Category
AnyColumn = Number | Category | Unusable
