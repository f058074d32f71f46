"""kserve's client over REST: JSON and binary tensors, health, errors as its users see them."""

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import InferResponse, RequestedOutput

import checks
import iris

BASE = f"http://{checks.ADDRESS}"


async def ask(model: str, tensors: list[InferInput], outputs=None, identifier="7"):
    request = InferRequest(model, tensors, request_id=identifier, request_outputs=outputs)
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        return await client.infer(BASE, request, model_name=model)


def matrix(rows: np.ndarray, binary: bool) -> list[InferInput]:
    tensor = InferInput("x", list(rows.shape), "FP32")
    tensor.set_data_from_numpy(rows, binary_data=binary)
    return [tensor]


def wanted(binary: bool) -> list[RequestedOutput]:
    parameters = {"binary_data": binary}
    return [RequestedOutput(name, parameters) for name in ["class", "probability"]]


def same(answer: InferResponse) -> None:
    values = {output.name: output.as_numpy() for output in answer.outputs}
    iris.same(values["class"], values["probability"])
    # The client leaves the version out of what it reads.
    assert (answer.model_name, answer.id) == ("iris", "7")


async def check_json_tensors_as_a_matrix():
    same(await ask("iris", matrix(iris.ROWS, False)))


async def check_json_tensors_as_lists_and_columns():
    nested = InferInput("x", [6, 4], "FP32", data=iris.ROWS.tolist())
    same(await ask("iris", [nested]))
    columns = zip(iris.COLUMNS, iris.ROWS.T.tolist())
    same(await ask("iris", [InferInput(name, [6], "FP32", data=v) for name, v in columns]))


async def check_binary_tensors_in():
    same(await ask("iris", matrix(iris.ROWS, True)))


async def check_binary_tensors_in_and_out():
    same(await ask("iris", matrix(iris.ROWS, True), wanted(True)))
    same(await ask("iris", matrix(iris.ROWS, False), wanted(True)))


async def check_byte_strings():
    # The client makes text of every answer, binary tensors included: bytes that are not UTF-8 it can send but not read.
    words = np.array([b"iris", b"", b"reverse"], dtype=np.object_)
    tensor = InferInput("word", [3], "BYTES")
    tensor.set_data_from_numpy(words, binary_data=True)
    outputs = [RequestedOutput(name, {"binary_data": True}) for name in ["reversed", "length"]]
    for wanted_form in [outputs, None]:
        reversed_, length = (await ask("reverse", [tensor], wanted_form)).outputs
        assert reversed_.as_numpy().tolist() == ["siri", "", "esrever"]
        assert length.as_numpy().tolist() == [4, 0, 7]
    answer = await ask("reverse", [InferInput("word", [2], "BYTES", data=["abc", ""])])
    assert answer.outputs[0].data == ["cba", ""]


async def check_health_and_readiness():
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        assert await client.is_server_live(BASE) is True
        assert await client.is_server_ready(BASE) is True
        assert await client.is_model_ready(BASE, "iris") is True
        assert await client.is_model_ready(BASE, "roses") is False


async def refused(status: int, words: str, model: str, tensors: list[InferInput]) -> None:
    try:
        answer = await ask(model, tensors)
    except httpx.HTTPStatusError as error:
        assert error.response.status_code == status and words in str(error), error
    else:
        raise AssertionError(f"no {status} but {answer}")


async def check_errors():
    await refused(404, 'model not found: model="roses"', "roses", matrix(iris.ROWS, True))
    for binary in [False, True]:
        short = matrix(iris.ROWS[:, :3].copy(), binary)
        await refused(400, "want=[-1, 4] got=[6, 3]", "iris", short)
    few = InferInput("x", [6, 4], "FP32", data=[1.0, 2.0])
    await refused(400, "shape=[6, 4] want=24 got=2", "iris", [few])
    strange = InferInput("x", [1, 4], "FP99", data=[1.0, 2.0, 3.0, 4.0])
    await refused(400, '"FP99"', "iris", [strange])


checks.main()
