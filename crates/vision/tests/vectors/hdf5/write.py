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
