"""Types of the Rust extension. Long calls let other threads run; all raise classes of `blindscope.errors`."""

import os
from typing import Any, Callable, Optional, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__version__: str

def command(arguments: Sequence[str]) -> int:
    """Run the `blindscope` command with these arguments, the program's name first, and return its exit code."""

class Features:
    """Rows with names, labels, groups and the backbone they came from. Unchangeable."""

    @staticmethod
    def read(
        path: str | os.PathLike[str],
        *,
        labels: Optional[str | os.PathLike[str]] = None,
        dataset: Optional[str] = None,
        backbone: Optional[str] = None,
    ) -> Features:
        """Our own file, another `.safetensors`, `.npy`, `.h5`, `.csv`, or a folder with a bag a slide."""
    @staticmethod
    def from_arrays(
        x: ArrayLike,
        *,
        labels: Optional[Sequence[Optional[str]]] = None,
        classes: Optional[Sequence[str]] = None,
        ids: Optional[Sequence[str]] = None,
        groups: Optional[Sequence[int]] = None,
        patients: Optional[Sequence[Optional[str]]] = None,
        backbone: Optional[str] = None,
    ) -> Features:
        """From a matrix `[n, width]`, copied once to float32."""
    def select(self, indices: Sequence[int]) -> Features: ...
    def save(self, path: str | os.PathLike[str]) -> None: ...
    @property
    def x(self) -> NDArray[np.float32]:
        """`[n, width]`: a read-only view without a copy."""
    @property
    def y(self) -> NDArray[np.int64]:
        """`[n]`: class index, -1 for none."""
    @property
    def groups(self) -> NDArray[np.int64]: ...
    @property
    def ids(self) -> list[str]: ...
    @property
    def classes(self) -> list[str]: ...
    @property
    def patients(self) -> list[Optional[str]]: ...
    @property
    def backbone(self) -> Optional[str]: ...
    @property
    def width(self) -> int: ...
    @property
    def notes(self) -> list[str]: ...
    def __len__(self) -> int: ...

class Backbone:
    """A Vision Transformer with its preprocessing."""

    @staticmethod
    def load(model: str) -> Backbone: ...
    @staticmethod
    def small(seed: int = 0) -> Backbone: ...
    def extract(
        self,
        tiles: str | os.PathLike[str],
        *,
        cache: Optional[str | os.PathLike[str]] = None,
        batch: int = 8,
        progress: Optional[Callable[[int, int], Any]] = None,
    ) -> tuple[Features, list[tuple[str, str]]]:
        """CLS tokens of every readable tile, and (id, reason) of those set aside."""
    def save(self, path: str | os.PathLike[str]) -> None: ...
    @property
    def digest(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def parameters(self) -> int: ...

class NativeHead:
    """A head as encryption evaluates it; `blindscope.Head` wraps it."""

    @staticmethod
    def from_bytes(bytes: bytes) -> NativeHead: ...
    def to_json(self) -> bytes: ...
    def to_safetensors(self) -> bytes: ...
    def logits(self, x: ArrayLike) -> NDArray[np.float64]: ...
    @property
    def width(self) -> int: ...
    @property
    def classes(self) -> int: ...

def train(features: Features, kind: str, *, hidden: int, degree: int, epochs: int, seed: int) -> NativeHead: ...

class Plan:
    """What both ends of encrypted questions agree on; public, without weights."""

    @staticmethod
    def of(
        head: NativeHead,
        *,
        batch: int = 1,
        precision: Optional[int] = None,
        security: str = "quantum128",
        packing: Optional[str] = None,
    ) -> Plan: ...
    @staticmethod
    def from_bytes(bytes: bytes) -> Plan: ...
    def to_bytes(self) -> bytes: ...
    def upload_bytes(self, rows: int) -> int: ...
    def answer_bytes(self, rows: int) -> int: ...
    def report(self) -> dict[str, Any]: ...
    @property
    def key_bytes(self) -> int: ...
    @property
    def error_bound(self) -> float: ...
    @property
    def batch(self) -> int: ...

class Asker:
    """Who asks. Holds a secret key that nothing exports; cannot be pickled."""

    def __new__(cls, plan: Plan) -> Asker: ...
    def public_keys(self) -> bytes: ...
    def encrypt(self, x: ArrayLike) -> bytes:
        """The question of rows `[n, width]`, at most `plan.batch`."""
    def decrypt(self, answer: bytes, rows: int) -> NDArray[np.float64]:
        """Logits `[rows, classes]`."""

class Server:
    """Who answers, reading nothing."""

    def __new__(cls, plan: Plan, head: NativeHead, public_keys: bytes) -> Server: ...
    def answer(self, question: bytes) -> bytes: ...
    def announced(self, question: bytes) -> int: ...
