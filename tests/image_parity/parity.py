"""Compares the tensors of crates/image-input with Pillow's.

PNG and WebP must be equal to the bit. JPEG leaves rounding to the decoder: decoded pixels may differ by DECODED levels, pixels shrunk
to 224 by RESIZED, and the mean of a channel by SHIFT.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import images
import numpy as np
from reference import preprocess

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
NORMALISED = {"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": MEAN, "image_std": STD}
AS_BYTES = {"do_rescale": False, "do_normalize": False}
DECODED, RESIZED, SHIFT = 5, 3, 0.25


def tensors(program, files, config):
    """The tensor of each file, as the program and as the reference calculate it."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as written:
        json.dump(config, written)
        written.flush()
        lines = subprocess.run([program, written.name, *files], check=True, capture_output=True, text=True).stdout
    for line in lines.splitlines():
        path, answer = line.split("\t")
        expected = preprocess(path, config)
        tensor = np.fromfile(f"{path}.tensor", expected.dtype) if Path(f"{path}.tensor").exists() else None
        assert tensor is not None, f"{path}: {answer}"
        assert tensor.size == expected.size, f"{path}: {answer}, not {expected.shape}"
        yield Path(path).name, tensor.reshape(expected.shape), expected


def check_exact(program, files):
    configs = []
    for resample in range(6):
        for height, width in ((224, 224), (37, 100), (700, 800), (251, 333)):
            configs.append({"do_resize": True, "size": {"height": height, "width": width}, "resample": resample, **AS_BYTES})
    configs.append({"do_resize": False, "layout": "NHWC", **AS_BYTES})
    configs.append({"do_resize": True, "size": {"height": 224, "width": 224}, "resample": 2, **NORMALISED})
    configs.append({"do_resize": True, "size": {"height": 64, "width": 48}, "resample": 3, "layout": "NHWC", **NORMALISED})
    configs.append({"do_resize": True, "size": {"height": 64, "width": 48}, "resample": 3, "do_rescale": True})
    for crop in (224, 225, 301, 40):
        edge = {"do_resize": True, "size": {"shortest_edge": 224}, "resample": 3}
        configs.append({**edge, "do_center_crop": True, "crop_size": {"height": crop, "width": crop + 3}, **NORMALISED})
    compared = 0
    for config in configs:
        has_edge = "shortest_edge" in config.get("size", {})
        # Their longest edge would exceed the limit.
        chosen = [file for file in files if not (has_edge and Path(file).stem in ("3x500", "2000x31"))]
        for name, tensor, expected in tensors(program, chosen, config):
            assert tensor.dtype == expected.dtype
            assert np.array_equal(tensor, expected), (
                f"{name} with {config}: {np.abs(tensor.astype(float) - expected).max()} at most, "
                f"{(tensor != expected).mean():.2%} of the values"
            )
            compared += 1
    print(f"{compared} tensors of PNG and lossless WebP files are equal")


def check_lossy(program, files):
    decoded = {"do_resize": False, **AS_BYTES}
    resized = {"do_resize": True, "size": {"height": 224, "width": 224}, "resample": 3, **AS_BYTES}
    for config, allowed, what in ((decoded, DECODED, "decoded"), (resized, RESIZED, "resized to 224")):
        worst = {}
        for name, tensor, expected in tensors(program, files, config):
            difference = tensor.astype(int) - expected
            largest, mean = int(np.abs(difference).max()), float(np.abs(difference.mean((1, 2))).max())
            shrinks = config is decoded or not name.startswith(("17x33", "orientation"))
            kind = "WebP" if name.endswith("webp") else next((s for s in ("444", "422", "420") if s in name), "other JPEG")
            worst[kind] = max(worst.get(kind, (0, 0.0)), (largest, round(mean, 3)))
            limit = 0 if kind == "WebP" else allowed if shrinks else DECODED
            assert largest <= limit, f"{name}, {what}: {largest} levels"
            assert mean <= SHIFT or not shrinks, f"{name}, {what}: {mean:.3f} levels on average"
        print(f"{what}: largest difference in levels, and of a channel's mean: {worst}")


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as directory:
        for name, generate, check in (("exact", images.exact, check_exact), ("lossy", images.lossy, check_lossy)):
            generate(Path(directory) / name)
            check(program, sorted(str(path) for path in (Path(directory) / name).iterdir()))


main()
