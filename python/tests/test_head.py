"""Heads in scikit-learn's manner."""

import numpy as np
import pytest

from blindscope import Head
from blindscope.errors import HeadError
from test_inference import data


def test_a_head_learns_and_scores():
    X, y = data(300)
    head = Head(hidden=8, epochs=20).fit(X[:200], y[:200])
    assert head.score(X[200:], y[200:]) > 0.9
    probabilities = head.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    assert (head.classes_[probabilities.argmax(1)] == head.predict(X)).all()


def test_the_same_rows_and_seed_give_the_same_head():
    X, y = data()
    make = lambda: Head(hidden=4, epochs=3, seed=7).fit(X, y).native.to_json()
    assert make() == make()


@pytest.mark.parametrize("name", ["head.json", "head.safetensors"])
def test_files(tmp_path, name):
    X, y = data()
    head = Head(kind="linear", epochs=3).fit(X, y)
    head.save(tmp_path / name)
    read = Head.load(tmp_path / name, classes=head.classes_)
    assert (read.predict(X) == head.predict(X)).all()
    with pytest.raises(HeadError):
        Head.load(tmp_path / name, classes=["one"])


def test_numbers_of_classes_keep_their_order():
    X, y = data(90)
    numbers = np.unique(y, return_inverse=True)[1] * 10 + 1
    head = Head(kind="linear", epochs=20).fit(X, numbers)
    assert head.classes_.tolist() == [1, 11, 21] and head.score(X, numbers) > 0.9


@pytest.mark.parametrize("kind", ["linear", "polynomial"])
def test_scikit_learns_checks_pass(kind):
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    head = Head(kind=kind, hidden=4, epochs=40)
    failed = [r for r in checks.check_estimator(head, on_fail=None) if r["status"] == "failed"]
    assert not failed, [(r["check_name"], repr(r["exception"])[:300]) for r in failed]
