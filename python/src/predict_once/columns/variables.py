"""The columns of the data frame: each becomes a field of the API, if the model reads it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from ..calendar import FIRST_DAY, LAST_DAY, SECONDS_OF_DAY
from ..dates import seconds
from ..errors import ExportError
from ..rules import LARGEST_INTEGER, LARGEST_INTEGER32, LONGEST_TEXT, MOST_VALUES, printable
from ..types import UnknownValue, VariableType, plain
from .symbols import NONE, AnyColumn, Category, Column, Number, Unusable
from .vectorizer import Vectorizer

UNKNOWN = "\x00unknown"
"""Stands for a category that the model has not seen."""


@dataclass
class Variable:
    name: str
    type: VariableType
    series: "pd.Series[Any]"
    values: tuple[Any, ...] = ()
    missing: Any = np.nan  # how the data frame writes missing values: NaN, None and pd.NA are different to scikit-learn
    observed: bool = False  # whether the data frame has missing values
    required: bool = False  # whether the library refuses missing values
    why: str = ""  # for "other": the reason
    reference: float = 0.0  # a typical value of a number, around which sums are centred
    rule: UnknownValue | None = None  # what the owner wants of unknown texts; None: the model's own rule
    claimed: dict[Any, None] = field(default_factory=dict)  # the values that fitted steps know, in their order
    vectorizers: dict[int, Vectorizer] = field(default_factory=dict)  # that read it as a text, by the identity of the step
    bounds: tuple[float | None, float | None] | None = None  # the numbers that a step accepts, if the library refuses others

    def column(self, position: int) -> AnyColumn:
        """The column as the model's first step sees it."""
        if self.type in ("other", "text") or self.is_date:
            return Unusable(position)  # vectorizers read texts, and DateParts dates
        if self.type == "string" or (self.type == "boolean" and self.series.dtype == object):
            unknown = UNKNOWN if self.type == "string" and self.knows_unknown else NONE
            return Category.plain(position, self.values, self.missing, unknown)
        narrow = self.series.dtype == np.float32
        return Number(position, (), np.float32 if narrow else np.float64, narrow)

    @property
    def knows_unknown(self) -> bool:
        """Whether the model may see an unknown text."""
        return self.rule in (None, "ignore")

    def claim(self, values: Iterable[Any]) -> None:
        """Records values that a fitted step knows. They replace those of the data frame, which may be a sample."""
        self.claimed |= dict.fromkeys(values)

    def settle(self) -> bool:
        """Takes over the claimed values; whether that changes anything."""
        before = self.values
        if self.claimed:
            self.values = tuple(self.claimed)
            if len(self.values) > MOST_VALUES:
                raise ExportError(too_many(self.name, len(self.values)))
        return before != self.values

    def restrict(self, lower: float | None, upper: float | None) -> None:
        """Records that the library refuses numbers below and above these."""
        before = self.bounds or (None, None)
        lowest = [bound for bound in (before[0], lower) if bound is not None]
        highest = [bound for bound in (before[1], upper) if bound is not None]
        self.bounds = max(lowest, default=None), min(highest, default=None)

    @property
    def is_large(self) -> bool:
        """Whether it holds whole numbers that may not fit into float32: a float32 graph accepts integers up to 2^24."""
        return self.type == "datetime" or (
            self.type == "integer" and bool((self.series.dropna().astype(np.float64).abs() > LARGEST_INTEGER32 / 16).any())
        )

    @property
    def is_date(self) -> bool:
        """Whether it holds dates or times."""
        return self.type in ("date", "datetime")

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
    present = series[~absent]
    dtype = series.dtype
    result = typed(name, series, present)
    result.observed = bool(absent.any())
    result.missing = series[absent].iloc[0] if result.observed else getattr(dtype, "na_value", np.nan)
    return result


def typed(name: str, series: "pd.Series[Any]", present: "pd.Series[Any]") -> Variable:
    """The type and the values of one column."""
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        values = [plain(value) for value in dtype.categories]
        if all(isinstance(value, str) for value in values):
            return texts(name, series, values)
        if all(isinstance(value, bool) for value in values):
            return Variable(name, "boolean", series, (False, True))
        if all(isinstance(value, (int, float)) for value in values):
            whole = all(isinstance(value, int) for value in values)
            return Variable(name, "integer" if whole else "number", series, tuple(values))
        return Variable(name, "other", series, why="its categories are neither all texts nor all numbers")
    if (dates := date_variable(name, series, present)) is not None:
        return dates
    if pd.api.types.is_bool_dtype(dtype):
        return Variable(name, "boolean", series, (False, True))
    if pd.api.types.is_numeric_dtype(present.dtype):
        numbers = present.to_numpy(dtype=np.float64)
        whole = pd.api.types.is_integer_dtype(present.dtype) and not (np.abs(numbers) > LARGEST_INTEGER).any()
        reference = float(np.median(numbers)) if len(numbers) else 0.0
        return Variable(name, "integer" if whole else "number", series, reference=reference if np.isfinite(reference) else 0.0)
    if pd.api.types.infer_dtype(present) == "string":
        return texts(name, series, sorted(map(str, present.unique())))
    kinds = {type(plain(value)) for value in present}
    if kinds and kinds <= {int, float}:
        return typed(name, series, pd.to_numeric(present))
    if kinds == {bool}:
        return Variable(name, "boolean", series, (False, True))
    why = f"its data type is {dtype}"
    if kinds and pd.api.types.is_object_dtype(dtype):
        why = f"it holds values of type {' and '.join(sorted(kind.__name__ for kind in kinds))}"
    return Variable(name, "other", series, why=why)


def date_variable(name: str, series: "pd.Series[Any]", present: "pd.Series[Any]") -> Variable | None:
    """The variable of a column of dates or times; None for other columns."""
    if not holds_dates(series, present):
        return None
    times = seconds(present, name)
    days = times / SECONDS_OF_DAY
    if len(days) and not FIRST_DAY <= days.min() <= days.max() < LAST_DAY + 1:
        return Variable(name, "other", series, why="it holds dates beyond the years 1 to 9999")
    whole = len(days) > 0 and bool(np.all(days == np.floor(days))) and getattr(series.dtype, "tz", None) is None
    numbers = days if whole else times
    middle = float(np.floor(np.median(numbers))) if len(numbers) else 0.0
    return Variable(name, "date" if whole else "datetime", series, reference=middle)


def holds_dates(series: "pd.Series[Any]", present: "pd.Series[Any]") -> bool:
    """Whether it is a column of dates and times, or of Python's objects of them."""
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return True
    return len(present) > 0 and all(isinstance(value, date) for value in present)


def texts(name: str, series: "pd.Series[Any]", values: list[Any]) -> Variable:
    """A column of texts from a closed set."""
    if len(values) > MOST_VALUES:
        return Variable(name, "other", series, why=too_many("", len(values)))
    return Variable(name, "string", series, tuple(values))


def too_many(name: str, count: int) -> str:
    """Why a column has too many different texts."""
    owner = f"column {name!r}" if name else "it"
    return f"{owner} holds {count:,} different texts, but a field has at most {MOST_VALUES:,} values"


def usable(columns: Sequence[AnyColumn], variables: list[Variable], path: str) -> list[Column]:
    """The columns; stops if no field can hold one of them. `path` names their reader in messages."""
    result: list[Column] = []
    for column in columns:
        if isinstance(column, Unusable):
            variable = variables[column.variable]
            if variable.is_date:
                raise ExportError(
                    f"column {variable.name!r}, which {path} reads, holds dates or times. Put predict_once.DateParts, which "
                    "turns them into numbers, in front of it and fit again."
                )
            raise ExportError(
                f"column {variable.name!r}, which {path} reads, cannot be a field: {variable.why}. Fields are numbers, booleans "
                "and texts from a closed set. Turn the column into one of these before the fit, "
                "or leave it out."
            )
        result.append(column)
    return result
