"""Writes nan_recogniser.onnx: a recogniser of the right form whose vectors are no numbers.

Made with onnx 1.23.2 and numpy; needs nothing else.
SPDX-License-Identifier: Apache-2.0
"""

import os

import onnx
from onnx import TensorProto, helper, numpy_helper
import numpy as np

graph = helper.make_graph(
    [
        helper.make_node("GlobalAveragePool", ["input.1"], ["mean"]),
        helper.make_node("Sub", ["mean", "mean"], ["zero"]),
        helper.make_node("Div", ["zero", "zero"], ["nan"]),
        helper.make_node("Flatten", ["nan"], ["flat"]),
        helper.make_node("MatMul", ["flat", "ones"], ["683"]),
    ],
    "nan",
    [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, ["None", 3, 112, 112])],
    [helper.make_tensor_value_info("683", TensorProto.FLOAT, ["None", 512])],
    [numpy_helper.from_array(np.ones((3, 512), np.float32), "ones")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
model.ir_version = 8
onnx.checker.check_model(model)
onnx.save(model, os.path.join(os.path.dirname(os.path.abspath(__file__)), "nan_recogniser.onnx"))
