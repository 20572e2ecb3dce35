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
# # One Flower app, averaged under encryption
#
# Three hospitals train a small model with Flower. In plain FedAvg the server sees every hospital's update, and from an update a picture
# can be drawn (`blindscope audit` shows it). Here the server sees their sum. Three lines change.

# %%
import logging
import os
import tempfile
from pathlib import Path

os.environ.update(FLWR_TELEMETRY_ENABLED="0", FLWR_DISABLE_UPDATE_CHECK="1")

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

import blindscope.flower
from blindscope import Roster, SumSite

logging.getLogger("flwr").setLevel(logging.WARNING)
folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## Once: folders and a roster
#
# Each hospital makes its own folder; the keys in it never leave. What `enrol` returns is public and goes to whoever writes the roster. Its
# digest is compared by telephone: that call is what ties names to keys.

# %%
entries = [SumSite.enrol(folder / f"site-{i}", i, f"hospital {i}") for i in range(3)]
roster = Roster.of(entries, study="lung", threshold=2, colluders=1)
(folder / "roster.json").write_bytes(roster.to_bytes())
print(roster, roster.digest[:16], "…")

# %% [markdown]
# `threshold=2`: two hospitals open a sum. `colluders=1`: one of them may work with a server that does anything, and learns no more than the sum.
#
# ## The client app
#
# Flower's own, with a mod. The mod encrypts whatever the app returns for training or evaluation, and answers no server that asks for
# it in the clear.

# %%
client = ClientApp(mods=[blindscope.flower.mod(site=str(folder / "site-{partition-id}"), roster=str(folder / "roster.json"))])


def rows(site, n=200):
    """Drawn rows of a hospital: two classes."""
    rng = np.random.default_rng(site)
    y = rng.integers(0, 2, n)
    return np.where(y[:, None] == 1, 1.0, -1.0) + rng.normal(0, 2, (n, 8)), y


@client.train()
def train(message: Message, context: Context) -> Message:
    x, y = rows(int(context.node_config["partition-id"]))
    w = message.content["arrays"]["0"].numpy().copy()
    for _ in range(20):
        w -= 0.1 * x.T @ (1 / (1 + np.exp(-x @ w)) - y) / len(y)
    loss = float(np.mean(np.logaddexp(0, np.where(y == 1, -1, 1) * (x @ w))))
    metrics = MetricRecord({"num-examples": len(y), "loss": loss})
    return Message(RecordDict({"arrays": ArrayRecord([w]), "metrics": metrics}), reply_to=message)


# %% [markdown]
# ## The server app
#
# `Encrypted(FedAvg())` is a strategy like any other. Metrics that it names are averaged inside the sum; others never leave a hospital,
# nor does its number of examples.

# %%
server, out = ServerApp(), {}


@server.main()
def main(grid: Grid, context: Context) -> None:
    inner = FedAvg(fraction_evaluate=0.0, min_train_nodes=3, min_available_nodes=3)
    strategy = blindscope.flower.Encrypted(inner, roster=folder / "roster.json", clip=1.0, train_metrics=["loss"])
    out["result"] = strategy.start(grid=grid, initial_arrays=ArrayRecord([np.zeros(8)]), num_rounds=3)


run_simulation(server_app=server, client_app=client, num_supernodes=3)

# %%
for number, told in out["result"].train_metrics_clientapp.items():
    print(f"round {number}: mean loss {told['loss']:.3f}, sites {told['sites']:.0f}, clipped {told['clipped']:.2%}")
w = out["result"].arrays["0"].numpy()
x, y = rows(9, 1000)
right = np.mean((x @ w > 0) == y)
print(f"right at a hospital that took no part: {right:.2f}")
assert right > 0.9 and len(out["result"].train_metrics_clientapp) == 3

# %% [markdown]
# ## What a server that wants more gets
#
# A strategy that looks at single updates is refused by name, before any hospital is asked.

# %%
from flwr.serverapp.strategy import Krum

try:
    blindscope.flower.Encrypted(Krum(), roster=folder / "roster.json")
except blindscope.BlindscopeError as refused:
    print(refused)

# %% [markdown]
# And each hospital's folder holds a mark for what it has signed: asked a second time about the same round with another set of
# hospitals, it refuses, whatever the server says. `python/tests/test_flower.py` plays that server.
