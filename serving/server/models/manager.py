"""All models of a server: finds their versions and serves those that the config asks for."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from imdb_core.errors import SettingsError
from serving.server.config.model_config import MODEL_LIST, check_model_config, read_model_config
from serving.server.errors import StatusError, invalid_argument
from serving.server.models.labels import Labels, labels_of
from serving.server.models.lifecycle import Event, State
from serving.server.models.lookup import ModelLookup
from serving.server.models.polling import Polling
from serving.server.models.served_model import Load, ServedModel
from serving.server.models.source import versions_to_serve

if TYPE_CHECKING:
    from serving.server.execution.servable import Servable


_LOG: Final = logging.getLogger(__name__)


class ModelManager(ModelLookup):
    """Serves models by name, version and label. All methods may be called from any thread.

    Args:
        load: makes a servable, ready for requests, of name, version and path; raises StatusError.
        poll_seconds: between looks for new versions; 0 is once, and again for each new config.
        load_retries: how often a load that failed is tried again.
        retry_seconds: before each of them.
        load_threads: how many versions are loaded at the same time; 0 for one of each model.
        allow_labels: whether versions have labels.
        allow_labels_for_unavailable: whether a new label may name a version that is not AVAILABLE.
    """

    def __init__(
        self,
        load: Load,
        *,
        poll_seconds: float = 1.0,
        load_retries: int = 5,
        retry_seconds: float = 60.0,
        load_threads: int = 0,
        allow_labels: bool = True,
        allow_labels_for_unavailable: bool = False,
    ) -> None:
        super().__init__(allow_labels=allow_labels)
        self._load = load
        self._free_loaders = threading.BoundedSemaphore(load_threads) if load_threads else nullcontext()
        self._poll_seconds = poll_seconds
        self._load_retries = load_retries
        self._retry_seconds = retry_seconds
        self._allow_labels_for_unavailable = allow_labels_for_unavailable
        self._listeners: list[Callable[[Event], None]] = []
        self._poller = Polling()
        # Held while versions are looked for, so that none is found by a config that is no longer the current one.
        self._looking = threading.Lock()
        self._config = ModelServerConfig()  # replaced as a whole

    def on_event(self, listener: Callable[[Event], None]) -> None:
        """Has a function told of each change of a version's state; by other threads, for each model in order."""
        self._listeners.append(listener)

    def start(
        self,
        config: ModelServerConfig,
        *,
        wait: bool,
        config_file: Path | None = None,
        config_file_poll_seconds: float = 0.0,
    ) -> None:
        """Begins to serve.

        Args:
            config: the models.
            wait: return when each model has a version that is AVAILABLE; if need be, when the first one has appeared.
            config_file: replaces the config whenever it says something else than the current one; if it is invalid,
                the current one stays.
            config_file_poll_seconds: between looks at it; 0 is never.

        Raises:
            StatusError: the config is invalid, as in `reload`; with `wait`, UNKNOWN if all versions of a model have
                failed to load, UNAVAILABLE if it is stopped. Call `stop` then, too.
        """
        models = self._apply(config)
        if self._poll_seconds > 0:
            self._poller.each(self._poll_seconds, self._poll_versions, "versions on disk")
        if config_file is not None and config_file_poll_seconds > 0:
            self._poller.each(config_file_poll_seconds, lambda: self._poll_config(config_file), "model config file")
        if wait:
            self._await(models, "servable(s)", None)

    def stop(self, timeout: float = 30.0) -> None:
        """Unloads everything; a version only after its last request, which must not need the calling thread to end.

        Args:
            timeout: seconds to wait for requests and loads that are not done. What is left then ends by itself.
        """
        deadline = time.monotonic() + timeout
        self._poller.stop()
        # It is held for long only where a file system hangs, and then nothing new is found either.
        is_quiet = self._looking.acquire(timeout=timeout)
        models = list(self._models.values())
        for model in models:
            model.close()
        if is_quiet:
            self._looking.release()
        left = [model.name for model in models if not model.wait_until_closed(deadline)]
        if left:
            _LOG.warning("after %g s these models are still in use: %s", timeout, ", ".join(left))
        self._poller.join(deadline)

    def available(self) -> dict[str, list[int]]:
        """Returns the AVAILABLE versions of each model that the config lists, in ascending order."""
        return {model.name: self._available(model.name) for model in self._config.model_config_list.config}

    def labels(self) -> Labels:
        """Returns version by label by model."""
        return self._labels or {}

    def reload(self, config: ModelServerConfig, deadline: float | None = None) -> None:
        """Replaces the whole config, and waits until each model that was not in the old one is served.

        Args:
            config: the new one.
            deadline: of `time.monotonic()`; until then the first version of a new model may appear.

        Raises:
            StatusError: nothing has changed if the code is INVALID_ARGUMENT, FAILED_PRECONDITION or UNIMPLEMENTED.
                UNKNOWN: all versions of a new model have failed to load. DEADLINE_EXCEEDED: they have not done so yet.
                UNAVAILABLE: it is stopped.
        """
        if config.WhichOneof("config") != MODEL_LIST:
            raise invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently "
                "supported"
            )
        self._await(self._apply(config), "model(s)", deadline)

    def _apply(self, config: ModelServerConfig) -> list[ServedModel]:
        """Makes a config the current one if it is valid; returns the models that the old one does not list."""
        with self._looking:
            if self._poller.is_stopping:
                raise _stopping()
            check_model_config(config, self._config)
            if not config.WhichOneof("config"):
                return []  # an empty one at start-up: the first with models may come later
            labels = labels_of(
                config,
                current=self._labels or {},
                available=self._available,
                allow_unavailable=self._allow_labels_for_unavailable,
            )
            if labels and not self._allow_labels:
                raise StatusError(
                    grpc.StatusCode.FAILED_PRECONDITION, "Model version labels are not currently allowed by the server."
                )
            before = {model.name for model in self._config.model_config_list.config}
            names = [model.name for model in config.model_config_list.config]
            # First, for a request that finds its version unloaded looks whether the label has moved on.
            self._labels = labels
            for name in before.difference(names):
                self._models[name].withdraw()
            for name in names:
                if name not in self._models:
                    self._models[name] = ServedModel(
                        name, self._load_when_free, self._tell, self._load_retries, self._retry_seconds
                    )
                elif name not in before:
                    self._models[name].reinstate()
            self._config = ModelServerConfig.FromString(config.SerializeToString())
            self._look_for_versions()
            return [self._models[name] for name in names if name not in before]

    def _await(self, models: Sequence[ServedModel], what: str, deadline: float | None) -> None:
        failed = {model.name: errors for model in models if (errors := model.wait_until_served(deadline))}
        if failed and self._poller.is_stopping:
            raise _stopping()
        if failed:
            reasons = "".join(
                f"{{{{name: {name} version: {version}}} due to error: {error}}}, "
                for name, errors in failed.items()
                for version, error in errors.items()
            )
            raise StatusError(grpc.StatusCode.UNKNOWN, f"{len(failed)} {what} did not become available: {{{reasons}}}")

    def _poll_versions(self) -> None:
        with self._looking:
            self._look_for_versions()

    def _look_for_versions(self) -> None:
        for model in self._config.model_config_list.config:
            self._look_for_versions_of(model)

    def _look_for_versions_of(self, model: ModelConfig) -> None:
        problems: list[str] = []
        try:
            self._models[model.name].aspire(versions_to_serve(model, problems.append))
        except OSError as error:
            reason = error.strerror or error
            problems.append(f"Could not find base path {model.base_path} for servable {model.name}: {reason}")
        self._poller.warn(model.name, "; ".join(problems))

    def _poll_config(self, file: Path) -> None:
        problem = ""
        try:
            config = read_model_config(file)
            if config != self._config:
                self._apply(config)
        except SettingsError as error:
            problem = str(error)
        except StatusError as error:
            problem = f"the model config file {file} is refused: {error}"
        self._poller.warn(str(file), problem)

    def _load_when_free(self, name: str, version: int, path: str) -> "Servable":
        with self._free_loaders:
            if self._poller.is_stopping:
                raise _stopping()
            return self._load(name, version, path)

    def _tell(self, event: Event) -> None:
        servable = f"{{name: {event.model} version: {event.version}}}"
        if event.error is None:
            _LOG.info("Servable %s is %s", servable, event.state.name)
        elif event.state is State.LOADING:
            _LOG.warning(
                "Servable %s cannot be loaded, and is tried again in %g s: %s",
                *(servable, self._retry_seconds, event.error),
            )
        else:
            _LOG.error("Servable %s cannot be loaded: %s", servable, event.error)
        for listener in self._listeners:
            listener(event)


def _stopping() -> StatusError:
    return StatusError(grpc.StatusCode.UNAVAILABLE, "The server is stopping")
