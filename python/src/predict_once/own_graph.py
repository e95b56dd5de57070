"""Checks an ONNX graph that the training code wrote itself, with its tables of model.toml."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx

from .errors import ExportError
from .service import Runner, answers, columns_of
from .types import Field, Golden, Prediction, plain
from .verify import Agreement, compare

MOST_GOLDEN = 1000


@dataclass
class Checked:
    """A graph with its tables, and how closely it reproduces the golden answers."""

    model: onnx.ModelProto
    fields: list[Field]
    predictions: list[Prediction]
    golden: list[Golden]
    agreement: Agreement = field(default_factory=Agreement)


def load_graph(model: Any) -> onnx.ModelProto:
    """The graph, read from a file if `model` is a path."""
    if isinstance(model, onnx.ModelProto):
        return model
    path = Path(model)
    if not path.exists():
        raise ExportError(f"model: the file {path} does not exist.")
    return onnx.load(path)


def check_graph(checked: Checked, tolerance: float) -> None:
    """Stops unless the graph's input fits the fields, and compares its answers with the golden ones."""
    columns = [name for entry in checked.fields for name in columns_of(entry)]
    entry = checked.model.graph.input[0]
    shape = [dimension.dim_value for dimension in entry.type.tensor_type.shape.dim]
    if entry.type.tensor_type.elem_type not in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE) or len(shape) != 2:
        raise ExportError(f"the graph's first input {entry.name!r} must be float32 or float64 with two dimensions, [N, columns].")
    if shape[1] != len(columns):
        shown = ", ".join(columns[:10]) + (", …" if len(columns) > 10 else "")
        raise ExportError(f"the graph reads {shape[1]} columns, but the fields make {len(columns)}: {shown}.")
    for property in checked.model.metadata_props:
        if property.key == "feature_names" and json.loads(property.value) != columns:
            raise ExportError(f"the graph's feature_names must be the columns of the fields: {columns}.")
    if len(checked.golden) > MOST_GOLDEN:
        raise ExportError(f"golden has {len(checked.golden):,} rows, but a package holds at most {MOST_GOLDEN:,}.")
    if not checked.golden:
        return
    output = Runner(checked.model, checked.fields).run([row["input"] for row in checked.golden])
    actual = {entry["name"]: answers(entry, output) for entry in checked.predictions}
    unknown = {key for row in checked.golden for key in row.get("answers", {})} - set(actual)
    if unknown:
        raise ExportError(f"golden has answers for unknown predictions {sorted(unknown)}. Known: {', '.join(map(repr, actual))}.")
    expected = {name: [plain(row.get("answers", {}).get(name)) for row in checked.golden] for name in actual}
    checked.agreement = compare(expected, actual, tolerance)
