"""What each hospital trains in `nvflare_job.py`: a softmax classifier on drawn tokens, in numpy. Nothing here is about encryption."""

import numpy as np
import nvflare.client as flare

CLASSES, WIDTH = 3, 32
flare.init()
site = int(flare.get_site_name().rsplit("-", 1)[1])
rng = np.random.default_rng(site)
centres = np.random.default_rng(99).normal(0, 1, (CLASSES, WIDTH))
y = rng.integers(0, CLASSES, 300)
x = centres[y] + rng.normal(0, 1, (300, WIDTH))

while flare.is_running():
    weights = np.array(flare.receive().params["numpy_key"])
    for _ in range(20):
        raised = np.exp(x @ weights.T)
        shares = raised / raised.sum(axis=1, keepdims=True)
        weights -= 0.1 * (shares - np.eye(CLASSES)[y]).T @ x / len(y)
    loss = float(-np.log(shares[np.arange(len(y)), y]).mean())
    flare.send(flare.FLModel(params={"numpy_key": weights}, metrics={"loss": loss}, meta={"NUM_STEPS_CURRENT_ROUND": len(y)}))
