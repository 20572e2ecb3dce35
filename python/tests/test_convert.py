"""Heads to and from scikit-learn and ONNX."""

import numpy as np
import pytest

from blindscope import Asker, Head, Server
from blindscope.errors import HeadError
from test_inference import data

linear_model = pytest.importorskip("sklearn.linear_model")
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # noqa: E402

from blindscope.sklearn import from_sklearn, to_sklearn  # noqa: E402

MODELS = [
    linear_model.LogisticRegression(max_iter=500),
    LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    linear_model.RidgeClassifier(),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("classes", [2, 3])
def test_a_head_from_scikit_learn_decides_as_it_does(model, classes):
    X, y = data(200, classes=classes)
    model.fit(X, y)
    head = from_sklearn(model, X)
    np.testing.assert_allclose(head.decision_function(X), model.decision_function(X), rtol=1e-13, atol=1e-12)
    assert (head.predict(X) == model.predict(X)).all()
    if isinstance(model, linear_model.LogisticRegression):
        np.testing.assert_allclose(head.predict_proba(X), model.predict_proba(X), rtol=1e-11, atol=1e-13)


def test_weights_come_back_bit_for_bit():
    X, y = data(200)
    model = linear_model.LogisticRegression().fit(X, y)
    back = to_sklearn(from_sklearn(model, X))
    assert (back.coef_ == model.coef_).all() and (back.intercept_ == model.intercept_).all()
    assert (back.predict(X) == model.predict(X)).all()


def test_a_head_of_scikit_learn_answers_under_encryption():
    X, y = data(100)
    model = linear_model.LogisticRegression().fit(X, y)
    head = from_sklearn(model, X)
    plan = head.plan(batch=4, precision=10)
    asker = Asker(plan)
    logits = asker.decrypt(Server(plan, head, asker.public_keys()).answer(asker.encrypt(X[:4])), rows=4)
    assert np.abs(logits - model.decision_function(X[:4])).max() < 2**-10


def test_other_models_are_refused_by_name():
    X, y = data()
    with pytest.raises(HeadError, match="SGDClassifier"):
        from_sklearn(linear_model.SGDClassifier(), X)
    with pytest.raises(HeadError, match="not fitted"):
        from_sklearn(linear_model.LogisticRegression(), X)
    with pytest.raises(HeadError, match="shape"):
        from_sklearn(linear_model.LogisticRegression().fit(X, y), X[:, :3])
    with pytest.raises(HeadError, match="polynomial"):
        to_sklearn(Head(hidden=4, epochs=2).fit(X, y))


@pytest.mark.parametrize("kind,degree", [("linear", 2), ("polynomial", 2), ("polynomial", 4)])
def test_onnx_gives_the_same_logits(tmp_path, kind, degree):
    pytest.importorskip("onnx")
    reference = pytest.importorskip("onnx.reference")
    from blindscope.onnx import from_onnx, to_onnx

    X, y = data()
    head = Head(kind=kind, hidden=6, degree=degree, epochs=3).fit(X, y)
    to_onnx(head, tmp_path / "head.onnx", double=True)
    far = np.concatenate([X, 30 * X])  # clipped and shortened too
    got = reference.ReferenceEvaluator(str(tmp_path / "head.onnx")).run(None, {"features": far})[0]
    np.testing.assert_allclose(got, head.logits(far), rtol=1e-12, atol=1e-12)
    back = from_onnx(tmp_path / "head.onnx")
    assert (back.logits(far) == head.logits(far)).all() and (back.classes_ == head.classes_).all()


def test_a_gemm_of_another_tool_is_read(tmp_path):
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    from blindscope.onnx import from_onnx

    X, y = data(100)
    model = linear_model.LogisticRegression().fit(X, y)
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["z"], transB=1)],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["n", X.shape[1]])],
        [helper.make_tensor_value_info("z", TensorProto.DOUBLE, ["n", 3])],
        [numpy_helper.from_array(model.coef_, "w"), numpy_helper.from_array(model.intercept_, "b")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(tmp_path / "m.onnx"))
    head = from_onnx(tmp_path / "m.onnx", X)
    np.testing.assert_allclose(head.logits(X), model.decision_function(X), rtol=1e-13, atol=1e-12)
    with pytest.raises(HeadError, match="training rows"):
        from_onnx(tmp_path / "m.onnx")
