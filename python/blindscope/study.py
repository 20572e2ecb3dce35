"""A study's services from Python: what `blindscope job` and `blindscope predict` do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from . import _native
from ._native import Features

STATES = ("waiting", "asking", "combining", "done", "failed")


@dataclass(frozen=True)
class Job:
    """A job as it was last seen.

    id: 64 hexadecimal digits; name: as in its file; kind: what it computes
    state: one of `STATES`; reason: why it failed, in a sentence
    round: at work, from 0; rounds: planned
    expected, answered: sites of the open step, by number
    document: everything, as `blindscope job status --json` has it
    """

    id: str
    name: str
    kind: str
    state: str
    round: int
    rounds: int
    reason: Optional[str] = None
    expected: tuple = ()
    answered: tuple = ()
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def _of(cls, document: Mapping[str, Any]) -> "Job":
        status = document["status"]
        step = status.get("asking", {}) if isinstance(status, dict) else {}
        return cls(
            id=document["id"], name=document["name"], kind=document["kind"], state=document["state"], round=document["round"],
            rounds=document["rounds"], reason=document["reason"], expected=tuple(step.get("expected", ())),
            answered=tuple(step.get("answered", ())), document=document,
        )

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in ("done", "failed")


@dataclass(frozen=True)
class Prediction:
    """Answers to features: `logits` `[n, classes]`, and the names of `classes` in their order."""

    logits: np.ndarray
    classes: tuple

    @property
    def labels(self) -> np.ndarray:
        """The class of each row, by name."""
        return np.asarray(self.classes)[self.logits.argmax(axis=1)]

    def __len__(self) -> int:
        return len(self.logits)


class Study:
    """A study seen from one party's kit: an administrator's submits, watches and downloads, an asker's predicts.

    kit: the party's folder; settings: replace keys of its `settings.toml`
    """

    def __init__(self, kit: Any, *, settings: Optional[Mapping[str, Any]] = None):
        replaced = [f"{key}={json.dumps(value)}" for key, value in (settings or {}).items()]
        self._native = _native.NativeStudy(Path(kit), replaced)

    @property
    def name(self) -> str:
        """The study's name."""
        return self._native.name

    @property
    def digest(self) -> str:
        """What tells this study from any other: compare it by telephone."""
        return self._native.digest

    @property
    def classes(self) -> list:
        """Names of the classes, in the order of logits."""
        return self._native.classes

    def submit(self, job: Union[Mapping[str, Any], str, Path]) -> Job:
        """Put a job in the queue: a file (TOML or JSON), or its content as a dictionary. The same again gives the same job."""
        told = json.dumps(job) if isinstance(job, Mapping) else Path(job)
        return self.status(self._native.submit(told))

    def jobs(self) -> list[Job]:
        """All jobs, oldest first."""
        return [Job._of(document) for document in self._native.jobs()]

    def status(self, job: Union[Job, str]) -> Job:
        """One job, by name, id, or the first digits of its id."""
        return Job._of(self._native.status(_name(job)))

    def watch(self, job: Union[Job, str], progress: Optional[Callable[[Job], Any]] = None,
              absent: Optional[Callable[[str], Any]] = None, patience: float = 600.0) -> Job:
        """Follow a job to its end and return it; one that failed raises `JobFailed`. `progress` gets each change, `absent` a sentence
        for each site of which nothing is to be expected, and from time to time one on whom the job waits for. Where too few sites were
        heard for `patience` seconds, or have ended at their start, the wait is given up: `StudyError` names them, and the job stays as
        it is. Ctrl-C ends the watching, not the job.
        """
        return Job._of(self._native.watch(_name(job), _seen(progress), absent, patience))

    def abort(self, job: Union[Job, str]) -> Job:
        """End a job without a result."""
        return Job._of(self._native.abort(_name(job)))

    def download(self, job: Union[Job, str], path: Any) -> int:
        """The result of a job that is done, as a file: there in whole, its digest checked, or not at all. Returns its bytes."""
        return self._native.download(_name(job), Path(path))

    def result(self, job: Union[Job, str]) -> bytes:
        """The result of a job that is done."""
        return self._native.result(_name(job))

    def sites(self) -> list[dict]:
        """How each site was last heard: `name`, `presence`, `silent_ms`."""
        return self._native.sites()

    def log(self, path: Any) -> dict:
        """Write the study's signed log to a file and verify it: records, head, jobs, ciphertexts that were opened."""
        return self._native.log(Path(path))

    def predict(self, job: Union[Job, str], features: Features, *, encrypted: bool = False,
                progress: Optional[Callable[[Job], Any]] = None) -> Prediction:
        """Ask about features under encryption: nobody else sees them or the answer.

        From the released head of `job`; with `encrypted`, from a head that nobody holds: the sites help, and `progress` gets each
        change of the question's job.
        """
        logits = self._native.predict(_name(job), features, encrypted, _seen(progress))
        return Prediction(logits, tuple(self.classes))

    def __repr__(self) -> str:
        return repr(self._native)


def _name(job: Union[Job, str]) -> str:
    return job.id if isinstance(job, Job) else job


def _seen(progress: Optional[Callable[[Job], Any]]) -> Optional[Callable[[dict], Any]]:
    return None if progress is None else lambda document: progress(Job._of(document))
