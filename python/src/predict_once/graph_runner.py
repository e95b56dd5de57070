"""Runs a graph with any inputs and outputs on requests, as the service does for one request at a time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx

from .errors import ExportError
from .graph import Array
from .service import Encoder, session_of
from .types import Field, Row

TYPES = {
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}


class GraphRunner:
    """Feeds each input of a graph with the fields that name it."""

    def __init__(self, model: onnx.ModelProto, fields: Sequence[Field]) -> None:
        self.session = session_of(model)
        self.inputs = {entry.name: entry for entry in self.session.get_inputs()}
        self.outputs = [entry.name for entry in self.session.get_outputs()]
        self.fed: dict[str, list[Field]] = {name: [] for name in self.inputs}
        for field, name in zip(fields, self.assign(fields), strict=True):
            self.fed[name].append(field)
        for name, feeding in self.fed.items():
            arrays = [field["name"] for field in feeding if field["type"] == "array"]
            if not feeding:
                raise ExportError(f"no field feeds the graph's input {name!r}. Add one with this name or this input.")
            if arrays and len(feeding) > 1:
                raise ExportError(f"field {arrays[0]!r} must be the only one that feeds the graph's input {name!r}.")
            if self.inputs[name].type not in TYPES:
                raise ExportError(f"the graph's input {name!r} is {self.inputs[name].type}, which no field can feed.")

    def assign(self, fields: Sequence[Field]) -> list[str]:
        """The input that each field feeds: the one in `input`, or of its name, or the only one that is left."""
        named = [field.get("input", field["name"]) for field in fields]
        left = [name for name in self.inputs if name not in named]
        default = left[0] if len(left) == 1 else next(iter(self.inputs)) if len(self.inputs) == 1 else None
        result = []
        for field, name in zip(fields, named, strict=True):
            if name not in self.inputs:
                if "input" in field or default is None:
                    known = ", ".join(map(repr, self.inputs))
                    raise ExportError(f"field {field['name']!r}: pass input=…, one of the graph's inputs: {known}.")
                name = default
            result.append(name)
        return result

    def run(self, rows: Sequence[Row]) -> list[dict[str, Array]]:
        """The outputs for each row, by name, without the dimension of the batch."""
        return [self.run_one(row) for row in rows]

    def run_one(self, row: Row) -> dict[str, Array]:
        feed = {name: self.tensor(name, fields, row) for name, fields in self.fed.items()}
        outputs = self.session.run(self.outputs, feed)
        return {
            name: output[0] if np.ndim(output) and len(output) == 1 else np.asarray(output)
            for name, output in zip(self.outputs, outputs, strict=True)
        }

    def tensor(self, name: str, fields: Sequence[Field], row: Row) -> Array:
        """One input of the graph."""
        dtype: Any = TYPES[self.inputs[name].type]
        if fields[0]["type"] != "array":
            with np.errstate(over="ignore"):
                columns: Array = np.hstack([Encoder(field).encode([row]) for field in fields]).astype(dtype)
            return columns
        value: Array = np.asarray(row[fields[0]["name"]], dtype=dtype)
        shape = self.inputs[name].shape
        # A shape of as many dimensions as the graph declares includes the one of the batch.
        return value if shape is not None and value.ndim == len(shape) else value[np.newaxis]
