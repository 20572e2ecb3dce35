"""A round of a sum over an engine's messages: what a site answers, and what a server asks in which order.

Engines carry byte strings under names. `answer` is a site's side of each step after its upload; `finish` is the server's, from the uploads
that are in to the opened sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Optional

import numpy as np

from . import SumServer, SumSite
from .errors import BlindscopeError, SumError

# Byte strings by name.
Blobs = Mapping[str, list]
# What whoever sends a step gives: the step, what each site is told, and the site that `vouch` is about; replies as they come.
Ask = Callable[[str, Mapping[int, Blobs], Optional[int]], Iterable[bytes]]

STEPS = ("findings", "agree", "vouch", "open")


def answer(site: SumSite, spec: dict, step: str, blobs: Blobs, of: Optional[int] = None) -> bytes:
    """A site's answer to a step. Its own rules decide; `SumError` says why it refuses."""
    if step == "findings":
        return site.findings(spec, blobs["headers"], _one(blobs, "bundle"))
    commitment = _one(blobs, "commitment")
    if step == "agree":
        return site.agree(spec, commitment, bodies=blobs.get("bodies") or None)
    if step == "vouch" and of is not None:
        return site.vouch(spec, commitment, of, _one(blobs, "body"))
    if step == "open":
        bundle = _one(blobs, "bundle")
        return site.open(spec, blobs["headers"], bundle, commitment, blobs["agreements"], vouches=blobs.get("vouches", []))
    raise SumError(f"a step `{step}` is not known; {', '.join(STEPS)} are")


def finish(server: SumServer, ask: Ask, warn: Callable[[str], None]) -> tuple[np.ndarray, list]:
    """From the uploads that `server` has taken to the sum, and the sites that are in it."""
    there = server.sites
    headers = server.headers()
    bundles = {site: [server.bundle(site)] for site in there}

    def each(step: str, told: Mapping[int, Blobs], take: Callable[[bytes], Any], of: Optional[int] = None) -> None:
        for reply in ask(step, told, of):
            try:
                take(reply)
            except BlindscopeError as wrong:
                warn(f"an answer to `{step}` cannot be used: {wrong}")

    each("findings", {site: {"headers": headers, "bundle": bundles[site]} for site in there}, server.found)
    commitment, left_out = server.commit()
    if left_out:
        warn(f"sites {left_out} are left out: holders could not use their parts")
    named = {"commitment": [commitment], "bodies": server.bodies() or []}
    each("agree", {site: named for site in there}, server.agree)
    for gone in server.silent():
        # A site that is there evaluates the body of one that is gone.
        silent = server.silent()
        voucher = next((site for site in there if site not in silent), None)
        if voucher is not None:
            told = {"commitment": [commitment], "body": [server.body(gone)]}
            each("vouch", {voucher: told}, server.vouched, gone)
    words, vouches = server.agreed()
    told = {"headers": headers, "commitment": [commitment], "agreements": words, "vouches": vouches}
    openers = [site for site in server.openers if site in bundles]
    each("open", {site: {**told, "bundle": bundles[site]} for site in openers}, server.opened)
    return server.result()


def _one(blobs: Blobs, name: str) -> bytes:
    found = blobs.get(name, [])
    if len(found) != 1:
        raise SumError(f"{len(found)} byte strings `{name}`, one is expected")
    return found[0]
