"""Heads to and from scikit-learn's linear classifiers.

Served: `LogisticRegression`, `LinearDiscriminantAnalysis`, `RidgeClassifier` (and their `CV` kinds). Their decision values become the
head's logits; with two classes, the logits are 0 and the one decision value, so that softmax gives `LogisticRegression`'s probabilities.
"""

from __future__ import annotations

import json
from typing import Any, Optional

import numpy as np

from . import _native
from .errors import HeadError
from .head import Head

SERVED = (
    "LogisticRegression",
    "LogisticRegressionCV",
    "LinearDiscriminantAnalysis",
    "RidgeClassifier",
    "RidgeClassifierCV",
)
# Normalised features reach this far; encryption keeps room for it.
BOUND = 4.0
# Beyond the largest value seen, by this much, a feature is clipped.
MARGIN = 2.0


def from_sklearn(model: Any, X: Any) -> Head:
    """The head of a fitted linear classifier. `X` are its training rows: they say how large features get, and twice that far out a
    feature is clipped.

    Features are scaled by powers of two, which changes no bit of a weight, so logits equal scikit-learn's decision values but for the
    order in which a sum is taken.
    """
    name = type(model).__name__
    if name not in SERVED:
        raise HeadError(f"{name} is not served; {', '.join(SERVED)} are")
    if not hasattr(model, "coef_"):
        raise HeadError(f"this {name} is not fitted; call its fit first")
    weights, bias = np.atleast_2d(model.coef_).astype(np.float64), np.atleast_1d(model.intercept_).astype(np.float64)
    if len(weights) != len(bias):  # one intercept for all, as fit_intercept=False gives
        bias = np.broadcast_to(bias, len(weights)).copy()
    if len(model.classes_) == 2:
        weights, bias = np.vstack([np.zeros_like(weights), weights]), np.concatenate([[0.0], bias])
    if getattr(model, "classes_", None) is None or len(model.classes_) != len(weights):
        raise HeadError(f"{len(weights)} rows of weights for {len(model.classes_)} classes; multilabel models are not served")
    gain = _gains(X, weights.shape[1])
    literal = {
        "normalisation": {"mean": [0.0] * len(gain), "gain": gain.tolist(), "bound": BOUND},
        "map": {"kind": "linear", "layer": {"weights": (weights / gain).tolist(), "bias": bias.tolist()}},
        "range": None,
    }
    return Head._of(_native.NativeHead.from_bytes(json.dumps(literal).encode()), model.classes_)


def to_sklearn(head: Head) -> Any:
    """A `LogisticRegression` with the decision values of a linear head, on features that the head does not clip."""
    from sklearn.linear_model import LogisticRegression

    weights, bias = linear_map(head)
    model = LogisticRegression()
    model.classes_, model.n_features_in_ = head.classes_, head.n_features_in_
    model.n_iter_ = np.zeros(1, dtype=np.int32)
    if len(model.classes_) == 2:
        weights, bias = weights[1:] - weights[:1], bias[1:] - bias[:1]
    model.coef_, model.intercept_ = weights, bias
    return model


def linear_map(head: Head) -> tuple[np.ndarray, np.ndarray]:
    """`W` and `b` of a linear head on raw features: `[classes, width]` and `[classes]`."""
    literal = json.loads(head.native.to_json())
    if literal["map"]["kind"] != "linear":
        raise HeadError(f"a {literal['map']['kind']} head has no linear map; to_onnx writes every kind")
    layer, normalisation = literal["map"]["layer"], literal["normalisation"]
    weights = np.array(layer["weights"]) * np.array(normalisation["gain"])
    return weights, np.array(layer["bias"]) - weights @ np.array(normalisation["mean"])


def _gains(X: Optional[Any], width: int) -> np.ndarray:
    """For each feature a power of two that brings `MARGIN` times its largest size within `BOUND`."""
    X = np.asarray(X, dtype=np.float64)
    if X.ndim != 2 or X.shape[1] != width or not len(X) or not np.isfinite(X).all():
        raise HeadError(f"X has shape {X.shape}; finite rows of the model's {width} features are expected")
    largest = np.maximum(np.abs(X).max(axis=0), np.finfo(np.float64).tiny ** 0.5)
    return 2.0 ** np.floor(np.log2(BOUND / (MARGIN * largest)))
