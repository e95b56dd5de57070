"""Reimplements the service: encodes requests as the graph's input, and turns the graph's output into answers.

So `export` checks the whole path from a request to its answer, not only the graph.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, assert_never

import numpy as np
import onnx
import onnxruntime

from .calendar import number_of
from .errors import ExportError
from .graph import Array
from .types import Field, Prediction, Row, label_text, name_of

ROWS_AT_ONCE = 256
TEXTS_AT_ONCE = 64
LEAST = 0.5
"""From here on, a number of the kind `labels` stands for yes."""
NO_COLUMN = -1.0
"""The code of a row of zeros."""


def columns_of(field: Field) -> list[str]:
    """The names of a field's columns in the graph's input."""
    if field.get("encoding") != "one_hot":
        return [field["name"]]
    if "bands" in field:
        return [f"{field['name']}={index}" for index in range(len(field["bands"]) + 1)]
    return [f"{field['name']}={name_of(value)}" for value in field["values"]]


def session_of(model: onnx.ModelProto) -> Any:
    """Runs the graph on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


class Runner:
    """Runs a graph on requests, with ONNX Runtime."""

    def __init__(
        self, model: onnx.ModelProto, fields: Sequence[Field], texts: Mapping[str, Callable[[Sequence[str]], Array]] | None = None
    ) -> None:
        """`texts` holds what makes the columns of each field of texts, by the field's name."""
        self.session = session_of(model)
        self.at_once = TEXTS_AT_ONCE if texts else ROWS_AT_ONCE
        self.encoders = [Encoder(field, (texts or {}).get(field["name"])) for field in fields]
        self.input = self.session.get_inputs()[0]
        self.dtype: Any = np.float64 if self.input.type == "tensor(double)" else np.float32

    def run(self, rows: Sequence[Row]) -> Array:
        """The graph's output for each row."""
        at_once = 1 if self.input.shape[0] == 1 else self.at_once
        output = self.session.get_outputs()[0].name
        parts = [
            self.session.run([output], {self.input.name: self.encode(rows[first : first + at_once])})[0]
            for first in range(0, len(rows), at_once)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, 1), dtype=self.dtype)

    def encode(self, rows: Sequence[Row]) -> Array:
        """The graph's input."""
        with np.errstate(over="ignore"):
            return np.hstack([encoder.encode(rows) for encoder in self.encoders]).astype(self.dtype)


class Encoder:
    """Encodes the values of one field."""

    def __init__(self, field: Field, vectorize: Callable[[Sequence[str]], Array] | None = None) -> None:
        self.field, self.name, self.vectorize = field, field["name"], vectorize
        self.codes = positions_of(field)
        self.width = len(columns_of(field))

    def encode(self, rows: Sequence[Row]) -> Array:
        """The field's columns of the graph's input."""
        field = self.field
        values = [row.get(self.name) for row in rows]
        if self.vectorize is not None:
            return self.vectorize([str(value) for value in values])
        absent = np.array([value is None for value in values])
        replacement = self.replacement() if absent.any() else None
        present = [replacement if value is None else value for value in values]
        if field["type"] in ("date", "datetime"):
            present = [self.instant(value) for value in present]
        numbers = np.array(present, dtype=np.float64) if self.codes is None else np.array(list(map(self.code, present)))
        if "bands" in field:
            bands = np.searchsorted(np.asarray(field["bands"], dtype=np.float64), numbers, side="right")
            numbers = np.where(absent, numbers, bands)
        if field.get("encoding") != "one_hot":
            return numbers.reshape(-1, 1)
        result: Array = (numbers[:, np.newaxis] == np.arange(self.width)).astype(np.float64)
        result[np.isnan(numbers)] = np.nan
        return result

    def replacement(self) -> Any:
        """What stands for a missing value."""
        missing = self.field.get("missing")
        if self.field.get("required", True):
            raise ExportError(f"field {self.name!r} is required, but a row has no value for it.")
        if isinstance(missing, Mapping):
            return missing["value"]
        if missing == "zeros":
            return NO_COLUMN
        if missing == "nan" or isinstance(missing, (int, float)):
            return float(missing)
        raise ExportError(
            f"field {self.name!r} has missing={missing!r}. Pass 'nan', 'zeros', a number, or {{'value': one of values}}."
        )

    def instant(self, value: Any) -> float:
        """The number of a date's value."""
        if isinstance(value, float):
            return value  # NaN for a missing value
        number = number_of(value, self.field["type"] == "datetime")
        if number is None:
            raise ExportError(f"field {self.name!r}: {value!r} is no {self.field['type']} in RFC 3339.")
        return number

    def code(self, value: Any) -> float:
        """The number of a text's value."""
        if isinstance(value, float):
            return value  # the replacement of a missing value
        code = (self.codes or {}).get(value)
        rule = self.field.get("unknown", "refuse")
        if code is None and rule == "refuse":
            raise ExportError(f"field {self.name!r}: {value!r} is not one of its values.")
        if code is None and rule == "missing":
            return self.code(self.replacement())
        return NO_COLUMN if code is None else code


def positions_of(field: Field) -> dict[Any, int] | None:
    """The positions of a text field's values and aliases; None for other types."""
    if field["type"] != "string":
        return None
    codes: dict[Any, int] = {}
    for position, value in enumerate(field["values"]):
        codes[name_of(value)] = position
        if isinstance(value, Mapping):
            codes.update({alias: position for alias in value.get("aliases", ())})
    return codes


def answers(prediction: Prediction, output: Array) -> list[Any]:
    """One endpoint's answer to each row."""
    labels = [name_of(value) for value in prediction.get("values", ())]
    whole, output = output, output.reshape(len(output), -1)
    column = output[:, prediction.get("output", 0)]
    several = output[:, list(prediction["outputs"])] if "outputs" in prediction else output
    match prediction["kind"]:
        case "value":
            return [float(value) for value in column]
        case "probability":
            return [min(1.0, max(0.0, float(value))) for value in column]
        case "bands":
            cuts = np.asarray(prediction["cuts"], dtype=output.dtype)
            return [labels[index] for index in np.searchsorted(cuts, column, side="right")]
        case "class":
            positions = column.astype(int) if "output" in prediction else several.argmax(axis=1)
            return [labels[position] for position in positions]
        case "values":
            return [dict(zip(map(label_text, labels), map(float, row), strict=True)) for row in several]
        case "labels":
            return [[label for label, number in zip(labels, row, strict=True) if number >= LEAST] for row in several]
        case "probabilities":
            names = [label_text(label) for label in labels]
            return [dict(zip(names, (min(1.0, max(0.0, float(p))) for p in row), strict=True)) for row in several]
        case "vector" if prediction.get("encoding") == "base64":
            return [b64encode(row.astype("<f4").tobytes()).decode() for row in output]
        case "vector":
            return [row.astype(float).tolist() for row in output]
        case "top":
            k = prediction.get("k", min(5, len(labels)))
            best = np.argsort(-several, axis=1, kind="stable")[:, :k]
            return [
                [{"class": labels[position], "score": float(row[position])} for position in positions]
                for row, positions in zip(several, best, strict=True)
            ]
        case "tensor":
            return [row.tolist() for row in whole]
        case "contributions":
            raise AssertionError("contributions are no value of the output")
        case unknown:
            assert_never(unknown)
