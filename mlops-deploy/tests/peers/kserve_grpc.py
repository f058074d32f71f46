"""kserve's client over gRPC: typed and raw tensors, health, errors as its users see them."""

import logging

import grpc
import numpy as np
from kserve import InferenceGRPCClient, InferInput, InferRequest
from kserve.protocol.infer_type import InferResponse

import checks
import iris

# The client logs each error that it raises.
logging.disable(logging.ERROR)


async def ask(model: str, tensors: list[InferInput]) -> InferResponse:
    async with InferenceGRPCClient(checks.ADDRESS) as client:
        return await client.infer(InferRequest(model, tensors, request_id="7"))


def same(answer: InferResponse) -> None:
    values = {output.name: output.as_numpy() for output in answer.outputs}
    iris.same(values["class"], values["probability"])
    assert (answer.model_name, answer.model_version, answer.id) == ("iris", "3", "7")


def raw(rows: np.ndarray) -> list[InferInput]:
    tensor = InferInput("x", list(rows.shape), "FP32")
    tensor.set_data_from_numpy(rows, binary_data=True)
    return [tensor]


async def check_typed_tensors_as_a_matrix():
    same(await ask("iris", [InferInput("x", [6, 4], "FP32", data=iris.ROWS.ravel().tolist())]))


async def check_typed_tensors_as_columns():
    columns = zip(iris.COLUMNS, iris.ROWS.T.tolist())
    same(await ask("iris", [InferInput(name, [6], "FP32", data=v) for name, v in columns]))


async def check_raw_tensors():
    same(await ask("iris", raw(iris.ROWS)))


async def check_byte_strings_typed_and_raw():
    words = np.array([b"Sp\xc3\xa4ti", b"", b"\xff\x00iris"], dtype=np.object_)
    packed = InferInput("word", [3], "BYTES")
    packed.set_data_from_numpy(words, binary_data=True)
    for tensor in [packed, InferInput("word", [3], "BYTES", data=words.tolist())]:
        reversed_, length = (await ask("reverse", [tensor])).outputs
        assert reversed_.as_numpy().tolist() == [word[::-1] for word in words]
        assert length.as_numpy().tolist() == [6, 0, 6]


async def check_health_and_readiness():
    async with InferenceGRPCClient(checks.ADDRESS) as client:
        assert await client.is_server_live() is True
        assert await client.is_server_ready() is True
        assert await client.is_model_ready("iris") is True
        try:
            await client.is_model_ready("roses")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND, error
        else:
            raise AssertionError("a model that nobody knows is ready")


async def refused(code: grpc.StatusCode, words: str, model: str, tensors: list[InferInput]):
    try:
        answer = await ask(model, tensors)
    except grpc.RpcError as error:
        assert error.code() == code and words in error.details(), error
    else:
        raise AssertionError(f"no {code} but {answer}")


async def check_errors():
    unknown, invalid = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT
    await refused(unknown, 'model not found: model="roses"', "roses", raw(iris.ROWS))
    short = raw(iris.ROWS[:, :3].copy())
    await refused(invalid, 'tensor="x" want=[-1, 4] got=[6, 3]', "iris", short)
    few = InferInput("x", [6, 4], "FP32", data=[1.0, 2.0])
    await refused(invalid, "shape=[6, 4] want=24 got=2", "iris", [few])


checks.main()
