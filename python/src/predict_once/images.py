"""Image classifiers, from a directory that `optimum-cli export onnx` has written."""

import base64
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper

from .errors import ExportError
from .package import Package
from .types import Example, Field, Golden, Prediction

GRAPH, CONFIG, PREPROCESSOR = "model.onnx", "config.json", "preprocessor_config.json"
# Keys of preprocessor_config.json that change no pixel: the service refuses others that it does not know.
DROPPED = ("_processor_class", "_valid_processor_keys", "processor_class", "feature_extractor_type")
SIZES = ((160, 120), (90, 130), (64, 64))
Config = dict[str, Any]


def is_image_classifier(model: Any) -> bool:
    """Whether it is the path of a directory that says how images are prepared."""
    return isinstance(model, (str, Path)) and (Path(model) / PREPROCESSOR).is_file()


def image_classifier(folder: Path, name: str, target: str) -> Package:
    """The package of a classifier, with golden answers of ONNX Runtime to generated pictures that Pillow has prepared."""
    labels = [label for _, label in sorted(read(folder, CONFIG).get("id2label", {}).items(), key=lambda entry: int(entry[0]))]
    if len(labels) < 2:
        raise ExportError(f"{folder / CONFIG}: id2label must name at least two classes.")
    config = {key: value for key, value in read(folder, PREPROCESSOR).items() if value is not None and key not in DROPPED}
    model = with_probabilities(onnx.load(folder / GRAPH), len(labels))
    fields: list[Field] = [{"name": "image", "type": "image", "preprocessor": config}]
    predictions: list[Prediction] = [
        {"name": target, "endpoint": target, "kind": "class", "values": labels},
        {"name": f"{target}_probabilities", "endpoint": f"{target}_probabilities", "kind": "probabilities", "values": labels},
    ]
    pictures = [picture(width, height, seed) for seed, (width, height) in enumerate(SIZES)]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    tensors = np.stack([preprocess(file, config) for file in pictures])
    (rows,) = session.run(None, {session.get_inputs()[0].name: tensors})
    inputs = [{"image": base64.b64encode(file).decode()} for file in pictures]
    golden: list[Golden] = [
        {
            "input": input,
            "answers": {
                target: labels[int(row.argmax())],
                f"{target}_probabilities": dict(zip(labels, map(float, row), strict=True)),
            },
        }
        for input, row in zip(inputs, rows, strict=True)
    ]
    examples: list[Example] = [{"name": "picture", "summary": "A generated picture", "input": inputs[-1]}]
    return Package(model, name, fields, predictions, examples, golden)


def read(folder: Path, name: str) -> Config:
    path = folder / name
    if not path.exists():
        raise ExportError(f"{folder} has no {name}. An exported image classifier has {GRAPH}, {CONFIG} and {PREPROCESSOR}.")
    content: Config = json.loads(path.read_text())
    return content


def with_probabilities(model: onnx.ModelProto, classes: int) -> onnx.ModelProto:
    """The graph with a softmax behind its first output, the logits, as its only output."""
    graph = model.graph
    if len(graph.input) - len({weight.name for weight in graph.initializer} & {entry.name for entry in graph.input}) != 1:
        raise ExportError(f"the graph must have one input, the image, and has {', '.join(entry.name for entry in graph.input)}.")
    logits = graph.output[0].name
    graph.node.append(helper.make_node("Softmax", [logits], ["probabilities"], axis=-1))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", classes]))
    return model


def picture(width: int, height: int, seed: int) -> bytes:
    """A PNG file of waves and rectangles."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ExportError("an image classifier needs Pillow: pip install pillow") from error

    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(float)
    pixels = np.stack([127 + 120 * np.sin(x / 17 + y / 29), 127 + 120 * np.cos(x / 7 - y / 41), 255 * (x // 13 % 2)], -1)
    for _ in range(6):
        left, top = random.integers(0, width), random.integers(0, height)
        pixels[top : top + height // 3, left : left + width // 3] = random.integers(0, 256, 3)
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG", optimize=True)
    return file.getvalue()


def preprocess(file: bytes, config: Mapping[str, Any]) -> NDArray[np.float32]:
    """What `transformers`' image processors do with Pillow and NumPy."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(Image.open(io.BytesIO(file))).convert("RGB")
    size, crop = config.get("size"), config.get("crop_size") if config.get("do_center_crop") else None
    if config.get("do_resize", size is not None):
        if not isinstance(size, dict):
            raise ExportError(f"size={size!r} in {PREPROCESSOR}: give height and width, or shortest_edge.")
        if config.get("crop_pct") is not None:
            edge = size["shortest_edge"]
            crop = {"height": edge, "width": edge} if edge < 384 else None
            size = {"shortest_edge": int(edge / config["crop_pct"])} if edge < 384 else {"height": edge, "width": edge}
        width, height = resized(image.size, size)
        # Rows first, as in all versions of Pillow until 12: 13 chooses the order, which changes pixels at hard edges.
        image = image.resize((width, image.height), config["resample"]).resize((width, height), config["resample"])
    pixels = np.asarray(image)
    if crop is not None:
        height, width = (crop["height"], crop["width"]) if isinstance(crop, dict) else (crop, crop)
        top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
        if min(top, left) < 0:
            raise ExportError(f"crop_size in {PREPROCESSOR} is larger than the resized image.")
        pixels = pixels[top : top + height, left : left + width]
    numbers = pixels.astype(np.float32)
    if config.get("do_rescale", True):
        numbers = (pixels.astype(np.float64) * config.get("rescale_factor", 1 / 255)).astype(np.float32)
    if config.get("do_normalize", "image_mean" in config):
        mean, std = (np.array(config[key], dtype=np.float32) for key in ("image_mean", "image_std"))
        numbers = (numbers - mean) / std
    return numbers.transpose(2, 0, 1)


def resized(size: tuple[int, int], wanted: Mapping[str, int]) -> tuple[int, int]:
    """Width and height."""
    if "shortest_edge" not in wanted:
        return wanted["width"], wanted["height"]
    edge = wanted["shortest_edge"]
    long = int(edge * max(size) / min(size))
    return (edge, long) if size[0] <= size[1] else (long, edge)
