"""Serves the models that the config lists: finds their versions on disk, loads them and follows changes."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from imdb_core.errors import SettingsError
from serving.server.config.model_config import MODEL_LIST, check_model_config, read_model_config
from serving.server.errors import ServingError, invalid_argument
from serving.server.models.lifecycle import ServableState, StateChange
from serving.server.models.lookup import Labels, ModelLookup
from serving.server.models.polling import Polling
from serving.server.models.served_model import Load, ServedModel
from serving.server.models.source import versions_to_serve

if TYPE_CHECKING:
    from serving.server.execution.servable import Servable

_LOG: Final = logging.getLogger(__name__)


class ModelManager(ModelLookup):
    """Serves models by name, version and label. All methods are thread-safe.

    Args:
        load: Loads a servable, ready for requests, from name, version and path; raises ServingError.
        poll_seconds: Time between searches for new versions; 0 for one search per config.
        load_retries: Number of times a failed load is retried.
        retry_seconds: Time before each retry.
        load_threads: Number of versions that load at the same time; 0 for one per model.
        allow_labels_for_unavailable: Whether a new label may name a version that is not AVAILABLE.
    """

    def __init__(
        self,
        load: Load,
        *,
        poll_seconds: float = 1.0,
        load_retries: int = 5,
        retry_seconds: float = 60.0,
        load_threads: int = 0,
        allow_labels_for_unavailable: bool = False,
    ) -> None:
        super().__init__()
        self._load = load
        self._free_loaders = threading.BoundedSemaphore(load_threads) if load_threads else nullcontext()
        self._poll_seconds = poll_seconds
        self._load_retries = load_retries
        self._retry_seconds = retry_seconds
        self._allow_labels_for_unavailable = allow_labels_for_unavailable
        self._listeners: list[Callable[[StateChange], None]] = []
        self._poller = Polling()
        # Held during every search for versions, so that no search continues with a config that has been replaced.
        self._looking = threading.Lock()
        self._config = ModelServerConfig()  # always replaced as a whole, never changed

    def on_state_change(self, listener: Callable[[StateChange], None]) -> None:
        """Adds a listener; other threads call it with every state change, in order for each model."""
        self._listeners.append(listener)

    def start(
        self,
        config: ModelServerConfig,
        *,
        wait: bool,
        config_file: Path | None = None,
        config_file_poll_seconds: float = 0.0,
    ) -> None:
        """Starts to serve. Call `stop` afterwards, even if this fails.

        Args:
            config: The initial config.
            wait: Whether to return only when each model has an AVAILABLE version; the first version may appear later.
            config_file: File whose content replaces the current config whenever the two differ and the file is valid.
            config_file_poll_seconds: Time between reads of this file; 0 to never read it.

        Raises:
            ServingError: The config is invalid, as for `reload`; with `wait`, UNKNOWN if all versions of a model have
                failed to load, UNAVAILABLE if the manager is stopped.
        """
        models = self._apply(config)
        if self._poll_seconds > 0:
            self._poller.each(self._poll_seconds, self._poll_versions, "versions on disk")
        if config_file is not None and config_file_poll_seconds > 0:
            self._poller.each(config_file_poll_seconds, lambda: self._poll_config(config_file), "model config file")
        if wait:
            self._await(models, "servable(s)", None)

    def stop(self, timeout: float = 30.0) -> None:
        """Unloads all versions, each after its last request; that request must not depend on the calling thread.

        Args:
            timeout: Seconds to wait for running requests and loads. Those that take longer end in the background.
        """
        deadline = time.monotonic() + timeout
        self._poller.stop()
        # Only a file system that hangs holds the lock for long, and then no new version is found either.
        is_quiet = self._looking.acquire(timeout=timeout)
        models = list(self._models.values())
        for model in models:
            model.close()
        if is_quiet:
            self._looking.release()
        left = [model.name for model in models if not model.wait_until_closed(deadline)]
        if left and timeout:
            _LOG.warning("These models are still in use after %g s: %s", timeout, ", ".join(left))
        self._poller.join(deadline)

    def available(self) -> dict[str, list[int]]:
        """Returns the AVAILABLE versions of each model that the config lists, in ascending order."""
        return {model.name: self._available(model.name) for model in self._config.model_config_list.config}

    def labels(self) -> Labels:
        """Returns model → label → version."""
        return self._labels or {}

    def reload(self, config: ModelServerConfig, deadline: float | None = None) -> None:
        """Replaces the whole config and waits until each new model has an AVAILABLE version.

        The deadline of the wait is a time of `time.monotonic()`; None for no limit.

        Raises:
            ServingError: INVALID_ARGUMENT, FAILED_PRECONDITION or UNIMPLEMENTED if the config is refused; nothing has
                changed then. UNKNOWN if all versions of a new model have failed to load, DEADLINE_EXCEEDED if none is
                AVAILABLE at the deadline, UNAVAILABLE if the manager is stopped.
        """
        if config.WhichOneof("config") != MODEL_LIST:
            raise invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently "
                "supported"
            )
        self._await(self._apply(config), "model(s)", deadline)

    def _apply(self, config: ModelServerConfig) -> list[ServedModel]:
        """Makes a valid config the current one; returns the models that the old config does not list."""
        with self._looking:
            self._check_running()
            check_model_config(config, self._config)
            if not config.WhichOneof("config"):
                return []  # an empty config at start-up, which a later one may replace
            labels = self._labels_of(config, allow_unavailable=self._allow_labels_for_unavailable)
            before = {model.name for model in self._config.model_config_list.config}
            names = [model.name for model in config.model_config_list.config]
            # Labels change first: a request whose version was unloaded checks whether its label has moved.
            self._labels = labels
            for name in before.difference(names):
                self._models[name].withdraw()
            for name in names:
                if name not in self._models:
                    self._models[name] = ServedModel(
                        name, self._load_when_free, self._log_and_publish, self._load_retries, self._retry_seconds
                    )
                elif name not in before:
                    self._models[name].reinstate()
            self._config = ModelServerConfig.FromString(config.SerializeToString())
            self._look_for_versions()
            return [self._models[name] for name in names if name not in before]

    def _await(self, models: Sequence[ServedModel], what: str, deadline: float | None) -> None:
        failed = {model.name: errors for model in models if (errors := model.wait_until_served(deadline))}
        if failed:
            self._check_running()
            reasons = "".join(
                f"{{{{name: {name} version: {version}}} due to error: {error}}}, "
                for name, errors in failed.items()
                for version, error in errors.items()
            )
            raise ServingError(grpc.StatusCode.UNKNOWN, f"{len(failed)} {what} did not become available: {{{reasons}}}")

    def _poll_versions(self) -> None:
        with self._looking:
            self._look_for_versions()

    def _look_for_versions(self) -> None:
        for model in self._config.model_config_list.config:
            problems: list[str] = []
            try:
                self._models[model.name].aspire(versions_to_serve(model, problems.append))
                self._models[model.name].retry_changed()
            except (OSError, ValueError) as error:  # ValueError: not the path of a file
                reason = getattr(error, "strerror", None) or error
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
        except ServingError as error:
            problem = f"Refused the model config file {file}: {error}"
        self._poller.warn(str(file), problem)

    def _load_when_free(self, name: str, version: int, path: str) -> "Servable":
        with self._free_loaders:
            self._check_running()
            return self._load(name, version, path)

    def _log_and_publish(self, event: StateChange) -> None:
        servable = f"{{name: {event.model} version: {event.version}}}"
        if event.error is None:
            _LOG.info("Servable %s is %s", servable, event.state.name)
        elif event.state is ServableState.LOADING:
            again = "Servable %s cannot be loaded; retrying in %g s: %s"
            _LOG.warning(again, servable, self._retry_seconds, event.error)
        else:
            _LOG.error("Servable %s cannot be loaded: %s", servable, event.error)
        for listener in self._listeners:
            listener(event)

    def _check_running(self) -> None:
        if self._poller.is_stopping:
            raise ServingError(grpc.StatusCode.UNAVAILABLE, "The server is stopping")
