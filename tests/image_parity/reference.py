"""What `transformers`' image processors do with Pillow and NumPy, step by step."""

import math

import numpy as np
from PIL import Image, ImageOps


def preprocess(path, config):
    """The tensor of an image file: float32, or uint8 if the configuration leaves the values as they are."""
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    if config.get("do_resize"):
        image = image.resize(target(image.size, config["size"]), config["resample"])
    pixels = np.asarray(image)
    if config.get("do_center_crop"):
        pixels = center_crop(pixels, config["crop_size"]["height"], config["crop_size"]["width"])
    if config.get("do_rescale", True):
        pixels = (pixels.astype(np.float64) * config.get("rescale_factor", 1 / 255)).astype(np.float32)
    if config.get("do_normalize"):
        mean, std = (np.array(config[key], dtype=np.float32) for key in ("image_mean", "image_std"))
        pixels = (pixels.astype(np.float32) - mean) / std
    return pixels if config.get("layout") == "NHWC" else pixels.transpose(2, 0, 1)


def target(size, wanted):
    """Width and height."""
    if "shortest_edge" not in wanted:
        return wanted["width"], wanted["height"]
    width, height = size
    short, long = min(size), max(size)
    long = int(wanted["shortest_edge"] * long / short)
    return (wanted["shortest_edge"], long) if width <= height else (long, wanted["shortest_edge"])


def center_crop(pixels, crop_height, crop_width):
    height, width, _ = pixels.shape
    top, left = (height - crop_height) // 2, (width - crop_width) // 2
    padded = np.zeros((max(crop_height, height), max(crop_width, width), 3), pixels.dtype)
    above, before = math.ceil((padded.shape[0] - height) / 2), math.ceil((padded.shape[1] - width) / 2)
    padded[above : above + height, before : before + width] = pixels
    top, left = top + above, left + before
    return padded[max(0, top) : top + crop_height, max(0, left) : left + crop_width]
