"""DateParts: parts of the days or seconds that a field of dates becomes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..calendar import OF_DAYS, OF_SECONDS, RANGES, SECONDS_OF_DAY, part_of_seconds
from ..context import Context
from ..dates import seconds
from ..errors import ExportError
from ..graph import Array, Graph
from .symbols import AnyColumn, Function, Number, Unusable, applied
from .variables import Variable

MONOTONE = ("days", "seconds")


@dataclass(frozen=True)
class Tensor:
    """A tensor of a graph, in the arithmetic of the calendar."""

    graph: Graph
    name: str

    def __add__(self, other: Any) -> "Tensor":
        return self.node("Add", other)

    def __sub__(self, other: Any) -> "Tensor":
        return self.node("Sub", other)

    def __mul__(self, other: Any) -> "Tensor":
        return self.node("Mul", other)

    def floor(self) -> "Tensor":
        return Tensor(self.graph, self.graph.node("Floor", self.name))

    def node(self, operator: str, other: Any) -> "Tensor":
        second = other.name if isinstance(other, Tensor) else self.graph.constant(float(other))
        return Tensor(self.graph, self.graph.node(operator, self.name, second))


def transform(step: Any, columns: list[AnyColumn], context: Context, path: str) -> list[AnyColumn]:
    """A number for each part of each column."""
    positions = [position_of(column, context, path) for column in columns]
    for variable in (context.variables[position] for position in positions):
        if variable.type == "date" and any(part in OF_SECONDS for part in step.parts):
            variable.type = "datetime"
            variable.reference *= SECONDS_OF_DAY
    result: list[AnyColumn] = []
    for position in positions:
        has_time = context.variables[position].type == "datetime"
        for part in step.parts:
            function = function_of(part, has_time)
            result.append(Number(position, (applied(function),) if function else ()))
    return result


def position_of(column: AnyColumn, context: Context, path: str) -> int:
    """The position of the variable of a column of dates."""
    if isinstance(column, Unusable):
        variable = context.variables[column.variable]
        if variable.is_date:
            return column.variable
        raise ExportError(f"column {variable.name!r}, which {path} (DateParts) reads, cannot be a field: {variable.why}.")
    raise ExportError(f"{path} (DateParts) reads a column that holds no dates.")


def function_of(part: str, has_time: bool) -> Function | None:
    """The function of the field's number that makes this part; None for the number itself."""
    if part == ("seconds" if has_time else "days"):
        return None
    formula = part_of_seconds(part) if has_time else OF_DAYS[part]

    def evaluate(x: Array) -> Array:
        result: Array = formula(x)
        return result

    def build(graph: Graph, x: str) -> str:
        made: Tensor = formula(Tensor(graph, x))
        return made.name

    values = tuple(map(float, RANGES.get(part, ())))
    return Function(f"the part {part!r} of a date", evaluate, build, part in MONOTONE, values)


def numbers_of(variable: Variable, present: "pd.Series[Any]") -> Array:
    """Days or seconds since 1970, of values that are not missing."""
    times = seconds(present, variable.name)
    return times if variable.type == "datetime" else np.floor(times / SECONDS_OF_DAY)


def series_of(times: Array) -> "pd.Series[Any]":
    """Seconds since 1970 as a column without a time zone, in a data type that holds all years. NaN is missing."""
    missing = np.isnan(times)
    whole = np.where(missing, 0, times).astype(np.int64).astype("datetime64[s]")
    whole[missing] = np.datetime64("NaT")
    return pd.Series(whole)
