"""Builds an ONNX graph from plain operators. The same model gives the same bytes."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
ML_OPSET = 3
TREES_OPSET = 5
"""The version of ai.onnx.ml that has `TreeEnsemble`, and no longer `TreeEnsembleRegressor`."""
IR_VERSION = 8
INPUT = "input"
OUTPUT = "output"

Array = NDArray[Any]


class Graph:
    """Collects nodes and constants in the order of the calls.

    Tensors are float64 unless a function says otherwise. The input is float64 if `wide`, else float32.

    Equal nodes and equal constants are created once, and `finish` drops those that the output does not need. So a lowering
    may create nodes that turn out to be unused.
    """

    def __init__(self, wide: bool = True) -> None:
        self.wide = wide
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._known: dict[tuple[Any, ...], tuple[str, ...]] = {}
        self.dense: list[str] = []
        """The tensors whose columns linear models multiply."""
        self.tree_features: dict[str, list[int] | None] = {}
        """For trees, by the name of their node: the feature of each column of their input, if several columns are one."""

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Adds a node with one output, and returns the output's name."""
        return self.nodes(op, inputs, 1, **attributes)[0]

    def nodes(self, op: str, inputs: Sequence[str], outputs: int, *, domain: str = "", **attributes: Any) -> tuple[str, ...]:
        """Adds a node, and returns the names of its outputs."""
        small = all(isinstance(value, (int, float, str, bytes)) for value in attributes.values())
        key = (op, *inputs, *sorted(attributes.items())) if small else (op, len(self._nodes))
        if key not in self._known:
            name = f"{op}_{len(self._nodes)}"
            names = (name,) if outputs == 1 else tuple(f"{name}_{index}" for index in range(outputs))
            # Sorted, since the order of the attributes is part of the bytes.
            node = helper.make_node(op, list(inputs), list(names), name=name, domain=domain)
            node.attribute.extend(helper.make_attribute(k, v) for k, v in sorted(attributes.items()))
            self._nodes.append(node)
            self._known[key] = names
        return self._known[key]

    def constant(self, value: Any, dtype: Any = np.float64) -> str:
        """Adds a constant tensor, and returns its name."""
        array = np.ascontiguousarray(np.asarray(value, dtype=dtype))
        if array.ndim == 0 or np.asarray(value).ndim == 0:
            array = array.reshape(())
        key = ("constant", str(array.dtype), array.shape, array.tobytes())
        if key not in self._known:
            name = f"constant_{len(self._constants)}"
            self._constants[name] = numpy_helper.from_array(array, name)
            self._known[key] = (name,)
        return self._known[key][0]

    def concat(self, tensors: Sequence[str]) -> str:
        """The tensors' columns side by side."""
        return tensors[0] if len(tensors) == 1 else self.node("Concat", *tensors, axis=1)

    def take(self, tensor: str, columns: Sequence[int]) -> str:
        """Some columns of a tensor."""
        return self.node("Gather", tensor, self.constant(list(columns), np.int64), axis=1)

    def cast(self, tensor: str, to: int) -> str:
        """The tensor as another type, such as `TensorProto.FLOAT`."""
        return self.node("Cast", tensor, to=to)

    def double(self, tensor: str) -> str:
        """A tensor of another type as float64."""
        return self.cast(tensor, TensorProto.DOUBLE)

    @property
    def numbers(self) -> str:
        """The input in float64."""
        return INPUT if self.wide else self.double(INPUT)

    def sum(self, tensor: str, axis: int = 1, keepdims: int = 1) -> str:
        """The sum along an axis."""
        return self.node("ReduceSum", tensor, self.constant([axis], np.int64), keepdims=keepdims)

    def present(self, tensor: str) -> str:
        """Whether each number is not NaN. (tract's IsNaN of float64 is not boolean.)"""
        return self.node("Equal", tensor, tensor)

    def missing(self, tensor: str) -> str:
        """1 where a number is NaN, else 0."""
        return self.double(self.node("Not", self.present(tensor)))

    def index(self, scores: str) -> str:
        """The position of the first maximum, `[N, 1]`."""
        return self.double(self.node("ArgMax", scores, axis=1, keepdims=1))

    def finish(self, output: str, columns: Sequence[str], outputs: int, *, wide: bool = True) -> onnx.ModelProto:
        """The model: `[N, columns]` in, `[N, outputs]` out. `wide` if the output is float64, else float32."""
        if output == INPUT:
            output = self.node("Identity", INPUT)
        needed = {output}
        nodes = []
        for node in reversed(self._nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                nodes.append(node)
        nodes.reverse()
        for node in nodes:
            for index, name in enumerate(node.output):
                if name == output:
                    node.output[index] = OUTPUT
            for index, name in enumerate(node.input):
                if name == output:
                    node.input[index] = OUTPUT
        types = {False: TensorProto.FLOAT, True: TensorProto.DOUBLE}
        graph = helper.make_graph(
            nodes,
            "predict_once",
            [helper.make_tensor_value_info(INPUT, types[self.wide], ["N", len(columns)])],
            [helper.make_tensor_value_info(OUTPUT, types[wide], ["N", outputs])],
            [tensor for name, tensor in self._constants.items() if name in needed],
        )
        opsets = [helper.make_opsetid("", OPSET)]
        if any(node.domain for node in nodes):
            version = TREES_OPSET if any(node.op_type == "TreeEnsemble" for node in nodes) else ML_OPSET
            opsets.append(helper.make_opsetid("ai.onnx.ml", version))
        model = helper.make_model(graph, producer_name="predict-once", opset_imports=opsets, ir_version=IR_VERSION)
        properties = {"feature_names": json.dumps(list(columns), ensure_ascii=False)}
        features = {name: features for name, features in self.tree_features.items() if features is not None}
        if features:
            properties["tree_features"] = json.dumps(features)
        helper.set_model_props(model, properties)
        onnx.checker.check_model(model)
        return model
