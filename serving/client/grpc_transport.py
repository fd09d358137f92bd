"""The client's gRPC transport."""

from collections.abc import Sequence
from typing import Any, Final

import grpc

from imdb_core import protos
from imdb_core.connections import grpc_proxy_options
from serving.client.address import Address
from serving.client.results import Metadata, Signature, TensorSpec, VersionStatus
from serving.client.tensors import set_strings, to_list
from serving.client.tls import TLS
from serving.client.transport import TEXT_INPUT, ModelSpec, SignatureAnswer, TransportError

_PREDICTION: Final = "/tensorflow.serving.PredictionService"
_MODEL: Final = "/tensorflow.serving.ModelService"
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),  # no limit, as TensorFlow Serving has none for requests
    # `with_retries` paces the attempts. With longer pauses of its own the channel would fail them without connecting.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 10_000),  # despite its name, the timeout of one attempt to connect
)


class GrpcTransport:
    """A Transport over gRPC.

    Args:
        address: The address of the server.
        tls: Certificates; None for an unencrypted connection.
    """

    def __init__(self, address: Address, tls: TLS | None = None) -> None:
        self.target = address.target
        options = (*_OPTIONS, *grpc_proxy_options(address.host))
        if tls is None:
            self._channel = grpc.insecure_channel(self.target, options)
        else:
            self._channel = grpc.secure_channel(self.target, _channel_credentials(tls), options)

    def predict(
        self, spec: ModelSpec, signature: str, texts: Sequence[str], outputs: Sequence[str], timeout: float
    ) -> SignatureAnswer:
        """See Transport."""
        request = _message("predict", "PredictRequest")(model_spec=_model_spec(spec))
        request.model_spec.signature_name = signature
        set_strings(request.inputs[TEXT_INPUT], [text.encode() for text in texts])
        response = self._call(f"{_PREDICTION}/Predict", request, _message("predict", "PredictResponse"), timeout)
        return SignatureAnswer(
            {name: to_list(tensor) for name, tensor in response.outputs.items() if name in outputs},
            response.model_spec.version.value,
        )

    def status(self, model: str, timeout: float) -> list[VersionStatus]:
        """See Transport."""
        request = _message("get_model_status", "GetModelStatusRequest")(model_spec=_model_spec(ModelSpec(model)))
        response_class = _message("get_model_status", "GetModelStatusResponse")
        states = _message("get_model_status", "ModelVersionStatus").State
        response = self._call(f"{_MODEL}/GetModelStatus", request, response_class, timeout)
        return [
            VersionStatus(status.version, states.Name(status.state), status.status.error_message)
            for status in sorted(response.model_version_status, key=lambda status: -status.version)
        ]

    def metadata(self, spec: ModelSpec, timeout: float) -> Metadata:
        """See Transport."""
        request = _message("get_model_metadata", "GetModelMetadataRequest")(
            model_spec=_model_spec(spec), metadata_field=["signature_def"]
        )
        response_class = _message("get_model_metadata", "GetModelMetadataResponse")
        response = self._call(f"{_PREDICTION}/GetModelMetadata", request, response_class, timeout)
        packed = response.metadata["signature_def"].value
        signatures = _message("get_model_metadata", "SignatureDefMap").FromString(packed).signature_def
        return Metadata(
            response.model_spec.version.value,
            {
                name: Signature(_tensor_specs(signature.inputs), _tensor_specs(signature.outputs))
                for name, signature in signatures.items()
            },
        )

    def model_names(self, timeout: float) -> set[str]:
        """Returns an empty set: no call of the gRPC API lists models."""
        del timeout
        return set()

    def close(self) -> None:
        """See Transport."""
        self._channel.close()

    def _call(self, method: str, request: Any, response_class: Any, timeout: float) -> Any:
        call = self._channel.unary_unary(method, type(request).SerializeToString, response_class.FromString)
        try:
            return call(request, timeout=timeout)
        except grpc.RpcError as error:
            raise TransportError(error.code().name, error.details() or "") from None


def _channel_credentials(tls: TLS) -> grpc.ChannelCredentials:
    tls.ssl_context()  # refuses files that are not PEM; gRPC would accept them and fail to connect
    files = (tls.root_certificates, tls.key, tls.certificate)
    return grpc.ssl_channel_credentials(*(path and path.read_bytes() for path in files))


def _model_spec(spec: ModelSpec) -> Any:
    proto = _message("model", "ModelSpec")(name=spec.name)
    if spec.version is not None:
        proto.version.value = spec.version
    elif spec.label is not None:
        proto.version_label = spec.label
    return proto


def _tensor_specs(infos: Any) -> dict[str, TensorSpec]:
    return {
        name: TensorSpec(
            type(info).DESCRIPTOR.fields_by_name["dtype"].enum_type.values_by_number[info.dtype].name,
            None if info.tensor_shape.unknown_rank else tuple(dim.size for dim in info.tensor_shape.dim),
        )
        for name, info in infos.items()
    }


def _message(file: str, name: str) -> Any:
    """Returns the class of a message of `tensorflow_serving.apis`."""
    return protos.message(f"tensorflow_serving/apis/{file}.proto", f"tensorflow.serving.{name}")
