"""Heads in scikit-learn's manner."""

from __future__ import annotations

import inspect
import sys
import warnings
from pathlib import Path
from typing import Any, Optional, Sequence

import numpy as np

from . import _native
from .errors import HeadError


class Head:
    """A classifier on CLS tokens that encryption can evaluate: linear, or linear – polynomial – linear.

    Parameters are scikit-learn's kind of parameters: stored as they come, checked by `fit`.

    kind: "polynomial" (default) or "linear"
    hidden: units of the hidden layer of a polynomial head
    degree: of the polynomial, 2 or 4
    epochs: passes over the rows
    seed: of the start and of shuffles; the same rows and seed give the same head
    """

    _estimator_type = "classifier"

    def __init__(self, kind: str = "polynomial", *, hidden: int = 32, degree: int = 2, epochs: int = 30, seed: int = 0):
        self.kind = kind
        self.hidden = hidden
        self.degree = degree
        self.epochs = epochs
        self.seed = seed

    def fit(self, X: Any, y: Any, groups: Any = None) -> "Head":
        """Train on rows `[n, width]` and their labels, of any type that numpy can sort.

        `groups` is taken for scikit-learn's sake and says nothing to training itself.
        """
        if y is None:
            raise ValueError("Head requires y to be passed, but the target y is None")
        X, y = self._checked(X, y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise HeadError(f"the labels hold {len(self.classes_)} class; a head tells two classes apart at least")
        # Numbers as names, padded so that their alphabetical order is their own.
        names = [f"{i:09d}" for i in range(len(self.classes_))]
        features = _native.Features.from_arrays(X, labels=[names[i] for i in numbers.ravel()], classes=names)
        self._native = _native.train(
            features, self.kind, hidden=self.hidden, degree=self.degree, epochs=self.epochs, seed=self.seed
        )
        self.n_features_in_ = X.shape[1]
        return self

    @classmethod
    def load(cls, path: Any, classes: Optional[Sequence[Any]] = None) -> "Head":
        """Read a head (.json or .safetensors) as `blindscope train head` or a study's job writes it."""
        return cls._of(_native.NativeHead.from_bytes(Path(path).read_bytes()), classes)

    @classmethod
    def _of(cls, native: "_native.NativeHead", classes: Optional[Sequence[Any]] = None) -> "Head":
        head = cls()
        head._native = native
        head.classes_ = np.arange(native.classes) if classes is None else np.asarray(classes)
        if len(head.classes_) != native.classes:
            raise HeadError(f"{len(head.classes_)} class names for a head of {native.classes} classes")
        head.n_features_in_ = native.width
        return head

    def save(self, path: Any) -> None:
        """Write the head: JSON, or safetensors where the name ends so. `blindscope plan --head` reads both."""
        path, native = Path(path), self.native
        tensors = path.suffix.lower() == ".safetensors"
        path.write_bytes(native.to_safetensors() if tensors else native.to_json())

    @property
    def native(self) -> "_native.NativeHead":
        """The head of the Rust library."""
        if not hasattr(self, "_native"):
            raise _not_fitted(self)
        return self._native

    def decision_function(self, X: Any) -> np.ndarray:
        """Logits in the clear: `[n, classes]`, or for two classes `[n]`, the second's over the first's."""
        logits = self.logits(X)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def logits(self, X: Any) -> np.ndarray:
        """Logits `[n, classes]` in the clear: what an encrypted answer holds, but for its error."""
        native = self.native
        X, _ = self._checked(X)
        if X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__} is expecting {self.n_features_in_} features as input"
            )
        return native.logits(X)

    def predict(self, X: Any) -> np.ndarray:
        """The class of each row."""
        places = self.logits(X).argmax(axis=1)
        return self.classes_[places]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Softmax of the logits: `[n, classes]`. Not calibrated."""
        logits = self.logits(X)
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return raised / raised.sum(axis=1, keepdims=True)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Share of right answers."""
        right = self.predict(X) == np.asarray(y)
        return float(np.average(right, weights=sample_weight))

    def plan(self, *, batch: int = 1, precision: Optional[int] = None, security: str = "quantum128",
             packing: Optional[str] = None) -> "_native.Plan":
        """Plan encrypted questions to this head: see `Plan`."""
        return _native.Plan.of(self.native, batch=batch, precision=precision, security=security, packing=packing)

    def get_params(self, deep: bool = True) -> dict:
        """Parameters by name."""
        return {name: getattr(self, name) for name in self._parameters()}

    def set_params(self, **params: Any) -> "Head":
        """Set parameters by name."""
        for name, value in params.items():
            if name not in self._parameters():
                raise ValueError(f"Invalid parameter {name!r} for estimator {self}. Valid parameters are: {self._parameters()}.")
            setattr(self, name, value)
        return self

    @classmethod
    def _parameters(cls) -> list:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def _checked(self, X: Any, y: Any = None) -> tuple:
        """Rows as float64 and labels as they are; refused with the words that scikit-learn's own checks use."""
        if hasattr(X, "toarray") and hasattr(X, "nnz"):
            raise TypeError("A sparse matrix was passed, but dense data is required. Use X.toarray() to convert to dense.")
        X = np.asarray(X)
        if X.dtype.kind == "c":
            raise ValueError("Complex data not supported")
        X = X.astype(np.float64, copy=False)
        if X.ndim != 2:
            raise ValueError(f"Expected 2D array, got {X.ndim}D array instead. Reshape your data: rows are samples.")
        if 0 in X.shape:
            what = "sample(s)" if X.shape[0] == 0 else "feature(s)"
            raise ValueError(f"Found array with 0 {what} (shape={X.shape}) while a minimum of 1 is required.")
        if not np.isfinite(X).all():
            raise ValueError("Input X contains NaN or infinity; features must be finite.")
        if y is None:
            return X, None
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] == 1:
            warnings.warn("A column-vector y was passed when a 1d array was expected; it is flattened.", _conversion(), stacklevel=3)
            y = y.ravel()
        if y.ndim != 1 or len(y) != len(X):
            raise ValueError(f"y has shape {y.shape}; one label for each of {len(X)} rows is expected")
        if y.dtype.kind == "f":
            if not np.isfinite(y).all():
                raise ValueError("Input y contains NaN or infinity.")
            if (y != np.floor(y)).any():
                raise ValueError("Unknown label type: continuous. Labels are names or whole numbers.")
        return X, y

    def __sklearn_tags__(self):
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(),
        )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_native")

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"Head({values})"


class Server(_native.Server):
    """Who answers: holds the head, and sees questions and answers as ciphertexts only."""

    def __new__(cls, plan: "_native.Plan", head: Head, public_keys: bytes) -> "Server":
        return super().__new__(cls, plan, head.native, public_keys)


def _conversion() -> type:
    """scikit-learn's warning, where scikit-learn is in use."""
    return sys.modules["sklearn.exceptions"].DataConversionWarning if "sklearn.exceptions" in sys.modules else UserWarning


def _not_fitted(head: Head) -> Exception:
    text = f"This {type(head).__name__} instance is not fitted yet. Call 'fit', or load a head."
    try:
        from sklearn.exceptions import NotFittedError
    except ImportError:
        return HeadError(text)
    return NotFittedError(text)
