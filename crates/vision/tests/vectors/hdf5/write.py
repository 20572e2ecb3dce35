"""Writes the HDF5 files beside it: python write.py (h5py 3, NumPy 2). Values are i/2 - j/4, exact in every type."""

from pathlib import Path

import h5py
import numpy as np

HERE = Path(__file__).parent
ROWS, WIDTH = 7, 5
VALUES = np.arange(ROWS)[:, None] / 2 - np.arange(WIDTH)[None, :] / 4
LABELS = ["tumour", "stroma", "tumour", "stroma", "tumour", "fat", "fat"]


def create(name, **options):
    return h5py.File(HERE / f"{name}.h5", "w", **options)


with create("contiguous") as f:  # variable-length strings, integers as labels that sort differently as text
    f["features"] = VALUES.astype("<f4")
    f["coords"] = np.arange(2 * ROWS).reshape(ROWS, 2)
    f["ids"] = [f"tile-{i}" for i in range(ROWS)]
    f["labels"] = np.array([10, 2, 10, 2, 10, 9, 9], dtype="<i8")
    f["patient"] = np.array([1, 1, 2, 3, 4, 5, 6], dtype=">u2")

with create("chunked") as f:  # edge chunks in both directions, filters, fixed strings
    f.create_dataset("only", data=VALUES.astype(">f8"), chunks=(3, 2), compression="gzip", shuffle=True, fletcher32=True)
    f.create_dataset("label", data=np.array(LABELS, dtype="S8"), chunks=(4,), compression="gzip")
    f.create_dataset("site", data=[f"s{i % 2}" for i in range(ROWS)], chunks=(2,))

with create("latest", libver="latest") as f:  # the newer indices of chunks, half precision, in groups
    f.create_dataset("a/features", data=VALUES.astype("<f2"), chunks=(3, 2), compression="gzip")
    f.create_dataset("b/features", data=-VALUES.astype("<f4"), chunks=(2, 5), maxshape=(None, None))
    f["b/x"] = VALUES

with create("contiguous_half") as f:  # halves that are not in chunks, in either order of bytes
    f["a/features"] = VALUES.astype("<f2")
    f["b/features"] = VALUES.astype(">f2")[None]

with create("several") as f:
    f["train"] = VALUES.astype("<f4")
    f["test"] = VALUES.astype("<f4")

with create("hole") as f:  # 3 of 4 chunks written
    d = f.create_dataset("features", shape=(8, 4), dtype="<f4", chunks=(2, 4))
    d[:6] = 1

with create("short_labels") as f:
    f["features"] = VALUES.astype("<f4")
    f["labels"] = LABELS[:-1]

with create("bfloat16") as f:
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_fields(15, 7, 8, 0, 7)
    kind.set_size(2)
    kind.set_ebias(127)
    space = h5py.h5s.create_simple((2, 3))
    h5py.h5d.create(f.id, b"features", kind, space)

COORDS = np.stack([256 * np.arange(ROWS), 512 + np.zeros(ROWS, dtype="<i8")], -1)

with create("bag") as f:  # as CLAM and TRIDENT keep a slide: [1, n, d], corners with attributes, one label for all
    f["features"] = VALUES.astype("<f4")[None]
    f["coords"] = COORDS[None]
    f["coords"].attrs["patch_size"] = 256
    f["coords"].attrs["level0_magnification"] = 40.0
    f["coords"].attrs["name"] = "slide-7"
    f["label"] = 1

with create("bag_chunked") as f:  # LZF, which h5py offers, in chunks of [1, 3, 2]
    f.create_dataset("features", data=VALUES.astype("<f2")[None], chunks=(1, 3, 2), compression="lzf", shuffle=True)
    f["coords"] = COORDS

with create("lzf") as f:  # rows that repeat, so that copies are made
    f.create_dataset("features", data=np.tile(VALUES.astype("<f4"), (20, 3)), chunks=(50, 15), compression="lzf")

with create("kinds") as f:  # truth values, a column of its own
    f["embeddings"] = -VALUES.astype("<f4")
    f["features"] = VALUES.astype("<f4")
    f["label"] = np.arange(ROWS) % 2 == 1
    f["group"] = np.arange(ROWS)[:, None] // 2

with create("one_hot") as f:
    f["features"] = VALUES.astype("<f4")
    f["labels"] = np.eye(3, dtype="<f4")[np.arange(ROWS) % 3]

with create("not_one_hot") as f:
    f["features"] = VALUES.astype("<f4")
    f["labels"] = np.full((ROWS, 3), 0.5)

with create("slides") as f:
    for slide, sign in [("TCGA-1", 1), ("TCGA-2", -1)]:
        f[f"{slide}/features"] = sign * VALUES.astype("<f4")
        f[f"{slide}/coords"] = COORDS

with create("folds") as f:
    f["fold1/features"] = VALUES.astype("<f4")
    f["fold2/features"] = VALUES.astype("<f4")

with create("unwritten") as f:
    f.create_dataset("features", shape=(ROWS, WIDTH), dtype="<f4")

with create("virtual") as f:
    layout = h5py.VirtualLayout(shape=(ROWS, WIDTH), dtype="<f4")
    layout[:] = h5py.VirtualSource("contiguous.h5", "features", shape=(ROWS, WIDTH))
    f.create_virtual_dataset("features", layout)

NAMES = [f"tile-{i}" for i in (3, 0, 6, 1, 5, 2, 4)]

with create("filename") as f:  # ids under another usual name
    f["features"] = VALUES.astype("<f4")
    f["FileNames"] = NAMES
    f["cluster"] = np.arange(ROWS)

with create("two_names") as f:
    f["features"] = VALUES.astype("<f4")
    f["barcode"] = ["a"] * ROWS
    f["paths"] = NAMES

with create("unknown_names") as f:  # texts that nothing says are ids
    f["features"] = VALUES.astype("<f4")
    f["stem"] = NAMES

with create("enumeration") as f:  # names of classes as they are written
    kind = h5py.enum_dtype({"ACA": 0, "Normal": 1, "SCC": 2}, basetype="i1")
    f["features"] = VALUES.astype("<f4")
    f.create_dataset("labels", data=np.arange(ROWS, dtype="i1") % 3, dtype=kind)

for name, patch, magnification in (("scale_40", 256, 40), ("scale_20", 512, 20), ("scale_40_too", 256, 40)):
    with create(name) as f:
        f["features"] = VALUES.astype("<f4")
        f["coords"] = COORDS
        f["coords"].attrs["patch_size"] = patch
        f["coords"].attrs["level0_magnification"] = magnification
        f["coords"].attrs["name"] = name
