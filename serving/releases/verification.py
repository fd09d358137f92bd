"""Whether a version on disk is still what was pushed, and runs where servers run it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from imdb_core import features
from imdb_core.signatures import PROBABILITIES, SERVING_DEFAULT
from serving.releases.errors import ReleaseError
from serving.releases.versions import Version, check_files
from serving.runtime.cpp_loader import CppSavedModel

_TEXTS: Final = ("", "Beautifully acted, and funny.", "Bad.<br />So bad!", "🎬 film " * 300)
_WARMUP_FILE: Final = Path("assets.extra", "tf_serving_warmup_requests")
_TOLERANCE: Final = 1e-5


def verify(version: Version, tell: Callable[[str], None]) -> None:
    """Recomputes a version's digest, loads it in the C++ runtime, and runs all signatures that take `text`.

    Its warm-up requests are run too, where it has any: they reach the signatures that take tf.Examples.

    Args:
        version: one with a `release.json`.
        tell: gets a line for each thing that was checked and found good.

    Raises:
        ReviewPipelineError: at the first thing that was not.
    """
    check_files(version)
    tell(f"files: SHA-256 is the recorded one ({version.megabytes:.1f} MB)")
    with CppSavedModel(str(version.path)) as model:
        tell("loads in TensorFlow's C++ runtime")
        signatures = _text_signatures(version.path)
        if not signatures:
            raise ReleaseError(f"{version.path} has no signature whose one input is {features.TEXT!r}; export it again")
        for signature in signatures:
            _check_outputs(version, signature, model.run(signature, {features.TEXT: list(_TEXTS)}), len(_TEXTS))
            tell(f"runs {signature}: {len(_TEXTS)} texts, the empty one and a long one among them")
        requests = _warmup_requests(version)
        for signature, inputs in requests:
            _check_outputs(version, signature, model.run(signature, inputs), len(next(iter(inputs.values()))))
        if requests:
            names = sorted({signature for signature, _ in requests})
            tell(f"runs its {len(requests)} warm-up requests: {', '.join(names)}")


def _check_outputs(version: Version, signature: str, outputs: Mapping[str, np.ndarray[Any, Any]], rows: int) -> None:
    def refuse(name: str, what: str) -> ReleaseError:
        return ReleaseError(
            f"output {name!r} of signature {signature!r} in {version.path} {what}; export the model again"
        )

    for name, values in outputs.items():
        if values.shape[:1] != (rows,):
            raise refuse(name, f"has shape {values.shape} for {rows} texts")
        if values.dtype.kind == "f" and not np.all(np.isfinite(values)):
            raise refuse(name, "is not finite")
    probabilities = outputs.get(PROBABILITIES)
    if probabilities is not None and not np.allclose(probabilities.sum(axis=1), 1.0, atol=_TOLERANCE):
        raise refuse(PROBABILITIES, "does not sum to 1")


def _text_signatures(path: Path) -> list[str]:
    saved = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    return sorted(
        name
        for graph in saved.meta_graphs
        if "serve" in graph.meta_info_def.tags
        for name, signature in graph.signature_def.items()
        if list(signature.inputs) == [features.TEXT]
    )


def _warmup_requests(version: Version) -> list[tuple[str, dict[str, np.ndarray[Any, Any]]]]:
    file = version.path / _WARMUP_FILE
    if not file.exists():
        return []
    logs = (
        prediction_log_pb2.PredictionLog.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(file))
    )
    requests = [log.predict_log.request for log in logs if log.HasField("predict_log")]
    return [
        (
            request.model_spec.signature_name or SERVING_DEFAULT,
            {name: tf.make_ndarray(value) for name, value in request.inputs.items()},
        )
        for request in requests
    ]
