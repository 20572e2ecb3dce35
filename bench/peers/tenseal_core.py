#!/usr/bin/env python3
"""SEAL, as shipped in the Python package tenseal, on the core operations of CKKS.

N = 8192, primes of 60, 40, 40 and 60 bits (the last one special), scale 2^40, all 4096 slots, one thread.

    python tenseal_core.py            # table
    python tenseal_core.py --json     # one JSON object

The operations go through `tenseal.sealapi`, which binds SEAL's own classes, so a rotation is exactly one
`Evaluator::rotate_vector` by a power of two (one key switch) and nothing of TenSEAL's tensor layer is timed. Two
figures go through `tenseal` itself, the interface most users call, and are named `tenseal_*`.

Rounds are interleaved: each round runs every operation once, and the figure is the median over the rounds of the
thread's CPU time (`wall` beside it), which is the steadier clock on a machine that does other work too. Every result
is decrypted and compared with the clear one before anything is printed.
"""
import argparse
import gc
import json
import os
import random
import statistics
import sys
import tempfile
import time

import tenseal as ts
import tenseal.sealapi as seal

N, BITS, LOG_SCALE = 8192, [60, 40, 40, 60], 40
SCALE = 2.0**LOG_SCALE
SLOTS = N // 2
PRIMES = len(BITS) - 1  # of a fresh ciphertext


def saved_bytes(thing):
    """What `thing` takes in SEAL's default serialisation (zstd)."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "object")
        thing.save(path)
        return os.path.getsize(path)


class Seal:
    """One context with its keys, and the operations as functions without arguments."""

    def __init__(self, seed):
        parms = seal.EncryptionParameters(seal.SCHEME_TYPE.CKKS)
        parms.set_poly_modulus_degree(N)
        parms.set_coeff_modulus(seal.CoeffModulus.Create(N, BITS))
        context = seal.SEALContext(parms, True, seal.SEC_LEVEL_TYPE.TC128)
        keygen = seal.KeyGenerator(context)
        self.public, self.relin, self.galois = seal.PublicKey(), seal.RelinKeys(), seal.GaloisKeys()
        keygen.create_public_key(self.public)
        keygen.create_relin_keys(self.relin)
        keygen.create_galois_keys([3], self.galois)  # 3^1: rotation by one slot
        self.encoder = seal.CKKSEncoder(context)
        self.encryptor = seal.Encryptor(context, self.public, keygen.secret_key())
        self.decryptor = seal.Decryptor(context, keygen.secret_key())
        self.evaluator = seal.Evaluator(context)
        rng = random.Random(seed)
        self.x = [rng.uniform(-1, 1) for _ in range(SLOTS)]
        self.y = [rng.uniform(-1, 1) for _ in range(SLOTS)]
        self.cx, self.cy = self.encrypt_public(self.x), self.encrypt_public(self.y)
        self.coefficients = seal.Ciphertext()
        self.evaluator.transform_from_ntt(self.cx, self.coefficients)

    def encode(self, values):
        plain = seal.Plaintext()
        self.encoder.encode(values, SCALE, plain)
        return plain

    def encrypt_public(self, values):
        out = seal.Ciphertext()
        self.encryptor.encrypt(self.encode(values), out)
        return out

    def encrypt_seeded(self):
        return self.encryptor.encrypt_symmetric(self.encode(self.x))

    def decrypt(self, ciphertext):
        plain = seal.Plaintext()
        self.decryptor.decrypt(ciphertext, plain)
        return self.encoder.decode_double(plain)

    def multiply(self, a, b):
        out = seal.Ciphertext()
        self.evaluator.multiply(a, b, out)
        self.evaluator.relinearize_inplace(out, self.relin)
        self.evaluator.rescale_to_next_inplace(out)
        return out

    def rotate(self):
        out = seal.Ciphertext()
        self.evaluator.rotate_vector(self.cx, 1, self.galois, out)
        return out

    def to_ntt(self):
        out = seal.Ciphertext()
        self.evaluator.transform_to_ntt(self.coefficients, out)
        return out

    def from_ntt(self):
        out = seal.Ciphertext()
        self.evaluator.transform_from_ntt(self.cx, out)
        return out

    def list_in(self):
        """Passes the values to C++ and stops there: SEAL refuses the parms_id before it encodes."""
        try:
            self.encoder.encode(self.x, [0, 0, 0, 0], SCALE, seal.Plaintext())
        except ValueError:
            return
        raise RuntimeError("SEAL accepted a parms_id of zeros")

    def operations(self):
        """figure -> (function, how many of the named thing it does)."""
        return {
            "encrypt_seeded": (self.encrypt_seeded, 1),
            "encrypt_public": (lambda: self.encrypt_public(self.x), 1),
            "decrypt": (lambda: self.decrypt(self.cx), 1),
            "multiply": (lambda: self.multiply(self.cx, self.cy), 1),
            "square": (lambda: self.multiply(self.cx, self.cx), 1),
            "rotate": (self.rotate, 1),
            "ntt_forward": (self.to_ntt, 2 * PRIMES),
            "ntt_inverse": (self.from_ntt, 2 * PRIMES),
            "python_list_to_seal": (self.list_in, 1),
        }

    def errors(self):
        """Worst slot of each operation against the clear result."""
        worst = lambda ct, want: max(abs(g - w) for g, w in zip(self.decrypt(ct), want, strict=True))
        return {
            "encrypt_public": worst(self.cx, self.x),
            "multiply": worst(self.multiply(self.cx, self.cy), [a * b for a, b in zip(self.x, self.y)]),
            "square": worst(self.multiply(self.cx, self.cx), [a * a for a in self.x]),
            "rotate": worst(self.rotate(), self.x[1:] + self.x[:1]),
        }


class Tensor:
    """The same two operations as TenSEAL's users call them."""

    def __init__(self, values):
        self.context = ts.context(ts.SCHEME_TYPE.CKKS, N, coeff_mod_bit_sizes=BITS, n_threads=1)
        self.context.global_scale = SCALE
        self.values = values
        self.vector = self.encrypt()

    def encrypt(self):
        return ts.ckks_vector(self.context, self.values)

    def operations(self):
        return {"tenseal_encrypt": (self.encrypt, 1), "tenseal_decrypt": (self.vector.decrypt, 1)}

    def error(self):
        return max(abs(g - w) for g, w in zip(self.vector.decrypt(), self.values, strict=True))


def measure(operations, rounds):
    cpu, wall = {name: [] for name in operations}, {name: [] for name in operations}
    for function, _ in operations.values():
        function()
    gc.disable()
    for _ in range(rounds):
        for name, (function, count) in operations.items():
            t, c = time.perf_counter(), time.thread_time()
            function()
            cpu[name].append((time.thread_time() - c) * 1e3 / count)
            wall[name].append((time.perf_counter() - t) * 1e3 / count)
    gc.enable()
    return [figure(name, cpu[name], wall[name]) for name in operations]


def figure(name, cpu, wall):
    low, middle, high = statistics.quantiles(cpu, n=4)
    return {"figure": name, "value": middle, "unit": "ms", "clock": "thread cpu", "wall": statistics.median(wall),
            "runs": len(cpu), "spread": [low, high]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--rounds", type=int, default=31, help="interleaved rounds, at least 10")
    parser.add_argument("--seed", type=int, default=1, help="of the values that are encrypted")
    options = parser.parse_args()
    if options.rounds < 10:
        parser.error(f"--rounds: expected at least 10, found {options.rounds}; a median of fewer means little")

    scheme = Seal(options.seed)
    tensor = Tensor(scheme.x)
    errors = scheme.errors() | {"tenseal_encrypt": tensor.error()}
    wrong = {name: error for name, error in errors.items() if not error < 1e-4}
    if wrong:
        sys.exit(f"results differ from the clear ones, nothing measured: {wrong}")

    figures = measure(scheme.operations() | tensor.operations(), options.rounds)
    sizes = {"ciphertext_seeded": saved_bytes(scheme.encrypt_seeded()), "ciphertext": saved_bytes(scheme.cx),
             "tenseal_ciphertext": len(tensor.vector.serialize()), "relin_key": saved_bytes(scheme.relin),
             "galois_key": saved_bytes(scheme.galois)}
    figures += [{"figure": f"{name}_bytes", "value": value, "unit": "bytes"} for name, value in sizes.items()]
    report = {"peer": f"SEAL in tenseal {ts.__version__}", "n": N, "bits": BITS, "log_scale": LOG_SCALE,
              "slots": SLOTS, "threads": 1, "load": os.getloadavg()[0], "worst_slot_error": errors, "figures": figures}
    if options.json:
        print(json.dumps(report))
        return
    print(f"{report['peer']}, N {N}, primes {BITS}, scale 2^{LOG_SCALE}, {SLOTS} slots, load {report['load']:.1f}")
    for f in figures:
        if f["unit"] == "ms":
            low, high = f["spread"]
            print(f"{f['figure']:22} {f['value']:9.3f} ms cpu  [{low:.3f}, {high:.3f}]  wall {f['wall']:.3f}")
        else:
            print(f"{f['figure']:26} {f['value']:12,} bytes")


if __name__ == "__main__":
    main()
