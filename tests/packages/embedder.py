"""Writes tests/packages/embedder: a sentence encoder as small as can be, with the inputs and the pooling of a real one.

tests/regenerate embedder
"""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).resolve().parent
DIMENSIONS = 8

tokenizer = json.loads((HERE.parents[1] / "crates/text-input/tests/fixtures/bert.json").read_text())["tokenizer"]
vocabulary = max(tokenizer["model"]["vocab"].values()) + 1
table = np.random.default_rng(7).normal(size=(vocabulary, DIMENSIONS)).astype(np.float32)
nodes = [
    helper.make_node("Gather", ["table", "input_ids"], ["tokens"]),
    helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
    helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
    helper.make_node("Mul", ["tokens", "column"], ["kept"]),
    helper.make_node("ReduceSum", ["kept", "length"], ["sum"], keepdims=0),
    helper.make_node("ReduceL2", ["sum"], ["norm"], axes=[1], keepdims=1),
    helper.make_node("Div", ["sum", "norm"], ["sentence_embedding"]),
]
constants = [
    numpy_helper.from_array(table, "table"),
    numpy_helper.from_array(np.array([2]), "last"),
    numpy_helper.from_array(np.array([1]), "length"),
]
inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["N", "length"]) for name in ("input_ids", "attention_mask")]
outputs = [helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["N", DIMENSIONS])]
graph = helper.make_graph(nodes, "embedder", inputs, outputs, constants)
folder = HERE / "embedder"
folder.mkdir(exist_ok=True)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "model.onnx")
(folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False) + "\n")
(folder / "model.toml").write_text("""\
name = "embedder"
title = "A sentence encoder"

[[fields]]
name = "text"
type = "text"
tokenizer = "tokenizer.json"

[[predictions]]
name = "embedding"
endpoint = "embedding"
kind = "vector"

[[examples]]
name = "fox"
summary = "A sentence"
input = { text = "The quick brown fox" }
""")
