"""What the service asks of a package, checked before it is written: `predict-once check` shall find nothing."""

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import ExportError
from .names import INPUT_SCHEMA, RESERVED_ENDPOINTS, pascal_case
from .types import Field, Prediction, label_text, name_of

MOST_FIELDS = 1000
LONGEST_TEXT = 200
LARGEST_INTEGER = 2**24
LARGEST_NUMBER = 3.4e38


def printable(text: str) -> bool:
    """Whether the text can be a name or a value: 1 to 200 characters, none of them a control character."""
    return 0 < len(text) <= LONGEST_TEXT and not any(unicodedata.category(char) == "Cc" for char in text)


def check_prediction_name(name: str) -> None:
    """The name is part of the cache key and a member of the answer."""
    if not printable(name) or len(name) > 64 or ":" in name:
        raise ExportError(
            f"{name!r} cannot be the name of a prediction: that has 1 to 64 characters, no colon and no control characters. "
            "Pass another target."
        )


def check_package(name: str, fields: Sequence[Field], predictions: Sequence[Prediction], input: Mapping[str, Any]) -> None:
    """Nothing is there twice, nothing has a name that the service has taken, and all texts can be shown."""
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", name):
        raise ExportError(
            f"name={name!r}: a package's name is a-z, 0-9, _ and -, starts with a letter, and has at most 64 characters."
        )
    if not 1 <= len(fields) <= MOST_FIELDS:
        raise ExportError(f"the model reads {len(fields):,} columns. A package has 1 to {MOST_FIELDS:,} fields.")
    twice([field["name"] for field in fields], "two fields have the name")
    for field in fields:
        for text in map(name_of, field.get("values", ())):
            check_text(text, f"column {field['name']!r} has the value")
    if not predictions:
        raise ExportError("the package has no prediction. Pass at least one of kinds.")
    twice([prediction["name"] for prediction in predictions], "two predictions have the name")
    twice([prediction["endpoint"] for prediction in predictions], "two predictions have the endpoint")
    schemas = [prediction.get("schema") or pascal_case(prediction["name"]) for prediction in predictions]
    twice([input.get("name", INPUT_SCHEMA), *schemas], "two schemas (the input's and the predictions') have the name")
    for prediction in predictions:
        check_prediction_name(prediction["name"])
        check_endpoint(prediction)
        for label in map(name_of, prediction.get("values", ())):
            check_text(label_text(label), f"{prediction['name']!r} has the class")


def check_endpoint(prediction: Prediction) -> None:
    """The path of a prediction."""
    endpoint = prediction["endpoint"]
    if endpoint in RESERVED_ENDPOINTS:
        remedy = f"endpoints={{{prediction['kind']!r}: '…'}} or another target"
        raise ExportError(f"the endpoint /{endpoint} belongs to the service. Pass {remedy}.")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", endpoint):
        raise ExportError(f"the endpoint {endpoint!r} may have only A-Z, a-z, 0-9, _ and -, and at most 64 of them.")


def check_text(text: str, what: str) -> None:
    """A value of a field, or a class."""
    if not printable(text):
        raise ExportError(
            f"{what} {text[:50]!r}, and the API has texts of 1 to {LONGEST_TEXT} characters without control characters. "
            "Give it another name and fit the model again."
        )


def check_bounds(bounds: Mapping[str, Any], types: Mapping[str, str]) -> None:
    """Bounds are pairs of numbers in ascending order, of fields that are numbers. `types` has the type of each field."""
    for name, pair in bounds.items():
        if types[name] not in ("number", "integer"):
            raise ExportError(f"bounds has {name!r}, which is a {types[name]} field. Bounds are for numbers.")
        if not isinstance(pair, Sequence) or len(pair) != 2 or not all(end is None or is_number(end) for end in pair):
            raise ExportError(
                f"bounds of {name!r} are {pair!r}. Pass two numbers, with None for an open end: (18, 120) or (0, None)."
            )
        ends = [end for end in pair if end is not None]
        if sorted(ends) != ends:
            raise ExportError(f"bounds of {name!r} are {pair!r}, which nothing lies between. The lower end comes first.")
        if types[name] == "integer" and any(end != int(end) or abs(end) > LARGEST_INTEGER for end in ends):
            raise ExportError(
                f"bounds of {name!r} are {pair!r}. Those of an integer are whole numbers within ±{LARGEST_INTEGER:,}."
            )


def is_number(value: Any) -> bool:
    """Whether it is a finite number that float32 holds."""
    return (
        isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and abs(value) <= LARGEST_NUMBER
    )


def twice(names: Sequence[str], what: str) -> None:
    """Stops at the first name that is there twice."""
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ExportError(f"{what} {name!r}. Each needs its own.")


def known_keys(given: Mapping[str, Any], known: Sequence[str], argument: str) -> None:
    """Stops at a key that names nothing."""
    for key in given:
        if key not in known:
            raise ExportError(f"{argument} names {key!r}, which there is not. There are: {', '.join(map(repr, known))}.")
