"""Writes the ONNX files beside it: `pip install onnx==1.23.2`, then `python models.py`.

iris.onnx is the softmax regression of tests/peers/iris.py; the others are what a loader must take or refuse.
"""

import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).parent
COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
WEIGHTS = np.array(
    [
        [-0.424, 0.967, -2.517, -1.079, 9.850],
        [0.535, -0.322, -0.206, -0.944, 2.237],
        [-0.111, -0.646, 2.724, 2.024, -12.087],
    ]
)


def tensor(name: str, kind: int, shape: list):
    return helper.make_tensor_value_info(name, kind, shape)


def write(name: str, nodes: list, inputs: list, outputs: list, constants: dict = {}, check: bool = True):
    held = [numpy_helper.from_array(value, key) for key, value in constants.items()]
    graph = helper.make_graph(nodes, name.removesuffix(".onnx"), inputs, outputs, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if check:
        onnx.checker.check_model(model, full_check=True)
    (HERE / name).write_bytes(model.SerializeToString())
    return model


def iris(name: str, rows) -> None:
    node = helper.make_node
    wide = [node("Unsqueeze", [column, "last"], [f"{column}_wide"]) for column in COLUMNS]
    nodes = wide + [
        node("Concat", [f"{column}_wide" for column in COLUMNS], ["flower"], axis=1),
        node("Gemm", ["flower", "weights", "bias"], ["score"]),
        node("ArgMax", ["score"], ["class"], axis=1, keepdims=0),
        node("Softmax", ["score"], ["odds"], axis=1),
        node("ReduceMax", ["odds"], ["probability"], axes=[1], keepdims=0),
    ]
    constants = {
        "last": np.array([1], dtype=np.int64),
        "weights": np.ascontiguousarray(WEIGHTS[:, :4].T.astype(np.float32)),
        "bias": WEIGHTS[:, 4].astype(np.float32),
    }
    inputs = [tensor(column, TensorProto.FLOAT, [rows]) for column in COLUMNS]
    outputs = [tensor("class", TensorProto.INT64, [rows]), tensor("probability", TensorProto.FLOAT, [rows])]
    write(name, nodes, inputs, outputs, constants)


def odd_ones() -> None:
    node, floats = helper.make_node, TensorProto.FLOAT
    x = tensor("x", floats, ["rows", 2, 2])
    doubled, large = tensor("doubled", floats, ["rows", 2, 2]), tensor("large", TensorProto.BOOL, ["rows", 2, 2])
    nodes = [node("Add", ["x", "x"], ["doubled"]), node("Greater", ["x", "five"], ["large"])]
    write("matrix.onnx", nodes, [x], [doubled, large], {"five": np.array(5, dtype=np.float32)})

    same = [node("Identity", ["x"], ["y"])]
    write("two_rows.onnx", same, [tensor("x", floats, [2])], [tensor("y", floats, [2])])
    text = TensorProto.STRING
    write("text.onnx", same, [tensor("x", text, ["rows"])], [tensor("y", text, ["rows"])])
    total = [node("ReduceSum", ["x"], ["total"], keepdims=1)]
    write("total.onnx", total, [tensor("x", floats, ["rows"])], [tensor("total", floats, [1])])
    unknown = [node("NoSuchOperator", ["x"], ["y"])]
    flat = [tensor("x", floats, ["rows"])], [tensor("y", floats, ["rows"])]
    write("unknown_operator.onnx", unknown, *flat, check=False)

    added = [node("Add", ["x", "elsewhere"], ["y"])]
    model = write("external.onnx", added, *flat, {"elsewhere": np.array([1], dtype=np.float32)})
    held = model.graph.initializer[0]
    held.ClearField("raw_data")
    held.data_location = TensorProto.EXTERNAL
    held.external_data.add(key="location", value="../../../../etc/passwd")
    (HERE / "external.onnx").write_bytes(model.SerializeToString())


if __name__ == "__main__":
    iris("iris.onnx", "rows")
    iris("iris_one_row.onnx", 1)
    odd_ones()
