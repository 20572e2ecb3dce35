"""Encrypted averaging on NVIDIA FLARE's own engine: its simulator, and a POC with a process a party."""

import os
from pathlib import Path

# Parties of a POC are processes of their own: they have to find the tests' modules too.
os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])

import numpy as np
import pytest

pytest.importorskip("nvflare", reason="nvflare is not installed; pip install nvflare==2.9.0")

from nvflare.apis.dxo import DXO, DataKind  # noqa: E402
from nvflare.apis.fl_context import FLContext  # noqa: E402
from nvflare.recipe import PocEnv, SimEnv  # noqa: E402

import blindscope.nvflare  # noqa: E402
from blindscope import Roster, SumSite  # noqa: E402
from blindscope.errors import SumError  # noqa: E402
from blindscope.nvflare import EncryptedFedAvgRecipe, EncryptingFilter, SumAggregator  # noqa: E402
from blindscope.updates import UpdateCodec  # noqa: E402
from nvflare_parties import AskingTwice, KilledFilter, LyingFilter  # noqa: E402

SITES, ROUNDS, SHAPE = 3, 2, (2, 3)


def enrolled(folder, sites):
    entries = [SumSite.enrol(folder / f"site-{i + 1}", i, f"site-{i + 1}") for i in range(sites)]
    roster = Roster.of(entries, study="flare", threshold=2, colluders=1)
    (folder / "roster.json").write_bytes(roster.to_bytes())
    return folder


@pytest.fixture
def folder(tmp_path):
    return enrolled(tmp_path, SITES)


@pytest.fixture
def four(tmp_path):
    return enrolled(tmp_path, 4)


def recipe(folder, sites=SITES, rounds=ROUNDS, **more):
    return EncryptedFedAvgRecipe(
        roster=str(folder / "roster.json"), site=str(folder / "{site}"), model=np.zeros(SHAPE), min_clients=sites,
        num_rounds=rounds, train_script=str(Path(__file__).parent / "nvflare_client.py"), metrics=["loss"], **more,
    )


def simulated(folder, sites=SITES, **more):
    """The model after the last round, and the server's log."""
    recipe(folder, sites, **more).execute(SimEnv(num_clients=sites, workspace_root=str(folder / "work")))
    server = folder / "work" / "fedavg" / "server"
    log = "".join(path.read_text() for path in server.rglob("log.txt"))
    return np.load(next(server.rglob("server.npy"))), log


def change(site, number):
    return np.random.default_rng(100 * site + number).normal(0, 0.3, SHAPE)


def mean(before, number, sites):
    """The step of a round, from the same integers in the clear."""
    codec = UpdateCodec([SHAPE], most_examples=600, metrics=("loss",))
    # FLARE takes differences of the weights, which rounds them once more.
    steps = {site: (before + change(site, number)) - before for site in sites}
    integers = [codec.encode([step], 100 * site, {"loss": 0.5 * site}) for site, step in steps.items()]
    return codec.decode(sum(integers), len(integers)).arrays[0]


def test_rounds_equal_the_sum_in_the_clear(folder):
    model, log = simulated(folder, most_examples=600)
    want = np.zeros(SHAPE)
    for number in range(ROUNDS):
        want = want + mean(want, number, (1, 2, 3))
    np.testing.assert_array_equal(model, want)
    assert "is lost" not in log


def test_a_client_that_lies_is_left_out_and_a_server_that_asks_twice_gets_no_second_sum(four, monkeypatch):
    monkeypatch.setattr(blindscope.nvflare, "EncryptingFilter", LyingFilter)
    monkeypatch.setattr(blindscope.nvflare, "SumAggregator", AskingTwice)
    model, log = simulated(four, sites=4, most_examples=600)
    assert "client site-4: its upload cannot be used" in log
    assert "the sum without one site is known, of 3" in log and "round 1 is lost" in log
    np.testing.assert_array_equal(model, mean(np.zeros(SHAPE), 0, (1, 2, 3)))


def test_a_client_of_a_poc_that_is_killed_after_its_upload_is_in_the_sum(four, monkeypatch):
    monkeypatch.setenv("NVFLARE_POC_WORKSPACE", str(four / "poc"))
    monkeypatch.setattr(blindscope.nvflare, "EncryptingFilter", KilledFilter)
    environment = PocEnv(num_clients=4, extra={"login_timeout": 90})
    try:
        run = recipe(four, sites=4, rounds=1, most_examples=600, survivors=3, timeout=15).execute(environment)
        result = run.get_result(timeout=240, clean_up=False)
        logs = "\n".join(path.read_text()[-4000:] for path in (four / "poc").rglob("log.txt"))
        assert result, logs
        models = list(Path(result).rglob("server.npy"))
        assert models, logs
        np.testing.assert_array_equal(np.load(models[0]), mean(np.zeros(SHAPE), 0, (1, 2, 3, 4)))
    finally:
        environment.stop(clean_up=True)


def test_what_is_no_difference_does_not_leave(folder):
    for kind in (DataKind.WEIGHTS, DataKind.METRICS, DataKind.STATISTICS):
        ours = EncryptingFilter(str(folder / "site-1"), str(folder / "roster.json"))
        with pytest.raises(SumError, match="in the clear"):
            ours.process(DXO(kind, data={"numpy_key": np.zeros(SHAPE)}).to_shareable(), FLContext())


def test_another_aggregator_is_refused(folder):
    with pytest.raises(SumError, match="single updates"):
        recipe(folder, aggregator=SumAggregator(str(folder / "roster.json")))
