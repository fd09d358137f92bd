from __future__ import annotations

import grpc
import pytest
import tensorflow as tf

from serving.server.errors import ServingError, from_tensorflow, http_status, invalid_argument


@pytest.mark.parametrize("length", [0, 1, 1023, 1024])
def test_messages_of_up_to_1024_characters_stay_whole(length: int) -> None:
    assert "x" * length == invalid_argument("x" * length).message


@pytest.mark.parametrize("length", [1025, 100_000])
def test_longer_messages_are_cut(length: int) -> None:
    assert invalid_argument("x" * length).message == "x" * 1024 + "...TRUNCATED"


def test_the_text_of_an_error_starts_with_its_code() -> None:
    error = ServingError(grpc.StatusCode.NOT_FOUND, "no such model")
    assert (error.code, str(error)) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND: no such model")


def test_the_runtimes_message_replaces_pythons() -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        number = tf.compat.v1.placeholder(tf.float32, [])
        checked = tf.debugging.check_numerics(number, "too odd", name="check")
        with pytest.raises(tf.errors.InvalidArgumentError, match="Detected at node") as failure:
            session.run(checked, {number: float("nan")})
    error = from_tensorflow(failure.value)
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT
    assert error.message == "too odd : Tensor had NaN values\n\t [[{{node check}}]]"


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_tensorflows_codes_become_grpcs(code: grpc.StatusCode) -> None:
    error = tf.errors.OpError(None, None, "why", code.value[0])
    assert (code, "why") == (from_tensorflow(error).code, from_tensorflow(error).message)


def test_a_code_that_grpc_lacks_becomes_unknown() -> None:
    assert from_tensorflow(tf.errors.OpError(None, None, "why", 99)).code == grpc.StatusCode.UNKNOWN


@pytest.mark.parametrize(
    ("status", "codes"),
    {
        400: "INVALID_ARGUMENT FAILED_PRECONDITION OUT_OF_RANGE",
        404: "NOT_FOUND",
        429: "RESOURCE_EXHAUSTED",
        500: "INTERNAL UNKNOWN DATA_LOSS",
        501: "UNIMPLEMENTED",
        503: "UNAVAILABLE",
        504: "DEADLINE_EXCEEDED",
    }.items(),
)
def test_codes_have_tensorflow_servings_http_status(status: int, codes: str) -> None:
    assert {status} == {http_status(grpc.StatusCode[code]) for code in codes.split()}


def test_every_code_has_an_http_status() -> None:
    assert all(400 <= http_status(code) < 600 for code in grpc.StatusCode if code is not grpc.StatusCode.OK)
