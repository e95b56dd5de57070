"""Writes tests/fixtures: small images in every format, and the pixels that Pillow makes of them.

    tests/regenerate images

NAME.rgb has the pixels of NAME.jpg, NAME.png or NAME.webp, and rgb-HEIGHTxWIDTH-RESAMPLE.rgb those of rgb.png in another size.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2] / "tests" / "image_parity"))
from images import scene, with_alpha, write_16_bit  # noqa: E402

FIXTURES = HERE / "fixtures"


def save(image, name, **options):
    image.save(FIXTURES / name, **options)
    expect(name)


def expect(name):
    image = ImageOps.exif_transpose(Image.open(FIXTURES / name)).convert("RGB")
    (FIXTURES / name).with_suffix(".rgb").write_bytes(image.tobytes())


def main():
    FIXTURES.mkdir(exist_ok=True)
    for old in FIXTURES.iterdir():
        old.unlink()
    image = scene(45, 32)
    save(image, "rgb.png")
    for resample in range(6):
        for height, width in ((16, 20), (50, 61)):
            resized = image.resize((width, height), resample)
            (FIXTURES / f"rgb-{height}x{width}-{resample}.rgb").write_bytes(resized.tobytes())
    save(image.convert("L"), "gray.png")
    save(image.convert("1"), "bilevel.png")
    save(image.quantize(16), "palette.png", bits=4)
    save(with_alpha(image), "rgba.png")
    save(with_alpha(image).convert("LA"), "gray-alpha.png")
    write_16_bit(FIXTURES / "16-bit.png", np.random.default_rng(5).integers(0, 65536, (12, 9, 3), dtype=np.uint16))
    expect("16-bit.png")
    Image.fromarray(np.full((4, 4), 700, np.uint16)).save(FIXTURES / "16-bit-gray.png")
    save(image, "baseline.jpg", quality=85, subsampling=0)
    save(image, "subsampled.jpg", quality=85, subsampling=2)
    save(image, "progressive.jpg", quality=85, progressive=True)
    save(image.convert("L"), "luma.jpg")
    save(image.convert("CMYK"), "cmyk.jpg")
    save(image, "lossy.webp", quality=80)
    save(with_alpha(image), "lossy-alpha.webp", quality=80)
    save(image, "lossless.webp", lossless=True)
    image.save(FIXTURES / "animated.webp", save_all=True, append_images=[scene(45, 32, 4)], lossless=True)
    image.save(FIXTURES / "other.gif")
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        save(scene(13, 7), f"orientation-{orientation}.png", exif=exif)
    save(scene(13, 7), "orientation-jpeg.jpg", exif=exif, quality=95, subsampling=0)
    save(scene(13, 7), "orientation-webp.webp", exif=exif, lossless=True)


main()
