"""tritonclient over HTTP: JSON and binary tensors, health, metadata, errors as its users see them."""

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

import checks
import iris

client = triton.InferenceServerClient(checks.ADDRESS)


def matrix(rows: np.ndarray, binary: bool) -> list[triton.InferInput]:
    tensor = triton.InferInput("x", list(rows.shape), "FP32")
    return [tensor.set_data_from_numpy(rows, binary_data=binary)]


def columns(binary: bool) -> list[triton.InferInput]:
    tensors = [triton.InferInput(name, [6], "FP32") for name in iris.COLUMNS]
    values = np.ascontiguousarray(iris.ROWS.T)
    return [t.set_data_from_numpy(column, binary_data=binary) for t, column in zip(tensors, values)]


def outputs(binary: bool, *names: str) -> list[triton.InferRequestedOutput]:
    names = names or ("class", "probability")
    return [triton.InferRequestedOutput(name, binary_data=binary) for name in names]


def same(answer: triton.InferResult) -> None:
    iris.same(answer.as_numpy("class"), answer.as_numpy("probability"))
    body = answer.get_response()
    assert (body["model_name"], body["model_version"]) == ("iris", "3"), body


def check_json_tensors_as_a_matrix():
    answer = client.infer("iris", matrix(iris.ROWS, False), outputs=outputs(False))
    same(answer)
    assert "data" in answer.get_output("class")


def check_json_tensors_as_columns():
    same(client.infer("iris", columns(False), outputs=outputs(False)))


def check_binary_tensors_as_a_matrix():
    answer = client.infer("iris", matrix(iris.ROWS, True), request_id="a b", outputs=outputs(True))
    same(answer)
    assert answer.get_response()["id"] == "a b"
    assert answer.get_output("class")["parameters"] == {"binary_data_size": 48}


def check_binary_tensors_as_columns():
    same(client.infer("iris", columns(True), outputs=outputs(True)))


def check_no_outputs_named_is_all_of_them_in_binary():
    answer = client.infer("iris", matrix(iris.ROWS, True))
    same(answer)
    assert "data" not in answer.get_output("probability")


def check_binary_in_and_json_out_and_one_output_alone():
    same(client.infer("iris", matrix(iris.ROWS, True), outputs=outputs(False)))
    alone = client.infer("iris", matrix(iris.ROWS, False), outputs=outputs(True, "class"))
    assert alone.as_numpy("class").tolist() == iris.CLASSES.tolist()
    assert alone.as_numpy("probability") is None


def check_a_version_by_its_number():
    same(client.infer("iris", matrix(iris.ROWS, True), model_version="3"))


def check_requests_at_once():
    both = triton.InferenceServerClient(checks.ADDRESS, concurrency=4)
    asked = [both.async_infer("iris", matrix(iris.ROWS, True)) for _ in range(40)]
    for request in asked:
        same(request.get_result())
    both.close()


def check_large_requests_and_one_beyond_the_bound():
    rows = np.tile(iris.ROWS, (20_000, 1))
    for binary in [False, True]:
        answer = client.infer("iris", matrix(rows, binary), outputs=outputs(True))
        assert answer.as_numpy("class").tolist() == iris.CLASSES.tolist() * 20_000
    # 19.2 MB, where 16 MiB are taken.
    beyond = matrix(np.tile(iris.ROWS, (200_000, 1)), True)
    over = "limit=16777216"
    checks.fails(lambda: client.infer("iris", beyond), InferenceServerException, "[413]", over)
    same(client.infer("iris", matrix(iris.ROWS, True)))


def check_byte_strings_in_json_and_in_binary():
    words = np.array(["Späti", "", "iris"], dtype=np.object_)
    for binary in [False, True]:
        tensor = triton.InferInput("word", [3], "BYTES")
        tensor.set_data_from_numpy(words, binary_data=binary)
        # Reversed UTF-8 is not UTF-8, which JSON could not carry.
        answer = client.infer("reverse", [tensor], outputs=outputs(True, "reversed", "length"))
        want = [word.encode()[::-1] for word in words]
        assert answer.as_numpy("reversed").tolist() == want
        assert answer.as_numpy("length").tolist() == [6, 0, 4]
    text = triton.InferInput("word", [1], "BYTES")
    text.set_data_from_numpy(np.array(["abc"], dtype=np.object_), binary_data=False)
    answer = client.infer("reverse", [text], outputs=outputs(False, "reversed"))
    assert answer.as_numpy("reversed").tolist() == ["cba"]


def check_health_and_readiness():
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("iris") and client.is_model_ready("iris", "3")
    assert not client.is_model_ready("iris", "4")
    assert not client.is_model_ready("roses")


def check_metadata():
    server = client.get_server_metadata()
    assert server["name"] == "mlops" and "binary_tensor_data" in server["extensions"], server
    model = client.get_model_metadata("iris")
    assert model["versions"] == ["3"]
    assert [tensor["name"] for tensor in model["inputs"]] == iris.COLUMNS
    assert model["inputs"][0] == {"name": "sepal_length", "datatype": "FP32", "shape": [-1]}
    assert [tensor["datatype"] for tensor in model["outputs"]] == ["INT64", "FP32"]
    assert client.get_model_metadata("iris", "3") == model


def check_repository_index():
    index = client.get_model_repository_index()
    assert [(model["name"], model["version"], model["state"]) for model in index] == [
        ("iris", "3", "READY"),
        ("reverse", "1", "READY"),
    ]


def check_errors():
    wrong = InferenceServerException
    good = matrix(iris.ROWS, True)
    checks.fails(lambda: client.infer("roses", good), wrong, "[404]", 'model="roses"')
    checks.fails(lambda: client.infer("iris", good, model_version="4"), wrong, "[404]", '"4"')
    for binary in [False, True]:
        short = matrix(iris.ROWS[:, :3].copy(), binary)
        error = checks.fails(lambda: client.infer("iris", short), wrong, '"x"')
        assert error.status() == "400" and "want=[-1, 4] got=[6, 3]" in error.message(), error
    double = triton.InferInput("x", [6, 4], "FP64")
    double.set_data_from_numpy(iris.ROWS.astype(np.float64))
    checks.fails(lambda: client.infer("iris", [double]), wrong, "[400]", "want=FP32 got=FP64")
    unknown = outputs(True, "color")
    checks.fails(lambda: client.infer("iris", good, outputs=unknown), wrong, "[400]", '"color"')
    checks.fails(lambda: client.get_model_metadata("roses"), wrong, "[404]", "roses")


def check_compressed_requests_are_refused_in_words():
    def compressed():
        return client.infer("iris", matrix(iris.ROWS, True), request_compression_algorithm="gzip")

    checks.fails(compressed, InferenceServerException, "[400]", "compressed")
    # An answer may be wanted compressed; it comes as it is.
    packed = client.infer("iris", matrix(iris.ROWS, True), response_compression_algorithm="gzip")
    same(packed)


def check_what_only_triton_has_is_not_found():
    for call in [client.get_inference_statistics, lambda: client.get_model_config("iris")]:
        checks.fails(call, InferenceServerException, "404")


checks.main()
