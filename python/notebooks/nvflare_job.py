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
# # One NVIDIA FLARE job, averaged under encryption
#
# FLARE's own homomorphic encryption writes one secret key into every client's kit: whoever has a kit reads every update. Here no
# party holds a key that opens an update; what is opened is the sum, once, after the sites have agreed on it.

# %%
import tempfile
from pathlib import Path

import numpy as np
from nvflare.recipe import SimEnv

import blindscope.nvflare
from blindscope import Roster, SumSite

folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## Once: folders and a roster
#
# FLARE's simulator calls its clients `site-1`, `site-2`, `site-3`. Each has a folder of its own; the roster is the same for all.

# %%
entries = [SumSite.enrol(folder / f"site-{i + 1}", i, f"site-{i + 1}") for i in range(3)]
(folder / "roster.json").write_bytes(Roster.of(entries, study="lung", threshold=2, colluders=1).to_bytes())

# %% [markdown]
# ## What a hospital trains
#
# A script as FLARE's tutorials have it: receive, train, send. Nothing in it is about encryption.

# %%
script = folder / "client.py"
script.write_text('''
import numpy as np
import nvflare.client as flare

flare.init()
site = int(flare.get_site_name().rsplit("-", 1)[1])
rng = np.random.default_rng(site)
y = rng.integers(0, 2, 200)
x = np.where(y[:, None] == 1, 1.0, -1.0) + rng.normal(0, 2, (200, 8))
while flare.is_running():
    w = np.array(flare.receive().params["numpy_key"])
    for _ in range(20):
        w -= 0.1 * x.T @ (1 / (1 + np.exp(-x @ w)) - y) / len(y)
    loss = float(np.mean(np.logaddexp(0, np.where(y == 1, -1, 1) * (x @ w))))
    flare.send(flare.FLModel(params={"numpy_key": w}, metrics={"loss": loss}, meta={"NUM_STEPS_CURRENT_ROUND": len(y)}))
''')

# %% [markdown]
# ## The job
#
# `EncryptedFedAvgRecipe` is FLARE's recipe with a filter at the clients and an aggregator at the server. `{site}` stands for a client's name.

# %%
recipe = blindscope.nvflare.EncryptedFedAvgRecipe(
    roster=str(folder / "roster.json"),
    site=str(folder / "{site}"),
    model=np.zeros(8),
    min_clients=3,
    num_rounds=3,
    train_script=str(script),
    metrics=["loss"],
)
run = recipe.execute(SimEnv(num_clients=3, workspace_root=str(folder / "work")))

# %%
w = np.load(next((folder / "work").rglob("server.npy")))
rng = np.random.default_rng(9)
y = rng.integers(0, 2, 1000)
x = np.where(y[:, None] == 1, 1.0, -1.0) + rng.normal(0, 2, (1000, 8))
right = np.mean((x @ w > 0) == y)
print(f"right at a hospital that took no part: {right:.2f}")
assert right > 0.9

# %% [markdown]
# ## A hospital that does not want to depend on the job
#
# It puts the filter into its own `local/privacy.json`, where no job removes it: what is no weight difference then leaves by no job.

# %%
import json

print(json.dumps({
    "scopes": [{
        "name": "public",
        "task_result_filters": [{"path": "blindscope.nvflare.EncryptingFilter", "args": {"site": "/etc/blindscope/{site}", "roster": "/etc/blindscope/roster.json"}}],
    }],
    "default_scope": "public",
}, indent=2))
