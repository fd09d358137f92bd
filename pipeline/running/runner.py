"""One run of the pipeline: from settings to what a person wants to know at the end."""

import functools
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.proto.orchestration import pipeline_pb2

from components.trainer.devices import hide_gpus
from imdb_core.errors import ReviewPipelineError, RunError
from imdb_core.file_names import FAILURE_FILE
from imdb_core.files import write_json
from pipeline.graph import main
from pipeline.history import run_states
from pipeline.history.run_states import NodeState
from pipeline.running.console import quiet_console
from pipeline.running.live_view import RUN_LINES, run_view
from pipeline.running.monitor import NodeMonitor, NodeUsage
from pipeline.settings.config import Settings, flatten
from pipeline.workspace.metadata_connection import metadata_connection
from pipeline.workspace.package_versions import package_versions
from pipeline.workspace.places import prepare_places
from pipeline.workspace.run_folder import run_folder


@dataclass(frozen=True)
class Run:
    """A run that has ended.

    Attributes:
        run_id: MLMD's name of it.
        settings: it ran with.
        workspace: it wrote to.
        nodes: how each node ended.
        usages: time and memory of each node.
        seconds: wall time of all.
        log_file: the full log.
        upstream: for each node those that it waits for.
    """

    run_id: str
    settings: Settings
    workspace: Path
    nodes: dict[str, NodeState]
    usages: list[NodeUsage]
    seconds: float
    log_file: Path
    upstream: dict[str, list[str]]


class CheckedRunner(LocalDagRunner):  # type: ignore[misc]  # TFX ships no types
    """TFX's LocalDagRunner, with an eye on the outcome.

    LocalDagRunner returns as if all were well when the inputs of a node cannot be resolved. While TFX's command line
    registers the pipeline it replaces `run`, so that nothing here is executed then and `outcome` stays None.

    Args:
        settings: of the run.
        workspace: absolute.
        verbose: show the logs of all libraries.
        max_lines: where the output is no terminal, print at most so many; for pipelines of very many nodes.
        on_node_end: told of each node that has succeeded.
    """

    def __init__(
        self,
        settings: Settings,
        workspace: Path,
        *,
        verbose: bool,
        max_lines: int = RUN_LINES,
        on_node_end: Callable[[NodeUsage], None] | None = None,
    ) -> None:
        super().__init__()
        self.outcome: Run | None = None
        self._settings = settings
        self._workspace = workspace
        self._verbose = verbose
        self._max_lines = max_lines
        self._on_node_end = on_node_end

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, run_options: Any = None) -> None:
        """Runs all nodes.

        Args:
            pipeline: compiled; the run id is written into it.
            run_options: TFX's.

        Raises:
            RunError: a node did not succeed; its message names the node, the cause and the log.
        """
        # Beam's TensorFlow would take all the memory of a GPU; the Trainers open it in a process of their own.
        hide_gpus()
        keras.config.disable_interactive_logging()
        log_file = self._workspace / "logs" / f"run-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
        node_ids = [node.pipeline_node.node_info.id for node in pipeline.nodes]
        view = functools.partial(run_view, nodes=node_ids, log_file=log_file, max_lines=self._max_lines)
        monitor = NodeMonitor(self._on_node_end)
        cause: Exception | None = None
        started = time.monotonic()
        with quiet_console(log_file, verbose=self._verbose, view=view):
            monitor.start()
            try:
                super().run_with_ir(pipeline, run_options)
            except Exception as error:  # told below, with the node's name
                logging.getLogger(__name__).exception("The run failed")
                cause = error
            finally:
                monitor.stop()
        seconds = time.monotonic() - started

        run_id = pipeline.runtime_spec.pipeline_run_id.field_value.string_value
        connection = metadata_connection(self._settings.config.metadata, self._workspace)
        nodes = run_states.run_nodes(connection, pipeline.pipeline_info.id, run_id, node_ids)
        failed = next((state for state in nodes.values() if state.state not in run_states.SUCCEEDED), None)
        run = Run(
            run_id=run_id,
            settings=self._settings,
            workspace=self._workspace,
            nodes=nodes,
            usages=monitor.usages,
            seconds=seconds,
            log_file=log_file,
            upstream={
                node.pipeline_node.node_info.id: list(node.pipeline_node.upstream_nodes) for node in pipeline.nodes
            },
        )
        if failed is not None or cause is not None:
            message = _failure(failed, cause, monitor, log_file)
            _record_failure(run, message)
            raise RunError(message) from cause
        self.outcome = run


def run_pipeline(settings: Settings, workspace: Path, *, verbose: bool = False) -> Run | None:
    """Runs the pipeline on this machine.

    Args:
        settings: validated.
        workspace: absolute; made if missing.
        verbose: show the logs of all libraries.

    Returns:
        The run; None where TFX's command line only registers the pipeline.

    Raises:
        ReviewPipelineError: the run did not succeed.
    """
    places = prepare_places(settings.config, workspace)
    connection = metadata_connection(settings.config.metadata, workspace)
    pipeline = main.create_pipeline(settings.config, places, connection)
    runner = CheckedRunner(settings, workspace, verbose=verbose)
    runner.run(pipeline)
    return runner.outcome


def node_records(run: Run) -> list[dict[str, Any]]:
    """What each node of a run took: JSON, in the order of the nodes.

    Args:
        run: ended, well or not.
    """
    usages = {usage.node: usage for usage in run.usages}
    return [
        {
            "node": name,
            "state": state.state,
            "seconds": round(usages[name].seconds, 2) if name in usages else None,
            "peak_megabytes": round(usages[name].peak_megabytes) if name in usages else None,
        }
        for name, state in run.nodes.items()
    ]


def _record_failure(run: Run, message: str) -> None:
    """Keeps what a run that failed can tell, for `imdb-attention runs` and `report`."""
    record = {
        "run_id": run.run_id,
        "seconds": round(run.seconds, 1),
        "error": message,
        "log": str(run.log_file),
        "settings": flatten(run.settings.config),
        "nodes": node_records(run),
        "upstream": run.upstream,
        "versions": package_versions(),
    }
    write_json(run_folder(run.workspace, run.run_id) / FAILURE_FILE, record)


def _failure(failed: NodeState | None, cause: Exception | None, monitor: NodeMonitor, log_file: Path) -> str:
    """Writes one paragraph: which node, what happened, what to do, where the log is."""
    node = failed.node if failed else monitor.usages[-1].node if monitor.usages else "the pipeline"
    own = _own_error(cause)
    if own is not None:
        reason = str(own)
    elif cause is not None:
        reason = (
            f"{type(cause).__name__}: {_first_line(cause)}\nThis is no error that the pipeline foresees: the end of "
            "the log shows where it came from"
        )
    else:
        reason = f"it ended as {failed.state if failed else 'unknown'}: its inputs were not produced"
    return (
        f"{node} failed: {reason}\nThe full log is {log_file}. When the cause is mended, the same command continues "
        f"from {node}."
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")


def _own_error(error: BaseException | None) -> ReviewPipelineError | None:
    while error is not None:
        if isinstance(error, ReviewPipelineError):
            return error
        error = error.__cause__ or error.__context__
    return None
