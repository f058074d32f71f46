"""tritonclient over gRPC: raw tensors, health, metadata, errors as its users see them."""

import queue

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

import checks
import iris

client = triton.InferenceServerClient(checks.ADDRESS)


def matrix(rows: np.ndarray) -> list[triton.InferInput]:
    tensor = triton.InferInput("x", list(rows.shape), "FP32")
    return [tensor.set_data_from_numpy(rows)]


def same(answer: triton.InferResult) -> None:
    iris.same(answer.as_numpy("class"), answer.as_numpy("probability"))
    message = answer.get_response()
    assert (message.model_name, message.model_version) == ("iris", "3"), message


def check_a_matrix():
    answer = client.infer("iris", matrix(iris.ROWS), request_id="7")
    same(answer)
    assert answer.get_response().id == "7"


def check_columns_and_a_version():
    tensors = [triton.InferInput(name, [6], "FP32") for name in iris.COLUMNS]
    for tensor, values in zip(tensors, np.ascontiguousarray(iris.ROWS.T)):
        tensor.set_data_from_numpy(values)
    same(client.infer("iris", tensors, model_version="3"))


def check_one_output_alone():
    wanted = [triton.InferRequestedOutput("probability")]
    answer = client.infer("iris", matrix(iris.ROWS), outputs=wanted)
    np.testing.assert_allclose(answer.as_numpy("probability"), iris.PROBABILITIES, rtol=1e-6)
    assert answer.as_numpy("class") is None


def check_requests_at_once():
    answers: queue.Queue = queue.Queue()
    for _ in range(40):
        client.async_infer(
            "iris", matrix(iris.ROWS), callback=lambda result, error: answers.put((result, error))
        )
    for _ in range(40):
        result, error = answers.get(timeout=60)
        assert error is None, error
        same(result)


def check_large_requests_and_one_beyond_the_bound():
    rows = np.tile(iris.ROWS, (20_000, 1))
    answer = client.infer("iris", matrix(rows))
    assert answer.as_numpy("class").tolist() == iris.CLASSES.tolist() * 20_000
    # 19.2 MB, where 16 MiB are taken.
    beyond = matrix(np.tile(iris.ROWS, (200_000, 1)))
    over = "16777216"
    error = checks.fails(lambda: client.infer("iris", beyond), InferenceServerException, over)
    assert error.status() == "StatusCode.OUT_OF_RANGE", error
    same(client.infer("iris", matrix(iris.ROWS)))


def check_byte_strings():
    words = np.array(["Späti".encode(), b"", b"\xff\x00iris"], dtype=np.object_)
    tensor = triton.InferInput("word", [3], "BYTES").set_data_from_numpy(words)
    answer = client.infer("reverse", [tensor])
    assert answer.as_numpy("reversed").tolist() == [word[::-1] for word in words]
    assert answer.as_numpy("length").tolist() == [6, 0, 6]


def check_health_and_readiness():
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("iris") and client.is_model_ready("iris", "3")
    for model, version in [("roses", ""), ("iris", "4")]:
        error = checks.fails(
            lambda: client.is_model_ready(model, version), InferenceServerException, "not found"
        )
        assert error.status() == "StatusCode.NOT_FOUND", error


def check_metadata():
    server = client.get_server_metadata()
    assert server.name == "mlops" and "binary_tensor_data" in server.extensions
    model = client.get_model_metadata("iris")
    assert list(model.versions) == ["3"]
    assert [tensor.name for tensor in model.inputs] == iris.COLUMNS
    assert (model.inputs[0].datatype, list(model.inputs[0].shape)) == ("FP32", [-1])
    assert [tensor.datatype for tensor in model.outputs] == ["INT64", "FP32"]


def check_errors():
    table = [
        (lambda: client.infer("roses", matrix(iris.ROWS)), "NOT_FOUND", 'model="roses"'),
        (
            lambda: client.infer("iris", matrix(iris.ROWS), model_version="4"),
            "NOT_FOUND",
            'version="4"',
        ),
        (
            lambda: client.infer("iris", matrix(iris.ROWS[:, :3].copy())),
            "INVALID_ARGUMENT",
            'tensor="x" want=[-1, 4] got=[6, 3]',
        ),
        (
            lambda: client.infer(
                "iris", matrix(iris.ROWS), outputs=[triton.InferRequestedOutput("color")]
            ),
            "INVALID_ARGUMENT",
            '"color"',
        ),
    ]
    for call, code, words in table:
        error = checks.fails(call, InferenceServerException, words)
        assert error.status() == f"StatusCode.{code}", error


def check_what_only_triton_has_is_unimplemented():
    error = checks.fails(client.get_inference_statistics, InferenceServerException)
    assert error.status() == "StatusCode.UNIMPLEMENTED", error


checks.main()
