#!/usr/bin/env python3
"""OpenFHE on the encrypted head 768 -> 32 -> 3 with a square, written as its users are advised to: one packed
ciphertext, weights encoded once, hoisted baby steps, giant steps, lazy rescaling of the sum, folds.

N = 8192, moduli 40 + 3 x 30 and a special modulus of 60 bits, its own 128-bit classical check on. Prints medians with
quartiles; times are CPU time of the process, which runs one thread. Results are checked against the clear head first.

    python3 bench/peers/setup.py openfhe
    ~/.cache/blindscope-peers/openfhe/bin/python bench/peers/openfhe_inference.py --json
"""
import argparse
import gc
import json
import os
import statistics
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import openfhe as fhe

WIDTH, PAD, HIDDEN, CLASSES = 768, 1024, 32, 3
N, FIRST, SCALE, DEPTH, DIGITS = 8192, 40, 30, 3, 4
SLOTS = N // 2


class Peer:
    def __init__(self):
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

    def plain(self, values, level=0):
        return self.cc.MakeCKKSPackedPlaintext([float(v) for v in values], 1, level)

    def encrypt(self, x):
        """x, padded and repeated over every slot: rotations are then cyclic modulo the padded width."""
        padded = np.tile(np.pad(x, (0, PAD - WIDTH)), SLOTS // PAD)
        return self.cc.Encrypt(self.keys.publicKey, self.plain(padded))

    def decrypt(self, c):
        p = self.cc.Decrypt(self.keys.secretKey, c)
        p.SetLength(SLOTS)
        return np.array(p.GetRealPackedValue())


class Head:
    """W2·(a·(W1·x + b1)^2) + b2: any polynomial of degree two is one of these after a shift."""

    def __init__(self, peer, rng):
        self.w1 = rng.normal(0, WIDTH**-0.5, (HIDDEN, WIDTH))
        self.b1 = rng.normal(0, 0.1, HIDDEN)
        self.w2 = rng.normal(0, HIDDEN**-0.5, (CLASSES, HIDDEN))
        self.b2 = rng.normal(0, 0.1, CLASSES)
        self.peer = peer
        self.baby, j = 8, np.arange(PAD)
        giant = HIDDEN // self.baby
        rows = np.zeros((HIDDEN, PAD))
        rows[:, :WIDTH] = self.w1
        diagonal = lambda k: rows[j % HIDDEN, (j + k) % PAD]
        self.diagonals = [
            [peer.plain(np.roll(np.tile(diagonal(g * self.baby + b), SLOTS // PAD), g * self.baby)) for b in range(self.baby)]
            for g in range(giant)
        ]
        slots = np.arange(SLOTS)
        self.bias1 = peer.plain(self.b1[slots % HIDDEN], 1)
        second, bias2 = np.zeros(SLOTS), np.zeros(SLOTS)
        for k in range(CLASSES):
            second[k * HIDDEN:(k + 1) * HIDDEN] = self.w2[k]
            bias2[k * HIDDEN] = self.b2[k]
        self.second, self.bias2 = peer.plain(second, 2), peer.plain(bias2, 3)
        self.folds = [HIDDEN << i for i in range((PAD // HIDDEN).bit_length() - 1)]
        self.last = [1 << i for i in range(HIDDEN.bit_length() - 1)]
        steps = list(range(1, self.baby)) + [g * self.baby for g in range(1, giant)] + self.folds + self.last
        self.steps = sorted(set(steps))
        peer.cc.EvalRotateKeyGen(peer.keys.secretKey, self.steps)

    def clear(self, x):
        return self.w2 @ (self.w1 @ x + self.b1) ** 2 + self.b2

    def fold(self, c, steps):
        for s in steps:
            c = self.peer.cc.EvalAdd(c, self.peer.cc.EvalRotate(c, s))
        return c

    def answer(self, c):
        cc = self.peer.cc
        digits = cc.EvalFastRotationPrecompute(c)
        baby = [c] + [cc.EvalFastRotation(c, b, 2 * N, digits) for b in range(1, self.baby)]
        total = None
        for g, row in enumerate(self.diagonals):
            part = cc.EvalMult(baby[0], row[0])
            for x, weights in zip(baby[1:], row[1:]):
                part = cc.EvalAdd(part, cc.EvalMult(x, weights))
            if g:
                part = cc.EvalRotate(part, g * self.baby)
            total = part if total is None else cc.EvalAdd(total, part)
        y = cc.EvalAdd(self.fold(cc.Rescale(total), self.folds), self.bias1)
        y = cc.Rescale(cc.EvalMult(cc.Rescale(cc.EvalMult(y, y)), self.second))
        return cc.EvalAdd(self.fold(y, self.last), self.bias2)


def timed(f, runs):
    f()
    gc.disable()
    samples = []
    for _ in range(runs):
        start = time.process_time()
        f()
        samples.append((time.process_time() - start) * 1e3)
    gc.enable()
    return samples


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--json", action="store_true")
    ap.add_argument("--rounds", type=int, default=11)
    args = ap.parse_args()
    rng = np.random.default_rng(1)
    peer = Peer()
    head = Head(peer, rng)
    x = rng.normal(0, 1, WIDTH)
    c = peer.encrypt(x)
    answer = head.answer(c)
    error = np.abs(peer.decrypt(answer)[np.arange(CLASSES) * HIDDEN] - head.clear(x)).max()
    if error > 1e-2:
        sys.exit(f"openfhe_inference: logits are off by {error}; nothing is reported")
    size = lambda o: float(len(fhe.Serialize(o, fhe.BINARY)))
    tag = peer.keys.secretKey.GetKeyTag()
    galois = float(len(fhe.SerializeEvalAutomorphismKeyString(fhe.BINARY, tag)))
    relin = float(len(fhe.SerializeEvalMultKeyString(fhe.BINARY, tag)))
    figures = [
        ("inference", "ms", timed(lambda: head.answer(c), args.rounds)),
        ("encrypt", "ms", timed(lambda: peer.encrypt(x), args.rounds)),
        ("upload_bytes", "bytes", [size(c)]),
        ("answer_bytes", "bytes", [size(answer)]),
        ("key_bytes", "bytes", [galois + relin]),
        ("error", "", [float(error)]),
    ]
    out = []
    for name, unit, samples in figures:
        q = statistics.quantiles(samples, n=4) if len(samples) > 1 else [samples[0]] * 3
        value = statistics.median(samples)
        out.append({"figure": name, "value": value, "unit": unit, "clock": "cpu", "runs": len(samples), "spread": [q[0], q[2]]})
    if args.json:
        json.dump({"figures": out}, sys.stdout)
        print()
        return
    for f in out:
        print(f"{f['figure']:16} {f['value']:14.4f} {f['unit']}")


if __name__ == "__main__":
    main()
