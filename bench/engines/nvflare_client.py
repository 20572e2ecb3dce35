"""What a client of `nvflare_round.py` trains: a step that follows from site and round, 1 MB of float32."""

import numpy as np
import nvflare.client as flare

flare.init()
site = int(flare.get_site_name().rsplit("-", 1)[1])
while flare.is_running():
    model = flare.receive()
    weights = np.asarray(model.params["numpy_key"])
    step = np.random.default_rng(100 * site + model.current_round).normal(0, 0.1, weights.shape).astype(weights.dtype)
    flare.send(flare.FLModel(params={"numpy_key": weights + step}, meta={"NUM_STEPS_CURRENT_ROUND": 500}))
