"""Runs the pipeline on this machine and reports which node failed, if any."""

import contextlib
import functools
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.proto.orchestration import pipeline_pb2

from components.trainer.devices import hide_gpus, quiet_keras
from imdb_core.disk import is_full_disk
from imdb_core.errors import ReviewPipelineError, RunError
from imdb_core.temporary import private_temporary_folder
from pipeline.graph.pipeline import create_pipeline
from pipeline.history.runs import SUCCEEDED, PastNode, run_nodes
from pipeline.running.console import quiet_console
from pipeline.running.finished_run import FinishedRun, write_failure
from pipeline.running.live_view import RUN_LINES, run_view
from pipeline.running.monitor import NodeMonitor, NodeUsage
from pipeline.running.space import describe_full_run, require_space_for_first_run
from pipeline.settings import Settings
from pipeline.workspace.metadata_connection import metadata_connection
from pipeline.workspace.places import prepare_places
from pipeline.workspace.repair import repair
from pipeline.workspace.store import WorkspaceStore
from pipeline.workspace.working_folder import working_in


class CheckedRunner(LocalDagRunner):  # type: ignore[misc]  # TFX ships no types
    """TFX's LocalDagRunner, which also checks the outcome and keeps the console quiet.

    LocalDagRunner returns normally when the inputs of a node cannot be resolved; this runner raises an error. While
    TFX's command line registers the pipeline, it replaces `run`: nothing here is executed and `outcome` stays None.

    Args:
        settings: The settings of the run.
        workspace: Absolute path of the workspace.
        verbose: Whether to show the logs of all libraries.
        max_lines: The maximum number of progress lines if the output is not a terminal.
        on_node_end: Called with each node that has succeeded.

    Attributes:
        outcome: The run, once it has succeeded.
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
        self.outcome: FinishedRun | None = None
        self._settings = settings
        self._workspace = workspace
        self._verbose = verbose
        self._max_lines = max_lines
        self._on_node_end = on_node_end

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, run_options: Any = None) -> None:
        """Runs all nodes, and writes the run's id into the compiled pipeline.

        Raises:
            RunError: A node did not succeed. The message names the node, the cause and the log.
        """
        # TensorFlow in Beam's stages would take all the memory of a GPU, which the Trainers need in their own process.
        hide_gpus()
        quiet_keras()
        log_file = self._workspace / "logs" / f"run-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
        require_space_for_first_run(self._settings.config, self._workspace, log_file.parent)
        node_ids = [node.pipeline_node.node_info.id for node in pipeline.nodes]
        view = functools.partial(run_view, nodes=node_ids, log_file=log_file, max_lines=self._max_lines)
        monitor = NodeMonitor(self._on_node_end)
        cause: Exception | None = None
        started = time.monotonic()
        connection = metadata_connection(self._settings.config.metadata, self._workspace)
        for sentence in repair(WorkspaceStore(connection), self._workspace):
            print(sentence, flush=True)
        with (
            working_in(self._workspace),
            private_temporary_folder(),
            quiet_console(log_file, verbose=self._verbose, view=view),
        ):
            monitor.start()
            try:
                super().run_with_ir(pipeline, run_options)
            except Exception as error:  # reported below, with the name of the node
                logging.getLogger(__name__).exception("The run failed")
                cause = error
                if is_full_disk(error):
                    # Before the node's unfinished outputs and the temporary folder are gone.
                    cause = RunError(describe_full_run(self._settings.config, self._workspace))
            finally:
                monitor.stop()
        seconds = time.monotonic() - started

        run_id = pipeline.runtime_spec.pipeline_run_id.field_value.string_value
        nodes = run_nodes(connection, run_id, node_ids)
        failed = next((node for node in nodes.values() if node.state not in SUCCEEDED), None)
        run = FinishedRun(
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
            message = _failure_message(run, failed, cause)
            with contextlib.suppress(OSError):  # the message below matters more than its copy
                write_failure(run, message)
            raise RunError(message) from cause
        self.outcome = run


def run_pipeline(settings: Settings, workspace: Path, *, verbose: bool = False) -> FinishedRun | None:
    """Runs the pipeline on this machine; returns None while TFX's command line only registers it.

    Args:
        settings: The settings of the run.
        workspace: Absolute path of the workspace; created if missing.
        verbose: Whether to show the logs of all libraries.

    Raises:
        ReviewPipelineError: The run did not succeed.
    """
    places = prepare_places(settings.config, workspace)
    connection = metadata_connection(settings.config.metadata, workspace)
    pipeline = create_pipeline(settings.config, places, connection)
    runner = CheckedRunner(settings, workspace, verbose=verbose)
    runner.run(pipeline)
    return runner.outcome


def _failure_message(run: FinishedRun, failed: PastNode | None, cause: Exception | None) -> str:
    """Writes one paragraph: which node failed, why, where the log is, and what to do."""
    node = failed.node if failed else run.usages[-1].node if run.usages else None
    if own := _own_error(cause):
        reason = str(own)
    elif cause is not None:
        first_line = next(iter(str(cause).splitlines()), "")
        reason = f"{type(cause).__name__}: {first_line}\nUnexpected error; see the end of the log."
    else:
        reason = f"it ended as {failed.state if failed else 'unknown'}: its inputs were not produced"
    return (
        f"{node or 'the pipeline'} failed: {reason}\nThe full log is {run.log_file}. Fix the cause and run the same "
        f"command again{f'; it resumes at {node}' if node else ''}."
    )


def _own_error(error: BaseException | None) -> ReviewPipelineError | None:
    while error is not None:
        if isinstance(error, ReviewPipelineError):
            return error
        error = error.__cause__ or error.__context__
    return None
