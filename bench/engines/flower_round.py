#!/usr/bin/env python3
"""Rounds of Flower's simulation with three clients and 1 MB of float32, plain FedAvg and ours in turn. Prints one JSON object.

A round is from the strategy's `configure_train` to the end of its `aggregate_train`; the first of each run, in which Flower starts its
workers, is left out. The aggregate is compared with the integer sum, computed in the clear, before anything is printed.
"""
import json
import os
import sys
import tempfile
import time
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
from blindscope.updates import UpdateCodec

SITES, VALUES, ROUNDS, TURNS, EXAMPLES = 3, 250_000, 6, 3, 500


def step(partition, number):
    return np.random.default_rng(100 * partition + number).normal(0, 0.1, VALUES).astype(np.float32)


def app(mods):
    client = ClientApp(mods=mods)

    @client.train()
    def train(message: Message, context: Context) -> Message:
        partition, number = int(context.node_config["partition-id"]), int(message.content["config"]["server-round"])
        arrays = ArrayRecord([message.content["arrays"]["0"].numpy() + step(partition, number)])
        metrics = MetricRecord({"num-examples": EXAMPLES})
        return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)

    return client


def run(strategy, client):
    """Seconds of each round but the first, and the model after the last."""
    begun, seconds, out = {}, {}, {}
    configure, aggregate = strategy.configure_train, strategy.aggregate_train

    def begin(number, *arguments):
        begun[number] = time.perf_counter()
        return configure(number, *arguments)

    def end(number, replies):
        done = aggregate(number, replies)
        seconds[number] = time.perf_counter() - begun[number]
        return done

    strategy.configure_train, strategy.aggregate_train = begin, end
    server = ServerApp()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        start = ArrayRecord([np.zeros(VALUES, np.float32)])
        out["result"] = strategy.start(grid=grid, initial_arrays=start, num_rounds=ROUNDS)

    run_simulation(server_app=server, client_app=client, num_supernodes=SITES, backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}})
    return [seconds[n] for n in range(2, ROUNDS + 1)], out["result"].arrays["0"].numpy()


def clear():
    """The model after all rounds, from the same integers without encryption."""
    codec, model = UpdateCodec([(VALUES,)], most_examples=EXAMPLES), np.zeros(VALUES, np.float32)
    for number in range(1, ROUNDS + 1):
        trained = [model + step(i, number) for i in range(SITES)]
        integers = [codec.encode([t.astype(np.float64) - model], EXAMPLES, {}) for t in trained]
        mean = codec.decode(sum(integers), SITES)
        model = (model.astype(np.float64) + mean.arrays[0]).astype(np.float32)
    return model


def main():
    folder = Path(tempfile.mkdtemp())
    entries = [SumSite.enrol(folder / f"site-{i}", i, f"site-{i}") for i in range(SITES)]
    roster = folder / "roster.json"
    roster.write_bytes(Roster.of(entries, study="bench", threshold=2, colluders=1).to_bytes())
    inner = lambda: FedAvg(fraction_evaluate=0.0, min_train_nodes=SITES, min_available_nodes=SITES)
    mod = blindscope.flower.mod(site=str(folder / "site-{partition-id}"), roster=str(roster))
    plain, ours, want = [], [], clear()
    for _ in range(TURNS):
        plain.append(run(inner(), app([]))[0])
        seconds, model = run(blindscope.flower.Encrypted(inner(), roster=roster, most_examples=EXAMPLES), app([mod]))
        if not np.array_equal(model, want):
            sys.exit(f"the aggregate is not the integer sum: {np.abs(model - want).max()} apart; nothing is reported")
        ours.append(seconds)
    ratios = [float(np.median(o) / np.median(p)) for o, p in zip(ours, plain)]
    print(json.dumps({"plain": sum(plain, []), "ours": sum(ours, []), "ratio": ratios}))


if __name__ == "__main__":
    main()
