"""Model updates as integers of a sum: what an engine's adapter puts into `SumSite.upload` and reads out of `SumServer.result`.

An update is the difference between a site's arrays and those that everybody started from. Each number is clipped, weighted by the site's
share of the largest weight, and rounded to `bits`; behind the numbers stand the weight, the share of clipped values, and metrics. The
sum of these integers is exact, so the mean is that of clipped, rounded updates to the last bit.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Mapping, Optional, Sequence

import numpy as np

from . import _native
from .errors import SumError

# Metrics are clipped to this size and kept to 2^-31 of it.
METRIC_RANGE = 2.0**15
_METRIC_HALF = 2**31


@dataclass(frozen=True)
class UpdateCodec:
    """How updates become integers; every site and the server use the same.

    shapes: of each array, in order
    clip: size to which a difference is clipped
    bits: of an integer, 8 to 31
    most_examples: the largest weight; a site with more counts as with so many
    metrics: names of numbers that are averaged with the update
    """

    shapes: tuple
    clip: float = 1.0
    bits: int = 16
    most_examples: int = 65535
    metrics: tuple = field(default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "shapes", tuple(tuple(int(n) for n in shape) for shape in self.shapes))
        object.__setattr__(self, "metrics", tuple(self.metrics))
        if not 8 <= self.bits <= 31:
            raise SumError(f"bits are {self.bits}; 8 to 31 are served")
        if not (np.isfinite(self.clip) and self.clip > 0):
            raise SumError(f"clip is {self.clip}; a positive number is expected")
        if not self.most_examples >= 1:
            raise SumError(f"most_examples is {self.most_examples}; one or more are expected")

    @property
    def max(self) -> int:
        """The largest integer."""
        return 2**self.bits - 1

    @property
    def _half(self) -> int:
        return 2 ** (self.bits - 1) - 1

    @property
    def _pieces(self) -> int:
        """Integers of one metric."""
        return -(-32 // self.bits)

    @property
    def numbers(self) -> int:
        """Numbers of an update."""
        return sum(int(np.prod(shape, dtype=np.int64)) for shape in self.shapes)

    @property
    def values(self) -> int:
        """Integers of an upload."""
        return self.numbers + 2 + self._pieces * len(self.metrics)

    def to_dict(self) -> dict:
        """As plain data."""
        return asdict(self)

    def encode(self, differences: Sequence[Any], examples: float, metrics: Mapping[str, float]) -> np.ndarray:
        """A site's integers, uint64 `[values]`."""
        arrays = self._arrays(differences)
        if not (np.isfinite(examples) and examples > 0):
            raise SumError(f"the weight is {examples}; a site without examples has nothing to add")
        weight = max(1, round(min(examples, self.most_examples) / self.most_examples * self.max))
        share = weight / self.max
        out, clipped = _native.quantise(arrays, self.clip, share / self.clip * self._half, self._half, self.values - self.numbers)
        out[self.numbers] = weight
        out[self.numbers + 1] = math.ceil(clipped / self.numbers * self.max) if self.numbers else 0
        for at, name in enumerate(self.metrics):
            start = self.numbers + 2 + at * self._pieces
            out[start : start + self._pieces] = self._metric(name, metrics, share)
        return out

    def _arrays(self, differences: Sequence[Any]) -> list:
        found = tuple(tuple(np.shape(d)) for d in differences)
        if found != self.shapes:
            raise SumError(f"arrays have the shapes {found}, the round is for {self.shapes}; send back what came, trained")
        single = np.dtype(np.float32)
        return [d if getattr(d, "dtype", None) == single else np.asarray(d, dtype=np.float64) for d in differences]

    def _metric(self, name: str, metrics: Mapping[str, float], share: float) -> list:
        if name not in metrics:
            raise SumError(f"the reply has no metric `{name}`, which the round averages; it has {sorted(metrics)}")
        value = float(metrics[name])
        if not abs(value) <= METRIC_RANGE:
            raise SumError(f"metric `{name}` is {value}; at most {METRIC_RANGE:.0f} in size is served")
        whole = min(int(round(value * share / METRIC_RANGE * _METRIC_HALF)) + _METRIC_HALF, 2**32 - 1)
        return [whole >> (self.bits * piece) & self.max for piece in range(self._pieces)]

    def decode(self, sums: np.ndarray, sites: int) -> "MeanUpdate":
        """The weighted mean behind the sum of so many sites."""
        sums = np.asarray(sums, dtype=np.uint64)
        if sums.shape != (self.values,):
            raise SumError(f"{sums.shape} sums, {self.values} are expected")
        weight = int(sums[self.numbers])
        if weight == 0:
            raise SumError("nobody had any weight")
        whole = sums[: self.numbers].astype(np.float64) - float(sites * self._half)
        flat = whole * (self.clip / self._half * self.max / weight)
        arrays, at = [], 0
        for shape in self.shapes:
            size = int(np.prod(shape, dtype=np.int64))
            arrays.append(flat[at : at + size].reshape(shape))
            at += size
        metrics = {}
        for at, name in enumerate(self.metrics):
            start = self.numbers + 2 + at * self._pieces
            pieces = sums[start : start + self._pieces]
            total = sum(int(p) << (self.bits * i) for i, p in enumerate(pieces)) - sites * _METRIC_HALF
            metrics[name] = total / _METRIC_HALF * METRIC_RANGE * self.max / weight
        examples = weight / self.max * self.most_examples
        clipped = float(sums[self.numbers + 1]) / (sites * self.max)
        return MeanUpdate(arrays, examples, clipped, metrics, sites)


class Coding:
    """The codec of each round, at the server, which tells the sites.

    Integers are finest where `most_examples` is near the sum of all weights. Unless it is given, the first round has eight bits more and
    room for 65,535 examples a site, and later ones take the sum that the round before has opened, with a quarter to spare.
    """

    def __init__(self, clip: float, bits: int, most_examples: Optional[int], metrics: Sequence[str]):
        self.clip, self.bits, self.most_examples, self.metrics = clip, bits, most_examples, tuple(metrics)
        self._learned: Optional[int] = None
        self.codec(())

    def codec(self, shapes: Sequence[Sequence[int]]) -> UpdateCodec:
        """The codec of a round that begins now."""
        most = self.most_examples or self._learned
        if most is None:
            return UpdateCodec(shapes, self.clip, min(31, self.bits + 8), 65535, self.metrics)
        return UpdateCodec(shapes, self.clip, self.bits, most, self.metrics)

    def learn(self, mean: "MeanUpdate") -> None:
        """Takes the opened weight of a round for the next one."""
        self._learned = max(1, math.ceil(1.25 * mean.examples))


@dataclass(frozen=True)
class MeanUpdate:
    """A weighted mean of updates.

    arrays: mean differences, float64
    examples: of all sites, as far as rounding tells
    clipped: share of values that were clipped, mean over sites
    metrics: weighted means
    sites: how many are in it
    """

    arrays: list
    examples: float
    clipped: float
    metrics: dict
    sites: int
