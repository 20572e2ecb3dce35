"""What a hospital trains in the tests of NVIDIA FLARE: a step that follows from site and round."""

import numpy as np
import nvflare.client as flare

flare.init()
site = int(flare.get_site_name().rsplit("-", 1)[1])
while flare.is_running():
    model = flare.receive()
    weights = np.asarray(model.params["numpy_key"])
    step = np.random.default_rng(100 * site + model.current_round).normal(0, 0.3, weights.shape)
    told = {"loss": 0.5 * site, "secret": 42.0}
    flare.send(flare.FLModel(params={"numpy_key": weights + step}, metrics=told, meta={"NUM_STEPS_CURRENT_ROUND": 100 * site}))
