"""Checks an ONNX graph that the training code wrote itself, with its tables of model.toml."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from .errors import ExportError
from .graph_runner import GraphRunner
from .service import Runner, answers, columns_of
from .types import Field, Golden, Prediction, plain, source_of
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

    @property
    def answered(self) -> list[Prediction]:
        """The predictions that are derived from the graph's output."""
        return [entry for entry in self.predictions if entry["kind"] != "contributions"]


def load_graph(model: Any) -> onnx.ModelProto:
    """The graph, read from a file if `model` is a path."""
    if isinstance(model, onnx.ModelProto):
        return model
    path = Path(model)
    if not path.exists():
        raise ExportError(f"model: the file {path} does not exist.")
    return onnx.load(path)


def check_graph(checked: Checked, tolerance: float) -> None:
    """Stops unless the graph's inputs fit the fields, and compares its answers with the golden ones."""
    if len(checked.golden) > MOST_GOLDEN:
        raise ExportError(f"golden has {len(checked.golden):,} rows, but a package holds at most {MOST_GOLDEN:,}.")
    if has_tensors(checked):
        runner = GraphRunner(checked.model, checked.fields)
        outputs = runner.run([row["input"] for row in checked.golden])
        sources = {entry["name"]: source_of(entry) or runner.outputs[0] for entry in checked.answered}
        for name, source in sources.items():
            if source not in runner.outputs:
                known = ", ".join(map(repr, runner.outputs))
                raise ExportError(f"prediction {name!r} reads the output {source!r}, but those of the graph are {known}.")
        compare_golden(
            checked,
            {
                entry["name"]: [answers(entry, row[sources[entry["name"]]][np.newaxis])[0] for row in outputs]
                for entry in checked.answered
            },
            tolerance,
        )
        return
    check_columns(checked)
    if checked.golden:
        output = Runner(checked.model, checked.fields).run([row["input"] for row in checked.golden])
        compare_golden(checked, {entry["name"]: answers(entry, output) for entry in checked.answered}, tolerance)


def has_tensors(checked: Checked) -> bool:
    """Whether it has more than one matrix of scalars in, and reads more than the first output."""
    return (
        len(checked.model.graph.input) > 1
        or any(field["type"] == "array" or "input" in field for field in checked.fields)
        or any(source_of(entry) for entry in checked.predictions)
    )


def check_columns(checked: Checked) -> None:
    """Stops unless the fields make the columns of the graph's input."""
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


def compare_golden(checked: Checked, actual: dict[str, list[Any]], tolerance: float) -> None:
    """Compares the graph's answers with the golden ones."""
    unknown = {key for row in checked.golden for key in row.get("answers", {})} - set(actual)
    if unknown:
        raise ExportError(f"golden has answers for unknown predictions {sorted(unknown)}. Known: {', '.join(map(repr, actual))}.")
    expected = {name: [plain(row.get("answers", {}).get(name)) for row in checked.golden] for name in actual}
    checked.agreement = compare(expected, actual, tolerance)
