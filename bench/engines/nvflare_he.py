#!/usr/bin/env python3
"""NVIDIA FLARE's homomorphic encryption on three clients' 1 MB of float32, by its own filters and aggregator, without a network. Prints
one JSON object: bytes of one upload as FLARE writes it, seconds of encryption, of aggregation at the server, of decryption.

Its simulator refuses this recipe, so the classes are called as its services call them. The key is in every client's kit: the context
here is the one that FLARE's provisioning makes. The mean is compared with the clear one before anything is printed.
"""
import json
import logging
import sys
import time

import numpy as np
import tenseal as ts
from nvflare.apis.dxo import DXO, DataKind, MetaKey, from_shareable
from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import ReservedKey
from nvflare.apis.fl_context import FLContext
from nvflare.app_common.app_constant import AppConstants
from nvflare.app_opt.he.intime_accumulate_model_aggregator import HEInTimeAccumulateWeightedAggregator
from nvflare.app_opt.he.model_decryptor import HEModelDecryptor
from nvflare.app_opt.he.model_encryptor import HEModelEncryptor
from nvflare.fuel.utils import fobs

SITES, VALUES, RUNS, EXAMPLES = 3, 250_000, 3, 500


def contexts():
    """As `lighter/impl/he.py` makes them: one secret key for all clients, a public copy for the server."""
    client = ts.context(ts.SCHEME_TYPE.CKKS, poly_modulus_degree=8192, coeff_mod_bit_sizes=[60, 40, 40], encryption_type=ts.ENCRYPTION_TYPE.SYMMETRIC)
    client.generate_relin_keys()
    client.global_scale = 2.0**40
    server = ts.context_from(client.serialize(save_secret_key=False))
    return client, server


def upload(client, update):
    """A client's result as it leaves it."""
    encryptor = HEModelEncryptor(weigh_by_local_iter=True)
    encryptor.tenseal_context, encryptor.encrypt_layers, encryptor.n_iter = client, [True], EXAMPLES
    dxo = DXO(DataKind.WEIGHT_DIFF, data={"numpy_key": update.copy()}, meta={MetaKey.NUM_STEPS_CURRENT_ROUND: EXAMPLES})
    return fobs.dumps(encryptor._process(dxo, FLContext()).to_shareable())


def aggregate(uploads):
    context = FLContext()
    context.set_prop(AppConstants.CURRENT_ROUND, 0)
    aggregator = HEInTimeAccumulateWeightedAggregator(weigh_by_local_iter=False)
    aggregator.handle_event(EventType.START_RUN, context)
    for number, data in enumerate(uploads):
        shareable = fobs.loads(data)
        shareable.set_peer_props({ReservedKey.IDENTITY_NAME: f"site-{number + 1}"})
        shareable.add_cookie(AppConstants.CONTRIBUTION_ROUND, 0)
        if not aggregator.accept(shareable, context):
            sys.exit("the aggregator refused an upload; nothing is reported")
    return fobs.dumps(aggregator.aggregate(context))


def decrypt(client, data):
    decryptor = HEModelDecryptor()
    decryptor.tenseal_context = client
    dxo = from_shareable(fobs.loads(data))
    return np.asarray(decryptor.decryption(dxo.data, dxo.get_meta_prop(MetaKey.PROCESSED_KEYS), FLContext())["numpy_key"])


def main():
    logging.disable(logging.CRITICAL)
    client, _ = contexts()
    rng = np.random.default_rng(1)
    updates = [rng.normal(0, 0.1, VALUES).astype(np.float32) for _ in range(SITES)]
    want = np.mean(updates, axis=0)
    told = {"encrypt": [], "aggregate": [], "decrypt": []}
    for _ in range(RUNS):
        begun = time.perf_counter()
        uploads = [upload(client, update) for update in updates]
        encrypted = time.perf_counter()
        data = aggregate(uploads)
        added = time.perf_counter()
        mean = decrypt(client, data)
        told["decrypt"].append(time.perf_counter() - added)
        told["aggregate"].append(added - encrypted)
        told["encrypt"].append((encrypted - begun) / SITES)
    if not np.abs(mean - want).max() < 1e-3:
        sys.exit(f"the mean is off by {np.abs(mean - want).max()}; nothing is reported")
    print(json.dumps({**told, "upload_bytes": len(uploads[0])}))


if __name__ == "__main__":
    main()
