"""Sites of a test, each with its folder."""

import numpy as np

from blindscope import Roster, SumServer, SumSite


class World:
    """Sites with folders under one roster, and one round after another."""

    def __init__(self, folder, sites=3, threshold=2, colluders=1):
        self.folders = [folder / f"site-{i}" for i in range(sites)]
        entries = [SumSite.enrol(f, i, f"hospital {i}") for i, f in enumerate(self.folders)]
        self.roster = Roster.of(entries, study="a test", threshold=threshold, colluders=colluders)
        self.sites = [SumSite(f, self.roster) for f in self.folders]

    def spec(self, number=0, values=10, max=100, job="a job"):
        return {"job": job, "number": number, "values": values, "max": max}

    def uploads(self, spec, vectors):
        name = f"{spec['job']}/{spec['number']}"
        return {i: self.sites[i].upload(spec, v, name) for i, v in vectors.items()}

    def server(self, spec, uploads):
        server = SumServer(self.roster, spec)
        for site, upload in uploads.items():
            server.take(site, upload)
        return server

    def commit(self, spec, server):
        for i in server.sites:
            server.found(self.sites[i].findings(spec, server.headers(), server.bundle(i)))
        return server.commit()

    def finish(self, spec, server, commitment, signers=None, openers=None):
        for i in server.sites if signers is None else signers:
            server.agree(self.sites[i].agree(spec, commitment, bodies=server.bodies()))
        words, vouches = server.agreed()
        for i in openers or server.openers:
            server.opened(
                self.sites[i].open(spec, server.headers(), server.bundle(i), commitment, words, vouches=vouches)
            )
        return server.result()

    def sum(self, spec, vectors):
        server = self.server(spec, self.uploads(spec, vectors))
        commitment, out = self.commit(spec, server)
        assert out == []
        return self.finish(spec, server, commitment)


def vectors(spec, sites, seed=0):
    rng = np.random.default_rng(seed)
    return {i: rng.integers(0, spec["max"], spec["values"], dtype=np.uint64, endpoint=True) for i in sites}
