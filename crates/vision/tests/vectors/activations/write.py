"""The activations of transformers by their published formulas, and two tiny transformers that use them, in numpy.

    pip install numpy mpmath
    python write.py          # writes table.tsv, gelu.safetensors, swiglu.safetensors, expected.safetensors beside itself

table.tsv holds, for each input x, a float32: GELU(x) = x·Φ(x) (Hendrycks and Gimpel, arXiv 1606.08415), its slope Φ(x) + x·φ(x),
SiLU(x) = x·σ(x) and its slope, from 50 digits. The two models have timm's names; what they make of one input is computed in float64, once
with the activation that they were made for and once with each that others use: GELU by tanh, quick GELU, ReLU, and SiLU or GELU for
the other. Weights are drawn so wide that these differ.
"""

import json
import struct
from pathlib import Path

import mpmath
import numpy as np

HERE = Path(__file__).parent
mpmath.mp.dps = 50
ERF = np.vectorize(lambda x: float(mpmath.erf(x)))

ACTIVATIONS = {
    "gelu": lambda x: x * (1 + ERF(x / np.sqrt(2))) / 2,
    "gelu_tanh": lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "quick_gelu": lambda x: x / (1 + np.exp(-1.702 * x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "relu": lambda x: np.maximum(x, 0),
}


def table():
    grid = np.concatenate([np.linspace(-12, 12, 193), [-88, -30, -1e-3, -1e-6, -1e-20, 1e-20, 1e-6, 1e-3, 30, 88]])
    lines = ["# x\tgelu\tgelu'\tsilu\tsilu'"]
    for x in np.sort(grid.astype(np.float32)):
        x = mpmath.mpf(float(x))
        cumulative, density = mpmath.ncdf(x), mpmath.npdf(x)
        logistic = 1 / (1 + mpmath.exp(-x))
        row = [x, x * cumulative, cumulative + x * density, x * logistic, logistic * (1 + x * (1 - logistic))]
        lines.append("\t".join(mpmath.nstr(value, 17) for value in row))
    (HERE / "table.tsv").write_text("\n".join(lines) + "\n")


def model(rng, *, width, depth, heads, hidden, gated, registers, prefix_positions, layer_scale):
    """Weights under timm's names: images of 8 pixels, patches of 4."""
    draw = lambda *shape, by=1.0: (by * rng.standard_normal(shape)).astype(np.float32)
    first = 2 * hidden if gated else hidden
    tensors = {
        "cls_token": draw(1, 1, width),
        "pos_embed": draw(1, 4 + prefix_positions, width, by=0.5),
        "patch_embed.proj.weight": draw(width, 3, 4, 4, by=0.3),
        "patch_embed.proj.bias": draw(width, by=0.1),
        "norm.weight": 1 + draw(width, by=0.2),
        "norm.bias": draw(width, by=0.2),
    }
    if registers:
        tensors["reg_token"] = draw(1, registers, width)
    for i in range(depth):
        block = {
            "norm1.weight": 1 + draw(width, by=0.2), "norm1.bias": draw(width, by=0.2),
            "norm2.weight": 1 + draw(width, by=0.2), "norm2.bias": draw(width, by=0.2),
            "attn.qkv.weight": draw(3 * width, width, by=0.5), "attn.qkv.bias": draw(3 * width, by=0.2),
            "attn.proj.weight": draw(width, width, by=0.4), "attn.proj.bias": draw(width, by=0.2),
            "mlp.fc1.weight": draw(first, width, by=0.6), "mlp.fc1.bias": draw(first, by=0.5),
            "mlp.fc2.weight": draw(width, hidden, by=0.4), "mlp.fc2.bias": draw(width, by=0.2),
        }
        if layer_scale:
            block |= {"ls1.gamma": draw(width, by=0.5), "ls2.gamma": draw(width, by=0.5)}
        tensors |= {f"blocks.{i}.{name}": value for name, value in block.items()}
    return tensors


def norm(x, weight, bias, epsilon):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon) * weight + bias


def forward(tensors, image, *, depth, heads, gated, registers, prefix_positions, activation, epsilon=1e-6):
    """All tokens after the last normalisation, `[1 + registers + 4, width]`, of an image `[3, 8, 8]`, in float64."""
    t = {name: value.astype(np.float64) for name, value in tensors.items()}
    width, act = t["cls_token"].shape[-1], ACTIVATIONS[activation]
    cells = [image[:, 4 * r : 4 * r + 4, 4 * c : 4 * c + 4].reshape(-1) for r in range(2) for c in range(2)]
    patches = np.stack(cells).astype(np.float64) @ t["patch_embed.proj.weight"].reshape(width, -1).T + t["patch_embed.proj.bias"]
    positions = t["pos_embed"][0]
    before = [t["cls_token"][0]] + ([t["reg_token"][0]] if registers else [])
    if prefix_positions:
        before[0] = before[0] + positions[:1]
    x = np.concatenate(before + [patches + positions[prefix_positions:]])
    for i in range(depth):
        b = {name.split(".", 2)[2]: value for name, value in t.items() if name.startswith(f"blocks.{i}.")}
        y = norm(x, b["norm1.weight"], b["norm1.bias"], epsilon) @ b["attn.qkv.weight"].T + b["attn.qkv.bias"]
        q, k, v = (part.reshape(len(x), heads, -1).transpose(1, 0, 2) for part in np.split(y, 3, axis=1))
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(width // heads)
        p = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (p / p.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(len(x), width)
        x = x + (mixed @ b["attn.proj.weight"].T + b["attn.proj.bias"]) * b.get("ls1.gamma", 1)
        y = norm(x, b["norm2.weight"], b["norm2.bias"], epsilon) @ b["mlp.fc1.weight"].T + b["mlp.fc1.bias"]
        hidden = y.shape[1] // 2
        y = act(y[:, :hidden]) * y[:, hidden:] if gated else act(y)
        x = x + (y @ b["mlp.fc2.weight"].T + b["mlp.fc2.bias"]) * b.get("ls2.gamma", 1)
    return norm(x, t["norm.weight"], t["norm.bias"], epsilon)


def save(path, tensors):
    header, end = {}, 0
    for name, value in tensors.items():
        value = np.ascontiguousarray(value, dtype="<f4")
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [end, end + value.nbytes]}
        end += value.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    body = b"".join(np.ascontiguousarray(value, dtype="<f4").tobytes() for value in tensors.values())
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def main():
    table()
    rng = np.random.default_rng(5)
    image = rng.standard_normal((3, 8, 8)).astype(np.float32)
    expected = {"image": image}
    common = dict(depth=2, heads=2)
    for name, own in {
        "gelu": dict(gated=False, registers=0, prefix_positions=1),
        "swiglu": dict(gated=True, registers=2, prefix_positions=0),
    }.items():
        tensors = model(rng, width=12, hidden=19, layer_scale=own["gated"], **common, **own)
        save(HERE / f"{name}.safetensors", tensors)
        for activation in ACTIVATIONS:
            expected[f"{name}/{activation}"] = forward(tensors, image, activation=activation, **common, **own)
    save(HERE / "expected.safetensors", expected)


if __name__ == "__main__":
    main()
