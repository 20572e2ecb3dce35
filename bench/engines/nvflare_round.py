#!/usr/bin/env python3
"""Rounds of NVIDIA FLARE's simulator with three clients and 1 MB of float32, its plain FedAvg of differences and ours in turn. Prints
one JSON object.

A round is from one `Round N started` of the server's log to the next; the last, which has no next, and the first are left out. The
aggregate is compared with the integer sum, computed in the clear, before anything is printed.
"""
import json
import re
import sys
import tempfile
from datetime import datetime
from pathlib import Path

import numpy as np
from nvflare.app_common.np.recipes.fedavg import NumpyFedAvgRecipe
from nvflare.client.config import TransferType
from nvflare.recipe import SimEnv

import blindscope.nvflare
from blindscope import Roster, SumSite
from blindscope.updates import UpdateCodec

SITES, VALUES, ROUNDS, TURNS, EXAMPLES = 3, 250_000, 6, 2, 500
CLIENT = str(Path(__file__).with_name("nvflare_client.py"))
# The message has a line of dashes before its words.
STARTED = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+) - FedAvg [^\n]*\n-+\n *Round (\d+) started", re.MULTILINE)


def run(recipe, work):
    """Seconds of each round but the first and the last, and the model after the last."""
    recipe.execute(SimEnv(num_clients=SITES, workspace_root=str(work)))
    server = next(work.rglob("server"))
    log = "".join(path.read_text() for path in server.rglob("log.txt"))
    at = {int(number): datetime.strptime(when, "%Y-%m-%d %H:%M:%S,%f") for when, number in STARTED.findall(log)}
    seconds = [(at[n + 1] - at[n]).total_seconds() for n in range(1, ROUNDS - 1)]
    return seconds, np.load(next(server.rglob("server.npy")))


def clear():
    codec, model = UpdateCodec([(VALUES,)], most_examples=EXAMPLES), np.zeros(VALUES, np.float32)
    for number in range(ROUNDS):
        integers = []
        for site in range(1, SITES + 1):
            step = np.random.default_rng(100 * site + number).normal(0, 0.1, VALUES).astype(model.dtype)
            integers.append(codec.encode([(model + step) - model], EXAMPLES, {}))
        model = model + codec.decode(sum(integers), SITES).arrays[0]
    return model


def main():
    folder = Path(tempfile.mkdtemp())
    entries = [SumSite.enrol(folder / f"site-{i + 1}", i, f"site-{i + 1}") for i in range(SITES)]
    roster = folder / "roster.json"
    roster.write_bytes(Roster.of(entries, study="bench", threshold=2, colluders=1).to_bytes())
    told = {"model": np.zeros(VALUES, np.float32), "min_clients": SITES, "num_rounds": ROUNDS, "train_script": CLIENT}
    plain, ours = [], []
    for turn in range(TURNS):
        plain.append(run(NumpyFedAvgRecipe(params_transfer_type=TransferType.DIFF, **told), folder / f"plain-{turn}")[0])
        recipe = blindscope.nvflare.EncryptedFedAvgRecipe(
            roster=str(roster), site=str(folder / "{site}"), most_examples=EXAMPLES, **told
        )
        seconds, model = run(recipe, folder / f"ours-{turn}")
        want = clear()
        if not np.array_equal(model, want):
            sys.exit(f"the aggregate is not the integer sum: {np.abs(model - want).max()} apart; nothing is reported")
        ours.append(seconds)
    ratios = [float(np.median(o) / np.median(p)) for o, p in zip(ours, plain)]
    print(json.dumps({"plain": sum(plain, []), "ours": sum(ours, []), "ratio": ratios}))


if __name__ == "__main__":
    main()
