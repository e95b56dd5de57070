"""The columns of the data frame: each becomes a field of the API, if the model reads it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ExportError
from ..rules import LARGEST_INTEGER, LONGEST_TEXT, MOST_VALUES, printable
from ..types import VariableType, plain
from .symbols import NONE, AnyColumn, Category, Column, Number, Unusable

UNKNOWN = "\x00unknown"
"""Stands for a category that the model has not seen."""


@dataclass
class Variable:
    name: str
    type: VariableType
    series: "pd.Series[Any]"
    values: tuple[Any, ...] = ()
    missing: Any = NONE  # how the data frame writes missing values, if it has any
    why: str = ""  # for "other": the reason
    reference: float = 0.0  # a typical value of a number, around which float32 sums are centred
    exact: bool = True  # whether float32 holds all its numbers exactly

    def column(self, position: int) -> AnyColumn:
        """The column as the model's first step sees it."""
        if self.type == "other":
            return Unusable(position)
        if self.type == "string" or (self.type == "boolean" and self.series.dtype == object):
            unknown = UNKNOWN if self.type == "string" else NONE
            return Category(position, self.values, self.values, self.missing, unknown)
        dtype = np.float32 if self.series.dtype == np.float32 else np.float64
        return Number(position, (), dtype)

    @property
    def categorical(self) -> bool:
        """Whether the column has the data type `category`."""
        return isinstance(self.series.dtype, pd.CategoricalDtype)


def variables_of(frame: pd.DataFrame) -> list[Variable]:
    result = []
    for position, name in enumerate(frame.columns):
        if not isinstance(name, str) or not printable(name):
            raise ExportError(
                f"column {name!r}: the name of a field must be a text of 1 to {LONGEST_TEXT} characters without control "
                "characters. Rename the column and fit the model again."
            )
        series = frame.iloc[:, position]
        result.append(variable(name, series))
    if len(set(frame.columns)) < len(result):
        raise ExportError("two columns of X have the same name. Rename one and fit the model again.")
    return result


def variable(name: str, series: "pd.Series[Any]") -> Variable:
    """The type, values and missing values of one column."""
    absent = series.isna()
    missing = series[absent].iloc[0] if absent.any() else NONE
    present = series[~absent]
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        values = [plain(value) for value in dtype.categories]
        if all(isinstance(value, str) for value in values):
            return texts(name, series, values, missing)
        if all(isinstance(value, bool) for value in values):
            return Variable(name, "boolean", series, (False, True), missing)
        if all(isinstance(value, (int, float)) for value in values):
            whole = all(isinstance(value, int) for value in values)
            return Variable(name, "integer" if whole else "number", series, tuple(values), missing)
        return Variable(name, "other", series, why="its categories are neither all texts nor all numbers")
    if pd.api.types.is_bool_dtype(dtype):
        return Variable(name, "boolean", series, (False, True), missing)
    if pd.api.types.is_numeric_dtype(dtype):
        numbers = present.to_numpy(dtype=np.float64)
        whole = pd.api.types.is_integer_dtype(dtype) and not (np.abs(numbers) > LARGEST_INTEGER).any()
        exact = bool(np.all(numbers.astype(np.float32) == numbers))
        reference = float(np.median(numbers)) if len(numbers) else 0.0
        return Variable(name, "integer" if whole else "number", series, (), missing, reference=reference, exact=exact)
    kinds = {type(plain(value)) for value in present}
    if kinds == {str}:
        return texts(name, series, sorted(set(map(str, present))), missing)
    if kinds == {bool}:
        return Variable(name, "boolean", series, (False, True), missing)
    why = "it holds dates or times" if pd.api.types.is_datetime64_any_dtype(dtype) else f"its data type is {dtype}"
    if kinds and pd.api.types.is_object_dtype(dtype):
        why = f"it holds values of type {' and '.join(sorted(kind.__name__ for kind in kinds))}"
    return Variable(name, "other", series, why=why)


def texts(name: str, series: "pd.Series[Any]", values: list[Any], missing: Any) -> Variable:
    """A column of texts from a closed set."""
    if len(values) > MOST_VALUES:
        why = f"it holds {len(values):,} different texts, but a field has at most {MOST_VALUES:,} values"
        return Variable(name, "other", series, why=why)
    return Variable(name, "string", series, tuple(values), missing)


def usable(columns: Sequence[AnyColumn], variables: list[Variable], path: str) -> list[Column]:
    """The columns; stops if no field can hold one of them. `path` names their reader in messages."""
    result: list[Column] = []
    for column in columns:
        if isinstance(column, Unusable):
            variable = variables[column.variable]
            raise ExportError(
                f"column {variable.name!r}, which {path} reads, cannot be a field: {variable.why}. Fields are numbers, booleans "
                "and texts from a closed set. Turn the column into one of these before the fit (a date into a number of days), "
                "or leave it out."
            )
        result.append(column)
    return result
