#!/usr/bin/env python3
"""The sum of three sites' 768 values over TenSEAL, as its tutorials do it: one key, three uploads, two additions.

N = 8192, primes of 60, 40, 40 and 60 bits, scale 2^40, one thread: the setting of arXiv 2511.20983.

    python tenseal_sum.py            # table
    python tenseal_sum.py --json     # one JSON object

Timed is encrypting three vectors, adding them and decrypting the sum; serialisation is not in it (ours is timed with it).
The sum is compared with the clear one before anything is printed.
"""
import argparse
import gc
import json
import random
import statistics
import sys
import time

import tenseal as ts

N, BITS, LOG_SCALE, SITES, VALUES = 8192, [60, 40, 40, 60], 40, 3, 768


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--rounds", type=int, default=31, help="at least 10")
    options = parser.parse_args()
    if options.rounds < 10:
        parser.error(f"--rounds: expected at least 10, found {options.rounds}; a median of fewer means little")

    context = ts.context(ts.SCHEME_TYPE.CKKS, N, coeff_mod_bit_sizes=BITS, n_threads=1)
    context.global_scale = 2.0**LOG_SCALE
    rng = random.Random(1)
    vectors = [[rng.uniform(-1, 1) for _ in range(VALUES)] for _ in range(SITES)]

    def run():
        first, second, third = (ts.ckks_vector(context, v) for v in vectors)
        return (first + second + third).decrypt()

    want = [sum(column) for column in zip(*vectors, strict=True)]
    error = max(abs(g - w) for g, w in zip(run(), want, strict=True))
    if not error < 1e-5:
        sys.exit(f"the sum is off by {error}, nothing measured")

    gc.disable()
    times = []
    for _ in range(options.rounds):
        start = time.thread_time()
        run()
        times.append((time.thread_time() - start) * 1e3)
    low, middle, high = statistics.quantiles(times, n=4)
    size = len(ts.ckks_vector(context, vectors[0]).serialize())
    figures = [
        {"figure": "sum_3x768", "value": middle, "unit": "ms", "clock": "thread cpu", "runs": len(times),
         "spread": [low, high]},
        {"figure": "upload_bytes", "value": size, "unit": "bytes"},
    ]
    report = {"peer": f"tenseal {ts.__version__}", "n": N, "bits": BITS, "log_scale": LOG_SCALE, "threads": 1,
              "worst_error": error, "figures": figures}
    if options.json:
        print(json.dumps(report))
        return
    print(f"{report['peer']}, N {N}, primes {BITS}, scale 2^{LOG_SCALE}")
    print(f"sum_3x768     {middle:9.3f} ms cpu  [{low:.3f}, {high:.3f}]")
    print(f"upload_bytes  {size:9,}")


if __name__ == "__main__":
    main()
