"""Verifies that a version on disk is unchanged, and that it runs in the C++ runtime of servers."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from imdb_core import features
from imdb_core.file_names import WARMUP_FILE
from imdb_core.signatures import PROBABILITIES, SERVING_DEFAULT
from serving.releases.errors import ReleaseError
from serving.releases.versions import PushedVersion, check_files
from serving.runtime.cpp_loader import CppSavedModel

_TEXTS: Final = ("", "Beautifully acted, and funny.", "Bad.<br />So bad!", "🎬 film " * 300)
_TOLERANCE: Final = 1e-5


def verify(version: PushedVersion, tell: Callable[[str], None]) -> None:
    """Recomputes a version's digest, loads it in the C++ runtime, and runs all signatures that take `text`.

    It also runs the warm-up requests, if there are any: they cover the signatures that take tf.Examples. `tell`
    receives a line of text for each passed check.

    Raises:
        ReviewPipelineError: A check fails; the following ones do not run.
    """
    check_files(version)
    tell(f"files: SHA-256 is the recorded one ({version.megabytes:.1f} MB)")
    with CppSavedModel(str(version.path)) as model:
        tell("loads in TensorFlow's C++ runtime")
        signatures = sorted(name for name, one in model.signatures.items() if list(one.inputs) == [features.TEXT])
        if not signatures:
            raise ReleaseError(
                f"{version.path} has no signature whose only input is {features.TEXT!r}; export it again"
            )
        for signature in signatures:
            _check_outputs(version, signature, model.run(signature, {features.TEXT: list(_TEXTS)}), len(_TEXTS))
            tell(f"runs {signature}: {len(_TEXTS)} texts, including an empty and a long one")
        requests = _warmup_requests(version)
        for signature, inputs in requests:
            _check_outputs(version, signature, model.run(signature, inputs), len(next(iter(inputs.values()))))
        if requests:
            names = sorted({signature for signature, _ in requests})
            tell(f"runs its {len(requests)} warm-up requests: {', '.join(names)}")


def _check_outputs(
    version: PushedVersion, signature: str, outputs: Mapping[str, np.ndarray[Any, Any]], rows: int
) -> None:
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


def _warmup_requests(version: PushedVersion) -> list[tuple[str, dict[str, np.ndarray[Any, Any]]]]:
    file = version.path / WARMUP_FILE
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
