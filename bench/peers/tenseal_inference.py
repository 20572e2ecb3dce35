#!/usr/bin/env python3
"""TenSEAL on the encrypted head 768 -> 32 -> 3 with a square, as its tutorials write a classifier: an encrypted vector times a
matrix, plus a bias, squared, and a dot product a class, plus a bias: a second matrix product would take slots behind the vector for its
repetition, which they are not after the first one.

N = 8192, primes of 46, 3 x 40 and 46 bits (the last one special), scale 2^40, one thread. Prints medians with quartiles of
the thread's CPU time. Logits are compared with the clear ones before anything is printed.

    python3 bench/peers/setup.py tenseal
    ~/.cache/blindscope-peers/tenseal/bin/python bench/peers/tenseal_inference.py --json
"""
import argparse
import gc
import json
import statistics
import sys
import time

import numpy as np
import tenseal as ts

WIDTH, HIDDEN, CLASSES = 768, 32, 3
N, BITS, LOG_SCALE = 8192, [46, 40, 40, 40, 46], 40


class Head:
    """W2·(W1·x + b1)^2 + b2: any polynomial of degree two is one of these after a shift."""

    def __init__(self, rng):
        self.w1 = rng.normal(0, WIDTH**-0.5, (WIDTH, HIDDEN)).tolist()
        self.b1 = rng.normal(0, 0.1, HIDDEN).tolist()
        self.w2 = rng.normal(0, HIDDEN**-0.5, (HIDDEN, CLASSES)).tolist()
        self.b2 = rng.normal(0, 0.1, CLASSES).tolist()

    def clear(self, x):
        return (np.array(x) @ np.array(self.w1) + self.b1) ** 2 @ np.array(self.w2) + self.b2

    def answer(self, c):
        hidden = c.matmul(self.w1) + self.b1
        squares = hidden.square()
        return [squares.dot(list(column)) + [bias] for column, bias in zip(zip(*self.w2), self.b2)]


def timed(f, runs):
    gc.disable()
    samples = []
    for _ in range(runs):
        start = time.thread_time()
        f()
        samples.append((time.thread_time() - start) * 1e3)
    gc.enable()
    return samples


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--rounds", type=int, default=2, help="an answer takes seconds")
    options = parser.parse_args()
    context = ts.context(ts.SCHEME_TYPE.CKKS, N, coeff_mod_bit_sizes=BITS, n_threads=1)
    context.global_scale = 2.0**LOG_SCALE
    context.generate_galois_keys()
    rng = np.random.default_rng(1)
    head, x = Head(rng), rng.normal(0, 1, WIDTH).tolist()
    c = ts.ckks_vector(context, x)
    start = time.thread_time()
    answer = head.answer(c)
    first = (time.thread_time() - start) * 1e3
    error = float(np.abs(np.array([logit.decrypt()[0] for logit in answer]) - head.clear(x)).max())
    if not error < 1e-2:
        sys.exit(f"tenseal_inference: logits are off by {error}; nothing is reported")
    with_keys = context.serialize(save_public_key=False, save_secret_key=False, save_galois_keys=True, save_relin_keys=True)
    figures = [
        ("inference", "ms", [first, *timed(lambda: head.answer(c), options.rounds - 1)]),
        ("encrypt", "ms", timed(lambda: ts.ckks_vector(context, x), options.rounds)),
        ("upload_bytes", "bytes", [float(len(c.serialize()))]),
        ("answer_bytes", "bytes", [float(sum(len(logit.serialize()) for logit in answer))]),
        ("key_bytes", "bytes", [float(len(with_keys))]),
        ("error", "", [error]),
    ]
    out = []
    for name, unit, samples in figures:
        q = statistics.quantiles(samples, n=4) if len(samples) > 1 else [samples[0]] * 3
        out.append({"figure": name, "value": statistics.median(samples), "unit": unit, "clock": "thread cpu",
                    "runs": len(samples), "spread": [q[0], q[2]]})
    if options.json:
        print(json.dumps({"peer": f"tenseal {ts.__version__}", "n": N, "bits": BITS, "threads": 1, "figures": out}))
        return
    for f in out:
        print(f"{f['figure']:16} {f['value']:14.4f} {f['unit']}")


if __name__ == "__main__":
    main()
