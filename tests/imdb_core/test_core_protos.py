from __future__ import annotations

import pytest
from google.protobuf import descriptor_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2, predict_pb2

from imdb_core import protos

MESSAGES = [
    ("predict", predict_pb2.PredictRequest),
    ("predict", predict_pb2.PredictResponse),
    ("get_model_status", get_model_status_pb2.GetModelStatusRequest),
    ("get_model_status", get_model_status_pb2.GetModelStatusResponse),
    ("get_model_metadata", get_model_metadata_pb2.GetModelMetadataRequest),
    ("get_model_metadata", get_model_metadata_pb2.GetModelMetadataResponse),
    ("get_model_metadata", get_model_metadata_pb2.SignatureDefMap),
    ("model", model_pb2.ModelSpec),
]


def definitions(file) -> dict[str, bytes]:
    """Serialized descriptors of a file and all its dependencies, by name."""
    proto = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(proto)
    found = {file.name: proto.SerializeToString(deterministic=True)}
    for dependency in file.dependencies:
        found |= definitions(dependency)
    return found


def message(file: str, name: str):
    return protos.message(f"tensorflow_serving/apis/{file}.proto", f"tensorflow.serving.{name}")


@pytest.mark.parametrize(("file", "original"), MESSAGES, ids=lambda value: getattr(value, "__name__", value))
def test_messages_are_defined_as_in_tensorflow_serving_api(file: str, original) -> None:
    ours = message(file, original.DESCRIPTOR.name)
    assert ours is message(file, original.DESCRIPTOR.name)
    assert ours is not original
    assert definitions(ours.DESCRIPTOR.file) == definitions(original.DESCRIPTOR.file)


def test_messages_are_read_by_the_generated_class_and_back() -> None:
    request = message("predict", "PredictRequest")(output_filter=["label"])
    request.model_spec.name = "critic"
    request.model_spec.version.value = 0
    request.inputs["text"].string_val.append(b"x")
    read = predict_pb2.PredictRequest.FromString(request.SerializeToString())
    assert (read.model_spec.name, read.model_spec.WhichOneof("version_choice")) == ("critic", "version")
    assert message("predict", "PredictRequest").FromString(read.SerializeToString()) == request


def test_an_unknown_message_or_file_is_an_error() -> None:
    with pytest.raises(KeyError):
        message("predict", "Prediction")
    with pytest.raises(ImportError, match=r"no installed package has tensorflow_serving/apis/nothing_pb2\.py"):
        message("nothing", "Nothing")


def test_a_declared_message_is_read_and_written_as_the_generated_one() -> None:
    declared = protos.declare(
        "declared.proto",
        "declared",
        {
            "Point": {"x": "int64", "y": "repeated int64", "name": "string", "shown": "bool"},
            "Line": {"start": "declared.Point", "length": "google.protobuf.Int64Value", "label": "repeated string"},
        },
        "google/protobuf/wrappers.proto",
    )
    line = declared["Line"](start={"x": 1, "y": [2, 3], "name": "a", "shown": True}, label=["b", "c"])
    line.length.value = 0
    # Field 1 is a message of 11 bytes, field 2 an empty wrapper, field 3 two strings.
    packed = b"\x0a\x0b\x08\x01\x12\x02\x02\x03\x1a\x01a\x20\x01" + b"\x12\x00" + b"\x1a\x01b\x1a\x01c"
    assert line.SerializeToString() == packed
    assert declared["Line"].FromString(packed) == line
    assert not declared["Line"]().HasField("length")
