"""The calls of PredictionService on protos: what TensorFlow Serving checks, says and answers, without a transport."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Final, Protocol

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
from serving.server.execution.servable import Array, Servable
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
from serving.server.execution.tensors import to_proto
from serving.server.execution.tf_examples import classification_result, examples_of, regression_result

SIGNATURE_DEF: Final = "signature_def"


class Servables(Protocol):
    """Where loaded versions are found."""

    def lookup(self, spec: model_pb2.ModelSpec) -> AbstractContextManager[Servable]:
        """The servable that a spec asks for, kept loaded in the context; ServingError if there is none."""


class Runner(Protocol):
    """What runs calls, such as a Batcher."""

    def submit(
        self,
        servable: Servable,
        signature: str,
        inputs: Mapping[str, Array],
        outputs: Sequence[str] | None,
        deadline: float | None,
    ) -> Future[dict[str, Array]]:
        """Queues a call; ServingError if it cannot."""


async def predict(
    request: predict_pb2.PredictRequest, servables: Servables, runner: Runner, deadline: float | None
) -> predict_pb2.PredictResponse:
    """Runs a signature on tensors.

    Args:
        request: as it came.
        servables: to look the model up in.
        runner: to run it.
        deadline: of `time.monotonic()`; None for no limit.

    Returns:
        The outputs that the request's filter names, or all.

    Raises:
        ServingError: FAILED_PRECONDITION for an unknown signature; INVALID_ARGUMENT for inputs or a filter that are not
            the signature's, and for malformed tensors; whatever the lookup or the model raises.
    """
    with servables.lookup(_spec_of(request)) as servable:
        signature = predict_signature(servable, request.model_spec)
        inputs = predict_inputs(request, signature)
        outputs = predict_outputs(request.output_filter, signature)
        key = signature_key(request.model_spec)
        results = await asyncio.wrap_future(runner.submit(servable, key, inputs, outputs, deadline))
        response = predict_pb2.PredictResponse(model_spec=_echo(request.model_spec, servable))
        for alias, array in results.items():
            response.outputs[alias].CopyFrom(to_proto(array))
        return response


async def classify(
    request: classification_pb2.ClassificationRequest, servables: Servables, runner: Runner, deadline: float | None
) -> classification_pb2.ClassificationResponse:
    """Runs a signature that classifies tf.Examples: `inputs` to `classes`, `scores` or both.

    Args:
        request: as it came.
        servables: to look the model up in.
        runner: to run it.
        deadline: of `time.monotonic()`; None for no limit.

    Returns:
        Labels and scores of each example.

    Raises:
        ServingError: INVALID_ARGUMENT for an unknown signature, one that is no classification or does not answer like
            one, and no examples; FAILED_PRECONDITION if the keys are wrong; whatever the lookup or the model raises.
    """
    with servables.lookup(_spec_of(request)) as servable:
        result = await _classified(servable, request.model_spec, request.input, runner, deadline)
        return classification_pb2.ClassificationResponse(model_spec=_echo(request.model_spec, servable), result=result)


async def regress(
    request: regression_pb2.RegressionRequest, servables: Servables, runner: Runner, deadline: float | None
) -> regression_pb2.RegressionResponse:
    """Runs a signature that maps tf.Examples to numbers: `inputs` to `outputs`.

    Args:
        request: as it came.
        servables: to look the model up in.
        runner: to run it.
        deadline: of `time.monotonic()`; None for no limit.

    Returns:
        A number for each example.

    Raises:
        ServingError: as `classify`.
    """
    with servables.lookup(_spec_of(request)) as servable:
        result = await _regressed(servable, request.model_spec, request.input, runner, deadline)
        return regression_pb2.RegressionResponse(model_spec=_echo(request.model_spec, servable), result=result)


async def multi_inference(
    request: inference_pb2.MultiInferenceRequest, servables: Servables, runner: Runner, deadline: float | None
) -> inference_pb2.MultiInferenceResponse:
    """Classifies and regresses the same tf.Examples with several signatures of one model.

    Args:
        request: as it came; the version is the first task's.
        servables: to look the model up in.
        runner: to run it.
        deadline: of `time.monotonic()`; None for no limit.

    Returns:
        A result for each task.

    Raises:
        ServingError: INVALID_ARGUMENT for tasks of different models, for signatures that are unknown, asked twice or
            read different tensors; UNIMPLEMENTED for another method; else as `classify`.
    """
    spec = request.tasks[0].model_spec if request.tasks else model_pb2.ModelSpec()
    with servables.lookup(spec) as servable:
        check_tasks(servable, request.tasks)
        response = inference_pb2.MultiInferenceResponse()
        for task in request.tasks:
            result = response.results.add(model_spec=_echo(task.model_spec, servable))
            if task.method_name == CLASSIFY_METHOD:
                classified = await _classified(servable, task.model_spec, request.input, runner, deadline)
                result.classification_result.CopyFrom(classified)
            else:
                regressed = await _regressed(servable, task.model_spec, request.input, runner, deadline)
                result.regression_result.CopyFrom(regressed)
        return response


def get_model_metadata(
    request: get_model_metadata_pb2.GetModelMetadataRequest, servables: Servables
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """Tells the signatures of a model.

    Args:
        request: as it came.
        servables: to look the model up in.

    Returns:
        A SignatureDefMap of all signatures, under `signature_def`.

    Raises:
        ServingError: INVALID_ARGUMENT for no metadata field or another one; whatever the lookup raises.
    """
    spec = _spec_of(request)
    if not request.metadata_field:
        raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
    for field in request.metadata_field:
        if field != SIGNATURE_DEF:
            raise invalid_argument(f"Metadata field {field} is not supported")
    with servables.lookup(spec) as servable:
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


def _echo(asked: model_pb2.ModelSpec, servable: Servable) -> model_pb2.ModelSpec:
    """What was asked for, and what that came down to."""
    spec = model_pb2.ModelSpec(name=asked.name, signature_name=signature_key(asked))
    spec.version.value = servable.version
    return spec


async def _classified(
    servable: Servable, spec: model_pb2.ModelSpec, given: input_pb2.Input, runner: Runner, deadline: float | None
) -> classification_pb2.ClassificationResult:
    key, wanted = classification(servable, spec)
    examples = examples_of(given)
    outputs = await asyncio.wrap_future(runner.submit(servable, key, {INPUTS: examples}, wanted, deadline))
    return classification_result(outputs, len(examples))


async def _regressed(
    servable: Servable, spec: model_pb2.ModelSpec, given: input_pb2.Input, runner: Runner, deadline: float | None
) -> regression_pb2.RegressionResult:
    key = regression(servable, spec)
    examples = examples_of(given)
    outputs = await asyncio.wrap_future(runner.submit(servable, key, {INPUTS: examples}, [REGRESSIONS], deadline))
    return regression_result(outputs, len(examples))
