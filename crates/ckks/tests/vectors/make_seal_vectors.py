#!/usr/bin/env python3
"""Writes known answers of an independent CKKS: Microsoft SEAL, as shipped in the Python package tenseal.

    python3 -m venv .venv-peers && .venv-peers/bin/pip install tenseal==0.3.18 numpy
    .venv-peers/bin/python crates/ckks/tests/vectors/make_seal_vectors.py

Three sets, each a folder of files exactly as SEAL or TenSEAL serialised them (zstd inside):

    seal-small       N = 1024, primes of 46, 40, 40 and 46 bits: keys, and a ciphertext after each operation
    seal-production  N = 8192, primes of 60, 40, 40 and 60 bits: one ciphertext after depth 2, at the last level
    tenseal          N = 4096, primes of 37, 35 and 37 bits: TenSEAL's own protobuf messages

The messages are the formulas of `values`, which the Rust test states again, so no clear values are stored. SEAL draws
its own randomness: a second run writes other bytes for the same messages.
"""
import pathlib

import tenseal as ts
import tenseal.sealapi as seal

HERE = pathlib.Path(__file__).parent


def values(slots):
    """Dyadic rationals in [-1, 1], exact in f64: two complex vectors."""
    part = lambda i, step, start: ((i * step + start) % 257 - 128) / 128
    x = [complex(part(i, 73, 5), part(i, 31, 90)) for i in range(slots)]
    y = [complex(part(i, 101, 17), part(i, 19, 201)) for i in range(slots)]
    return x, y


class Scheme:
    def __init__(self, n, bits, scale, folder):
        self.parms = seal.EncryptionParameters(seal.SCHEME_TYPE.CKKS)
        self.parms.set_poly_modulus_degree(n)
        self.parms.set_coeff_modulus(seal.CoeffModulus.Create(n, bits))
        # The small ring is for tests only and below every security level.
        self.context = seal.SEALContext(self.parms, True, seal.SEC_LEVEL_TYPE.NONE)
        self.keygen = seal.KeyGenerator(self.context)
        self.public, self.relin = seal.PublicKey(), seal.RelinKeys()
        self.keygen.create_public_key(self.public)
        self.keygen.create_relin_keys(self.relin)
        self.encryptor = seal.Encryptor(self.context, self.public)
        self.encoder = seal.CKKSEncoder(self.context)
        self.evaluator = seal.Evaluator(self.context)
        self.scale, self.folder = scale, HERE / folder
        self.folder.mkdir(exist_ok=True)
        self.save("parameters", self.parms)
        self.save("secret_key", self.keygen.secret_key())

    def save(self, name, thing):
        thing.save(str(self.folder / f"{name}.seal"))

    def encrypt(self, message):
        plain, out = seal.Plaintext(), seal.Ciphertext()
        self.encoder.encode(message, self.scale, plain)
        self.encryptor.encrypt(plain, out)
        return out

    def product(self, a, b):
        out = seal.Ciphertext()
        self.evaluator.multiply(a, b, out)
        return out

    def finish(self, product):
        out = seal.Ciphertext()
        self.evaluator.relinearize(product, self.relin, out)
        self.evaluator.rescale_to_next_inplace(out)
        return out


def small():
    s = Scheme(1024, [46, 40, 40, 46], 2.0**40, "seal-small")
    x, y = values(512)
    cx, cy = s.encrypt(x), s.encrypt(y)
    galois, rotated, conjugated, total = seal.GaloisKeys(), seal.Ciphertext(), seal.Ciphertext(), seal.Ciphertext()
    s.keygen.create_galois_keys([3, 2 * 1024 - 1], galois)  # rotation by one slot, conjugation
    s.evaluator.rotate_vector(cx, 1, galois, rotated)
    s.evaluator.complex_conjugate(cx, galois, conjugated)
    s.evaluator.add(cx, cy, total)
    product = s.product(cx, cy)
    s.save("relin_key", s.relin)
    s.save("fresh_x", cx)
    s.save("fresh_y", cy)
    s.save("sum", total)
    s.save("product_three_components", product)
    s.save("product", s.finish(product))
    s.save("rotated", rotated)
    s.save("conjugated", conjugated)


def production():
    s = Scheme(8192, [60, 40, 40, 60], 2.0**40, "seal-production")
    x, y = values(4096)
    cx, cy = s.encrypt(x), s.encrypt(y)
    square = s.finish(s.product(cx, cx))
    s.evaluator.mod_switch_to_next_inplace(cy)
    # The scales differ by the rounding of a prime to 2^40; the test uses the exact one that SEAL stores.
    s.save("square_times_y", s.finish(s.product(square, cy)))


def tensor():
    folder = HERE / "tenseal"
    folder.mkdir(exist_ok=True)
    context = ts.context(ts.SCHEME_TYPE.CKKS, 4096, coeff_mod_bit_sizes=[37, 35, 37], n_threads=1)
    context.global_scale = 2.0**35
    context.generate_galois_keys()
    x, y = values(2048)
    x, y = [v.real for v in x], [v.real for v in y]
    cx, cy = ts.ckks_vector(context, x), ts.ckks_vector(context, y)
    weights = [1 / 2048] * 2048
    blob = context.serialize(save_public_key=False, save_secret_key=True, save_galois_keys=False, save_relin_keys=False)
    written = {"context": blob, "fresh": cx.serialize(), "square": cx.square().serialize(),
               "sum": (cx + cy).serialize(), "dot": cx.dot(weights).serialize()}
    for name, content in written.items():
        (folder / f"{name}.tenseal").write_bytes(content)


if __name__ == "__main__":
    small()
    production()
    tensor()
    files = sorted(p for p in HERE.glob("*/*") if p.is_file())
    for path in files:
        print(f"{path.stat().st_size:8,}  {path.relative_to(HERE)}")
    print(f"{sum(p.stat().st_size for p in files):8,}  in all")
