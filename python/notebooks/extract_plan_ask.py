# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Extract, plan, ask
#
# A clinic has tiles of tissue. A laboratory has a classifier. The clinic wants to know what the classifier says; the laboratory wants to
# keep its weights, the clinic its tiles. This notebook plays both, with real keys, on tiles that are drawn for it.

# %%
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import blindscope

folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## Tiles become features
#
# The command that the wheel carries draws a data set: four stains, three kinds of tissue, tiles of one patient marked as such. Your own
# tiles are a folder with one sub-folder a class, or a CSV file `path,label[,group][,patient]`.

# %%
subprocess.run([sys.executable, "-m", "blindscope", "data", "synth", folder / "tiles", "--side", "64", "--patients", "6", "--seed", "7"], check=True)
tiles = folder / "tiles" / "tiles.csv"

# %% [markdown]
# A backbone turns each tile into its CLS token. `Backbone.load` opens a published one (`blindscope model fetch owkin/phikon`);
# the small one here has random weights and takes seconds. `progress` is called after each batch, and with `cache=` a run that was
# stopped goes on where it was.

# %%
backbone = blindscope.Backbone.small(seed=1)
told = []
features, set_aside = backbone.extract(tiles, cache=folder / "cache", progress=lambda done, total: told.append((done, total)))
print(features)
print("set aside:", set_aside, "- batches:", len(told))

# %% [markdown]
# `features.x` is a view of the library's own memory: no copy, and nobody can write to it.

# %%
print(features.x.shape, features.x.dtype, "writeable:", features.x.flags.writeable)
print(features.classes, np.bincount(features.y))

# %% [markdown]
# ## A head, in scikit-learn's manner
#
# Tiles of one patient look alike, so they must not stand on both sides of a test: `groups` says who belongs together.

# %%
rng = np.random.default_rng(0)
patients = rng.permutation(np.unique(features.groups))
held_back = np.isin(features.groups, patients[: len(patients) // 4])
names = np.array(features.classes)[features.y]
head = blindscope.Head(kind="polynomial", hidden=16, epochs=60).fit(features.x[~held_back], names[~held_back])
print(f"right on patients it has not seen: {head.score(features.x[held_back], names[held_back]):.2f}")

# %% [markdown]
# ## The plan comes first
#
# Before any key exists, the plan says what everything will cost and how exact answers will be. It is public; it holds no weights.

# %%
plan = head.plan(batch=8, precision=8)
print(plan)
print(f"question {plan.upload_bytes(8):,} bytes, answer {plan.answer_bytes(8):,}, keys once {plan.key_bytes:,}")

# %% [markdown]
# ## The clinic asks, the laboratory answers
#
# `Asker` makes the only secret key; it has no call that writes it, and cannot be pickled. What crosses is bytes.

# %%
asker = blindscope.Asker(plan)  # at the clinic
keys = asker.public_keys()

server = blindscope.Server(plan, head, keys)  # at the laboratory

question = asker.encrypt(features.x[:8])
answer = server.answer(question)
logits = asker.decrypt(answer, rows=8)
print(len(question), "bytes up,", len(answer), "bytes down")

# %% [markdown]
# The answers are those of the head in the clear, to within what the plan promised.

# %%
error = np.abs(logits - head.logits(features.x[:8])).max()
print(f"largest error {error:.1e}, promised {plan.error_bound:.1e}")
assert error < plan.error_bound
assert (head.classes_[logits.argmax(axis=1)] == head.predict(features.x[:8])).all()

# %% [markdown]
# Somebody with another key reads nothing.

# %%
thief = blindscope.Asker(plan)
assert np.abs(thief.decrypt(answer, rows=8) - head.logits(features.x[:8])).max() > 1
try:
    import pickle

    pickle.dumps(asker)
except TypeError as refused:
    print(refused)
