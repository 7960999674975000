"""Write the trained nets as an InsightFace pack: det_demo.onnx and rec_demo.onnx, weights as float16.

    export.py DETECTOR.pt RECOGNISER.pt FOLDER

Batch normalisation is folded into the convolutions; the detector's outputs have SCRFD's order, names and units.

SPDX-License-Identifier: Apache-2.0
"""

import os
import sys

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from detector import BASES, STRIDES, Detector  # noqa: E402
from recogniser import VECTOR, Recogniser  # noqa: E402

# The names that det_10g.onnx and w600k_r50.onnx have: scores, boxes, points of strides 8, 16, 32; the vector.
NINE = (("448", "451", "454"), ("471", "474", "477"), ("494", "497", "500"))
RANKED = ("448", "471", "494", "451", "474", "497", "454", "477", "500")
# Added to the raw score: true faces of the watched scenes score 0.72 to 0.95 as trained and hardly anything else
# above 0.65, so that with this the usual cut of 0.5 lies between them.
SHIFT = -0.6
COLUMNS = {"448": 1, "471": 1, "494": 1, "451": 4, "474": 4, "497": 4, "454": 10, "477": 10, "500": 10}


class Graph:
    def __init__(self):
        self.nodes, self.weights, self.n = [], [], 0

    def node(self, op, inputs, output=None, **attributes):
        self.n += 1
        output = output or f"t{self.n}"
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def half(self, value):
        """A weight stored as float16 and cast when the model is loaded."""
        self.n += 1
        name = f"w{self.n}"
        self.weights.append(numpy_helper.from_array(value.detach().numpy().astype(np.float16), name + "h"))
        return self.node("Cast", [name + "h"], name, to=TensorProto.FLOAT)

    def const(self, value):
        self.n += 1
        self.weights.append(numpy_helper.from_array(np.asarray(value), f"c{self.n}"))
        return f"c{self.n}"

    def conv(self, x, weight, bias, stride=1, pad=None, groups=1):
        k = weight.shape[-1]
        pad = k // 2 if pad is None else pad
        return self.node("Conv", [x, self.half(weight), self.const(bias.detach().numpy().astype(np.float32))],
                         kernel_shape=[k, k], strides=[stride, stride], pads=[pad] * 4, group=groups)

    def block(self, x, sequential, stride=1, pad=None, groups=1):
        weight, bias = folded(sequential[0].weight, sequential[1])
        return self.conv(x, weight, bias, stride, pad, groups)

    def save(self, path, inputs, outputs, name):
        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], producer_name="train_demo_faces")
        model.ir_version = 8
        onnx.checker.check_model(model)
        onnx.save(model, path)


def folded(weight, bn):
    scale = bn.weight / torch.sqrt(bn.running_var + bn.eps)
    return weight * scale.reshape(-1, *[1] * (weight.ndim - 1)), bn.bias - bn.running_mean * scale


def export_detector(net, path):
    g = Graph()
    x = g.node("Relu", [g.block("input.1", net.stem, 2)])
    x = g.node("Relu", [g.block(x, net.down4, 2)])
    levels = []
    for down, same in zip(net.down, net.same):
        x = g.node("Relu", [g.block(x, down, 2)])
        x = g.node("Relu", [g.node("Add", [x, g.block(x, same)])])
        levels.append(x)
    y = [g.block(x, lateral) for lateral, x in zip(net.lateral, levels)]
    twice = g.const(np.array([1, 1, 2, 2], np.float32))
    for i in (1, 0):
        up = g.node("Resize", [y[i + 1], "", twice], mode="nearest", nearest_mode="floor",
                    coordinate_transformation_mode="asymmetric")
        y[i] = g.node("Add", [y[i], up])
    for x, out, names, stride, bases in zip(y, net.out, NINE, STRIDES, BASES):
        x = g.node("Relu", [g.block(g.node("Relu", [x]), net.head)])
        at = 0
        for name, columns in zip(names, (1, 4, 10)):
            n = 2 * columns
            # What the net says in units of an anchor's base is wanted in units of the stride.
            unit = torch.ones(n) if columns == 1 else torch.tensor(bases).repeat_interleave(columns) / stride
            weight = out.weight[at:at + n] * unit.reshape(-1, 1, 1, 1)
            z = g.conv(x, weight, out.bias[at:at + n] * unit + (SHIFT if columns == 1 else 0))
            z = g.node("Transpose", [z], perm=[0, 2, 3, 1])
            z = g.node("Reshape", [z, g.const(np.array([-1, columns], np.int64))], name if columns > 1 else None)
            if columns == 1:
                g.node("Sigmoid", [z], name)
            at += n
    g.save(path, [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [1, 3, "?", "?"])],
           [helper.make_tensor_value_info(n, TensorProto.FLOAT, [f"rows_{n}", COLUMNS[n]]) for n in RANKED],
           "demo face detector")


def export_recogniser(net, path):
    g = Graph()
    x = g.node("Relu", [g.block("input.1", net.stem, 2)])
    for down, same in zip(net.down, net.same):
        x = g.node("Relu", [g.block(x, down, 2)])
        for block in same:
            x = g.node("Relu", [g.node("Add", [x, g.block(x, block)])])
    x = g.node("Flatten", [g.block(x, net.whole, pad=0, groups=net.whole[0].groups)])
    weight, bias = folded(net.vector[0].weight, net.vector[1])
    g.node("Gemm", [x, g.half(weight), g.const(bias.detach().numpy())], "683", transB=1)
    g.save(path, [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, ["None", 3, 112, 112])],
           [helper.make_tensor_value_info("683", TensorProto.FLOAT, ["None", VECTOR])], "demo face recogniser")


def main():
    detector, recogniser, folder = sys.argv[1:4]
    os.makedirs(folder, exist_ok=True)
    for net, path, name, export in ((Detector(), detector, "det_demo.onnx", export_detector),
                                    (Recogniser(), recogniser, "rec_demo.onnx", export_recogniser)):
        net.load_state_dict(torch.load(path, weights_only=True))
        export(net.eval(), os.path.join(folder, name))
        print(name, os.path.getsize(os.path.join(folder, name)), "bytes")


if __name__ == "__main__":
    main()
