"""Directories that `optimum-cli export onnx` writes: the service answers what ONNX Runtime and `tokenizers` answer."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import serve
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

import predict_once
from predict_once import ExportError

TOKENIZER = Path(__file__).resolve().parents[2] / "crates/text-input/tests/fixtures/bert.json"
HOSTILE = [
    "",
    "the quick Brown fox",
    "[CLS] naïve café [SEP] [MASK]",
    "漢字 e\u0301 \u200d😀 \x00\x1f\ufffd",
    "don't " * 60,
    "a" * 500,
    "ΟΔΥΣΣΕΥΣ İstanbul ﬁne",
]


def transformer(output: str, width: int, inputs: list[str]) -> onnx.ModelProto:
    """A small graph: a vector for each token, and for "logits" their weighted mean."""
    random = np.random.default_rng(0)
    table = random.normal(size=(2000, width)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["vectors"], axis=0),
        helper.make_node("Tanh", ["vectors"], ["states"]),
    ]
    if output == "logits":
        nodes.append(helper.make_node("ReduceMean", ["states"], ["logits"], axes=[1], keepdims=0))
    else:
        nodes.append(helper.make_node("Identity", ["states"], [output]))
    for name in inputs[1:]:
        nodes.append(helper.make_node("Identity", [name], [f"unused_{name}"]))
    graph = helper.make_graph(
        nodes,
        "transformer",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"]) for name in inputs],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(table, "table")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def folder(path: Path, output: str, width: int, config: dict[str, Any], inputs: list[str]) -> Path:
    path.mkdir()
    onnx.save(transformer(output, width, inputs), path / "model.onnx")
    (path / "tokenizer.json").write_text(json.dumps(json.loads(TOKENIZER.read_text())["tokenizer"]))
    (path / "config.json").write_text(json.dumps(config))
    return path


def library(path: Path, text: str, most: int, output: str, inputs: list[str]) -> tuple[Any, int]:
    """What ONNX Runtime returns for a text, and the number of its tokens."""
    tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
    tokenizer.encode_special_tokens = True
    tokenizer.no_padding()
    tokenizer.enable_truncation(most)
    encoding = tokenizer.encode(text)
    parts = {"input_ids": encoding.ids, "attention_mask": encoding.attention_mask, "token_type_ids": encoding.type_ids}
    session = onnxruntime.InferenceSession(str(path / "model.onnx"))
    return session.run([output], {name: np.array([parts[name]]) for name in inputs})[0][0], len(encoding.ids)


def test_a_text_classifier_answers_the_classes_of_its_config(tmp_path: Path) -> None:
    inputs = ["input_ids", "attention_mask", "token_type_ids"]
    config = {"id2label": {"0": "angry", "10": "sad", "2": "happy"}, "max_position_embeddings": 40}
    source = folder(tmp_path / "classifier", "logits", 3, config, inputs)
    report = predict_once.export(source, HOSTILE, tmp_path / "package", target="mood")
    assert report.endpoints == ("/mood", "/mood_probabilities")
    assert report.rows == len(HOSTILE)
    labels = ["angry", "happy", "sad"]  # by number
    with serve(tmp_path / "package") as client:
        for text in [*HOSTILE, "another text", "quick " * 5]:
            logits, tokens = library(source, text, 40, "logits", inputs)
            assert tokens <= 40
            shares = np.exp(logits) / np.exp(logits).sum()
            assert client.ask("mood", {"text": text}) == labels[int(logits.argmax())]
            answered = client.ask("mood_probabilities", {"text": text})
            assert list(answered) == labels
            assert list(answered.values()) == pytest.approx(shares.tolist(), abs=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls", "default"])
def test_embeddings_are_pooled_and_normalised_as_the_directory_says(tmp_path: Path, pooling: str) -> None:
    inputs = ["input_ids", "attention_mask"]
    source = folder(tmp_path / "embedder", "last_hidden_state", 8, {}, inputs)
    if pooling != "default":
        (source / "1_Pooling").mkdir()
        cls = pooling == "cls"
        written = {"pooling_mode_cls_token": cls, "pooling_mode_mean_tokens": not cls}
        (source / "1_Pooling/config.json").write_text(json.dumps(written))
        (source / "modules.json").write_text(json.dumps([{"type": "sentence_transformers.models.Normalize"}]))
    predict_once.export(source, directory=tmp_path / "package")
    with serve(tmp_path / "package") as client:
        for text in HOSTILE:
            states, _ = library(source, text, 48, "last_hidden_state", inputs)
            vector = states[0] if pooling == "cls" else states.mean(axis=0)
            vector = vector if pooling == "default" else vector / np.linalg.norm(vector)
            assert client.ask("embedding", {"text": text}) == pytest.approx(vector.tolist(), abs=1e-5)


def test_the_package_has_the_tokenizer_and_golden_answers_and_can_be_replaced(tmp_path: Path) -> None:
    source = folder(tmp_path / "embedder", "sentence_embedding", 4, {"max_position_embeddings": 30}, ["input_ids"])
    # A vector for each text.
    model = onnx.load(source / "model.onnx")
    model.graph.node[-1].CopyFrom(helper.make_node("ReduceMean", ["states"], ["sentence_embedding"], axes=[1], keepdims=0))
    onnx.save(model, source / "model.onnx")
    package = tmp_path / "package"
    for target in ("vector", "embedding"):
        predict_once.export(source, directory=package, target=target, overwrite=True)
        assert (package / "tokenizer.json").read_bytes() == (source / "tokenizer.json").read_bytes()
        rows = [json.loads(line) for line in (package / "golden.jsonl").read_text().splitlines()]
        assert len(rows) == 6 and all(len(row["answers"][target]) == 4 for row in rows)
        assert "max_tokens = 30" in (package / "model.toml").read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: (path / "tokenizer.json").unlink(), "has neither tokenizer.json nor preprocessor_config.json"),
        (lambda path: (path / "model.onnx").unlink(), "has no model.onnx"),
        (
            lambda path: onnx.save(transformer("pooler", 3, ["input_ids"]), path / "model.onnx"),
            r"returns \['pooler'\]. Supported are text classification",
        ),
        (
            lambda path: onnx.save(transformer("logits", 3, ["input_ids", "pixel_values"]), path / "model.onnx"),
            "but a model of text reads",
        ),
        (
            lambda path: (path / "config.json").write_text('{"problem_type": "multi_label_classification"}'),
            "a model of several labels",
        ),
        (lambda path: (path / "config.json").write_text('{"id2label": {"0": "a", "1": "b"}}'), "3 classes, but 2 names"),
    ],
)
def test_what_cannot_be_exported_is_refused_by_name(tmp_path: Path, change: Any, message: str) -> None:
    config = {"id2label": {"0": "a", "1": "b", "2": "c"}}
    source = folder(tmp_path / "classifier", "logits", 3, config, ["input_ids", "attention_mask"])
    change(source)
    with pytest.raises(ExportError, match=message):
        predict_once.export(source, directory=tmp_path / "package")
    assert not (tmp_path / "package").exists()
