"""Types of the Rust extension. Long calls let other threads run; all raise classes of `blindscope.errors`."""

import os
from typing import Any, Callable, ClassVar, Optional, Sequence, TypedDict, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Asker",
    "Audit",
    "AuditReport",
    "Backbone",
    "Features",
    "NativeHead",
    "NativeStudy",
    "Plan",
    "Roster",
    "Server",
    "SumServer",
    "SumSite",
    "command",
    "quantise",
    "train",
    "__version__",
]
__version__: str

def command(arguments: Sequence[str]) -> int:
    """Run the `blindscope` command with these arguments, the program's name first, and return its exit code."""

@final
class Features:
    """Rows with names, labels, groups and the backbone they came from. Unchangeable."""

    @staticmethod
    def read(
        path: str | os.PathLike[str],
        *,
        labels: Optional[str | os.PathLike[str]] = None,
        dataset: Optional[str] = None,
        backbone: Optional[str] = None,
        columns: Sequence[str] = ...,
        id_column: Optional[str] = None,
        path_column: Optional[str] = None,
        label_column: Optional[str] = None,
        by_order: bool = False,
        mixed_scales: bool = False,
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

@final
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

@final
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

def quantise(
    differences: Sequence[NDArray[np.float32] | NDArray[np.float64]], clip: float, factor: float, half: int, room: int
) -> tuple[NDArray[np.uint64], int]:
    """`rint(clip(v) * factor) + half` of each number, then `room` zeros; and how many numbers are larger than `clip`."""

@final
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

@final
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

@final
class Audit:
    """Attacks on what a study sends, stores and releases, on its own tiles and backbone."""

    ATTACKS: ClassVar[list[str]]
    def __new__(
        cls,
        tiles: Optional[str | os.PathLike[str]] = None,
        *,
        model: Optional[str | os.PathLike[str]] = None,
        attacks: Optional[Sequence[str]] = None,
        images: int = 8,
        seed: int = 1,
        quick: bool = False,
        out: Optional[str | os.PathLike[str]] = None,
    ) -> Audit: ...
    def run(self, *, progress: Optional[Callable[[str, int, int], Any]] = None) -> AuditReport:
        """`progress(attack, done, total)` after each step; what it raises stops the audit."""

@final
class AuditReport:
    """What an audit found. An attack that succeeds is a result, not a failure."""

    @property
    def conclusions(self) -> list[str]: ...
    @property
    def notes(self) -> list[str]: ...
    @property
    def leaks(self) -> list[str]:
        """Keys of the figures whose interval lies wholly above their control's."""
    @property
    def cells(self) -> list[dict[str, Any]]: ...
    def report(self) -> dict[str, Any]: ...
    def save(self, folder: Optional[str | os.PathLike[str]] = None) -> None: ...

@final
class NativeStudy:
    """A study seen from one kit; `blindscope.Study` wraps it."""

    def __new__(cls, kit: str | os.PathLike[str], overrides: Sequence[str] = ...) -> NativeStudy: ...
    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def classes(self) -> list[str]: ...
    def submit(self, job: str | os.PathLike[str]) -> str:
        """A file by its path, or the text of its JSON."""
    def jobs(self) -> list[dict[str, Any]]: ...
    def status(self, job: str) -> dict[str, Any]: ...
    def abort(self, job: str) -> dict[str, Any]: ...
    def sites(self) -> list[dict[str, Any]]: ...
    def watch(
        self,
        job: str,
        progress: Optional[Callable[[dict[str, Any]], Any]] = None,
        absent: Optional[Callable[[str], Any]] = None,
        patience: float = ...,
    ) -> dict[str, Any]: ...
    def download(self, job: str, path: str | os.PathLike[str]) -> int: ...
    def result(self, job: str) -> bytes: ...
    def log(self, path: str | os.PathLike[str]) -> dict[str, Any]: ...
    def predict(
        self,
        job: str,
        features: Features,
        encrypted: bool = False,
        progress: Optional[Callable[[dict[str, Any]], Any]] = None,
    ) -> NDArray[np.float64]: ...

class _RoundSpec(TypedDict):
    """A round as every party names it."""

    job: str
    number: int
    values: int
    max: int

@final
class Roster:
    """The sites of a sum with their public keys and the rules of opening."""

    @staticmethod
    def of(
        entries: Sequence[bytes], *, study: str, threshold: int, colluders: int, minimum: Optional[int] = None
    ) -> Roster: ...
    @staticmethod
    def from_bytes(bytes: bytes) -> Roster: ...
    def to_bytes(self) -> bytes: ...
    def upload_bytes(self, values: int, max: int, *, site: int = 0) -> int: ...
    @property
    def digest(self) -> str: ...
    @property
    def sites(self) -> list[tuple[int, str]]: ...
    @property
    def threshold(self) -> int: ...

@final
class SumSite:
    """A site: what leaves it, after what is on its disk. Cannot be pickled."""

    def __new__(cls, folder: str | os.PathLike[str], roster: Roster) -> SumSite: ...
    @staticmethod
    def enrol(folder: str | os.PathLike[str], number: int, name: str) -> bytes:
        """Make a folder with new keys; returns the roster's entry, which is public."""
    @property
    def number(self) -> int: ...
    def upload(self, round: _RoundSpec, values: NDArray[np.uint64], input: str) -> bytes: ...
    def findings(self, round: _RoundSpec, headers: Sequence[bytes], bundle: bytes) -> bytes: ...
    def agree(
        self, round: _RoundSpec, commitment: bytes, *, bodies: Optional[Sequence[bytes]] = None, minimum: int = 2
    ) -> bytes: ...
    def vouch(self, round: _RoundSpec, commitment: bytes, of: int, body: bytes) -> bytes: ...
    def open(
        self,
        round: _RoundSpec,
        headers: Sequence[bytes],
        bundle: bytes,
        commitment: bytes,
        agreements: Sequence[bytes],
        *,
        vouches: Sequence[bytes] = ...,
    ) -> bytes: ...

@final
class SumServer:
    """The server of one round: no secrets."""

    def __new__(cls, roster: Roster, round: _RoundSpec) -> SumServer: ...
    def take(self, site: int, upload: bytes) -> None: ...
    @property
    def sites(self) -> list[int]: ...
    def headers(self) -> list[bytes]: ...
    def bundle(self, site: int) -> bytes: ...
    def found(self, findings: bytes) -> None: ...
    def commit(self) -> tuple[bytes, list[int]]:
        """The commitment, and the sites left out."""
    def bodies(self) -> Optional[list[bytes]]: ...
    def agree(self, agreement: bytes) -> None: ...
    def silent(self) -> list[int]: ...
    def body(self, site: int) -> bytes: ...
    def vouched(self, vouch: bytes) -> None: ...
    def agreed(self) -> tuple[list[bytes], list[bytes]]: ...
    @property
    def openers(self) -> list[int]: ...
    @property
    def accused(self) -> list[int]: ...
    def opened(self, opening: bytes) -> bool: ...
    def result(self) -> tuple[NDArray[np.uint64], list[int]]: ...
