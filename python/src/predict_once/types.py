"""The tables of model.toml, as dictionaries. docs/model-package.md describes each key."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

import numpy as np

Scalar = str | int | float | bool
Row = Mapping[str, Any]
FieldType = Literal["number", "integer", "boolean", "string", "text", "image"]
VariableType = Literal["number", "integer", "boolean", "string", "other"]  # "other": no field can hold the column's values
Encoding = Literal["ordinal", "one_hot"]
Unknown = Literal["refuse", "ignore"]
UnknownValue = Literal["refuse", "ignore", "missing"]
Kind = Literal["value", "values", "probability", "class", "labels", "probabilities", "bands", "vector"]


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
    example: Scalar
    minimum: float
    exclusive_minimum: float
    maximum: float
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
    cuts: Sequence[float]
    values: Sequence[Scalar | Value]


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
    """A NumPy scalar as a Python object."""
    return value.item() if isinstance(value, np.generic) else value


def label_text(label: Any) -> str:
    """The label as the name of a JSON object's member."""
    if isinstance(label, bool):
        return "true" if label else "false"
    return str(label)
