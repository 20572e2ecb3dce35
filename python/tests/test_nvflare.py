"""Encrypted averaging on NVIDIA FLARE's own engine, in its simulator."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("nvflare", reason="nvflare is not installed; pip install nvflare==2.9.0")

from nvflare.apis.dxo import DXO, DataKind  # noqa: E402
from nvflare.apis.fl_context import FLContext  # noqa: E402
from nvflare.recipe import SimEnv  # noqa: E402

from blindscope import Roster, SumSite  # noqa: E402
from blindscope.errors import SumError  # noqa: E402
from blindscope.nvflare import EncryptedFedAvgRecipe, EncryptingFilter, SumAggregator  # noqa: E402
from blindscope.updates import UpdateCodec  # noqa: E402

SITES, ROUNDS, SHAPE = 3, 2, (2, 3)


@pytest.fixture
def folder(tmp_path):
    entries = [SumSite.enrol(tmp_path / f"site-{i + 1}", i, f"site-{i + 1}") for i in range(SITES)]
    roster = Roster.of(entries, study="flare", threshold=2, colluders=1)
    (tmp_path / "roster.json").write_bytes(roster.to_bytes())
    return tmp_path


def run(folder, **more):
    """The model after the last round, and the log."""
    recipe = EncryptedFedAvgRecipe(
        roster=str(folder / "roster.json"), site=str(folder / "{site}"), model=np.zeros(SHAPE), min_clients=SITES,
        num_rounds=ROUNDS, train_script=str(Path(__file__).parent / "nvflare_client.py"), metrics=["loss"], **more,
    )
    recipe.execute(SimEnv(num_clients=SITES, workspace_root=str(folder / "work")))
    server = folder / "work" / "fedavg" / "server"
    log = "".join(path.read_text() for path in server.rglob("log.txt"))
    return np.load(next(server.rglob("server.npy"))), log


def change(site, number):
    return np.random.default_rng(100 * site + number).normal(0, 0.3, SHAPE)


def test_rounds_equal_the_sum_in_the_clear(folder):
    model, log = run(folder, most_examples=600)
    codec = UpdateCodec([SHAPE], most_examples=600, metrics=("loss",))
    want = np.zeros(SHAPE)
    for number in range(ROUNDS):
        # FLARE takes differences of the weights, which rounds them once more.
        steps = {site: (want + change(site, number)) - want for site in (1, 2, 3)}
        integers = [codec.encode([step], 100 * site, {"loss": 0.5 * site}) for site, step in steps.items()]
        want = want + codec.decode(sum(integers), SITES).arrays[0]
    np.testing.assert_array_equal(model, want)
    assert "is lost" not in log


def test_what_is_no_difference_does_not_leave(folder):
    for kind in (DataKind.WEIGHTS, DataKind.METRICS, DataKind.STATISTICS):
        ours = EncryptingFilter(str(folder / "site-1"), str(folder / "roster.json"))
        with pytest.raises(SumError, match="in the clear"):
            ours.process(DXO(kind, data={"numpy_key": np.zeros(SHAPE)}).to_shareable(), FLContext())


def test_another_aggregator_is_refused(folder):
    with pytest.raises(SumError, match="single updates"):
        run(folder, aggregator=SumAggregator(str(folder / "roster.json")))
