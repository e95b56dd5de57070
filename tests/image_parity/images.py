"""Generated images: smooth waves, hard edges and noise, in every format and mode that a client may send."""

import numpy as np
from PIL import Image


def scene(width, height, seed=3):
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(float)
    waves = [127 + 120 * np.sin(x / 17 + y / 29), 127 + 120 * np.cos(x / 7 - y / 41), 255 * ((x // 13 + y // 11) % 2)]
    pixels = np.stack(waves, -1) + random.normal(0, 12, (height, width, 3))
    for _ in range(20):
        left, top = random.integers(0, width), random.integers(0, height)
        right, bottom = left + random.integers(1, 2 + width // 3), top + random.integers(1, 2 + height // 3)
        pixels[top:bottom, left:right] = random.integers(0, 256, 3)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def with_alpha(image):
    image = image.copy()
    image.putalpha(Image.fromarray(np.arange(image.width * image.height, dtype=np.uint8).reshape(image.size[::-1])))
    return image


def exact(directory):
    """Files whose pixels a decoder has no choice about."""
    directory.mkdir(parents=True, exist_ok=True)
    image = scene(333, 251)
    random = np.random.default_rng(5)
    for width, height in ((1, 1), (3, 500), (640, 480), (251, 333), (224, 224), (2000, 31)):
        scene(width, height).save(directory / f"{width}x{height}.png")
    image.convert("L").save(directory / "gray.png")
    image.convert("1").save(directory / "bilevel.png")
    for bits in (1, 2, 4, 8):
        image.quantize(2**bits).save(directory / f"palette-{bits}.png", bits=bits)
    image.quantize(64).save(directory / "palette-transparent.png", transparency=bytes(range(64)))
    image.save(directory / "colour-key.png", transparency=image.getpixel((0, 0)))
    image.convert("L").save(directory / "gray-key.png", transparency=7)
    with_alpha(image).save(directory / "rgba.png")
    with_alpha(image).convert("LA").save(directory / "gray-alpha.png")
    write_16_bit(directory / "16-bit.png", random.integers(0, 65536, (60, 80, 3), dtype=np.uint16))
    write_16_bit(directory / "16-bit-alpha.png", random.integers(0, 65536, (60, 80, 4), dtype=np.uint16))
    image.save(directory / "lossless.webp", lossless=True)
    with_alpha(image).save(directory / "lossless-alpha.webp", lossless=True)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        for suffix in ("png", "webp"):
            scene(60, 41).save(directory / f"orientation-{orientation}.{suffix}", exif=exif, lossless=True)


def write_16_bit(path, pixels):
    """Pillow reads these, but cannot write them."""
    import struct
    import zlib

    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    written = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + written)


def lossy(directory):
    """Files whose pixels depend on the decoder's rounding."""
    directory.mkdir(parents=True, exist_ok=True)
    for width, height in ((640, 480), (333, 251), (1000, 750), (17, 33)):
        image = scene(width, height)
        for quality in (60, 92):
            for subsampling, name in enumerate(("444", "422", "420")):
                for progressive in (False, True):
                    kind = "progressive" if progressive else "baseline"
                    path = directory / f"{width}x{height}-{quality}-{name}-{kind}.jpg"
                    image.save(path, quality=quality, subsampling=subsampling, progressive=progressive)
        image.save(directory / f"{width}x{height}.webp", quality=80)
    image = scene(333, 251)
    with_alpha(image).save(directory / "alpha.webp", quality=80)
    image.convert("L").save(directory / "gray.jpg")
    image.convert("CMYK").save(directory / "cmyk.jpg")
    image.save(directory / "rgb.jpg", keep_rgb=True)
    image.save(directory / "restarts.jpg", restart_marker_blocks=7)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        scene(60, 41).save(directory / f"orientation-{orientation}.jpg", exif=exif, quality=95, subsampling=0)
