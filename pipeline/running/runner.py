"""Runs the pipeline on this machine and reports which node failed, if any."""

import contextlib
import functools
import logging
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TextIO

from tfx.dsl.compiler.constants import PIPELINE_RUN_ID_PARAMETER_NAME
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.portable import runtime_parameter_utils
from tfx.proto.orchestration import pipeline_pb2

from components.trainer.settings import TRAINER
from components.tuner.component import TUNER
from imdb_core import progress
from imdb_core.cores import usable_cores
from imdb_core.disk import is_full_disk
from imdb_core.errors import ReviewPipelineError, RunError
from imdb_core.fork_server import ForkServer, Task
from imdb_core.temporary import private_temporary_folder
from pipeline.graph.pipeline import create_pipeline
from pipeline.history.runs import SUCCEEDED, PastNode, run_nodes
from pipeline.running import machine
from pipeline.running.console import quiet_console
from pipeline.running.finished_run import FinishedRun, write_failure
from pipeline.running.launching import Execution, NodeLauncher, execute
from pipeline.running.live_view import RUN_LINES, run_view
from pipeline.running.monitor import NodeMonitor, NodeUsage
from pipeline.running.schedule import run_side_by_side, upstream_of
from pipeline.running.space import describe_full_run, require_space_for_first_run
from pipeline.settings import PipelineConfig, Settings
from pipeline.workspace.metadata_connection import metadata_connection
from pipeline.workspace.places import prepare_places
from pipeline.workspace.repair import repair
from pipeline.workspace.store import WorkspaceStore
from pipeline.workspace.working_folder import working_in

_PUSHER: Final = "Pusher"
# What the Pusher does not wait for leaves the processor to what it does wait for.
_BACKGROUND: Final = 10

_log = logging.getLogger(__name__)


class CheckedRunner(LocalDagRunner):  # type: ignore[misc]  # TFX ships no types
    """Runs the nodes of a pipeline side by side, checks the outcome and keeps the console quiet.

    TFX's LocalDagRunner runs one node after the other, and returns normally when the inputs of a node cannot be
    resolved; this runner raises an error. While TFX's command line registers the pipeline, it replaces `run`: nothing
    here is executed and `outcome` stays None.

    Args:
        settings: The settings of the run.
        workspace: Absolute path of the workspace.
        verbose: Whether to show the logs of all libraries.
        max_lines: The maximum number of progress lines if the output is not a terminal.
        on_node_end: Called, in any thread, with each node that has succeeded.

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
            RunError: A node did not succeed. The message names the node, the cause and the log. Nodes that do not
                depend on it have run.
        """
        if run_options is not None:
            raise RunError("partial runs are not supported; a whole run takes over all outputs that are still valid")
        run_id = datetime.now().isoformat()  # as TFX's own runner makes it, in local time
        runtime_parameter_utils.substitute_runtime_parameter(pipeline, {PIPELINE_RUN_ID_PARAMETER_NAME: run_id})
        log_file = self._workspace / "logs" / f"run-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
        require_space_for_first_run(self._settings.config, self._workspace, log_file.parent)
        upstream = {node.pipeline_node.node_info.id: list(node.pipeline_node.upstream_nodes) for node in pipeline.nodes}
        view = functools.partial(run_view, nodes=list(upstream), log_file=log_file, max_lines=self._max_lines)
        monitor = NodeMonitor(self._on_node_end)
        started = time.monotonic()
        connection = metadata_connection(self._settings.config.metadata, self._workspace)
        with contextlib.ExitStack() as stack:
            stack.enter_context(working_in(self._workspace))
            stack.enter_context(private_temporary_folder())
            # Before anything starts a thread.
            server = stack.enter_context(
                ForkServer(lambda: stack.enter_context(quiet_console(log_file, verbose=self._verbose, view=_no_view)))
            )
            for sentence in repair(WorkspaceStore(connection), self._workspace):
                print(sentence, flush=True)
            stack.enter_context(quiet_console(log_file, verbose=self._verbose, view=view))
            stack.enter_context(monitor.measuring())
            nodes = _Nodes(pipeline, server, monitor, self._settings.config, upstream)
            errors = run_side_by_side(
                upstream, nodes.run, jobs=nodes.jobs, first=upstream_of(_PUSHER, upstream), stop=server.end
            )
            if any(is_full_disk(error) for error in errors.values()):
                # Before the unfinished outputs of the node and the temporary folder are gone.
                full = RunError(describe_full_run(self._settings.config, self._workspace))
                errors = {node: full if is_full_disk(error) else error for node, error in errors.items()}
        run = FinishedRun(
            run_id=run_id,
            settings=self._settings,
            workspace=self._workspace,
            nodes=run_nodes(connection, run_id, list(upstream)),
            usages=monitor.usages,
            seconds=time.monotonic() - started,
            peak_megabytes=monitor.peak_megabytes,
            log_file=log_file,
            upstream=upstream,
        )
        failed = next((node for node in run.nodes.values() if node.state not in SUCCEEDED), None)
        if errors or failed is not None:
            message = _failure_message(run, errors, failed)
            with contextlib.suppress(OSError):  # the message below matters more than its copy
                write_failure(run, message)
            raise RunError(message) from next(iter(errors.values()), None)
        self.outcome = run


class _Nodes:
    """Runs the nodes of a pipeline; several threads may do so at once."""

    def __init__(
        self,
        pipeline: pipeline_pb2.Pipeline,
        server: ForkServer,
        monitor: NodeMonitor,
        config: PipelineConfig,
        upstream: Mapping[str, Collection[str]],
    ) -> None:
        self.jobs = usable_cores() if config.run.jobs == "auto" else config.run.jobs
        self._server = server
        self._monitor = monitor
        self._launcher = NodeLauncher(pipeline)
        trainers = [node for node in upstream if node.startswith(TRAINER)]
        # How many share the GPUs, which must not depend on `jobs`, as the last digits of the weights depend on it. The
        # Tuner trains alone.
        self._sharing = {node: len(trainers) for node in trainers} | {TUNER: 1}
        self._gpus = machine.GpuBudget(machine.gpus() if config.training.device != "cpu" else [])
        self._first = upstream_of(_PUSHER, upstream)

    def run(self, node: str) -> None:
        self._monitor.begin(node)
        _log.info("Component %s is running.", node)
        try:
            cached = self._launcher.launch(node, functools.partial(self._execute, node))
        except Exception:
            _log.exception("%s failed", node)
            self._monitor.fail(node)
            raise
        self._monitor.end(node, cached=cached)

    def _execute(self, node: str, execution: Execution) -> bytes:
        niceness = _BACKGROUND if self._first and node not in self._first else 0
        sharing = self._sharing.get(node)
        with self._gpus.taken(by=sharing) if sharing else contextlib.nullcontext(machine.no_gpu()) as environ:
            result: bytes = self._server.run(
                Task(execute, execution, environ, niceness),
                on_start=functools.partial(self._monitor.watch_process, node),
                on_record=functools.partial(progress.pass_on, node=node),
            )
        return result


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


@contextlib.contextmanager
def _no_view(terminal: TextIO) -> Iterator[logging.Handler]:
    """Shows nothing: the main process does, which gets the records of the others."""
    del terminal
    yield logging.NullHandler()


def _failure_message(run: FinishedRun, errors: Mapping[str, Exception], failed: PastNode | None) -> str:
    """Writes one paragraph: which node failed, why, where the log is, and what to do; then a line for each other."""
    (node, reason), *others = [(name, _reason(error)) for name, error in errors.items()] or [
        (failed.node, f"it ended as {failed.state}: its inputs were not produced")  # type: ignore[union-attr]  # one is
    ]
    also = "".join(f"\n{name} failed too: {why}" for name, why in others)
    return (
        f"{node} failed: {reason}\nThe full log is {run.log_file}. Fix the cause and run the same command again; it "
        f"resumes at {node}.{also}"
    )


def _reason(error: Exception) -> str:
    if own := _own_error(error):
        return str(own)
    first_line = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first_line}\nUnexpected error; see the end of the log."


def _own_error(error: BaseException | None) -> ReviewPipelineError | None:
    while error is not None:
        if isinstance(error, ReviewPipelineError):
            return error
        error = error.__cause__ or error.__context__
    return None
