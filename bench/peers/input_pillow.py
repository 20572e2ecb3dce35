"""The reference pipeline of an input tile: Pillow's pixels, then a Vision Transformer in numpy, single precision.

usage: input_pillow.py make FOLDER SIDES...          JPEG tiles, from FOLDER/*.png, coded 4:4:4 and 4:2:0
       input_pillow.py tokens FOLDER MODEL SHORTER   one CLS token a JPEG of FOLDER, through MODEL (safetensors, timm's names); the shorter
                                                     side is resized to SHORTER (bicubic), the centre is cut out; 0: tiles are as large as needed
       input_pillow.py rate FOLDER SHORTER SIDE N    tiles a second, decoded and resized on one thread, best of N passes

Needs pillow and numpy. Answers are JSON.
"""

import json
import math
import struct
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

erf = np.frompyfunc(math.erf, 1, 1)


def tensors(path):
    raw = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    found = {}
    for name, entry in json.loads(raw[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        assert entry["dtype"] == "F32", entry
        begin, end = entry["data_offsets"]
        values = np.frombuffer(raw[8 + length + begin : 8 + length + end], "<f4")
        found[name] = values.reshape(entry["shape"])
    return found


def norm(x, t, name, epsilon):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + np.float32(epsilon)) * t[name + ".weight"] + t[name + ".bias"]


def gelu(x):
    return x * np.float32(0.5) * (np.float32(1) + erf(x / np.float32(math.sqrt(2))).astype(np.float32))


def class_token(t, x, heads, epsilon=1e-6):
    """x: [side, side, 3], normalised. Everything is float32."""
    weight = t["patch_embed.proj.weight"]
    width, _, patch, _ = weight.shape
    grid = x.shape[0] // patch
    patches = x.reshape(grid, patch, grid, patch, 3).transpose(0, 2, 4, 1, 3).reshape(grid * grid, -1)
    z = patches @ weight.reshape(width, -1).T + t["patch_embed.proj.bias"]
    z = np.concatenate([t["cls_token"].reshape(1, width), z]) + t["pos_embed"].reshape(-1, width)
    depth = 1 + max(int(name.split(".")[1]) for name in t if name.startswith("blocks."))
    head = width // heads
    for i in range(depth):
        b = f"blocks.{i}."
        y = norm(z, t, b + "norm1", epsilon)
        qkv = y @ t[b + "attn.qkv.weight"].T + t[b + "attn.qkv.bias"]
        q, k, v = (qkv[:, j * width : (j + 1) * width].reshape(-1, heads, head).transpose(1, 0, 2) for j in range(3))
        s = q @ k.transpose(0, 2, 1) * np.float32(1 / math.sqrt(head))
        s = np.exp(s - s.max(-1, keepdims=True))
        s /= s.sum(-1, keepdims=True)
        a = (s @ v).transpose(1, 0, 2).reshape(-1, width)
        z = z + a @ t[b + "attn.proj.weight"].T + t[b + "attn.proj.bias"]
        y = norm(z, t, b + "norm2", epsilon)
        y = gelu(y @ t[b + "mlp.fc1.weight"].T + t[b + "mlp.fc1.bias"])
        z = z + y @ t[b + "mlp.fc2.weight"].T + t[b + "mlp.fc2.bias"]
    return norm(z, t, "norm", epsilon)[0]


def cut(image, shorter, side):
    """torchvision's Resize(shorter) and CenterCrop(side), on Pillow's own resize."""
    width, height = image.size
    if shorter:
        if width <= height:
            size = (shorter, int(shorter * height / width))
        else:
            size = (int(shorter * width / height), shorter)
        if size != image.size:
            image = image.resize(size, Image.Resampling.BICUBIC)
    width, height = image.size
    left, top = round((width - side) / 2), round((height - side) / 2)
    return image.crop((left, top, left + side, top + side))


def jpegs(folder):
    return sorted(Path(folder).glob("*.jpg"))


def make(folder, sides):
    names = []
    for png in sorted(Path(folder).glob("*.png")):
        drawn = Image.open(png).convert("RGB")
        for side in sides:
            # One side longer than the other: a crop has something to cut.
            size = (side, side) if side == drawn.width else (side + 37, side)
            tile = drawn if size == drawn.size else drawn.resize(size, Image.Resampling.LANCZOS)
            for coding, subsampling in (("444", 0), ("420", 2)):
                out = png.with_name(f"{png.stem}-{side}-{coding}.jpg")
                tile.save(out, quality=90, subsampling=subsampling)
                names.append(out.name)
    print(json.dumps({"files": names}))


def tokens(folder, model, shorter):
    t = tensors(Path(model) / "model.safetensors")
    card = json.loads((Path(model) / "config.json").read_text())
    mean, std = (np.array(card["pretrained_cfg"][key], np.float32) for key in ("mean", "std"))
    side = card["pretrained_cfg"]["input_size"][-1]
    heads = card["model_args"]["num_heads"]
    found = {}
    for path in jpegs(folder):
        image = cut(Image.open(path).convert("RGB"), shorter, side)
        x = (np.asarray(image, np.float32) / np.float32(255) - mean) / std
        found[path.name] = class_token(t, x, heads).tolist()
    print(json.dumps({"tokens": found}))


def rate(folder, shorter, side, passes):
    import io

    files = [path.read_bytes() for path in jpegs(folder)]
    best = math.inf
    for _ in range(passes):
        start = time.process_time()
        for raw in files:
            image = cut(Image.open(io.BytesIO(raw)).convert("RGB"), shorter, side)
            np.asarray(image, np.uint8)
        best = min(best, time.process_time() - start)
    print(json.dumps({"tiles_per_second": len(files) / best}))


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "make":
        make(rest[0], [int(side) for side in rest[1:]])
    elif what == "tokens":
        tokens(rest[0], rest[1], int(rest[2]))
    elif what == "rate":
        rate(rest[0], int(rest[1]), int(rest[2]), int(rest[3]))
    else:
        sys.exit(__doc__)
