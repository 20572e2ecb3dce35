#!/usr/bin/env python3
"""OpenFHE on the core operations of CKKS, through its Python package.

N = 8192, ciphertext moduli of 50, 40 and 40 bits with a special modulus of 60, scale 2^40, all 4096 slots, one digit a modulus,
hybrid key switching, one thread, its own 128-bit classical check on: it refuses SEAL's usual 60, 40, 40 and 60 bits at this degree.

    python3 bench/peers/setup.py openfhe
    ~/.cache/blindscope-peers/openfhe/bin/python bench/peers/openfhe_core.py --json

Rounds are interleaved: each round runs every operation once, and a figure is the median over the rounds of the thread's CPU
time. Every result is decrypted and compared with the clear one before anything is printed.
"""
import argparse
import gc
import json
import os
import random
import statistics
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"

import openfhe as fhe

N, FIRST, SCALE, DEPTH, DIGITS = 8192, 50, 40, 2, 3
SLOTS = N // 2


class OpenFhe:
    """One context with its keys, and the operations as functions without arguments."""

    def __init__(self, seed):
        p = fhe.CCParamsCKKSRNS()
        p.SetSecurityLevel(fhe.SecurityLevel.HEStd_128_classic)
        p.SetRingDim(N)
        p.SetFirstModSize(FIRST)
        p.SetScalingModSize(SCALE)
        p.SetMultiplicativeDepth(DEPTH)
        p.SetScalingTechnique(fhe.ScalingTechnique.FIXEDMANUAL)
        p.SetKeySwitchTechnique(fhe.KeySwitchTechnique.HYBRID)
        p.SetNumLargeDigits(DIGITS)
        p.SetBatchSize(SLOTS)
        self.cc = fhe.GenCryptoContext(p)
        for feature in ("PKE", "KEYSWITCH", "LEVELEDSHE", "ADVANCEDSHE"):
            self.cc.Enable(getattr(fhe.PKESchemeFeature, feature))
        self.keys = self.cc.KeyGen()
        self.cc.EvalMultKeyGen(self.keys.secretKey)
        self.cc.EvalRotateKeyGen(self.keys.secretKey, [1])
        rng = random.Random(seed)
        self.x = [rng.uniform(-1, 1) for _ in range(SLOTS)]
        self.y = [rng.uniform(-1, 1) for _ in range(SLOTS)]
        self.cx, self.cy = self.encrypt(self.x), self.encrypt(self.y)
        self.digits = self.cc.EvalFastRotationPrecompute(self.cx)

    def encode(self, values):
        return self.cc.MakeCKKSPackedPlaintext(values)

    def encrypt(self, values):
        return self.cc.Encrypt(self.keys.publicKey, self.encode(values))

    def decrypt(self, ciphertext):
        plain = self.cc.Decrypt(self.keys.secretKey, ciphertext)
        plain.SetLength(SLOTS)
        return plain.GetRealPackedValue()

    def multiply(self):
        return self.cc.Rescale(self.cc.EvalMult(self.cx, self.cy))

    def rotate(self):
        return self.cc.EvalRotate(self.cx, 1)

    def rotate_hoisted(self):
        return self.cc.EvalFastRotation(self.cx, 1, 2 * N, self.digits)

    def operations(self):
        return {
            "encrypt_public": lambda: self.encrypt(self.x),
            "encode": lambda: self.encode(self.x),
            "decrypt": lambda: self.decrypt(self.cx),
            "multiply": self.multiply,
            "rotate": self.rotate,
            "rotate_hoisted": self.rotate_hoisted,
        }

    def errors(self):
        """Worst slot of each operation against the clear result."""
        worst = lambda c, want: max(abs(g - w) for g, w in zip(self.decrypt(c), want))
        moved = self.x[1:] + self.x[:1]
        return {
            "encrypt_public": worst(self.cx, self.x),
            "multiply": worst(self.multiply(), [a * b for a, b in zip(self.x, self.y)]),
            "rotate": worst(self.rotate(), moved),
            "rotate_hoisted": worst(self.rotate_hoisted(), moved),
        }


def measure(operations, rounds):
    samples = {name: [] for name in operations}
    for function in operations.values():
        function()
    gc.disable()
    for _ in range(rounds):
        for name, function in operations.items():
            start = time.thread_time()
            function()
            samples[name].append((time.thread_time() - start) * 1e3)
    gc.enable()
    return [figure(name, of) for name, of in samples.items()]


def figure(name, samples):
    low, middle, high = statistics.quantiles(samples, n=4)
    return {"figure": name, "value": middle, "unit": "ms", "clock": "thread cpu", "runs": len(samples), "spread": [low, high]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--rounds", type=int, default=31, help="interleaved rounds, at least 10")
    options = parser.parse_args()
    if options.rounds < 10:
        parser.error(f"--rounds: expected at least 10, found {options.rounds}; a median of fewer means little")
    peer = OpenFhe(1)
    errors = peer.errors()
    if wrong := {name: error for name, error in errors.items() if not error < 1e-4}:
        sys.exit(f"results differ from the clear ones, nothing measured: {wrong}")
    figures = measure(peer.operations(), options.rounds)
    if options.json:
        print(json.dumps({"peer": "OpenFHE", "n": N, "threads": 1, "worst_slot_error": errors, "figures": figures}))
        return
    for f in figures:
        print(f"{f['figure']:16} {f['value']:9.3f} ms cpu  [{f['spread'][0]:.3f}, {f['spread'][1]:.3f}]")


if __name__ == "__main__":
    main()
