"""Finds out what the library accepts, by asking it: missing values, and the range of numbers."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .columns.dates import series_of
from .columns.symbols import Number, Step
from .columns.variables import Variable
from .context import Context
from .dates import seconds
from .rules import LARGEST_INTEGER

AsFitted = Callable[[pd.DataFrame], Any]


def require_present(
    model: Any, frame: pd.DataFrame, variables: list[Variable], context: Context, as_fitted: Callable[[pd.DataFrame], Any]
) -> None:
    """Finds out which columns without missing values may have them: those for which the library accepts a row with one."""
    asked = context.requests.columns
    open_ended = [p for p in asked if not variables[p].observed and all(request.takes_missing for request in asked[p])]

    def refused(positions: list[int]) -> list[int]:
        if not positions or accepts(model, as_fitted(missing_rows(frame, variables, positions))):
            return []
        half = len(positions) // 2
        return positions if not half else refused(positions[:half]) + refused(positions[half:])

    for position in refused(open_ended):
        variables[position].required = True


def missing_rows(frame: pd.DataFrame, variables: list[Variable], positions: list[int]) -> pd.DataFrame:
    """For each of these columns a row that misses its value."""
    rows = frame.iloc[[0] * len(positions)].reset_index(drop=True)
    columns = {}
    for position, name in enumerate(rows.columns):
        series = rows.iloc[:, position]
        if position in positions:
            series = with_values(series, [positions.index(position)], [variables[position].missing])
        columns[name] = series
    return pd.DataFrame(columns)


def with_values(series: Any, rows: Sequence[int], values: Sequence[Any]) -> Any:
    """The series with other values in some rows, in a data type that holds them."""
    dtype: Any = series.dtype
    if pd.api.types.is_datetime64_any_dtype(dtype) or any(isinstance(value, np.datetime64) for value in values):
        times = seconds(series)
        times[list(rows)] = seconds(pd.Series(values, dtype=object))
        return series_of(times)
    entries = series.astype(object).to_numpy(copy=True)
    for row, value in zip(rows, values, strict=True):
        entries[row] = value
    if isinstance(dtype, pd.CategoricalDtype):
        present = pd.Series(entries, dtype=object).dropna()
        known = [*dtype.categories, *sorted(set(present) - set(dtype.categories))]
        return pd.Series(entries, dtype=pd.CategoricalDtype(known))
    if isinstance(dtype, np.dtype) and dtype.kind in "iub" and any(pd.isna(value) for value in values):
        return pd.Series(entries, dtype=object if dtype.kind == "b" else np.float64)
    if pd.api.types.is_integer_dtype(dtype) and not fits(dtype, values):
        return pd.Series(entries, dtype=np.int64 if isinstance(dtype, np.dtype) else "Int64")
    return pd.Series(entries, dtype=dtype)


def fits(dtype: Any, values: Sequence[Any]) -> bool:
    """Whether an integer type holds all of these values."""
    limits = np.iinfo(getattr(dtype, "numpy_dtype", dtype))
    return all(pd.isna(value) or limits.min <= value <= limits.max for value in values)


def accepts(model: Any, data: Any) -> bool:
    """Whether the library predicts these rows."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.predict(data)
    except Exception:  # a library's own, such as XGBoostError
        return False
    return True


def restrict(model: Any, frame: pd.DataFrame, variables: list[Variable], context: Context, as_fitted: AsFitted) -> None:
    """Finds the range of each number that goes through a function, such as a logarithm, if the library refuses others.

    Columns that go through the same functions are alike: the library is asked about the first of them.
    """
    first = frame.iloc[[0]].reset_index(drop=True)

    def accepted(numbers: Mapping[int, float]) -> bool:
        rows = first.copy()
        for position, number in numbers.items():
            name = rows.columns[position]
            value = round(number) if variables[position].type == "integer" else number
            rows[name] = with_values(rows[name], [0], [value])
        return accepts(model, as_fitted(rows))

    known: dict[Any, int | None] = {}
    for side in (-1.0, 1.0):
        curved = [p for p in sorted(context.curved) if (variables[p].bounds or (None, None))[side > 0] is None]
        curved = [p for p in curved if variables[p].type in ("integer", "number")]
        if curved and accepted(dict.fromkeys(curved, side * PLAUSIBLE)):
            curved = []
        for position, asked in context.requests.columns.items():
            read = [request.column for request in asked if isinstance(request.column, Number) and request.column.functions]
            variable = variables[position]
            if variable.type not in ("integer", "number") or not (read or position in curved):
                continue
            ends = [end for column in read for end in last_defined(column, variable.reference, side)]
            if position in curved:

                def one(number: float, position: int = position) -> bool:
                    return accepted({position: number})

                ends += last_accepted(one, variable.reference, side)
            candidates = sorted(set(ends), reverse=side > 0)  # the outermost first
            key = (side, variable.type, position if position in curved else None, *(tuple(map(described, c.steps)) for c in read))
            if key not in known:
                known[key] = refused_beyond(candidates, partial_of(accepted, position), variable, side)
            chosen = known[key]
            if chosen is not None and chosen < len(candidates):
                bound, _ = inside_and_beyond(candidates[chosen], variable, side)
                variable.restrict(*((bound, None) if side < 0 else (None, bound)))


def described(step: Step) -> str:
    """What a step does, apart from its numbers."""
    return step.function.name if step.function is not None else step.kind


def partial_of(accepted: Callable[[Mapping[int, float]], bool], position: int) -> Callable[[float], bool]:
    """Whether the library accepts a number of one column."""
    return lambda number: accepted({position: number})


def inside_and_beyond(end: float, variable: Variable, side: float) -> tuple[float, float]:
    """The last number at an end, and the next one."""
    if variable.type == "integer":
        whole = int(np.floor(end) if side > 0 else np.ceil(end))
        return whole, whole + int(side)
    return end, float(np.nextafter(end, side * np.inf))


def refused_beyond(candidates: Sequence[float], accepted: Callable[[float], bool], variable: Variable, side: float) -> int | None:
    """The position of the end that the library has; None if it accepts more."""
    for index, end in enumerate(candidates):
        inside, beyond = inside_and_beyond(end, variable, side)
        if accepted(beyond):
            return None
        if accepted(inside):
            return index
    return None


def last_defined(column: Number, reference: float, side: float) -> list[float]:
    """The last number on a side of the reference for which the feature is finite, in float64 and in float32."""
    result = []
    for kind in (np.float64, np.float32):

        def defined(number: float, kind: Any = kind) -> bool:
            with np.errstate(all="ignore"):
                return bool(np.isfinite(column.evaluate(np.array([number])).astype(kind)[0]))

        gap = 0.0 if reference * side < 0 and not defined(0.0) else side * PLAUSIBLE
        if defined(reference) and not defined(gap):
            result.append(last_between(defined, reference, gap))
    return result


def last_accepted(accepted: Callable[[float], bool], reference: float, side: float) -> list[float]:
    """The last number on a side of the reference that the library accepts, if it refuses plausible ones."""
    far = side * PLAUSIBLE
    return [last_between(accepted, reference, far)] if accepted(reference) and not accepted(far) else []


def last_between(holds: Callable[[float], bool], near: float, far: float) -> float:
    """The last number from `near` on for which a property holds, which does not hold at `far`."""
    low, high = rank_of(near), rank_of(far)
    while abs(high - low) > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(number_of(middle)) else (low, middle)
    return number_of(low)


PLAUSIBLE = float(LARGEST_INTEGER)
"""Numbers beyond this are not tried."""


def rank_of(number: float) -> int:
    """The position among all float64."""
    bits = int(np.float64(abs(number)).view(np.int64))
    return -bits if number < 0 else bits


def number_of(rank: int) -> float:
    """The float64 at a position."""
    size = float(np.int64(abs(rank)).view(np.float64))
    return -size if rank < 0 else size
