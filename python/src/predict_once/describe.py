"""Derives the API's fields from the data frame and the layout, and makes golden rows and examples that are not records of it."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, assert_never

import numpy as np
import pandas as pd

from .calendar import FIRST_DAY, LAST_DAY, SECONDS_OF_DAY, number_of, text_of
from .columns.dates import numbers_of
from .columns.layout import Coding, Layout
from .columns.symbols import NONE
from .columns.variables import Variable
from .dates import seconds
from .errors import ExportError
from .graph import Array
from .types import Example, Field, Row, plain

GOLDEN_CANDIDATES = 1000
GOLDEN_ROWS = 200
LONGEST_EXAMPLE = 200


def fields_of(
    variables: Sequence[Variable],
    layout: Layout,
    files: Mapping[str, str],
    descriptions: Mapping[str, str],
    units: Mapping[str, str],
    bounds: Mapping[str, tuple[Any, Any]],
) -> list[Field]:
    """One field for each variable that the model reads. `files` are those of the vectorizers."""
    fields = [field_of(variables[position], coding, descriptions, units, bounds) for position, coding in layout.codings.items()]
    for field in fields:
        if field["type"] == "text":
            field["vectorizer"] = files[field["name"]]
    return fields


def field_of(
    variable: Variable,
    coding: Coding,
    descriptions: Mapping[str, str],
    units: Mapping[str, str],
    bounds: Mapping[str, tuple[Any, Any]],
) -> Field:
    name = variable.name
    if variable.type == "other":
        raise AssertionError(f"no field can hold column {name!r}")
    result: Field = {"name": name, "type": variable.type}
    if name in descriptions:
        result["description"] = descriptions[name]
    if name in units:
        result["unit"] = units[name]
    numeric = variable.type in ("number", "integer")
    lower, upper = bounds.get(name, (None, None))
    if numeric and variable.bounds is not None:  # the library fails on any other number
        known = variable.bounds
        lower = max((bound for bound in (lower, known[0]) if bound is not None), default=None)
        upper = min((bound for bound in (upper, known[1]) if bound is not None), default=None)
    if lower is not None:
        write_bound(result, "minimum", lower, -np.inf if variable.bounds and lower == variable.bounds[0] else None)
    if upper is not None:
        write_bound(result, "maximum", upper, np.inf if variable.bounds and upper == variable.bounds[1] else None)
    example = typical(variable)
    if example is not None:
        result["example"] = inside(example, lower, upper)
    if variable.type == "string":
        result["values"] = list(coding.values)
        if coding.encoding == "one_hot":
            result["encoding"] = "one_hot"
        if coding.unknown:
            result["unknown"] = "ignore"
        elif variable.rule == "missing":
            result["unknown"] = "missing"
    if coding.missing is not NONE:
        result["required"] = False
        result["missing"] = {"value": coding.missing[1]} if isinstance(coding.missing, tuple) else coding.missing
    return result


def write_bound(field: Field, key: Literal["minimum", "maximum"], bound: Any, beyond: float | None) -> None:
    """Writes a bound; as an exclusive one if it is the library's and the number `beyond` it is rounder, such as 0."""
    outside = bound if beyond is None else float(np.nextafter(bound, beyond))
    if outside != bound and isinstance(bound, float) and (outside == 0 or len(repr(outside)) < len(repr(bound)) - 8):
        field["exclusive_minimum" if key == "minimum" else "exclusive_maximum"] = outside
    else:
        field[key] = bound


def range_of(field: Field) -> tuple[float, float]:
    """The smallest and the largest number that the field accepts."""
    lower, upper = (bound_of(field, key, default) for key, default in (("minimum", -np.inf), ("maximum", np.inf)))
    if "exclusive_minimum" in field:
        lower = float(np.nextafter(field["exclusive_minimum"], np.inf))
    if "exclusive_maximum" in field:
        upper = float(np.nextafter(field["exclusive_maximum"], -np.inf))
    return lower, upper


def bound_of(field: Field, key: str, default: float) -> float:
    """A bound as a number: of dates in days or seconds since 1970."""
    if field["type"] in ("date", "datetime"):
        has_time = field["type"] == "datetime"
        if key not in field:
            day = FIRST_DAY if key == "minimum" else LAST_DAY
            return (day + (key == "maximum")) * SECONDS_OF_DAY - (key == "maximum") if has_time else day
        number = number_of(field.get(key), has_time)
        return default if number is None else number
    return float(field.get(key, default))  # type: ignore[arg-type]


def observed(variable: Variable) -> list[str]:
    """The observed range, as a comment. As bounds it would refuse valid future values."""
    if variable.is_date and variable.series.notna().any():
        dates = numbers_of(variable, variable.series.dropna())
        first, last = (text_of(number, variable.type == "datetime") for number in (dates.min(), dates.max()))
        return [f"observed: {first} to {last}"]
    if variable.type not in ("number", "integer"):
        return []
    present = finite(variable)
    return [f"observed: {present.min():.6g} to {present.max():.6g}"] if len(present) else []


def finite(variable: Variable) -> Array:
    """The values of a number that a request can hold."""
    numbers = pd.to_numeric(variable.series.dropna().astype(object)).to_numpy(dtype=np.float64)
    present: Array = numbers[np.isfinite(numbers)]
    return present


def typical(variable: Variable) -> Any:
    """The median of a number, else the most frequent value."""
    present = variable.series.dropna()
    if variable.type == "text":
        return next((text for text in present if text.strip()), "")[:LONGEST_EXAMPLE]
    if not len(present):
        return variable.values[0] if variable.values else None
    if variable.is_date:
        return text_of(float(np.floor(np.median(numbers_of(variable, present)))), variable.type == "datetime")
    if variable.type in ("integer", "number") and not variable.categorical and len(numbers := finite(variable)):
        median = float(np.median(numbers))
        return round(median) if variable.type == "integer" else float(f"{median:.4g}")
    return plain(present.mode().iloc[0])


def inside(value: Any, lower: Any, upper: Any) -> Any:
    """The value, clamped to the bounds."""
    if lower is not None and value < lower:
        return lower
    return upper if upper is not None and value > upper else value


def golden_frame(frame: pd.DataFrame, bounds: Mapping[str, tuple[Any, Any]]) -> pd.DataFrame:
    """Rows that are not records: each column is sampled independently. Rows outside the bounds are dropped."""
    generator = np.random.default_rng(0)
    columns = []
    for position in range(frame.shape[1]):
        drawn = frame.iloc[generator.integers(0, len(frame), GOLDEN_CANDIDATES), position].reset_index(drop=True)
        columns.append(drawn)
    result = pd.concat(columns, axis=1)
    result.columns = frame.columns
    for name, (lower, upper) in bounds.items():
        texts = [end for end in (lower, upper) if isinstance(end, str)]
        if texts:
            has_time = "T" in texts[0]
            lower, upper = number_of(lower, has_time), number_of(upper, has_time)
            times = seconds(result[name], name)
            numbers: Any = pd.Series(times if has_time else np.floor(times / SECONDS_OF_DAY), index=result.index)
        else:
            numbers = pd.to_numeric(result[name].astype(object)).astype(float)
        below, above = -np.inf if lower is None else lower, np.inf if upper is None else upper
        result = result[numbers.isna() | numbers.between(below, above)]
        if not len(result):
            ends = plain(lower), plain(upper)
            raise ExportError(f"bounds of {plain(name)!r} are {ends!r}, but X has no value within them. Check their unit.")
    return result.reset_index(drop=True)


def requests_of(frame: pd.DataFrame, variables: Sequence[Variable], layout: Layout) -> list[dict[str, Any]]:
    """The rows as request bodies, without missing values."""
    rows: list[dict[str, Any]] = [{} for _ in range(len(frame))]
    for position in layout.codings:
        variable = variables[position]
        series = frame.iloc[:, position]
        present = np.flatnonzero(series.notna().to_numpy())
        for row, value in zip(present.tolist(), json_values(variable, series.iloc[present]), strict=True):
            rows[row][variable.name] = value
    return rows


def json_values(variable: Variable, present: "pd.Series[Any]") -> list[Any]:
    """The values as JSON types."""
    match variable.type:
        case "number":
            return list(present.to_numpy(dtype=np.float64).tolist())
        case "integer":
            return list(present.to_numpy(dtype=np.int64).tolist())
        case "boolean":
            return list(present.to_numpy(dtype=bool).tolist())
        case "date" | "datetime":
            return [text_of(number, variable.type == "datetime") for number in numbers_of(variable, present)]
        case "string" | "text":
            return [plain(value) for value in present.tolist()]
        case "other":
            raise AssertionError(f"no field can hold column {variable.name!r}")
        case unknown:
            assert_never(unknown)


def examples_of(fields: Sequence[Field]) -> list[Example]:
    """A typical input and an invalid one."""
    usual: dict[str, Any] = {field["name"]: field["example"] for field in fields if "example" in field}
    examples: list[Example] = [{"name": "typical", "summary": "Medians and most frequent values", "input": usual}]
    for field in sorted(fields, key=lambda field: (field["type"] != "string", field["type"] == "boolean")):
        if field.get("unknown", "refuse") != "refuse" or field["type"] == "text":
            continue
        wrong = "something else" if field["type"] == "string" else "a lot"
        article = "an" if field["type"] == "integer" else "a"
        why = "is none of the allowed values" if field["type"] == "string" else f"is not {article} {field['type']}"
        if wrong in field.get("values", ()):
            continue
        changed: Row = usual | {field["name"]: wrong}
        mistake: Example = {"name": "mistake", "summary": f"A mistake: {field['name']} {why}", "input": changed, "valid": False}
        return [*examples, mistake]
    return examples
