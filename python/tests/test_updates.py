"""Updates as integers: the mean is that of clipped, rounded updates to the last bit."""

import numpy as np
import pytest

from blindscope.errors import SumError
from blindscope.updates import UpdateCodec


def codec(**more):
    return UpdateCodec(shapes=[(3, 4), (5,)], clip=0.5, metrics=("loss",), **more)


def updates(seed):
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 0.2, (3, 4)), rng.normal(0, 0.2, (5,))]


@pytest.mark.parametrize("bits", [8, 16, 24])
def test_the_mean_of_sums_is_the_mean_of_updates(bits):
    c = codec(bits=bits)
    given = [(updates(s), 1000 * (s + 1), {"loss": 0.3 * s - 1}) for s in range(4)]
    integers = [c.encode(*one) for one in given]
    assert all(v.max() <= c.max and v.shape == (c.values,) for v in integers)
    mean = c.decode(sum(integers), len(integers))
    weights = np.array([e for _, e, _ in given]) / sum(e for _, e, _ in given)
    for at in range(2):
        want = sum(w * np.clip(u[at], -0.5, 0.5) for w, (u, _, _) in zip(weights, given))
        resolution = 0.5 / 2 ** (bits - 1) * 65535 / 10000
        np.testing.assert_allclose(mean.arrays[at], want, atol=4 * resolution)
    want = sum(w * m["loss"] for w, (_, _, m) in zip(weights, given))
    assert abs(mean.metrics["loss"] - want) < (0.05 if bits == 8 else 1e-3)


def test_equal_updates_give_themselves_whatever_the_weights():
    c = codec()
    one = updates(1)
    mean = c.decode(c.encode(one, 65535, {"loss": 1}) + c.encode(one, 65535, {"loss": 1}), 2)
    half = 2**15 - 1
    for got, want in zip(mean.arrays, one):
        exact = np.rint(np.clip(want, -0.5, 0.5) * (1 / 0.5 * half)) * (0.5 / half)
        np.testing.assert_allclose(got, exact, rtol=1e-15)
    assert mean.examples == 2 * 65535


@pytest.mark.parametrize("bits", [8, 16, 31])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_integers_are_those_of_the_definition(bits, kind):
    c = UpdateCodec(shapes=[(50, 40), (7,), ()], clip=0.3, bits=bits, most_examples=700)
    rng = np.random.default_rng(bits)
    given = [rng.normal(0, 0.2, (40, 50)).astype(kind).T, rng.normal(0, 9, 14).astype(kind)[::2], np.array(0.5 * 0.3, kind)]
    integers = c.encode(given, 345, {})
    share, half = round(345 / 700 * c.max) / c.max, 2 ** (bits - 1) - 1
    flat = np.concatenate([np.asarray(g, np.float64).ravel() for g in given])
    want = np.rint(np.clip(flat, -0.3, 0.3) * (share / 0.3 * half)) + half
    np.testing.assert_array_equal(integers[: c.numbers], want.astype(np.uint64))
    assert integers[c.numbers + 1] == np.ceil((np.abs(flat) > 0.3).mean() * c.max)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_none_is_refused_wherever_it_stands(wrong):
    for at in (0, 11, 16):
        given = [np.zeros((3, 4)), np.zeros(5)]
        given[at // 12].ravel()[at % 12] = wrong
        with pytest.raises(SumError, match="finite"):
            codec().encode(given, 1, {"loss": 0})


def test_clipped_values_are_counted():
    c = UpdateCodec(shapes=[(4,)], clip=1.0)
    mean = c.decode(c.encode([np.array([2.0, -3.0, 0.1, 0.2])], 100, {}) + c.encode([np.zeros(4)], 100, {}), 2)
    assert abs(mean.clipped - 0.25) < 1e-4


@pytest.mark.parametrize(
    "differences,examples,metrics",
    [
        ([np.zeros((3, 4))], 1, {"loss": 0}),
        ([np.full((3, 4), np.nan), np.zeros(5)], 1, {"loss": 0}),
        ([np.zeros((3, 4)), np.zeros(5)], 0, {"loss": 0}),
        ([np.zeros((3, 4)), np.zeros(5)], 1, {}),
        ([np.zeros((3, 4)), np.zeros(5)], 1, {"loss": 1e9}),
    ],
)
def test_refusals(differences, examples, metrics):
    with pytest.raises(SumError):
        codec().encode(differences, examples, metrics)
