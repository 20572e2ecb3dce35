"""The app that the tests submit to a superlink. Nodes find folder, roster and what befalls them in their configuration."""

import json
import os
import signal
from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

import blindscope.flower
from training import client_app, start


def killed(message, context, call_next):
    """Ends the node for good between its upload of the round `dies-in` and what follows, as a power cut would."""
    asked = message.content.config_records.get("blindscope", {})
    if asked.get("step") == "findings" and asked["number"] == context.node_config.get("dies-in"):
        os.kill(int(Path(context.node_config["pid-file"]).read_text()), signal.SIGKILL)
        os._exit(9)
    return call_next(message, context)


client = client_app([killed, blindscope.flower.mod(site="{blindscope}", roster="{roster}")])
server = ServerApp()


@server.main()
def main(grid: Grid, context: Context) -> None:
    config = context.run_config
    sites, out = config["sites"], Path(config["out"])
    inner = FedAvg(fraction_evaluate=0.0, min_train_nodes=sites, min_available_nodes=sites)
    strategy = blindscope.flower.Encrypted(
        inner, roster=config["roster"], clip=1.0, most_examples=1000, train_metrics=["loss"], timeout=20
    )
    result = strategy.start(grid=grid, initial_arrays=ArrayRecord(start()), num_rounds=config["rounds"], timeout=120)
    np.savez(out.with_suffix(".npz"), *result.arrays.to_numpy_ndarrays())
    out.write_text(json.dumps({number: dict(told) for number, told in result.train_metrics_clientapp.items()}))
