"""A round of a sum over an engine's messages: what a site answers, and what a server asks in which order.

Engines carry byte strings under names. `answer` is a site's side of each step after its upload; `Course` is the server's, from the uploads
that are in to the opened sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Optional

import numpy as np

from . import SumServer, SumSite
from .errors import BlindscopeError, SumError

# Byte strings by name.
Blobs = Mapping[str, list]
# What whoever sends a step gives: the step, what each site is told, and the site that `vouch` is about; replies as they come.
Ask = Callable[[str, Mapping[int, Blobs], Optional[int]], Iterable[list]]

STEPS = ("findings", "agree", "vouch", "open")


def answer(site: SumSite, spec: dict, step: str, blobs: Blobs, of: Optional[int] = None) -> list:
    """A site's answer to a step, byte strings. Its own rules decide; `SumError` says why it refuses."""
    if step == "findings":
        return [site.findings(spec, blobs["headers"], _one(blobs, "bundle"))]
    commitment = _one(blobs, "commitment")
    if step == "agree":
        # With its parts, if the set was named before anybody had looked at them.
        found = [site.findings(spec, blobs["headers"], _one(blobs, "bundle"))] if blobs.get("bundle") else []
        return [*found, site.agree(spec, commitment, bodies=blobs.get("bodies") or None)]
    if step == "vouch" and of is not None:
        return [site.vouch(spec, commitment, of, _one(blobs, "body"))]
    if step == "open":
        bundle = _one(blobs, "bundle")
        return [site.open(spec, blobs["headers"], bundle, commitment, blobs["agreements"], vouches=blobs.get("vouches", []))]
    raise SumError(f"a step `{step}` is not known; {', '.join(STEPS)} are")


class Course:
    """The server's side of a run's rounds, one after another.

    A set is named of all uploads, and its sites say what they found of their parts together with their agreement: two messages a site
    after its upload. Once a site was complained of, or a round was lost, findings are asked for by themselves first and whoever dealt
    wrong parts is left out, which takes a message more.

    warn: is told in a sentence what goes wrong
    """

    def __init__(self, warn: Callable[[str], None]):
        self.warn = warn
        self.careful = False

    def finish(self, server: SumServer, ask: Ask) -> tuple[np.ndarray, list]:
        """From the uploads that `server` has taken to the sum, and the sites that are in it."""
        careful, self.careful = self.careful, True
        told = _Told(server, ask, self.warn)
        if careful:
            told.findings()
        told.agreement(with_findings=not careful)
        told.opening()
        result = server.result()
        self.careful = bool(server.accused)
        return result


def finish(server: SumServer, ask: Ask, warn: Callable[[str], None]) -> tuple[np.ndarray, list]:
    """`Course.finish` of a round by itself."""
    return Course(warn).finish(server, ask)


class _Told:
    """One round's steps, each asked of the sites and taken."""

    def __init__(self, server: SumServer, ask: Ask, warn: Callable[[str], None]):
        self.server, self.ask, self.warn = server, ask, warn
        self.parts = {site: {"headers": server.headers(), "bundle": [server.bundle(site)]} for site in server.sites}
        self.commitment = b""

    def each(self, step: str, told: Mapping[int, Blobs], takes: Sequence[Callable[[bytes], Any]], of: Optional[int] = None) -> None:
        """Asks, and hands each of an answer's byte strings to whatever takes it."""
        for reply in self.ask(step, told, of):
            try:
                if len(reply) != len(takes):
                    raise SumError(f"it has {len(reply)} byte strings, {len(takes)} are expected")
                for said, take in zip(reply, takes):
                    take(said)
            except BlindscopeError as wrong:
                self.warn(f"an answer to `{step}` cannot be used: {wrong}")

    def findings(self) -> None:
        self.each("findings", self.parts, [self.server.found])

    def agreement(self, with_findings: bool) -> None:
        server = self.server
        self.commitment, left_out = server.commit()
        if left_out:
            self.warn(f"sites {left_out} are left out: holders could not use their parts")
        named = {"commitment": [self.commitment], "bodies": server.bodies() or []}
        takes = [server.found, server.agree] if with_findings else [server.agree]
        self.each("agree", {site: {**(parts if with_findings else {}), **named} for site, parts in self.parts.items()}, takes)
        for gone in server.silent():
            # A site that is there evaluates the body of one that is gone.
            silent = server.silent()
            voucher = next((site for site in self.parts if site not in silent), None)
            if voucher is not None:
                told = {"commitment": [self.commitment], "body": [server.body(gone)]}
                self.each("vouch", {voucher: told}, [server.vouched], gone)

    def opening(self) -> None:
        words, vouches = self.server.agreed()
        told = {"commitment": [self.commitment], "agreements": words, "vouches": vouches}
        openers = [site for site in self.server.openers if site in self.parts]
        self.each("open", {site: {**self.parts[site], **told} for site in openers}, [self.server.opened])


def _one(blobs: Blobs, name: str) -> bytes:
    found = blobs.get(name, [])
    if len(found) != 1:
        raise SumError(f"{len(found)} byte strings `{name}`, one is expected")
    return found[0]
