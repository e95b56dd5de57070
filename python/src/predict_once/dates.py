"""`DateParts`: dates and times as numbers, for models that read no dates."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .calendar import PARTS, part_of_seconds, seconds_of_object
from .graph import Array


class DateParts(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turns columns of dates and times into numbers: a scikit-learn transformer.

        make_column_transformer(
            (predict_once.DateParts(["days", "month", "weekday"]), ["ordered_on"]),
            remainder="passthrough",
        )

    `parts`  What each column becomes, in this order: a number for each of
             "days"       since 1970-01-01
             "year", "quarter", "month", "day", "dayofyear"
             "weekday"    0 for Monday to 6 for Sunday
             "hour", "minute", "second"
             "seconds"    since 1970-01-01T00:00:00Z, whole ones

    The output is float64, with the names `ordered_on_month`, …. A missing date is NaN in each of them. Fractions of a second are
    dropped.

    The parts are those of UTC: a column with a time zone is converted, and one without is taken for UTC, so that an instant has
    the same parts whatever offset a request writes. For local hours, convert the column before the fit
    (`column.dt.tz_convert("Europe/Berlin").dt.tz_localize(None)`), and have clients send local times with the offset Z.

    Columns are datetime64 of pandas, NumPy or Arrow, polars' Date and Datetime, or Python's `date` and `datetime` objects.
    `export` makes fields of the type `date` or `datetime` of them.
    """

    def __init__(self, parts: Sequence[str] = ("days", "month", "weekday")) -> None:
        self.parts = parts

    def fit(self, X: Any, y: Any = None) -> Self:
        """Checks the parts and the columns; nothing is learnt."""
        if isinstance(self.parts, str) or not len(self.parts):
            raise ValueError(f"parts must be a list of parts, but is {self.parts!r}. Known: {', '.join(map(repr, PARTS))}.")
        for part in self.parts:
            if part not in PARTS:
                raise ValueError(f"parts has {part!r}. Known: {', '.join(map(repr, PARTS))}.")
        if len(set(self.parts)) < len(self.parts):
            raise ValueError(f"parts has one twice: {list(self.parts)!r}. Name each once.")
        names, columns = columns_of(X)
        for name, column in zip(names, columns, strict=True):
            seconds(column, name)
        if hasattr(self, "feature_names_in_"):  # of an earlier fit
            delattr(self, "feature_names_in_")
        if all(isinstance(name, str) for name in names):
            self.feature_names_in_ = np.array(names, dtype=object)
        self.n_features_in_ = len(columns)
        return self

    def transform(self, X: Any) -> Array:
        """The parts of each column side by side."""
        check_is_fitted(self)
        names, columns = columns_of(X)
        if len(columns) != self.n_features_in_:
            raise ValueError(f"X has {len(columns)} columns, but DateParts was fitted on {self.n_features_in_}.")
        known = getattr(self, "feature_names_in_", None)
        if known is not None and all(isinstance(name, str) for name in names) and list(known) != names:
            raise ValueError(f"X has the columns {names}, but DateParts was fitted on {list(known)}.")
        functions = [part_of_seconds(part) for part in self.parts]
        times = [seconds(column, name) for name, column in zip(names, columns, strict=True)]
        return np.column_stack([function(time) for time in times for function in functions])

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """`ordered_on_month`, …"""
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", None) if input_features is None else input_features
        if names is None:
            names = [f"x{index}" for index in range(self.n_features_in_)]
        if len(names) != self.n_features_in_:
            raise ValueError(f"input_features has {len(names)} names, but DateParts was fitted on {self.n_features_in_} columns.")
        return np.array([f"{name}_{part}" for name in names for part in self.parts], dtype=object)


def columns_of(X: Any) -> tuple[list[Any], list[Any]]:
    """The names and the columns of a data frame, a series or an array."""
    if hasattr(X, "columns"):
        return list(X.columns), [X.iloc[:, i] if hasattr(X, "iloc") else X[name] for i, name in enumerate(X.columns)]
    if hasattr(X, "to_list"):  # a series
        return [X.name], [X]
    array = np.asarray(X)
    array = array.reshape(-1, 1) if array.ndim == 1 else array
    if array.ndim != 2:
        raise ValueError(f"X must have columns, but has {array.ndim} dimensions.")
    return list(range(array.shape[1])), [array[:, index] for index in range(array.shape[1])]


def seconds(column: Any, name: Any = "") -> Array:
    """Whole seconds since 1970-01-01T00:00:00Z as float64; NaN where a date is missing."""
    if isinstance(column, pd.Series) and pd.api.types.is_datetime64_any_dtype(column.dtype):
        if getattr(column.dt, "tz", None) is not None:
            column = column.dt.tz_convert("UTC").dt.tz_localize(None)
        times = column.to_numpy(dtype=f"datetime64[{unit_of(column)}]", na_value=np.datetime64("NaT"))
    elif isinstance(column, np.ndarray) and column.dtype.kind == "M":
        times = column
    else:
        return np.array([seconds_of_value(value, name) for value in column], dtype=np.float64)
    whole = times.astype("datetime64[s]")
    result: Array = np.where(np.isnat(whole), np.nan, whole.astype(np.int64).astype(np.float64))
    return result


def unit_of(column: "pd.Series[Any]") -> str:
    """The unit of a datetime64 column."""
    return str(getattr(column.dt, "unit", "ns"))


def seconds_of_value(value: Any, name: Any) -> float:
    """Of one of Python's objects."""
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return float("nan")
    if isinstance(value, np.datetime64):
        return float(seconds(np.array([value]))[0])
    if not isinstance(value, date):
        raise TypeError(f"column {name!r} holds {value!r}, which is no date. Convert the column first (pandas.to_datetime).")
    return float(seconds_of_object(value))
