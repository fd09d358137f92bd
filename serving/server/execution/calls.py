"""The calls of PredictionService on request messages, without a transport: TensorFlow Serving's checks and answers.

In all calls, `lookup` finds the model's version, `submit` queues the run of a signature, and `deadline` is a time of
`time.monotonic()`, None for no limit. All calls raise the errors of `lookup`, `submit` and the model besides their own.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, TypeAlias

from tensorflow_serving.apis.classification_pb2 import (
    ClassificationRequest,
    ClassificationResponse,
    ClassificationResult,
)
from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    SignatureDefMap,
)
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest, MultiInferenceResponse
from tensorflow_serving.apis.input_pb2 import Input
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.apis.regression_pb2 import RegressionRequest, RegressionResponse, RegressionResult

from serving.server.errors import invalid_argument
from serving.server.execution import signatures
from serving.server.execution.servable import Servable
from serving.server.execution.tensors import Arrays, write_proto
from serving.server.execution.tf_examples import classification_result, examples_of, regression_result

SIGNATURE_DEF: Final = "signature_def"

# Finds a version and keeps it loaded until the context ends; raises ServingError.
Lookup: TypeAlias = Callable[[ModelSpec], AbstractContextManager[Servable]]

# Runs a signature (servable, key, inputs, names of the wanted outputs or None for all, deadline), as Batcher.submit.
Submit: TypeAlias = Callable[[Servable, str, Arrays, Sequence[str] | None, float | None], Awaitable[Arrays]]


async def predict(request: PredictRequest, lookup: Lookup, submit: Submit, deadline: float | None) -> PredictResponse:
    """Runs a signature on tensors, and returns the outputs that the request's filter names; all without a filter.

    Raises:
        ServingError: FAILED_PRECONDITION for an unknown signature; INVALID_ARGUMENT for malformed tensors and for
            inputs or filtered outputs that the signature does not have.
    """
    with lookup(_spec_of(request)) as servable:
        signature = signatures.predict_signature(servable, request.model_spec)
        inputs = signatures.predict_inputs(request, signature)
        outputs = signatures.predict_outputs(request.output_filter, signature)
        key = signatures.signature_key(request.model_spec)
        results = await submit(servable, key, inputs, outputs, deadline)
        response = PredictResponse()
        _resolve(response.model_spec, request.model_spec, servable)
        for alias, array in results.items():
            write_proto(array, response.outputs[alias])
        return response


async def classify(
    request: ClassificationRequest, lookup: Lookup, submit: Submit, deadline: float | None
) -> ClassificationResponse:
    """Runs a signature that classifies tf.Examples: `inputs` → `classes`, `scores` or both.

    Raises:
        ServingError: INVALID_ARGUMENT for an unknown signature, for one that is not a classification or gives other
            outputs, and for a request without examples; FAILED_PRECONDITION for other names of inputs or outputs.
    """
    with lookup(_spec_of(request)) as servable:
        result = await _classified(servable, request.model_spec, request.input, submit, deadline)
        response = ClassificationResponse(result=result)
        _resolve(response.model_spec, request.model_spec, servable)
        return response


async def regress(
    request: RegressionRequest, lookup: Lookup, submit: Submit, deadline: float | None
) -> RegressionResponse:
    """Runs a signature that maps each tf.Example to a number: `inputs` → `outputs`.

    Raises:
        ServingError: As for `classify`.
    """
    with lookup(_spec_of(request)) as servable:
        result = await _regressed(servable, request.model_spec, request.input, submit, deadline)
        response = RegressionResponse(result=result)
        _resolve(response.model_spec, request.model_spec, servable)
        return response


async def multi_inference(
    request: MultiInferenceRequest, lookup: Lookup, submit: Submit, deadline: float | None
) -> MultiInferenceResponse:
    """Runs several classifying and regressing signatures on the same tf.Examples, in the version of the first task.

    Raises:
        ServingError: INVALID_ARGUMENT for tasks of different models, and for signatures that are unknown or repeated;
            UNIMPLEMENTED for another method; otherwise as for `classify`.
    """
    spec = request.tasks[0].model_spec if request.tasks else ModelSpec()
    with lookup(spec) as servable:
        signatures.check_tasks(servable, request.tasks)
        response = MultiInferenceResponse()
        for task in request.tasks:
            result = response.results.add()
            _resolve(result.model_spec, task.model_spec, servable)
            if task.method_name == signatures.CLASSIFY_METHOD:
                classified = await _classified(servable, task.model_spec, request.input, submit, deadline)
                result.classification_result.CopyFrom(classified)
            else:
                regressed = await _regressed(servable, task.model_spec, request.input, submit, deadline)
                result.regression_result.CopyFrom(regressed)
        return response


def get_model_metadata(request: GetModelMetadataRequest, lookup: Lookup) -> GetModelMetadataResponse:
    """Describes all signatures of a model in a SignatureDefMap under `signature_def`.

    Raises:
        ServingError: INVALID_ARGUMENT for no metadata field or for one other than `signature_def`.
    """
    spec = _spec_of(request)
    if not request.metadata_field:
        raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
    for field in request.metadata_field:
        if field != SIGNATURE_DEF:
            raise invalid_argument(f"Metadata field {field} is not supported")
    with lookup(spec) as servable:
        response = GetModelMetadataResponse()
        response.model_spec.name = servable.name
        response.model_spec.version.value = servable.version
        response.metadata[SIGNATURE_DEF].Pack(SignatureDefMap(signature_def=servable.signatures))
        return response


def _spec_of(request: Any) -> ModelSpec:
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    return request.model_spec


def _resolve(answered: ModelSpec, asked: ModelSpec, servable: Servable) -> None:
    """Writes the spec of a response: the request's, with the version and the signature that were used."""
    answered.name = asked.name
    answered.signature_name = signatures.signature_key(asked)
    answered.version.value = servable.version


async def _classified(
    servable: Servable, spec: ModelSpec, given: Input, submit: Submit, deadline: float | None
) -> ClassificationResult:
    key, wanted = signatures.classification(servable, spec)
    examples = examples_of(given)
    outputs = await submit(servable, key, {signatures.INPUTS: examples}, wanted, deadline)
    return classification_result(outputs, len(examples))


async def _regressed(
    servable: Servable, spec: ModelSpec, given: Input, submit: Submit, deadline: float | None
) -> RegressionResult:
    key = signatures.regression(servable, spec)
    examples = examples_of(given)
    outputs = await submit(servable, key, {signatures.INPUTS: examples}, [signatures.REGRESSIONS], deadline)
    return regression_result(outputs, len(examples))
