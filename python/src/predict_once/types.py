"""The tables of model.toml, as dictionaries. docs/model-package.md describes each key."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

import numpy as np

Scalar = str | int | float | bool
Row = Mapping[str, Any]
FieldType = Literal["number", "integer", "boolean", "string", "date", "datetime", "array", "text", "image"]
VariableType = Literal["number", "integer", "boolean", "string", "date", "datetime", "text", "other"]
"""The field that holds a column's values; "other" if none can."""
Encoding = Literal["ordinal", "one_hot"]
Unknown = Literal["refuse", "ignore"]
UnknownValue = Literal["refuse", "ignore", "missing"]
Kind = Literal[
    "value", "values", "probability", "class", "labels", "probabilities", "bands", "vector", "top", "tensor", "contributions"
]
VectorEncoding = Literal["float", "base64"]


class Value(TypedDict, total=False):
    """An allowed value of a field, or a possible answer of a prediction."""

    name: Scalar
    description: str
    aliases: Sequence[str]
    boolean: bool


class Field(TypedDict, total=False):
    """An entry of `[[fields]]`."""

    name: str
    type: FieldType
    description: str
    unit: str
    hint: str
    example: Any
    minimum: float | str
    exclusive_minimum: float
    maximum: float | str
    exclusive_maximum: float
    bands: Sequence[float]
    values: Sequence[str | Value]
    encoding: Encoding
    unknown: UnknownValue
    required: bool
    missing: Any
    preprocessor: Mapping[str, Any]
    max_bytes: int
    max_pixels: int
    tokenizer: str
    vectorizer: str
    max_tokens: int
    input: str
    shape: Sequence[int | str]
    max_items: int
    reason: str | Sequence[str]


class Prediction(TypedDict, total=False):
    """An entry of `[[predictions]]`."""

    name: str
    endpoint: str
    schema: str
    summary: str
    description: str
    meaning: str
    kind: Kind
    output: int
    outputs: Sequence[int]
    k: int
    encoding: VectorEncoding
    cuts: Sequence[float]
    values: Sequence[Scalar | Value]
    top: int


class Example(TypedDict, total=False):
    """An entry of `[[examples]]`."""

    name: str
    summary: str
    input: Row
    valid: bool


class Golden(TypedDict, total=False):
    """A line of golden.jsonl."""

    input: Row
    answers: Mapping[str, Any]


def name_of(value: Any) -> Any:
    """The name of a value that is written as a scalar or as a table."""
    return value["name"] if isinstance(value, Mapping) else value


def plain(value: Any) -> Any:
    """A NumPy scalar or array as a Python object."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value


def source_of(prediction: Prediction) -> str | None:
    """The name of the graph's output that it reads; None for the first."""
    table: Mapping[str, Any] = prediction  # a class cannot have the key `from`
    source = table.get("from")
    return None if source is None else str(source)


def label_text(label: Any) -> str:
    """The label as the name of a JSON object's member."""
    if isinstance(label, bool):
        return "true" if label else "false"
    return str(label)
