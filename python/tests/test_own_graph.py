"""An ONNX graph that the training code wrote itself, with its tables of model.toml."""

import subprocess
from pathlib import Path
from typing import Any

import onnx
import pytest
from conftest import BINARY, serve
from onnx import TensorProto, helper

import predict_once
from predict_once import ExportError

FIELDS: list[Any] = [
    {"name": "size", "type": "number"},
    {"name": "colour", "type": "string", "values": ["red", "green"], "encoding": "one_hot"},
]
PREDICTIONS: list[Any] = [{"name": "weight", "endpoint": "weight", "kind": "value"}]
GOLDEN: list[Any] = [
    {"input": {"size": 2.0, "colour": "red"}, "answers": {"weight": 2.5}},
    {"input": {"size": 2.0, "colour": "green"}, "answers": {"weight": 2.25}},
]


def graph(columns: list[str] | None = None) -> onnx.ModelProto:
    """size + 0.5 for red, + 0.25 for green."""
    weights = helper.make_tensor("weights", TensorProto.FLOAT, [3, 1], [1.0, 0.5, 0.25])
    body = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weights"], ["y"])],
        "own",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 1])],
        [weights],
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if columns:
        helper.set_model_props(model, {"feature_names": str(columns).replace("'", '"')})
    return model


def export(model: Any, directory: Path, **changed: Any) -> Any:
    arguments = {"fields": FIELDS, "predictions": PREDICTIONS, "golden": GOLDEN, "name": "own"} | changed
    return predict_once.export(model, directory=directory, **arguments)


@pytest.mark.parametrize("as_file", [False, True])
def test_a_graph_is_served_with_its_fields(as_file: bool, tmp_path: Path) -> None:
    model: Any = graph(["size", "colour=red", "colour=green"])
    if as_file:
        onnx.save(model, tmp_path / "own.onnx")
        model = tmp_path / "own.onnx"
    report = export(model, tmp_path / "package")
    assert report.rows == 2 and report.largest_difference == 0
    assert subprocess.run([BINARY, "check", tmp_path / "package"], check=False).returncode == 0
    with serve(tmp_path / "package") as client:
        assert client.answer("weight", {"size": 3, "colour": "green"}) == {"weight": 3.25}


@pytest.mark.parametrize(
    ("model", "changed", "part"),
    [
        (
            graph(),
            {"golden": [{"input": {"size": 2.0, "colour": "red"}, "answers": {"weight": 9}}]},
            "disagrees with the golden answers",
        ),
        (graph(), {"golden": GOLDEN * 501}, "1,002"),
        (graph(), {"golden": [{"input": {"size": 1, "colour": "blue"}, "answers": {}}]}, "'blue'"),
        (graph(), {"golden": [{"input": {"size": 1, "colour": "red"}, "answers": {"height": 1}}]}, "height"),
        (graph(), {"fields": FIELDS[:1]}, "reads 3 columns, but the fields make 1"),
        (graph(["size", "red", "green"]), {}, "feature_names"),
        (graph(), {"fields": None}, "fields"),
        (graph(), {"target": "weight"}, "target does not apply to this kind of model"),
        (graph(), {"name": "Own Model"}, "a-z, 0-9"),
        ("nowhere.onnx", {}, "nowhere.onnx"),
        (graph(), {"predictions": [PREDICTIONS[0] | {"kind": "number"}]}, "'weight': kind refers to unknown 'number'"),
        (graph(), {"fields": [FIELDS[0] | {"type": "float"}, FIELDS[1]]}, "'size': type refers to unknown 'float'"),
        (graph(), {"fields": [FIELDS[0], FIELDS[1] | {"encoding": "onehot"}]}, "'colour': encoding refers to unknown 'onehot'"),
        (graph(), {"fields": [FIELDS[0], FIELDS[1] | {"values": ["red", 2]}], "golden": []}, "a value of field 'colour' is 2"),
    ],
    ids=[
        "wrong",
        "many",
        "value",
        "prediction",
        "columns",
        "names",
        "no-fields",
        "target",
        "name",
        "no-file",
        "kind",
        "type",
        "encoding",
        "number",
    ],
)
def test_what_does_not_fit_the_graph_is_named(model: Any, changed: dict[str, Any], part: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=part):
        export(model, tmp_path / "package", **changed)
    assert not (tmp_path / "package").exists()


def test_unknown_fields_are_ignored_if_the_package_says_so(tmp_path: Path) -> None:
    request = {"size": 3, "colour": "green", "note": "urgent"}
    export(graph(), tmp_path / "refusing")
    with serve(tmp_path / "refusing") as client, pytest.raises(AssertionError):
        client.answer("weight", request)
    export(graph(), tmp_path / "ignoring", unknown_fields="ignore")
    with serve(tmp_path / "ignoring") as client:
        assert client.answer("weight", request) == {"weight": 3.25}
    with pytest.raises(ExportError, match="unknown_fields refers to unknown 'drop'"):
        export(graph(), tmp_path / "neither", unknown_fields="drop")


def tensors() -> onnx.ModelProto:
    """The sum of a window's samples per sensor plus a bias, and the samples beside it."""
    body = helper.make_graph(
        [
            helper.make_node("ReduceSum", ["window", "axes"], ["sum"], keepdims=0),
            helper.make_node("Add", ["sum", "bias"], ["y"]),
            helper.make_node("Identity", ["window"], ["samples"]),
        ],
        "tensors",
        [
            helper.make_tensor_value_info("window", TensorProto.FLOAT, ["N", "length", 2]),
            helper.make_tensor_value_info("bias", TensorProto.FLOAT, ["N", 2]),
        ],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2]),
            helper.make_tensor_value_info("samples", TensorProto.FLOAT, ["N", "length", 2]),
        ],
        [helper.make_tensor("axes", TensorProto.INT64, [1], [1])],
    )
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


TENSOR_FIELDS: list[Any] = [
    {"name": "window", "type": "array", "max_items": 100},
    {"name": "left", "type": "number"},
    {"name": "right", "type": "number"},
]
TENSOR_PREDICTIONS: list[Any] = [
    {"name": "sums", "endpoint": "sums", "kind": "vector"},
    {"name": "best", "endpoint": "best", "kind": "top", "k": 1, "values": ["left", "right"]},
    {"name": "samples", "endpoint": "samples", "kind": "tensor", "from": "samples"},
    {"name": "bytes", "endpoint": "bytes", "kind": "vector", "encoding": "base64"},
]
TENSOR_GOLDEN: list[Any] = [
    {
        "input": {"window": window, "left": 0.5, "right": -1},
        "answers": {
            "sums": [sum(sample[0] for sample in window) + 0.5, sum(sample[1] for sample in window) - 1.0],
            "samples": [[float(number) for number in sample] for sample in window],
        },
    }
    for window in ([[1, 2]], [[1, 2], [3, 5]], [[0, -8], [1, 1], [2, 2]])
]


def test_a_graph_of_tensors_is_served_as_it_was_checked(tmp_path: Path) -> None:
    export(tensors(), tmp_path / "package", fields=TENSOR_FIELDS, predictions=TENSOR_PREDICTIONS, golden=TENSOR_GOLDEN)
    checked = subprocess.run([BINARY, "check", tmp_path / "package"], check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    request = {"window": [[1, 2], [3, 5]], "left": 0.5, "right": -1}
    with serve(tmp_path / "package") as client:
        assert client.answer("sums", request) == {"sums": [4.5, 6.0]}
        assert client.answer("best", request) == {"best": [{"class": "right", "score": 6.0}]}
        assert client.answer("samples", request) == {"samples": [[1.0, 2.0], [3.0, 5.0]]}
        assert client.answer("bytes", request) == {"bytes": "AACQQAAAwEA="}


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"fields": TENSOR_FIELDS[:1]}, "no field feeds the graph's input 'bias'"),
        ({"fields": [TENSOR_FIELDS[0], TENSOR_FIELDS[1] | {"input": "window"}]}, "'window' must be the only one"),
        ({"fields": [TENSOR_FIELDS[0], TENSOR_FIELDS[1] | {"input": "other"}]}, "'left': pass input=…"),
        ({"predictions": [TENSOR_PREDICTIONS[0] | {"from": "other"}]}, "reads the output 'other'"),
        ({"predictions": [TENSOR_PREDICTIONS[0] | {"encoding": "hex"}]}, "encoding refers to unknown 'hex'"),
        ({"golden": [TENSOR_GOLDEN[0] | {"answers": {"sums": [1.5, 1.5]}}]}, "disagrees with the golden answers"),
        (
            {"golden": [TENSOR_GOLDEN[0] | {"answers": {"best": [{"class": "right", "score": 1.5}]}}]},
            "disagrees with the golden answers",
        ),
    ],
    ids=["unfed", "shared", "input", "output", "encoding", "wrong", "class"],
)
def test_what_does_not_fit_a_graph_of_tensors_is_named(changed: dict[str, Any], part: str, tmp_path: Path) -> None:
    arguments = {"fields": TENSOR_FIELDS, "predictions": TENSOR_PREDICTIONS, "golden": TENSOR_GOLDEN} | changed
    with pytest.raises(ExportError, match=part):
        export(tensors(), tmp_path / "package", **arguments)
