"""Image classifiers: the service answers pictures of all kinds as ONNX Runtime does with Pillow."""

import base64
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import BINARY, serve
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import predict_once
from predict_once.images import picture, preprocess

LABELS = ["cat", "dog", "bird", "fish"]
CLIP = {
    "crop_size": {"height": 48, "width": 48}, "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True,
    "do_rescale": True, "do_resize": True, "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_processor_type": "CLIPImageProcessor",
    "image_std": [0.26862954, 0.26130258, 0.27577711], "resample": 3, "rescale_factor": 0.00392156862745098,
    "size": {"shortest_edge": 48}, "processor_class": None,
}  # fmt: skip
VIT = {
    "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5, 0.5, 0.5],
    "image_processor_type": "ViTImageProcessor",
    "image_std": [0.5, 0.5, 0.5], "resample": 2, "rescale_factor": 1 / 255, "size": {"height": 48, "width": 48},
}  # fmt: skip
RESNET = {
    "crop_pct": 0.875, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.485, 0.456, 0.406],
    "image_processor_type": "ConvNextImageProcessor", "image_std": [0.229, 0.224, 0.225], "resample": 3,
    "size": {"shortest_edge": 48},
}  # fmt: skip


def network() -> onnx.ModelProto:
    """Two convolutions and a linear layer, with weights at random."""
    random = np.random.default_rng(7)
    weights = {
        "first": random.normal(0, 0.3, (8, 3, 3, 3)),
        "second": random.normal(0, 0.2, (16, 8, 3, 3)),
        "linear": random.normal(0, 1, (4, 16)),
    }
    nodes = [
        helper.make_node("Conv", ["pixel_values", "first"], ["a"], strides=[2, 2]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "second"], ["c"], strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("GlobalAveragePool", ["d"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("Gemm", ["f", "linear"], ["logits"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["batch_size", "num_channels", "height", "width"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch_size", 4])],
        [numpy_helper.from_array(weight.astype(np.float32), name) for name, weight in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def exported(folder: Path, config: dict[str, Any]) -> Path:
    """A directory as optimum-cli writes it."""
    folder.mkdir()
    onnx.save(network(), folder / "model.onnx")
    (folder / "config.json").write_text(json.dumps({"id2label": {str(i): label for i, label in enumerate(LABELS)}}))
    (folder / "preprocessor_config.json").write_text(json.dumps(config))
    return folder


def files() -> dict[str, bytes]:
    """Pictures in several formats and modes."""
    image = Image.open(io.BytesIO(picture(200, 133, 9)))
    exif = Image.Exif()
    exif[0x0112] = 6

    def saved(picture: Image.Image, **options: Any) -> bytes:
        file = io.BytesIO()
        picture.save(file, **options)
        return file.getvalue()

    return {
        "png": saved(image, format="PNG"),
        "palette": saved(image.quantize(16), format="PNG"),
        "turned": saved(image, format="PNG", exif=exif),
        "gray": saved(image.convert("L"), format="PNG"),
        "webp": saved(image, format="WEBP", lossless=True),
        "small": saved(image.resize((20, 31)), format="PNG"),
        "jpeg": saved(image, format="JPEG", quality=90),
    }


@pytest.mark.parametrize("config", [CLIP, VIT, RESNET], ids=["CLIP", "ViT", "ResNet"])
def test_the_service_answers_as_onnx_runtime_does_with_pillow(tmp_path: Path, config: dict[str, Any]) -> None:
    report = predict_once.export(exported(tmp_path / "model", config), directory=tmp_path / "package", target="animal")
    assert report.endpoints == ("/animal", "/animal_probabilities")
    subprocess.run([BINARY, "check", tmp_path / "package"], check=True)
    session = onnxruntime.InferenceSession(network().SerializeToString(), providers=["CPUExecutionProvider"])
    with serve(tmp_path / "package") as client:
        for name, file in files().items():
            (logits,) = session.run(None, {"pixel_values": preprocess(file, config)[None]})[0]
            scores = np.exp(logits - logits.max())
            row = {"image": base64.b64encode(file).decode()}
            assert client.ask("animal", row) == LABELS[int(logits.argmax())], name
            answered = list(client.ask("animal_probabilities", row).values())
            # In JPEG files, decoders round differently.
            assert answered == pytest.approx(scores / scores.sum(), abs=5e-3 if name == "jpeg" else 1e-5), name


def test_a_directory_that_lacks_a_file_or_classes_is_refused(tmp_path: Path) -> None:
    folder = exported(tmp_path / "model", VIT)
    (folder / "config.json").write_text("{}")
    with pytest.raises(predict_once.ExportError, match="id2label must name at least two classes"):
        predict_once.export(folder, directory=tmp_path / "package")
    (folder / "config.json").unlink()
    with pytest.raises(predict_once.ExportError, match=r"has no config\.json"):
        predict_once.export(folder, directory=tmp_path / "package")
    (folder / "config.json").write_text("{}")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(predict_once.ExportError, match=r"has neither tokenizer\.json nor preprocessor_config\.json"):
        predict_once.export(folder, directory=tmp_path / "package")
    assert not (tmp_path / "package").exists()
