"""Rows on which a graph that is almost right differs from the library: numbers at and beside each threshold, zeros of both signs,
numbers beyond those of X, bounds, each category, an unknown one, and missing values.

A row changes some columns of another row. Each value occurs at least once, as far as `MOST_ROWS` allows.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from .accepted import with_values
from .calendar import LAST_DAY, SECONDS_OF_DAY
from .columns.layout import Coding
from .columns.texts import HARD
from .columns.variables import Variable
from .describe import finite, range_of
from .estimator import Converted
from .graph import Array
from .rules import LARGEST_INTEGER, LARGEST_INTEGER32
from .types import Field

MOST_ROWS = 10_000
LEAST_ROWS = 200
HARD_DAYS = (
    *(
        f"{year:04}-{day}"
        for year in (1, 4, 100, 400, 1600, 1899, 1900, 1969, 1970, 1999, 2000, 2024, 2026, 2100, 2400, 9999)
        for day in ("01-01", "02-28", "03-01", "06-30", "11-30", "12-31")
    ),
    "0004-02-29",
    "1600-02-29",
    "2000-02-29",
    "2024-02-29",
    "2400-02-29",
    "1970-01-02",
    "2027-01-04",
)
"""Ends of months and years, and leap days, before and after 1970."""
UNSEEN = "another value than the model knows"


def hostile_frame(frame: pd.DataFrame, converted: Converted, fields: Sequence[Field]) -> pd.DataFrame:
    """The rows, in the columns and the data types of `frame`, whose rows they change."""
    random = np.random.default_rng(0)
    by_name = {field["name"]: field for field in fields}
    variables, layout = converted.variables, converted.layout
    columns = {
        position: hostile_values(variables[position], coding, by_name[variables[position].name], converted)
        for position, coding in layout.codings.items()
    }
    size = min(MOST_ROWS, max([LEAST_ROWS, *(len(values) for values in columns.values())]))
    rows = frame.iloc[random.integers(0, len(frame), size)].reset_index(drop=True)
    result = {}
    for position, name in enumerate(rows.columns):
        series = rows.iloc[:, position]
        if position in columns:
            values = columns[position]
            chosen = random.permutation(len(values))[:size]
            places = random.permutation(size)[: len(chosen)]
            series = with_values(series, places.tolist(), [values[index] for index in chosen])
        result[name] = series
    return pd.DataFrame(result)


def hostile_values(variable: Variable, coding: Coding, field: Field, converted: Converted) -> list[Any]:
    """The values of one column, each once."""
    values: list[Any] = []
    if variable.type == "boolean":
        values = [False, True]
    elif variable.is_date:
        times = hostile_dates(variable, field, converted)
        values = list(times.astype("datetime64[s]" if variable.type == "datetime" else "datetime64[D]"))
    elif variable.type == "text":
        values = list(HARD)
    elif variable.type == "string":
        values = list(coding.values)
        if coding.unknown:
            values.append(UNSEEN)
    else:
        values = [int(n) if variable.type == "integer" else float(n) for n in hostile_numbers(variable, field, converted)]
    if not field.get("required", True):
        values.append(np.datetime64("NaT") if variable.is_date else variable.missing)
    return values


def hostile_dates(variable: Variable, field: Field, converted: Converted) -> Array:
    """Days or seconds since 1970 within the field's bounds."""
    position = converted.variables.index(variable)
    days = np.array([np.datetime64(day, "D").astype(np.int64) for day in HARD_DAYS])
    numbers = days
    if variable.type == "datetime":
        numbers = np.concatenate([days * SECONDS_OF_DAY + time for time in (0, 3_599, 43_200, SECONDS_OF_DAY - 1)])
    thresholds = np.concatenate([np.zeros(0), *converted.context.thresholds.get(position, [])]).astype(np.float64)
    thresholds = thresholds[np.abs(thresholds) < LAST_DAY * SECONDS_OF_DAY]
    lowest, highest = range_of(field)
    ends = np.array([lowest, lowest + 1, highest - 1, highest])
    around = [numbers, ends, np.floor(thresholds), np.floor(thresholds) + 1]
    result = np.unique(np.concatenate(around)).astype(np.int64)
    return result[(result >= lowest) & (result <= highest)]


def hostile_numbers(variable: Variable, field: Field, converted: Converted) -> Array:
    """Numbers within the field's bounds."""
    position = converted.variables.index(variable)
    narrow = not converted.layout.wide
    present = finite(variable)
    largest = LARGEST_INTEGER32 if narrow else LARGEST_INTEGER
    low, high = (float(present.min()), float(present.max())) if len(present) else (0.0, 1.0)
    span = max(high - low, 1.0)
    numbers = [0.0, -0.0, low, high, low - span, high + span, low - 1000 * span, high + 1000 * span, -1.0, 1.0]
    thresholds = np.concatenate([np.zeros(0), *converted.context.thresholds.get(position, [])]).astype(np.float64)
    thresholds = np.unique(thresholds[np.abs(thresholds) < 1e30])
    around = [thresholds, np.nextafter(thresholds, -np.inf), np.nextafter(thresholds, np.inf)]
    if narrow:
        single = thresholds.astype(np.float32)
        around += [np.nextafter(single, side).astype(np.float64) for side in (np.float32(-np.inf), np.float32(np.inf))]
    if variable.type == "integer":
        around = [np.floor(thresholds), np.ceil(thresholds)]
        numbers += [-largest, largest, 2**24 - 1, 2**24 + 1]
    known = [float(value) for value in variable.values] + [float(bound) for bound in variable.bounds or () if bound is not None]
    result = np.unique(np.concatenate([numbers, known, *around]))
    if variable.type == "integer":
        result = np.unique(np.round(result))
        result = result[np.abs(result) <= largest]
    else:
        result = np.append(result, -0.0)
    if converted.context.cautions:  # far from the training rows, the distances to them are equal
        result = result[(result >= low - span) & (result <= high + span)]
    lowest, highest = range_of(field)
    return result[(result >= lowest) & (result <= highest)]
