"""A model of text in a directory, as `optimum-cli export onnx` writes it: model.onnx, tokenizer.json, config.json."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from .errors import ExportError
from .graph import Array
from .names import package_name, slug
from .package import Package
from .types import Field, Golden, Kind, Prediction, Scalar, Value
from .verify import Agreement, compare

TOLERANCE = 1e-4
"""Of float32 transformers: engines add in other orders."""
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
TOKENIZER = "tokenizer.json"
TEXTS = (
    "The quick brown fox jumps over the lazy dog.",
    "This is wonderful, thank you very much!",
    "I have waited for three weeks and nobody answers.",
    "Prices rose by 3.5 % in March 2024; economists had expected 4 %.",
    "naïve café, straße, 漢字 and 😀",
    "",
)
LONGEST_EXAMPLE = 200


def is_text_model(model: Any) -> bool:
    """Whether `model` is such a directory."""
    return isinstance(model, (str, Path)) and Path(model).is_dir() and (Path(model) / "config.json").exists()


@dataclass
class Head:
    """What is added to the graph, and what it answers."""

    kind: str  # "classes", "value" or "embedding"
    output: str  # of the graph
    pooling: str = ""  # "mean", "cls" or ""
    normalize: bool = False


class TextModel:
    """A directory, read."""

    def __init__(self, folder: Path) -> None:
        for name in ("model.onnx", TOKENIZER):
            if not (folder / name).exists():
                lacks = f"neither {name} nor preprocessor_config.json" if name == TOKENIZER else f"no {name}"
                raise ExportError(f"{folder} has {lacks}. Write the directory with: optimum-cli export onnx --model … {folder}")
        self.folder = folder
        self.config = read(folder / "config.json")
        self.graph = onnx.load(folder / "model.onnx")
        self.inputs = [entry.name for entry in self.graph.graph.input]
        unknown = sorted(set(self.inputs) - set(INPUTS))
        if unknown or "input_ids" not in self.inputs:
            raise ExportError(
                f"{folder}/model.onnx reads {self.inputs}, but a model of text reads {list(INPUTS)} or some of them."
            )
        self.max_tokens = self.most_tokens()
        self.head = self.find_head()

    def most_tokens(self) -> int | None:
        """The most tokens that the model reads, if one of the files says so."""
        limits = [
            read(self.folder / "tokenizer_config.json").get("model_max_length"),
            read(self.folder / "sentence_bert_config.json").get("max_seq_length"),
            (read(self.folder / TOKENIZER).get("truncation") or {}).get("max_length"),
        ]
        positions = self.config.get("max_position_embeddings")
        if positions is not None:
            # RoBERTa's positions begin after that of the padding.
            offset = self.config.get("pad_token_id", 0) + 1 if "roberta" in str(self.config.get("model_type")) else 0
            limits.append(positions - offset)
        known = [int(limit) for limit in limits if limit is not None and limit < 1_000_000]
        return min(known, default=None)

    def find_head(self) -> Head:
        """What the graph's outputs are."""
        outputs = [entry.name for entry in self.graph.graph.output]
        if "logits" in outputs:
            if self.config.get("problem_type") == "multi_label_classification":
                raise ExportError(
                    "a model of several labels for a text cannot be exported: pass the graph, fields and predictions."
                )
            return Head("value" if len(self.config.get("id2label", {})) == 1 else "classes", "logits")
        if "sentence_embedding" in outputs:
            return Head("embedding", "sentence_embedding")
        for name in ("token_embeddings", "last_hidden_state"):
            if name in outputs:
                pooling = read(self.folder / "1_Pooling" / "config.json")
                modules: Any = read(self.folder / "modules.json")
                normalize = any(str(module.get("type")).endswith("Normalize") for module in modules or [])
                cls = bool(pooling.get("pooling_mode_cls_token"))
                if pooling and not cls and not pooling.get("pooling_mode_mean_tokens"):
                    raise ExportError(
                        f"{self.folder}/1_Pooling/config.json: the pooling must be that of the mean or of the first token."
                    )
                return Head("embedding", name, "cls" if cls else "mean", normalize)
        raise ExportError(
            f"{self.folder}/model.onnx returns {outputs}. Supported are text classification (logits) and feature extraction "
            "(last_hidden_state, token_embeddings, sentence_embedding): pass the graph, fields and predictions for others."
        )

    def fed(self, texts: Sequence[str]) -> list[dict[str, Array]]:
        """What the graph reads for each text, by Hugging Face's library."""
        try:
            from tokenizers import Tokenizer
        except ImportError:
            raise ExportError("pip install tokenizers: the answers to some texts are compared with the library's.") from None
        tokenizer = Tokenizer.from_file(str(self.folder / TOKENIZER))
        tokenizer.encode_special_tokens = True
        tokenizer.no_padding()
        if self.max_tokens is not None:
            direction = (tokenizer.truncation or {}).get("direction", "right")
            tokenizer.enable_truncation(self.max_tokens, direction=direction)
        types = {entry.name: entry.type.tensor_type.elem_type for entry in self.graph.graph.input}
        rows = []
        for encoding in tokenizer.encode_batch_fast(list(texts)):
            parts = dict(zip(INPUTS, (encoding.ids, encoding.attention_mask, encoding.type_ids), strict=True))
            numbers = {name: np.array([parts[name]], dtype=helper.tensor_dtype_to_np_dtype(types[name])) for name in self.inputs}
            rows.append(numbers)
        return rows

    def finished(self) -> onnx.ModelProto:
        """The graph with its head, whose only output is the answer."""
        model = onnx.ModelProto()
        model.CopyFrom(self.graph)
        graph, head = model.graph, self.head
        nodes: list[onnx.NodeProto] = []

        def node(op: str, *inputs: str, **attributes: Any) -> str:
            name = f"predict_once_{len(nodes)}"
            nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
            return name

        def constant(value: Any, dtype: Any) -> str:
            name = f"predict_once_constant_{len(graph.initializer)}"
            graph.initializer.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
            return name

        # The axes of ReduceSum are an input since opset 13.
        opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
        if opset < 13:
            raise ExportError(f"{self.folder}/model.onnx has the opset {opset}. Export it with --opset 17.")
        result = head.output
        if head.kind == "classes":
            result = node("Softmax", result, axis=-1)
        if head.pooling == "cls":
            result = node("Gather", result, constant(0, np.int64), axis=1)
        if head.pooling == "mean":
            axis = constant([1], np.int64)
            if "attention_mask" in self.inputs:
                mask = node("Cast", node("Unsqueeze", "attention_mask", constant([-1], np.int64)), to=TensorProto.FLOAT)
                sums = node("ReduceSum", node("Mul", result, mask), axis, keepdims=0)
                count = node("Max", node("ReduceSum", mask, axis, keepdims=0), constant(1e-9, np.float32))
                result = node("Div", sums, count)
            else:
                result = node("ReduceMean", result, axes=[1], keepdims=0)
        if head.normalize:
            squares = node("ReduceSum", node("Mul", result, result), constant([-1], np.int64), keepdims=1)
            result = node("Div", result, node("Max", node("Sqrt", squares), constant(1e-12, np.float32)))
        if result == head.output:
            result = node("Identity", result)
        graph.node.extend(nodes)
        del graph.output[:]
        graph.output.append(helper.make_tensor_value_info(result, TensorProto.FLOAT, None))
        return model

    def expected(self, rows: Sequence[Mapping[str, Array]]) -> list[Array]:
        """The answers of the graph as it is in the directory; what is added to it is calculated by NumPy."""
        results = []
        for row, output in zip(rows, run(self.graph, self.head.output, rows), strict=True):
            result = output[0].astype(np.float64)
            if self.head.kind == "classes":
                result = np.exp(result - result.max())
                result /= result.sum()
            if self.head.pooling == "cls":
                result = result[0]
            if self.head.pooling == "mean":
                mask = row.get("attention_mask", np.ones((1, len(result))))[0][:, np.newaxis]
                result = (result * mask).sum(axis=0) / max(mask.sum(), 1e-9)
            if self.head.normalize:
                result = result / max(float(np.linalg.norm(result)), 1e-12)
            results.append(result)
        return results


def read(path: Path) -> Any:
    """A JSON file, or an empty object."""
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def run(model: onnx.ModelProto, output: str, rows: Sequence[Mapping[str, Array]]) -> list[Array]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [session.run([output], dict(row))[0] for row in rows]


def package_of(
    folder: Path,
    texts: Sequence[str] | None,
    target: str | None,
    name: str | None,
    kinds: Sequence[str] | None,
    endpoints: Mapping[str, str],
    descriptions: Mapping[str, str],
    labels: Sequence[Scalar] | None,
    tolerance: float,
) -> tuple[Package, Agreement]:
    """The package of a directory, and how closely its graph agrees with the directory's on `texts`."""
    model = TextModel(folder)
    texts = list(TEXTS if texts is None else texts)
    if not texts or not all(isinstance(text, str) for text in texts):
        raise ExportError("X must be texts, on which the package is compared with the model: a list of strings.")
    target = target or ("embedding" if model.head.kind == "embedding" else "label")
    field = Field(name="text", type="text", tokenizer=TOKENIZER)
    if "text" in descriptions:
        field["description"] = descriptions["text"]
    if model.max_tokens is not None:
        field["max_tokens"] = model.max_tokens
    rows = model.fed(texts)
    expected = model.expected(rows)
    names: list[Any] = []
    if model.head.kind == "classes":
        id2label = model.config.get("id2label", {})
        names = list(labels or [id2label[key] for key in sorted(id2label, key=int)])
        if len(names) != len(expected[0]):
            raise ExportError(f"the model has {len(expected[0])} classes, but {len(names)} names. Pass labels=[…].")
    predictions = predictions_of(model.head.kind, target, names, kinds, endpoints, descriptions)
    graph = model.finished()
    output = graph.graph.output[0].name
    actual = [row[0] for row in run(graph, output, rows)]
    golden: list[Golden] = []
    compared: dict[str, list[Any]] = {entry["name"]: [] for entry in predictions}
    wanted: dict[str, list[Any]] = {entry["name"]: [] for entry in predictions}
    for text, right, got in zip(texts, expected, actual, strict=True):
        answers = {entry["name"]: answer(entry, right, names) for entry in predictions}
        golden.append(Golden(input={"text": text}, answers=answers))
        for entry in predictions:
            wanted[entry["name"]].append(comparable(answers[entry["name"]]))
            compared[entry["name"]].append(comparable(answer(entry, got, names)))
    agreement = compare(wanted, compared, tolerance)
    example = next((text for text in texts if 0 < len(text) <= LONGEST_EXAMPLE), texts[0][:LONGEST_EXAMPLE])
    field["example"] = example
    package = Package(
        graph,
        name or package_name(folder.resolve().name),
        [field],
        predictions,
        [{"name": "text", "summary": "A text", "input": {"text": example}}],
        golden,
        files={TOKENIZER: (folder / TOKENIZER).read_bytes()},
    )
    return package, agreement


def predictions_of(
    head: str,
    target: str,
    names: Sequence[Any],
    kinds: Sequence[str] | None,
    endpoints: Mapping[str, str],
    descriptions: Mapping[str, str],
) -> list[Prediction]:
    offered: dict[str, str] = (
        {"class": target, "probabilities": f"{target}_probabilities"}
        if head == "classes"
        else {"vector" if head == "embedding" else "value": target}
    )
    unknown = sorted({*(kinds or ()), *endpoints} - set(offered))
    if unknown:
        raise ExportError(f"kinds: {unknown[0]!r} is not what this model answers. It answers {', '.join(map(repr, offered))}.")
    predictions = []
    for kind in kinds or offered:
        known: Kind = kind  # type: ignore[assignment]
        entry = Prediction(name=offered[kind], endpoint=endpoints.get(kind) or slug(offered[kind], "target='…'"), kind=known)
        if offered[kind] in descriptions:
            entry["description"] = descriptions[offered[kind]]
        if head == "classes":
            entry["values"] = [Value(name=name) for name in names]
        predictions.append(entry)
    return predictions


def answer(prediction: Prediction, output: Array, names: Sequence[Any]) -> Any:
    """An endpoint's answer."""
    match prediction["kind"]:
        case "class":
            return names[int(output.argmax())]
        case "probabilities":
            return dict(zip(map(str, names), map(float, output), strict=True))
        case "vector":
            return [float(number) for number in output]
        case _:
            return float(output[0])


def comparable(answer: Any) -> Any:
    """A vector as named numbers."""
    return {str(position): number for position, number in enumerate(answer)} if isinstance(answer, list) else answer
