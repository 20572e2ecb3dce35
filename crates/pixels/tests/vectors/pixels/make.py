"""Pixels of Pillow (libjpeg-turbo): JPEG files of every kind that is read, and one picture at other sizes.

pip install pillow numpy safetensors imagecodecs; python make.py. Last made with Pillow 13.0.0 (libjpeg-turbo 3.2.0).
Digests are SHA-256 of RGB rows. `damaged/...` are streams that Pillow reads with a guess or a warning.
"""

import hashlib
import io

import imagecodecs
import numpy as np
from PIL import Image
from safetensors.numpy import save_file

rng = np.random.default_rng(13)
tensors = {}


def picture(width, height):
    y, x = np.mgrid[0:height, 0:width].astype(float)
    a = np.stack([200 + 50 * np.sin(x / 5 + y / 9), 110 + 80 * np.cos(x / 7 - y / 3), 180 + 60 * np.sin((x + y) / 11)], -1)
    a += rng.normal(0, 12, a.shape)
    a[(x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(width, height) / 4) ** 2] = [90, 20, 120]
    return np.clip(a, 0, 255).astype(np.uint8)


def digest(image):
    rgb = np.asarray(image.convert("RGB"))
    return np.frombuffer(hashlib.sha256(rgb.tobytes()).digest(), np.uint8).copy()


def keep(name, data):
    tensors[f"jpeg/{name}"] = np.frombuffer(data, np.uint8).copy()
    tensors[f"rgb/{name}"] = digest(Image.open(io.BytesIO(data)))


def coded(image, **options):
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


for width, height in [(1, 1), (3, 2), (5, 4), (9, 17), (33, 31), (47, 65)]:
    image = Image.fromarray(picture(width, height))
    for name, sub in [("444", 0), ("422", 1), ("420", 2)]:
        quality = {0: 92, 1: 75, 2: 40}[sub]
        keep(f"{name}-{width}x{height}", coded(image, quality=quality, subsampling=sub))
        if width in (9, 47):
            keep(f"{name}-progressive-{width}x{height}", coded(image, quality=85, subsampling=sub, progressive=True))
    for sub in ("440", "411"):
        keep(f"{sub}-{width}x{height}", imagecodecs.jpeg8_encode(np.asarray(image), level=80, subsampling=sub))
    keep(f"grey-{width}x{height}", coded(image.convert("L"), quality=75))
image = Image.fromarray(picture(47, 65))
keep("restarts", coded(image, restart_marker_blocks=2, subsampling=2))
keep("restarts-progressive", coded(image, restart_marker_rows=1, progressive=True, subsampling=2))
keep("rgb", coded(image, keep_rgb=True))
keep("best", coded(image, quality=100, subsampling=0))
keep("worst", coded(image, quality=1, subsampling=2))
keep("optimised", coded(image, quality=75, optimize=True))

source = picture(61, 43)
tensors["source"] = source
image = Image.fromarray(source)
filters = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
for width, height in [(61, 43), (30, 21), (17, 43), (61, 11), (64, 64), (224, 158), (7, 90), (1, 1), (60, 42)]:
    for name, number in filters.items():
        tensors[f"resized/{name}/{width}x{height}"] = digest(image.resize((width, height), number))
save_file(tensors, "pixels.safetensors")
