"""Models for the rules of TensorFlow Serving's contract, and short ways to build requests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import input_pb2, model_pb2, predict_pb2
from tiny_models import push

HALF = "half"  # versions 0, 1 and 2: x / 2 + 2, 3 and 4; label stable is version 1, label lost a missing version
SUM = "sum"  # a + b, with a default for b in the signature with_default
SHARED = "shared"  # classify and regress on one placeholder
HURT = "hurt"  # version 1 serves, version 2 is broken


class Sum(tf.Module):
    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.float32, name="a"), tf.TensorSpec([None], tf.float32, name="b")]
    )
    def add(self, a: tf.Tensor, b: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"sum": a + b}


def write_sum(path: Path) -> None:
    module = Sum()
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.add, "with_default": module.add})
    file = path / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    signature = saved.meta_graphs[0].signature_def["with_default"]
    signature.defaults["b"].CopyFrom(floats(10.0))
    file.write_bytes(saved.SerializeToString())


def write_models(root: Path, *, halves: Sequence[Path], shared_input: Path, broken: Path) -> Path:
    """Pushes all versions; returns the config file."""
    for version, half in enumerate(halves):
        push(half, root / HALF, version)
    write_sum(root / SUM / "1")
    push(shared_input, root / SHARED, 1)
    push(halves[0], root / HURT, 1)
    push(broken, root / HURT, 2)
    policies = {HALF: "all {}", HURT: "all {}"}
    labels = {HALF: 'version_labels { key: "stable" value: 1 } version_labels { key: "lost" value: 9 }'}
    config = root / "models.config"
    config.write_text(
        "model_config_list {\n"
        + "".join(
            f'config {{ name: "{name}" base_path: "{root / name}" model_platform: "tensorflow" '
            f"model_version_policy {{ {policies.get(name, 'latest {}')} }} {labels.get(name, '')} }}\n"
            for name in (HALF, SUM, SHARED, HURT)
        )
        + "}\n"
    )
    return config


def floats(*values: float, shape: Sequence[int] | None = None) -> tensor_pb2.TensorProto:
    return _tensor(types_pb2.DT_FLOAT, shape if shape is not None else [len(values)], float_val=values)


def texts(*values: bytes) -> tensor_pb2.TensorProto:
    return _tensor(types_pb2.DT_STRING, [len(values)], string_val=values)


def _tensor(dtype: int, shape: Sequence[int], **values: Any) -> tensor_pb2.TensorProto:
    return tensor_pb2.TensorProto(dtype=dtype, tensor_shape={"dim": [{"size": size} for size in shape]}, **values)


def spec(name: str = HALF, version: int | None = None, label: str = "", signature: str = "") -> model_pb2.ModelSpec:
    made = model_pb2.ModelSpec(name=name, signature_name=signature)
    if version is not None:
        made.version.value = version
    if label:
        made.version_label = label
    return made


def predict(
    model: model_pb2.ModelSpec, outputs: Sequence[str] = (), **inputs: tensor_pb2.TensorProto
) -> predict_pb2.PredictRequest:
    return predict_pb2.PredictRequest(model_spec=model, inputs=inputs, output_filter=outputs)


def examples(*xs: float) -> input_pb2.Input:
    made = input_pb2.Input()
    for x in xs:
        made.example_list.examples.add().features.feature["x"].float_list.value.append(x)
    return made
