#!/usr/bin/env python3
"""Figures of the package without an engine: import, bytes of uploads, aggregation, and a sum of 10^7 float32 beside the same from Rust.
Prints one JSON object.

Rust is the carried command, `blindscope bench sum`: its figure `round_3x10m` takes numbers to the opened sum over the same state
machines, uploads on the disk included, in one process.
"""
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from blindscope import Roster, SumServer, SumSite
from blindscope.rounds import answer, finish
from blindscope.updates import UpdateCodec

SITES, RUNS = 3, 3


def imported():
    """Seconds of `import blindscope` in fresh processes, numpy's own import included."""
    code = "import time; t = time.perf_counter(); import blindscope; print(time.perf_counter() - t)"
    return [float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout) for _ in range(9)]


class Cast:
    """Three sites with folders."""

    def __init__(self, folder):
        entries = [SumSite.enrol(folder / f"site-{i}", i, f"site-{i}") for i in range(SITES)]
        self.roster = Roster.of(entries, study="bench", threshold=2, colluders=1)
        self.sites = [SumSite(folder / f"site-{i}", self.roster) for i in range(SITES)]

    def uploads(self, updates, number):
        """Round, codec and uploads of these updates, and seconds of one upload."""
        codec = UpdateCodec([u.shape for u in updates[:1]], most_examples=500)
        spec = {"job": "bench", "number": number, "values": codec.values, "max": codec.max}
        begun = time.perf_counter()
        uploads = [site.upload(spec, codec.encode([u], 500, {}), f"bench/{number}") for site, u in zip(self.sites, updates)]
        return spec, codec, uploads, (time.perf_counter() - begun) / SITES

    def added(self, spec, uploads):
        """Seconds of what a server does between the last upload and what it sends the sites: reads uploads, checks them, adds them up."""
        begun = time.perf_counter()
        server = SumServer(self.roster, spec)
        for number, upload in enumerate(uploads):
            server.take(number, upload)
        server.headers(), [server.bundle(number) for number in server.sites], server.commit()
        return time.perf_counter() - begun

    def round(self, updates, number):
        """Seconds of an upload, of the server's adding, of all from the uploads to the mean, and of the whole; bytes of an upload; the sum."""
        begun = time.perf_counter()
        spec, codec, uploads, upload = self.uploads(updates, number)
        sent = time.perf_counter()
        server = SumServer(self.roster, spec)
        for number, bytes_ in enumerate(uploads):
            server.take(number, bytes_)
        ask = lambda step, told, of: (answer(self.sites[site], spec, step, blobs, of) for site, blobs in told.items())
        sums, sites = finish(server, ask, sys.exit)
        summed = time.perf_counter()
        codec.decode(sums, len(sites))
        done = time.perf_counter()
        told = {"upload": upload, "add": self.added(spec, uploads), "to_mean": done - sent, "all": summed - begun, "bytes": len(uploads[0])}
        return told, sums

    def checked(self, updates, number):
        told, sums = self.round(updates, number)
        codec = UpdateCodec([u.shape for u in updates[:1]], most_examples=500)
        if not np.array_equal(sums, sum(codec.encode([u], 500, {}) for u in updates)):
            sys.exit("a sum is not the integer sum; nothing is reported")
        return told


def numbers(n):
    return [np.random.default_rng(i).uniform(-1, 1, n).astype(np.float32) for i in range(SITES)]


def rust():
    # The console's own script: the command that the wheel carries.
    told = subprocess.run([sys.executable, "-m", "blindscope", "bench", "sum", "--no-peers", "--json"], capture_output=True, text=True)
    if told.returncode != 0:
        sys.exit(told.stderr)
    report = json.loads(told.stdout)
    return next(f for f in report["figures"] if f["figure"] == "round_3x10m")["value"], report["backend"]


def main():
    with tempfile.TemporaryDirectory() as folder:
        cast = Cast(Path(folder))
        megabyte = [cast.checked(numbers(250_000), n) for n in range(RUNS)]
        large = numbers(10_000_000)
        python = [cast.checked(large, RUNS + n)["all"] for n in range(RUNS)]
        upload = len(cast.uploads([u[:5_000_000] for u in large], 2 * RUNS)[2][0])
    seconds, backend = rust()
    print(json.dumps({
        "import": imported(),
        "bytes_5m": upload,
        "megabyte_bytes": megabyte[-1]["bytes"],
        "megabyte_upload": [m["upload"] for m in megabyte],
        "megabyte_add": [m["add"] for m in megabyte],
        "megabyte_to_mean": [m["to_mean"] for m in megabyte],
        "python_10m": python,
        "rust_10m": seconds,
        "backend": backend,
    }))


if __name__ == "__main__":
    main()
