"""The service's rules for names, texts, counts and bounds, checked before a package is written.

`predict-once check` applies the same rules. tests/packages/rules.toml holds cases that both are tested with.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any, get_args

import onnx

from .calendar import FIRST_DAY, LAST_DAY, SECONDS_OF_DAY, number_of
from .errors import ExportError
from .names import INPUT_SCHEMA, RESERVED_ENDPOINTS, RESERVED_SCHEMAS, pascal_case
from .package import Package
from .types import (
    Encoding,
    Example,
    Field,
    FieldType,
    Kind,
    Prediction,
    Unknown,
    UnknownValue,
    VectorEncoding,
    label_text,
    name_of,
    plain,
)

MOST_FIELDS = 1000
MOST_PREDICTIONS = 16
MOST_VALUES = 10_000
MOST_VALUES_IN_ALL = 100_000
LONGEST_TEXT = 200
LARGEST_INTEGER = 2**53  # the range that the type of the graph's input holds exactly
LARGEST_INTEGER32 = 2**24
FLOAT32_OVERFLOW = 2**128 - 2**103  # numbers from here on round to infinity in float32


def printable(text: str) -> bool:
    """Whether the text can be a name or a value: 1 to 200 characters, none of them a control character."""
    return 0 < len(text) <= LONGEST_TEXT and not any(unicodedata.category(char) == "Cc" for char in text)


def check_prediction_name(name: str) -> None:
    """The name is part of the cache key, in which `:` separates parts and `@` begins a tenant."""
    if not printable(name) or len(name.encode()) > 64 or ":" in name or name.startswith("@"):
        raise ExportError(
            f"target: {name!r} cannot be the name of a prediction. A name has 1 to 64 bytes of UTF-8, contains no colon and no "
            "control character, and does not begin with @. Pass another target."
        )


def check_kinds(fields: Sequence[Field], predictions: Sequence[Prediction]) -> None:
    """The types and encodings of fields and the kinds of predictions are known."""
    for field in fields:
        owner = f"field {field['name']!r}"
        known_key(field.get("type"), get_args(FieldType), f"{owner}: type")
        known_key(field.get("encoding", "ordinal"), get_args(Encoding), f"{owner}: encoding")
        known_key(field.get("unknown", "refuse"), get_args(UnknownValue), f"{owner}: unknown")
    for prediction in predictions:
        owner = f"prediction {prediction['name']!r}"
        known_key(prediction.get("kind"), get_args(Kind), f"{owner}: kind")
        known_key(prediction.get("encoding", "float"), get_args(VectorEncoding), f"{owner}: encoding")


def check_package(package: Package) -> None:
    """Stops at the first rule that the package breaks."""
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", package.name):
        raise ExportError(
            f"name={package.name!r}: the name of a package must be 1 to 64 characters of a-z, 0-9, _ and -, beginning with a "
            "letter."
        )
    check_count(len(package.fields), 1, MOST_FIELDS, "the package", "fields")
    check_unique([field["name"] for field in package.fields], "fields", "name")
    wide = is_wide(package.model)
    for field in package.fields:
        check_field(field, wide)
    in_all = sum(1 + len(aliases_of(value)) for field in package.fields for value in field.get("values", ()))
    check_count(in_all, 0, MOST_VALUES_IN_ALL, "the package", "values and aliases of fields")
    known_key(package.input.get("unknown_fields", "refuse"), get_args(Unknown), "unknown_fields")
    check_count(len(package.predictions), 1, MOST_PREDICTIONS, "the package", "predictions")
    check_unique([prediction["name"] for prediction in package.predictions], "predictions", "name")
    endpoints = [prediction["endpoint"] for prediction in package.predictions if "endpoint" in prediction]
    check_unique(endpoints, "predictions", "endpoint")
    for prediction in package.predictions:
        check_prediction(prediction)
    input_schema = package.input.get("name", INPUT_SCHEMA)
    check_schema(input_schema, "input")
    check_unique([input_schema, *map(schema_of, package.predictions)], "schemas (the input's and the predictions')", "name")
    check_examples(package.examples)
    if not 0 <= package.tolerance < float("inf"):
        raise ExportError(f"tolerance={package.tolerance!r}: pass a finite number of at least 0.")
    if not 0 <= package.max_other_class <= 1:
        raise ExportError(f"max_other_class={package.max_other_class!r}: pass a share from 0 to 1.")


def check_field(field: Field, wide: bool) -> None:
    """The texts, values and bounds of a field."""
    name = field["name"]
    check_text(name, "the name of a field")
    texts: Mapping[str, Any] = field
    for key in ("description", "unit"):
        if not isinstance(texts.get(key, ""), str):
            raise ExportError(f"the {key} of field {name!r} is {plain(texts[key])!r}, but must be a text.")
    if field["type"] == "string":
        values = field.get("values", ())
        check_count(len(values), 1, MOST_VALUES, f"field {name!r}", "values")
        spellings = [text for value in values for text in (name_of(value), *aliases_of(value))]
        for spelling in spellings:
            check_text(spelling, f"a value of field {name!r}")
        check_unique(spellings, f"values of field {name!r}", "name or alias")
    bounds = field.get("minimum"), field.get("maximum")
    if field["type"] in ("date", "datetime"):
        check_dates(name, bounds, field["type"], wide)
    elif bounds != (None, None) and field["type"] != "array":
        check_bounds({name: bounds}, {name: field["type"]}, wide)


def aliases_of(value: Any) -> Sequence[Any]:
    return value.get("aliases", ()) if isinstance(value, Mapping) else ()


def check_prediction(prediction: Prediction) -> None:
    """The name, path, schema and classes of a prediction."""
    name = prediction["name"]
    check_prediction_name(name)
    check_endpoint(prediction)
    check_schema(schema_of(prediction), f"prediction {name!r}")
    if prediction["kind"] not in ("value", "probability", "vector", "tensor", "contributions"):
        labels = [label_text(name_of(value)) for value in prediction.get("values", ())]
        least = 1 if prediction["kind"] in ("values", "labels") else 2
        check_count(len(labels), least, MOST_VALUES, f"prediction {name!r}", "values")
        for label in labels:
            check_text(label, f"a class of prediction {name!r}")
        check_unique(labels, f"values of prediction {name!r}", "text")


def check_endpoint(prediction: Prediction) -> None:
    if prediction["kind"] == "contributions" and "endpoint" not in prediction:
        return
    endpoint = prediction["endpoint"]
    if endpoint in RESERVED_ENDPOINTS:
        remedy = f"endpoints={{{prediction['kind']!r}: '…'}} or another target"
        raise ExportError(f"the endpoint /{endpoint} is reserved for the service. Pass {remedy}.")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", endpoint):
        raise ExportError(f"the endpoint {endpoint!r} must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -.")


def schema_of(prediction: Prediction) -> str:
    """The schema's name, which the service derives from the prediction's if the package gives none."""
    return prediction.get("schema", pascal_case(prediction["name"]))


def check_schema(schema: str, owner: str) -> None:
    """The name of a schema in the OpenAPI document."""
    if not re.fullmatch(r"[A-Za-z0-9._-]+", schema):
        raise ExportError(f"{owner}: the schema's name {schema!r} must be of A-Z, a-z, 0-9, ., _ and -.")
    if schema in RESERVED_SCHEMAS:
        raise ExportError(f"{owner}: the schema's name {schema!r} is reserved for the service. Choose another.")


def check_examples(examples: Sequence[Example]) -> None:
    names = [example["name"] for example in examples]
    for name in names:
        if not re.fullmatch(rf"[A-Za-z0-9_-]{{1,{LONGEST_TEXT}}}", name):
            raise ExportError(
                f"the name {name!r} of an example must be 1 to {LONGEST_TEXT} characters of A-Z, a-z, 0-9, _ and -."
            )
    check_unique(names, "examples", "name")


def check_text(text: Any, what: str) -> None:
    """A name, a value of a field, or a class."""
    if not isinstance(text, str) or not printable(text):
        shown = text[:50] if isinstance(text, str) else text
        raise ExportError(
            f"{what} is {shown!r}, but must be a text of 1 to {LONGEST_TEXT} characters without control characters. "
            "Rename it and fit the model again."
        )


def is_wide(model: onnx.ModelProto) -> bool:
    """Whether the graph reads float64; else float32."""
    return [entry.type.tensor_type.elem_type for entry in model.graph.input[:1]] == [onnx.TensorProto.DOUBLE]


def check_bounds(bounds: Mapping[str, Any], types: Mapping[str, str], wide: bool) -> None:
    """Bounds are pairs in ascending order, for fields of numbers and dates. `types` has the type of each field.

    They lie in the range of float64 if `wide`, else of float32.
    """
    largest, type_name = (LARGEST_INTEGER, "float64") if wide else (LARGEST_INTEGER32, "float32")
    for name, pair in ((plain(name), pair) for name, pair in bounds.items()):
        if types[name] in ("date", "datetime"):
            check_dates(name, pair, types[name], wide)
            continue
        if isinstance(pair, Sequence):
            pair = tuple(map(plain, pair))
        if types[name] not in ("number", "integer"):
            raise ExportError(f"bounds: {name!r} is a {types[name]} field, but only numbers and dates have bounds.")
        if not isinstance(pair, Sequence) or len(pair) != 2 or not all(end is None or is_finite(end, wide) for end in pair):
            raise ExportError(
                f"bounds of {name!r} are {pair!r}. Pass two numbers that {type_name} holds, with None for an open end: "
                "(18, 120) or (0, None)."
            )
        ends = [end for end in pair if end is not None]
        if sorted(ends) != ends:
            raise ExportError(f"bounds of {name!r} are {pair!r}. The lower end comes first.")
        if types[name] == "integer" and any(end != int(end) or abs(end) > largest for end in ends):
            raise ExportError(f"bounds of {name!r} are {pair!r}. Bounds of an integer are whole numbers within ±{largest:,}.")


def check_dates(name: str, pair: Any, kind: str, wide: bool) -> None:
    """Bounds of dates are texts, and the type of the graph's input holds all days or seconds between them."""
    has_time = kind == "datetime"
    first, last = FIRST_DAY, LAST_DAY
    if has_time:
        first, last = first * SECONDS_OF_DAY, (last + 1) * SECONDS_OF_DAY - 1
    if not isinstance(pair, Sequence) or len(pair) != 2:
        pair = (pair, pair)
    given = [default if end is None else number_of(end, has_time) for end, default in zip(pair, (first, last), strict=True)]
    ends = [end for end in given if end is not None]
    if len(ends) < len(given):
        example = "2026-11-30T08:15:00Z" if has_time else "2026-11-30"
        raise ExportError(
            f"bounds of {name!r} are {pair!r}. Pass two texts in RFC 3339, with None for an open end: ({example!r}, None)."
        )
    if sorted(ends) != ends:
        raise ExportError(f"bounds of {name!r} are {pair!r}. The lower end comes first.")
    if not wide and any(abs(end) > LARGEST_INTEGER32 for end in ends):
        raise ExportError(f"field {name!r}: float32 does not hold the seconds since 1970. Let the graph read float64.")


def is_finite(value: Any, wide: bool) -> bool:
    """Whether it is a number whose nearest float64 (if `wide`) or float32 is finite."""
    overflow = 2**1024 if wide else FLOAT32_OVERFLOW
    return isinstance(value, Real) and not isinstance(value, bool) and bool(abs(plain(value)) < overflow)


def check_count(count: int, least: int, most: int, owner: str, items: str) -> None:
    if not least <= count <= most:
        raise ExportError(f"{owner} has {count:,} {items}, but must have {least} to {most:,}.")


def check_unique(names: Iterable[str], items: str, key: str) -> None:
    seen = set()
    for name in names:
        if name in seen:
            raise ExportError(f"two {items} have the {key} {name!r}. Each needs its own.")
        seen.add(name)


def known_keys(given: Iterable[str], known: Sequence[str], argument: str) -> None:
    """Stops at a key that refers to nothing."""
    for key in given:
        known_key(key, known, argument)


def known_key(key: Any, known: Sequence[str], argument: str) -> None:
    if key not in known:
        names = ", ".join(repr(plain(name)) for name in known)
        raise ExportError(f"{argument} refers to unknown {plain(key)!r}. Known: {names}.")
