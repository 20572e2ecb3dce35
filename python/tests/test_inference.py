"""Encrypted questions equal the head in the clear."""

import pickle

import numpy as np
import pytest

import blindscope
from blindscope import Asker, Head, Server
from blindscope.errors import DataError, InferenceError, PlanError


def data(n=60, width=16, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 2, (classes, width))
    y = rng.integers(0, classes, n)
    return centres[y] + rng.normal(0, 1, (n, width)), np.array(["adeno", "benign", "squamous"])[y]


@pytest.mark.parametrize("kind", ["linear", "polynomial"])
@pytest.mark.parametrize("batch", [1, 8])
def test_answers_equal_the_clear_head_within_the_promise(kind, batch):
    X, y = data()
    head = Head(kind=kind, hidden=8, epochs=5).fit(X, y)
    plan = head.plan(batch=batch, precision=8)
    asker = Asker(plan)
    server = Server(plan, head, asker.public_keys())
    question = asker.encrypt(X[:batch])
    assert len(question) == plan.upload_bytes(batch) and server.announced(question) == batch
    answer = server.answer(question)
    assert len(answer) == plan.answer_bytes(batch)
    logits = asker.decrypt(answer, rows=batch)
    assert plan.error_bound <= 2**-8
    assert np.abs(logits - head.logits(X[:batch])).max() < plan.error_bound
    assert (head.classes_[logits.argmax(1)] == head.predict(X[:batch])).all()


def test_another_key_opens_nothing():
    X, y = data()
    head = Head(kind="linear", epochs=3).fit(X, y)
    plan = head.plan()
    asker, thief = Asker(plan), Asker(plan)
    answer = Server(plan, head, asker.public_keys()).answer(asker.encrypt(X[:1]))
    assert np.abs(thief.decrypt(answer, rows=1) - head.logits(X[:1])).max() > 1


def test_public_things_are_pickled_and_secrets_are_not():
    X, y = data()
    head = Head(kind="linear", epochs=3).fit(X, y)
    copy = pickle.loads(pickle.dumps(head))
    np.testing.assert_array_equal(copy.logits(X), head.logits(X))
    plan = pickle.loads(pickle.dumps(head.plan()))
    assert plan.to_bytes() == head.plan().to_bytes()
    with pytest.raises(TypeError, match="secret"):
        pickle.dumps(Asker(plan))


def test_refusals():
    X, y = data()
    head = Head(kind="linear", epochs=3).fit(X, y)
    plan = head.plan(batch=2)
    asker = Asker(plan)
    with pytest.raises(InferenceError):
        asker.encrypt(X[:3])
    with pytest.raises(DataError):
        asker.encrypt(X[:1, :5])
    with pytest.raises(InferenceError):
        Server(plan, head, asker.public_keys()[:-1])
    server = Server(plan, head, asker.public_keys())
    with pytest.raises(InferenceError):
        server.answer(asker.encrypt(X[:1])[:-1])
    with pytest.raises(PlanError):
        head.plan(precision=52)
    with pytest.raises(PlanError):
        head.plan(security="none")
    with pytest.raises(InferenceError):
        Server(plan, Head(kind="linear", epochs=4).fit(X, y), asker.public_keys())


def test_the_package_docstring_runs():
    import doctest

    assert doctest.testmod(blindscope).failed == 0
