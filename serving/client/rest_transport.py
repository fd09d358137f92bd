"""The client's REST transport."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import httpx

from imdb_core.connections import trusts_environment
from imdb_core.errors import SettingsError
from serving.client.address import Address
from serving.client.results import Metadata, Signature, TensorSpec, VersionStatus
from serving.client.tls import TLS
from serving.client.transport import TEXT_INPUT, UNAVAILABLE, ModelSpec, SignatureAnswer, TransportError

# HTTP status codes by the gRPC codes that TensorFlow Serving maps to them; 400 has three, of which this is the usual.
_CODES: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "RESOURCE_EXHAUSTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: UNAVAILABLE,
    503: UNAVAILABLE,
    504: "DEADLINE_EXCEEDED",
}
_METRICS: Final = "/monitoring/prometheus/metrics"
_MODEL_NAME: Final = re.compile(r'model_name="([^"\\]+)"')


class RestTransport:
    """A Transport over REST.

    Args:
        address: The address of the server.
        tls: Certificates for https; None for those of the system.

    Raises:
        SettingsError: The environment names a proxy of an unknown kind for this server.
    """

    def __init__(self, address: Address, tls: TLS | None = None) -> None:
        self.target = address.target
        certificates = (tls or TLS()).ssl_context() if address.encrypted else False
        try:
            self._client = httpx.Client(verify=certificates, trust_env=trusts_environment(address.host or ""))
        except ValueError as error:
            raise SettingsError(
                f"the proxy that the environment names for {self.target} cannot be used: {error}; correct http_proxy, "
                f"https_proxy or all_proxy, or add {address.host} to no_proxy"
            ) from None

    def predict(
        self, spec: ModelSpec, signature: str, texts: Sequence[str], outputs: Sequence[str], timeout: float
    ) -> SignatureAnswer:
        """See Transport; the REST API always returns all outputs."""
        body = {"signature_name": signature, "inputs": {TEXT_INPUT: list(texts)}}
        answer = self._call("POST", f"{_path(spec)}:predict", timeout, body)["outputs"]
        # If there is only one output, the answer leaves out its name.
        return SignatureAnswer(answer if isinstance(answer, dict) else {outputs[0]: answer}, spec.version)

    def status(self, model: str, timeout: float) -> list[VersionStatus]:
        """See Transport."""
        statuses = self._call("GET", _path(ModelSpec(model)), timeout)["model_version_status"]
        return sorted(
            (
                VersionStatus(int(one["version"]), one["state"], one.get("status", {}).get("error_message", ""))
                for one in statuses
            ),
            key=lambda status: -status.version,
        )

    def metadata(self, spec: ModelSpec, timeout: float) -> Metadata:
        """See Transport."""
        answer = self._call("GET", f"{_path(spec)}/metadata", timeout)
        signatures = answer["metadata"]["signature_def"]["signature_def"]
        return Metadata(
            int(answer["model_spec"]["version"]),
            {
                name: Signature(_tensor_specs(signature["inputs"]), _tensor_specs(signature["outputs"]))
                for name, signature in signatures.items()
            },
        )

    def model_names(self, timeout: float) -> set[str]:
        """Returns the models in the server's metrics, among them names that it was asked for and does not have."""
        try:
            page = self._client.get(self.target + _METRICS, timeout=timeout)
        except httpx.HTTPError:
            return set()
        return set(_MODEL_NAME.findall(page.text)) if page.is_success else set()

    def close(self) -> None:
        """See Transport."""
        self._client.close()

    def _call(self, method: str, path: str, timeout: float, body: Mapping[str, Any] | None = None) -> Any:
        try:
            response = self._client.request(method, self.target + path, json=body, timeout=timeout)
        except httpx.TimeoutException as error:
            raise TransportError("DEADLINE_EXCEEDED", str(error)) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TransportError(UNAVAILABLE, str(error)) from None
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise TransportError("UNKNOWN", f"HTTP {response.status_code} without JSON: no TensorFlow Serving")
        if "error" in answer or not response.is_success:
            code = _CODES.get(response.status_code, "UNKNOWN")
            raise TransportError(code, str(answer.get("error", f"HTTP {response.status_code}")))
        return answer


def _path(spec: ModelSpec) -> str:
    path = f"/v1/models/{quote(spec.name, safe='')}"
    if spec.version is not None:
        return f"{path}/versions/{spec.version}"
    return f"{path}/labels/{quote(spec.label, safe='')}" if spec.label is not None else path


def _tensor_specs(infos: Mapping[str, Any]) -> dict[str, TensorSpec]:
    return {name: TensorSpec(info["dtype"], _shape(info.get("tensor_shape", {}))) for name, info in infos.items()}


def _shape(shape: Mapping[str, Any]) -> tuple[int, ...] | None:
    return None if shape.get("unknown_rank") else tuple(int(dim["size"]) for dim in shape.get("dim", ()))
