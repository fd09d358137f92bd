"""The calls of PredictionService on request messages, without a transport: TensorFlow Serving's checks and answers.

In all calls, `lookup` finds the model's version, `submit` queues the run of a signature, and `deadline` is a time of
`time.monotonic()`, None for no limit. All calls raise the errors of `lookup`, `submit` and the model besides their own.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Final, TypeAlias

from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    input_pb2,
    model_pb2,
    predict_pb2,
    regression_pb2,
)

from serving.server.errors import invalid_argument
from serving.server.execution.servable import Servable
from serving.server.execution.signatures import (
    CLASSIFY_METHOD,
    INPUTS,
    REGRESSIONS,
    check_tasks,
    classification,
    predict_inputs,
    predict_outputs,
    predict_signature,
    regression,
    signature_key,
)
from serving.server.execution.tensors import Arrays, to_proto
from serving.server.execution.tf_examples import classification_result, examples_of, regression_result

SIGNATURE_DEF: Final = "signature_def"

# Finds a version and keeps it loaded until the context ends; raises ServingError.
Lookup: TypeAlias = Callable[[model_pb2.ModelSpec], AbstractContextManager[Servable]]

# Runs a signature (servable, key, inputs, names of the wanted outputs or None for all, deadline), as Batcher.submit.
Submit: TypeAlias = Callable[[Servable, str, Arrays, Sequence[str] | None, float | None], Future[Arrays]]


async def predict(
    request: predict_pb2.PredictRequest, lookup: Lookup, submit: Submit, deadline: float | None
) -> predict_pb2.PredictResponse:
    """Runs a signature on tensors.

    Returns:
        The outputs that the request's filter names; without a filter, all outputs.

    Raises:
        ServingError: FAILED_PRECONDITION for an unknown signature; INVALID_ARGUMENT for malformed tensors and for
            inputs or filtered outputs that the signature does not have.
    """
    with lookup(_spec_of(request)) as servable:
        signature = predict_signature(servable, request.model_spec)
        inputs = predict_inputs(request, signature)
        outputs = predict_outputs(request.output_filter, signature)
        key = signature_key(request.model_spec)
        results = await asyncio.wrap_future(submit(servable, key, inputs, outputs, deadline))
        response = predict_pb2.PredictResponse(model_spec=_resolved(request.model_spec, servable))
        for alias, array in results.items():
            response.outputs[alias].CopyFrom(to_proto(array))
        return response


async def classify(
    request: classification_pb2.ClassificationRequest, lookup: Lookup, submit: Submit, deadline: float | None
) -> classification_pb2.ClassificationResponse:
    """Runs a signature that classifies tf.Examples: `inputs` → `classes`, `scores` or both.

    Returns:
        Labels and scores of each example.

    Raises:
        ServingError: INVALID_ARGUMENT for an unknown signature, for one that is not a classification or gives other
            outputs, and for a request without examples; FAILED_PRECONDITION for other names of inputs or outputs.
    """
    with lookup(_spec_of(request)) as servable:
        result = await _classified(servable, request.model_spec, request.input, submit, deadline)
        spec = _resolved(request.model_spec, servable)
        return classification_pb2.ClassificationResponse(model_spec=spec, result=result)


async def regress(
    request: regression_pb2.RegressionRequest, lookup: Lookup, submit: Submit, deadline: float | None
) -> regression_pb2.RegressionResponse:
    """Runs a signature that maps tf.Examples to numbers: `inputs` → `outputs`.

    Returns:
        A number for each example.

    Raises:
        ServingError: As for `classify`.
    """
    with lookup(_spec_of(request)) as servable:
        result = await _regressed(servable, request.model_spec, request.input, submit, deadline)
        return regression_pb2.RegressionResponse(model_spec=_resolved(request.model_spec, servable), result=result)


async def multi_inference(
    request: inference_pb2.MultiInferenceRequest, lookup: Lookup, submit: Submit, deadline: float | None
) -> inference_pb2.MultiInferenceResponse:
    """Runs several classifying and regressing signatures of one model on the same tf.Examples.

    The version is that of the first task.

    Returns:
        A result for each task.

    Raises:
        ServingError: INVALID_ARGUMENT for tasks of different models, and for signatures that are unknown, repeated or
            read different tensors; UNIMPLEMENTED for another method; otherwise as for `classify`.
    """
    spec = request.tasks[0].model_spec if request.tasks else model_pb2.ModelSpec()
    with lookup(spec) as servable:
        check_tasks(servable, request.tasks)
        response = inference_pb2.MultiInferenceResponse()
        for task in request.tasks:
            result = response.results.add(model_spec=_resolved(task.model_spec, servable))
            if task.method_name == CLASSIFY_METHOD:
                classified = await _classified(servable, task.model_spec, request.input, submit, deadline)
                result.classification_result.CopyFrom(classified)
            else:
                regressed = await _regressed(servable, task.model_spec, request.input, submit, deadline)
                result.regression_result.CopyFrom(regressed)
        return response


def get_model_metadata(
    request: get_model_metadata_pb2.GetModelMetadataRequest, lookup: Lookup
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """Describes the signatures of a model.

    Returns:
        A SignatureDefMap of all signatures, under `signature_def`.

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
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = servable.name
        response.model_spec.version.value = servable.version
        signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=servable.signatures)
        response.metadata[SIGNATURE_DEF].Pack(signatures)
        return response


def _spec_of(
    request: predict_pb2.PredictRequest
    | classification_pb2.ClassificationRequest
    | regression_pb2.RegressionRequest
    | get_model_metadata_pb2.GetModelMetadataRequest,
) -> model_pb2.ModelSpec:
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    return request.model_spec


def _resolved(spec: model_pb2.ModelSpec, servable: Servable) -> model_pb2.ModelSpec:
    """Returns the spec of a response: the request's, with the version and the signature that were used."""
    resolved = model_pb2.ModelSpec(name=spec.name, signature_name=signature_key(spec))
    resolved.version.value = servable.version
    return resolved


async def _classified(
    servable: Servable, spec: model_pb2.ModelSpec, given: input_pb2.Input, submit: Submit, deadline: float | None
) -> classification_pb2.ClassificationResult:
    key, wanted = classification(servable, spec)
    examples = examples_of(given)
    outputs = await asyncio.wrap_future(submit(servable, key, {INPUTS: examples}, wanted, deadline))
    return classification_result(outputs, len(examples))


async def _regressed(
    servable: Servable, spec: model_pb2.ModelSpec, given: input_pb2.Input, submit: Submit, deadline: float | None
) -> regression_pb2.RegressionResult:
    key = regression(servable, spec)
    examples = examples_of(given)
    outputs = await asyncio.wrap_future(submit(servable, key, {INPUTS: examples}, [REGRESSIONS], deadline))
    return regression_result(outputs, len(examples))
