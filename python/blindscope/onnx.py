"""Heads to and from ONNX. Needs the package `onnx`.

`to_onnx` writes the whole head, clip and ball included, so that a runtime gives the logits that encryption gives, but for rounding.
`from_onnx` reads what it wrote, and linear classifiers: one `Gemm` (or `MatMul` and `Add`) from input to output.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from . import _native
from .errors import HeadError
from .head import Head

# Under this name of a model's metadata stands the head itself: JSON as `Head.save` writes it, and the classes' names.
KEY = "blindscope.head"
OPSET = 18


def to_onnx(head: Head, path: Any, *, double: bool = False) -> None:
    """Write `head` as an ONNX graph from `features` `[n, width]` to `logits` `[n, classes]`: float32, or float64 if `double`."""
    from onnx import TensorProto, checker, helper, save

    literal = json.loads(head.native.to_json())
    graph = _Graph(np.float64 if double else np.float32)
    graph.head(literal)
    kind = TensorProto.DOUBLE if double else TensorProto.FLOAT
    made = helper.make_graph(
        graph.nodes,
        "blindscope head",
        [helper.make_tensor_value_info("features", kind, ["n", head.n_features_in_])],
        [helper.make_tensor_value_info("logits", kind, ["n", len(head.classes_)])],
        graph.constants,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    helper.set_model_props(model, {KEY: json.dumps({"head": literal, "classes": head.classes_.tolist()})})
    checker.check_model(model)
    save(model, str(path))


def from_onnx(path: Any, X: Any = None) -> Head:
    """Read a head: one that `to_onnx` wrote, or a linear classifier's `Gemm`, whose training rows `X` say how large features get."""
    import onnx

    model = onnx.load(str(path))
    kept = {entry.key: entry.value for entry in model.metadata_props}
    if KEY in kept:
        stored = json.loads(kept[KEY])
        native = _native.NativeHead.from_bytes(json.dumps(stored["head"]).encode())
        return Head._of(native, stored["classes"])
    weights, bias = _gemm(model)
    if X is None:
        raise HeadError("a linear map alone does not say how large features get; give its training rows as X")
    from .sklearn import _gains, BOUND

    gain = _gains(X, weights.shape[1])
    literal = {
        "normalisation": {"mean": [0.0] * len(gain), "gain": gain.tolist(), "bound": BOUND},
        "map": {"kind": "linear", "layer": {"weights": (weights / gain).tolist(), "bias": bias.tolist()}},
        "range": None,
    }
    return Head._of(_native.NativeHead.from_bytes(json.dumps(literal).encode()))


def _gemm(model: Any) -> tuple[np.ndarray, np.ndarray]:
    from onnx import helper, numpy_helper

    graph = model.graph
    constants = {c.name: numpy_helper.to_array(c).astype(np.float64) for c in graph.initializer}
    operations = [node.op_type for node in graph.node]
    if operations == ["Gemm"]:
        node = graph.node[0]
        told = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        weights = constants[node.input[1]] * told.get("alpha", 1.0)
        weights = weights if told.get("transB") else weights.T
        none = np.zeros(len(weights))
        return weights, constants[node.input[2]].ravel() * told.get("beta", 1.0) if len(node.input) > 2 else none
    if operations == ["MatMul", "Add"]:
        weights = constants[graph.node[0].input[1]].T
        bias = next(constants[name] for name in graph.node[1].input if name in constants)
        return weights, bias.ravel()
    raise HeadError(f"a graph of {operations} is not served; one Gemm, or MatMul and Add, or a file of to_onnx is")


class _Graph:
    """Nodes that follow one another, with their constants."""

    def __init__(self, dtype: Any):
        self.dtype, self.nodes, self.constants = dtype, [], []

    def constant(self, values: Any) -> str:
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype=self.dtype), name))
        return name

    def node(self, operation: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = output or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, list(inputs), [output], **attributes))
        return output

    def affine(self, x: str, layer: dict, output: str = "") -> str:
        weights, bias = self.constant(layer["weights"]), self.constant(layer["bias"])
        return self.node("Gemm", x, weights, bias, output=output, transB=1)

    def head(self, literal: dict) -> None:
        x = self.normalised(literal["normalisation"])
        head = literal["map"]
        if head["kind"] == "linear":
            self.affine(x, head["layer"], "logits")
        elif head["kind"] == "quadratic":
            forms = self.affine(x, head["forms"])
            squares = self.node("Gemm", self.node("Mul", forms, forms), self.constant(head["squares"]), transB=1)
            self.node("Add", squares, self.affine(x, head["linear"]), output="logits")
        else:
            self.affine(self.polynomial(self.affine(x, head["inner"]), head["polynomial"]), head["outer"], "logits")

    def normalised(self, n: dict) -> str:
        x = self.node("Sub", "features", self.constant(n["mean"]))
        x = self.node("Mul", x, self.constant(n["gain"]))
        x = self.node("Clip", x, self.constant(-n["bound"]), self.constant(n["bound"]))
        if n.get("radius") is None:
            return x
        from onnx import numpy_helper

        axes = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array([1], dtype=np.int64), axes))
        norm = self.node("ReduceL2", x, axes, keepdims=1)
        radius = self.constant([[n["radius"]]])
        return self.node("Mul", x, self.node("Div", radius, self.node("Max", norm, radius)))

    def polynomial(self, x: str, coefficients: list) -> str:
        value = self.constant(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            value = self.node("Add", self.node("Mul", value, x), self.constant(coefficient))
        return value
