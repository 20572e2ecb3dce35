#!/usr/bin/env python3
"""Bits of security of every parameter set, by the lattice-estimator of Albrecht and others.

    git clone https://github.com/malb/lattice-estimator && git -C lattice-estimator checkout COMMIT
    python3 -m venv sage && sage/bin/pip install passagemath-standard-no-symbolics==10.8.13 passagemath-symbolics==10.8.13
    sage/bin/python estimate.py lattice-estimator > estimates.md

COMMIT stands below; another one is refused. Single attacks take seconds to minutes, all of them some hours on one core: finished ones are
kept in a file, `estimates.json`, from which a stopped run goes on.

Every set is LWE of dimension N with as many samples as an attack likes, as is usual: no attack here uses the ring. The modulus is taken
for the power of two that the set's widths allow, which is no smaller than the modulus itself. An estimate is the cheapest of three
attacks: `usvp` (primal), `bdd` (primal, with a last enumeration), `dual` (dual with hybrid guessing, "matzov"). Costs of lattice
reduction: `MATZOV` (the estimator's default, gates), and for quantum attackers `LaaMosPol14`; `core` is the shortest-vector core alone,
2^(0.292 b), for comparison with papers that count so.
"""

import json
import math
import pathlib
import subprocess
import sys

COMMIT = "27a581bb8e9d49f5e9e2db315bd48ac769d5f5f5"

TERNARY, BINOMIAL = "ternary", "binomial 42"
# The 128-bit table that parameters are checked against, `Security` in crates/ckks: log2 N, classical, quantum.
TABLE = [(10, 26, 20), (11, 53, 40), (12, 106, 80), (13, 214, 161), (14, 430, 322), (15, 868, 644), (16, 1747, 1289)]
# Rings of sums, `RINGS` in crates/aggregate: log2 N, log2 q.
SUMS = [(10, 26), (11, 53), (12, 106), (13, 138), (13, 184)]
# Named sets and fixed chains of plans, all primes together.
NAMED = [
    ("depth_two", 13, 172), ("linear_head", 12, 105),
    ("answers", 11, 40), ("wide, degree 1", 14, 191), ("wide, degree 2", 14, 319), ("wide, degree 4", 15, 371),
]


def sets():
    """(name, log2 N, log2 q, secret, error)"""
    for log_n, classical, quantum in TABLE:
        yield "classical row", log_n, classical, TERNARY, BINOMIAL
        yield "quantum row", log_n, quantum, TERNARY, BINOMIAL
    for name, log_n, bits in NAMED:
        yield name, log_n, bits, TERNARY, BINOMIAL
    for log_n, bits in SUMS:
        # What an upload is before anything is opened; what is left once the sum with one other key is known, by the reduction (168
        # coins, 18 left to the problem) and by the law of the hint (42 coins: hypergeometric, deviation 2.29).
        yield "sums, 168 coins", log_n, bits, "binomial 168", "binomial 168"
        yield "sums, 168 coins, hint", log_n, bits, "binomial 18", "binomial 18"
        yield "sums, 42 coins, hint", log_n, bits, "deviation 2.29", "deviation 2.29"


def distribution(nd, name):
    """Of one coefficient. `binomial B` is a centred binomial of B coins, deviation sqrt(B)/2."""
    if name == TERNARY:
        return nd.Uniform(-1, 1)
    kind, value = name.split()
    return nd.CenteredBinomial(int(value) // 2) if kind == "binomial" else nd.DiscreteGaussian(float(value))


def attacks(estimator):
    """Columns: (name, how it is computed)."""
    lwe, rc = estimator.LWE, estimator.RC
    return {
        "usvp": lambda p: lwe.primal_usvp(p),
        "bdd": lambda p: lwe.primal_bdd(p),
        "dual": lambda p: lwe.dual_hybrid(p),
        "quantum usvp": lambda p: lwe.primal_usvp(p, red_cost_model=rc.LaaMosPol14),
        "core": lambda p: lwe.primal_usvp(p, red_cost_model=rc.ADPS16),
    }


def main():
    source = pathlib.Path(sys.argv[1])
    found = subprocess.run(["git", "-C", source, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    if found.stdout.strip() != COMMIT:
        sys.exit(f"lattice-estimator is at {found.stdout.strip()}; check out {COMMIT}")
    sys.path.insert(0, str(source))
    import sage.all  # noqa: F401, the estimator's imports need it loaded
    import estimator

    kept = pathlib.Path("estimates.json")
    done = json.loads(kept.read_text()) if kept.exists() else {}
    wanted = list(attacks(estimator))
    for (name, log_n, bits, secret, error), attack in sorted(work(wanted), key=urgency):
        key = f"{log_n}/{bits}/{secret}/{error}/{attack}"
        if key in done:
            continue
        params = estimator.LWE.Parameters(
            n=2**log_n, q=2**bits, Xs=distribution(estimator.ND, secret), Xe=distribution(estimator.ND, error)
        )
        try:
            done[key] = round(math.log2(attacks(estimator)[attack](params)["rop"]), 1)
        except Exception as e:  # The estimator gives up on some: said in the table, not hidden.
            print(f"{name}, {key}: {type(e).__name__}: {e}", file=sys.stderr)
            done[key] = None
        print(f"{key}: {done[key]}", file=sys.stderr, flush=True)
        kept.write_text(json.dumps(done, indent=0))
    report(done, wanted)


def work(wanted):
    return [(s, attack) for s in sets() for attack in wanted]


def urgency(one):
    """Small rings and cheap attacks first: a run that is stopped has most of the table."""
    (name, log_n, *_), attack = one
    slow = {"usvp": 0, "bdd": 0, "dual": 1}.get(attack, 2) + max(0, log_n - 13)
    return slow, log_n, not name.startswith("sums")


def report(done, wanted):
    print(f"<!-- Written by estimate.py from lattice-estimator {COMMIT}. -->\n")
    print("| set | log₂ N | log₂ q | secret | error | classical | quantum | " + " | ".join(wanted) + " |")
    print("| --- | ---: | ---: | --- | --- |" + " ---: |" * (2 + len(wanted)))
    for name, log_n, bits, secret, error in sets():
        cells = {a: done.get(f"{log_n}/{bits}/{secret}/{error}/{a}") for a in wanted}

        def least(*names):
            known = [cells[n] for n in names if cells[n] is not None]
            return str(math.floor(min(known))) if known else "-"

        show = ["-" if cells[a] is None else f"{cells[a]:.1f}" for a in wanted]
        row = [name, str(log_n), str(bits), secret, error, least("usvp", "bdd", "dual"), least("quantum usvp")]
        print("| " + " | ".join(row + show) + " |")


if __name__ == "__main__":
    main()
