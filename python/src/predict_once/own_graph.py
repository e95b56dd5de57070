"""A graph that the training code made itself, with the tables of model.toml for it."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx

from .errors import ExportError
from .service import answers, columns_of, encode, run
from .types import Field, Golden, Prediction, plain
from .verify import Agreement, compare

MOST_GOLDEN = 1000


@dataclass
class Checked:
    """A graph with its tables, and how closely its golden answers were met."""

    model: onnx.ModelProto
    fields: list[Field]
    predictions: list[Prediction]
    golden: list[Golden]
    agreement: Agreement = field(default_factory=Agreement)


def load_graph(model: Any) -> onnx.ModelProto:
    """The graph, from a file if need be."""
    if isinstance(model, onnx.ModelProto):
        return model
    path = Path(model)
    if not path.exists():
        raise ExportError(f"there is no {path}.")
    return onnx.load(path)


def check_graph(checked: Checked, tolerance: float) -> None:
    """The graph's input fits the fields, and its answers are the golden ones."""
    columns = [name for entry in checked.fields for name in columns_of(entry)]
    entry = checked.model.graph.input[0]
    shape = [dimension.dim_value for dimension in entry.type.tensor_type.shape.dim]
    if entry.type.tensor_type.elem_type != onnx.TensorProto.FLOAT or len(shape) != 2:
        raise ExportError(f"the graph's first input {entry.name!r} is not float32 with two dimensions [N, columns].")
    if shape[1] != len(columns):
        raise ExportError(f"the graph reads {shape[1]} columns, and the fields give {len(columns)}: {', '.join(columns[:10])}, …")
    for property in checked.model.metadata_props:
        if property.key == "feature_names" and json.loads(property.value) != columns:
            raise ExportError(f"the graph's feature_names are not the columns of the fields, which are {columns}.")
    if len(checked.golden) > MOST_GOLDEN:
        raise ExportError(f"golden has {len(checked.golden):,} rows. A package has at most {MOST_GOLDEN:,}.")
    if not checked.golden:
        return
    output = run(checked.model, encode(checked.fields, [row["input"] for row in checked.golden]))
    actual = {entry["name"]: answers(entry, output) for entry in checked.predictions}
    unknown = {key for row in checked.golden for key in row.get("answers", {})} - set(actual)
    if unknown:
        raise ExportError(f"golden has answers of {sorted(unknown)}, which are no predictions.")
    expected = {name: [plain(row.get("answers", {}).get(name)) for row in checked.golden] for name in actual}
    checked.agreement = compare(expected, actual, tolerance)
