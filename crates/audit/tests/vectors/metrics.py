"""Reference values of the metrics from scikit-image, on the synthetic pictures beside this file.

    pip install scikit-image==0.25.2 pillow   (any version with these functions will do)
    python metrics.py > metrics.json
"""

import json
import pathlib

import numpy as np
import skimage
from PIL import Image
from skimage.metrics import (
    mean_squared_error,
    normalized_mutual_information,
    peak_signal_noise_ratio,
    structural_similarity,
)

here = pathlib.Path(__file__).parent


def load(name):
    return np.asarray(Image.open(here / f"{name}.png").convert("RGB"))


original = load("original")
pairs = {}
for name in ["slight", "noisy", "other"]:
    other = load(name)
    a, b = original / 255.0, other / 255.0
    # scikit-image takes bins from the data's range; 256 bins of one byte each need both ends present.
    joint = np.histogram2d(original.ravel(), other.ravel(), bins=256, range=[[0, 256], [0, 256]])[0]
    p = joint / joint.sum()
    h = lambda q: -(q[q > 0] * np.log(q[q > 0])).sum()
    by_hand = (h(p.sum(1)) + h(p.sum(0))) / h(p)
    pairs[name] = {
        "mse": mean_squared_error(a, b),
        "psnr": peak_signal_noise_ratio(a, b, data_range=1.0),
        "ssim": structural_similarity(
            a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
            data_range=1.0, channel_axis=2,
        ),
        # Studholme's Y in 1..=2, from NumPy's histogram with one bin a byte value.
        "studholme": by_hand,
        # The same by scikit-image where its bins coincide: all byte values from 0 to 255 in range.
        "studholme_skimage": normalized_mutual_information(
            np.append(original.ravel(), [0, 255]), np.append(other.ravel(), [0, 255]), bins=256
        ),
    }
print(json.dumps({"scikit_image": skimage.__version__, "pairs": pairs}, indent=2))
