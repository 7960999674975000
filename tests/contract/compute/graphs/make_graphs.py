"""Writes the small graphs that the compute tests run. Needs onnx; made with onnx 1.23.2, opset 17.

usage: make_graphs.py FOLDER

SPDX-License-Identifier: Apache-2.0
"""
import sys

import onnx
from onnx import TensorProto as T
from onnx import helper as h


def save(folder, name, nodes, inputs, outputs, initializers=()):
    graph = h.make_graph(nodes, name, inputs, outputs, list(initializers))
    model = h.make_model(graph, ir_version=8, opset_imports=[h.make_opsetid("", 17)])
    with open(f"{folder}/{name}.onnx", "wb") as f:
        f.write(model.SerializeToString())


def port(name, kind, shape):
    return h.make_tensor_value_info(name, kind, shape)


def main(folder):
    # One identity per element type.
    kinds = {
        "f32": T.FLOAT, "f16": T.FLOAT16, "f64": T.DOUBLE, "u8": T.UINT8, "i8": T.INT8,
        "i32": T.INT32, "i64": T.INT64, "bool": T.BOOL,
    }
    save(folder, "types",
         [h.make_node("Identity", [f"in_{k}"], [f"out_{k}"]) for k in kinds],
         [port(f"in_{k}", v, ["n", 3]) for k, v in kinds.items()],
         [port(f"out_{k}", v, ["n", 3]) for k, v in kinds.items()])

    # Ports of several ranks, symbolic names, nameless dimensions, and one that is no tensor.
    save(folder, "ports",
         [h.make_node("Add", ["image", "scale"], ["sum"]),
          h.make_node("SequenceConstruct", ["sum"], ["list"])],
         [port("image", T.FLOAT, ["batch", 3, "h", "w"]), port("scale", T.FLOAT, [])],
         [port("sum", T.FLOAT, ["batch", 3, None, None]),
          h.make_tensor_sequence_value_info("list", T.FLOAT, None)])

    # y = x * W, W[4,2] in weights.bin at an offset that is aligned to nothing.
    w = T()
    w.name, w.data_type = "w", T.FLOAT
    w.dims.extend([4, 2])
    w.data_location = T.EXTERNAL
    for key, value in (("location", "weights.bin"), ("offset", "13"), ("length", "32")):
        entry = w.external_data.add()
        entry.key, entry.value = key, value
    save(folder, "external", [h.make_node("MatMul", ["x", "w"], ["y"])],
         [port("x", T.FLOAT, ["batch", 4])], [port("y", T.FLOAT, ["batch", 2])], [w])

    # Allocates as many floats as the input says.
    save(folder, "memory",
         [h.make_node("ConstantOfShape", ["shape"], ["block"]),
          h.make_node("ReduceSum", ["block"], ["y"], keepdims=0)],
         [port("shape", T.INT64, [1])], [port("y", T.FLOAT, [])])

    # The result's size depends on the data: the positions of what is not zero.
    save(folder, "nonzero", [h.make_node("NonZero", ["x"], ["positions"])],
         [port("x", T.FLOAT, ["n"])], [port("positions", T.INT64, [1, "found"])])

    # A node that fails while running: the target shape comes from the data.
    save(folder, "reshape", [h.make_node("Reshape", ["x", "shape"], ["y"])],
         [port("x", T.FLOAT, ["n"]), port("shape", T.INT64, [2])], [port("y", T.FLOAT, [None, None])])

    # Declares a batch of 1 at its output, like the face models in use, and takes any.
    save(folder, "declares_one", [h.make_node("Mul", ["x", "two"], ["y"])],
         [port("x", T.FLOAT, ["batch", 2])], [port("y", T.FLOAT, [1, 2])],
         [h.make_tensor("two", T.FLOAT, [], [2.0])])

    # A chain that is worth some work: for overlapping runs.
    nodes, last = [], "x"
    for i in range(8):
        nodes.append(h.make_node("MatMul", [last, "w"], [f"m{i}"]))
        nodes.append(h.make_node("Tanh", [f"m{i}"], [f"t{i}"]))
        last = f"t{i}"
    nodes.append(h.make_node("Identity", [last], ["y"]))
    size = 32
    values = [((i * 7919) % 1009 - 504) / 4000.0 for i in range(size * size)]
    save(folder, "chain", nodes, [port("x", T.FLOAT, ["batch", size])],
         [port("y", T.FLOAT, ["batch", size])], [h.make_tensor("w", T.FLOAT, [size, size], values)])

    # More dimensions than are supported.
    save(folder, "rank9", [h.make_node("Identity", ["x"], ["y"])],
         [port("x", T.FLOAT, [1] * 9)], [port("y", T.FLOAT, [1] * 9)])


if __name__ == "__main__":
    main(sys.argv[1])
