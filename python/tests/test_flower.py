"""Encrypted averaging on Flower's own engine, in its simulation."""

import os
from pathlib import Path

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("FLWR_DISABLE_UPDATE_CHECK", "1")
# Simulated clients are processes of their own: they have to find the tests' modules too.
os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])

import numpy as np
import pytest

pytest.importorskip("flwr", reason="flwr is not installed; pip install 'flwr[simulation]==1.42.0'")
ray = pytest.importorskip("ray", reason="ray is not installed; pip install 'flwr[simulation]==1.42.0'")

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MessageType, RecordDict  # noqa: E402
from flwr.serverapp import Grid, ServerApp  # noqa: E402
from flwr.serverapp.strategy import FedAdam, FedAvg, Krum  # noqa: E402
from flwr.simulation import run_simulation  # noqa: E402

from blindscope import Roster, SumSite  # noqa: E402
from blindscope.errors import SumError  # noqa: E402
from blindscope.flower import Encrypted, mod  # noqa: E402
from blindscope.updates import UpdateCodec  # noqa: E402
from training import EXAMPLES, change, client_app, start  # noqa: E402

SITES, ROUNDS = 3, 2


def enrolled(folder, sites):
    entries = [SumSite.enrol(folder / f"site-{i}", i, f"hospital {i}") for i in range(sites)]
    roster = Roster.of(entries, study="flower", threshold=2, colluders=1)
    (folder / "roster.json").write_bytes(roster.to_bytes())
    return folder


@pytest.fixture(scope="module", autouse=True)
def one_cluster():
    """Flower starts Ray for each run and ends it, which takes longer than a run; here it stays."""
    end, ray.shutdown = ray.shutdown, lambda: None
    yield
    ray.shutdown = end
    end()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return enrolled(tmp_path_factory.mktemp("flower"), SITES)


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    return enrolled(tmp_path_factory.mktemp("four"), 4)


def app_of(folder, failing=None, before=()):
    """`before` are mods between the network and ours."""
    ours = mod(site=str(folder / "site-{partition-id}"), roster=str(folder / "roster.json"))
    return client_app([*before, ours], failing)


def run(folder, inner, app, rounds=ROUNDS, sites=SITES, most=1000, kind=Encrypted):
    strategy = kind(
        inner, roster=folder / "roster.json", clip=1.0, most_examples=most, train_metrics=["loss"], evaluate_metrics=["accuracy"], timeout=60
    )
    out, seen = {}, []
    take = strategy.aggregate_train

    def watched(number, replies):
        replies = list(replies)
        seen.extend(reply for reply in replies if reply.has_content())
        return take(number, replies)

    strategy.aggregate_train = watched
    server = ServerApp()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        out["result"] = strategy.start(grid=grid, initial_arrays=ArrayRecord(start()), num_rounds=rounds, timeout=120)

    run_simulation(server_app=server, client_app=app, num_supernodes=sites,
                   backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}})
    return out["result"], seen


def expected(number, sites=range(SITES)):
    """The mean of clipped, rounded updates, computed in the clear from the same integers."""
    codec = UpdateCodec(shapes=[(4, 3), (5,)], most_examples=1000, metrics=("loss",))
    integers = [
        codec.encode(change(i, number), EXAMPLES[i], {"loss": 0.5 * i}).astype(object) for i in sites
    ]
    return codec.decode(sum(integers).astype(np.uint64), len(integers))


def inner(kind=FedAvg, sites=SITES, **more):
    return kind(min_train_nodes=sites, min_evaluate_nodes=sites, min_available_nodes=sites, **more)


def dies_after_its_upload(message, context, call_next):
    step = message.content["blindscope"]["step"]
    if context.node_config["partition-id"] == 3 and step != "upload":
        raise RuntimeError("killed")
    return call_next(message, context)


def lies(message, context, call_next):
    """Sends other bytes than it signed for."""
    reply = call_next(message, context)
    if context.node_config["partition-id"] == 3 and "blindscope.upload" in reply.content:
        whole = bytearray(reply.content["blindscope.upload"]["0"].data)
        whole[len(whole) // 3] ^= 1
        reply.content["blindscope.upload"]["0"].data = bytes(whole)
    return reply


def test_rounds_equal_the_sum_in_the_clear_and_replies_show_nothing(folder):
    result, seen = run(folder, inner(), app_of(folder))
    want = start()
    for number in (1, 2):
        mean = expected(number)
        want = [(w.astype(np.float64) + d).astype(w.dtype) for w, d in zip(want, mean.arrays)]
        told = result.train_metrics_clientapp[number]
        assert abs(told["loss"] - mean.metrics["loss"]) < 1e-6 and told["sites"] == 3 and "secret" not in told
    # float32 arrays are trained in float32, so a client's own rounding may move its integers by one.
    np.testing.assert_array_equal(result.arrays.to_numpy_ndarrays()[0], want[0])
    np.testing.assert_allclose(result.arrays.to_numpy_ndarrays()[1], want[1], atol=1e-4)
    accuracy = np.average([0.8, 0.85, 0.9], weights=EXAMPLES[:3])
    assert abs(result.evaluate_metrics_clientapp[1]["accuracy"] - accuracy) < 1e-3
    assert len(seen) == SITES * ROUNDS
    for reply in seen:
        assert set(reply.content) == {"blindscope", "blindscope.upload"}  # neither arrays nor metrics in the clear


def test_weights_are_learned_where_nobody_gives_the_largest(folder):
    result, _ = run(folder, inner(), app_of(folder), most=None)
    want = start()[0]
    for number in (1, 2):
        mean = sum(e * np.clip(change(i, number)[0], -1, 1) for i, e in enumerate(EXAMPLES[:3])) / sum(EXAMPLES[:3])
        want = want + mean
        assert abs(result.train_metrics_clientapp[number]["loss"] - np.average([0, 0.5, 1], weights=EXAMPLES[:3])) < 1e-3
    np.testing.assert_allclose(result.arrays.to_numpy_ndarrays()[0], want, atol=3e-4)


def test_an_optimiser_at_the_server_steps_on_the_mean(folder):
    result, _ = run(folder, inner(FedAdam), app_of(folder), rounds=1)
    assert not np.array_equal(result.arrays.to_numpy_ndarrays()[0], start()[0])
    assert np.isfinite(result.arrays.to_numpy_ndarrays()[0]).all()


def test_a_round_below_the_cohort_is_lost_and_the_next_one_goes_on(folder):
    result, _ = run(folder, inner(), app_of(folder, failing=(1, 1)))
    assert 1 not in result.train_metrics_clientapp and result.train_metrics_clientapp[2]["sites"] == 3


def test_a_site_that_dies_after_its_upload_is_in_the_sum(four):
    result, _ = run(four, inner(sites=4), app_of(four, before=[dies_after_its_upload]), rounds=1, sites=4)
    told = result.train_metrics_clientapp[1]
    assert told["sites"] == 4 and abs(told["loss"] - expected(1, range(4)).metrics["loss"]) < 1e-6


def test_a_site_that_lies_is_left_out(four):
    result, _ = run(four, inner(sites=4), app_of(four, before=[lies]), rounds=1, sites=4)
    told = result.train_metrics_clientapp[1]
    assert told["sites"] == 3 and abs(told["loss"] - expected(1, range(3)).metrics["loss"]) < 1e-6


class AskingTwice(Encrypted):
    """Sums a round without its last site first, then with it: the difference would be that site's update."""

    def aggregate_train(self, server_round, replies):
        replies = list(replies)
        AskingTwice.sums = [self._sum(MessageType.TRAIN, some)[0] for some in (replies[:-1], replies)]
        return None, None


def test_a_server_that_asks_twice_gets_no_second_sum(four):
    run(four, inner(sites=4, fraction_evaluate=0.0), app_of(four), rounds=1, sites=4, kind=AskingTwice)
    first, second = AskingTwice.sums
    assert first.sites == 3 and second is None


def test_strategies_that_need_single_updates_are_refused_by_name(folder):
    with pytest.raises(SumError, match="Krum"):
        Encrypted(Krum(), roster=folder / "roster.json")


def test_a_server_that_asks_in_the_clear_gets_nothing(folder):
    answer = mod(site=str(folder / "site-0"), roster=str(folder / "roster.json"))
    content = RecordDict({"arrays": ArrayRecord(start()), "config": ConfigRecord({"server-round": 1})})
    message = Message(content, dst_node_id=1, message_type="train")
    with pytest.raises(SumError, match="in the clear"):
        answer(message, None, lambda *_: pytest.fail("the app was called"))
