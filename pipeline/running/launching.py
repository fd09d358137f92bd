"""Launches the nodes of a pipeline, with their executors in processes of their own.

TFX's Launcher resolves the inputs of a node, looks for cached outputs and publishes new ones, all in ML Metadata, in
this process and one node at a time. Only the executor runs elsewhere.
"""

import threading
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from google.protobuf.message import Message
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import base_executor_operator, data_types, launcher
from tfx.proto.orchestration import executable_spec_pb2, execution_invocation_pb2, execution_result_pb2, pipeline_pb2

from imdb_core.errors import RunError

# Executes the specification of an executor and its invocation, both serialized, and returns the serialized output.
Execute = Callable[["Execution"], bytes]

_IN_PROCESS: Final = (executable_spec_pb2.PythonClassExecutableSpec, executable_spec_pb2.BeamExecutableSpec)


class Execution(NamedTuple):
    """What `execute` needs, in a form that can be sent to another process."""

    spec: type[Message]
    serialized_spec: bytes
    invocation: bytes


def execute(execution: Execution) -> bytes:
    """Runs an executor in this process; returns a serialized ExecutorOutput."""
    spec = execution.spec.FromString(execution.serialized_spec)
    operator = launcher.DEFAULT_EXECUTOR_OPERATORS[execution.spec](executor_spec=spec)
    invocation = execution_invocation_pb2.ExecutionInvocation.FromString(execution.invocation)
    output = operator.run_executor(data_types.ExecutionInfo.from_proto(invocation))
    return bytes(output.SerializeToString())


class NodeLauncher:
    """Launches nodes of a compiled pipeline; several threads may do so at once.

    Args:
        pipeline: The pipeline, with its run id.
    """

    def __init__(self, pipeline: pipeline_pb2.Pipeline) -> None:
        self._pipeline = pipeline
        self._nodes = {node.pipeline_node.node_info.id: node.pipeline_node for node in pipeline.nodes}
        self._deployment = runner_utils.extract_local_deployment_config(pipeline)
        connection = self._deployment.metadata_connection_config
        self._connection = getattr(connection, connection.WhichOneof("connection_config"))
        self._guard = threading.RLock()

    def launch(self, node: str, execute_elsewhere: Execute) -> bool:
        """Runs a node, or takes over the outputs of an earlier execution.

        Args:
            node: The node's id.
            execute_elsewhere: Calls `execute` in another process. It is not called for a node that is cached or has no
                executor.

        Returns:
            Whether cached outputs were taken over.

        Raises:
            RunError: TFX could not find the inputs of the node, of which it raises no error itself.
            Exception: What the executor raised.
        """

        def operator(executor_spec: Message, platform_config: Message | None = None) -> "_Operator":
            return _Operator(executor_spec, platform_config, execute_elsewhere)

        connection = _GuardedMetadata(self._connection, self._guard)
        spec = runner_utils.extract_executor_spec(self._deployment, node)
        launched = launcher.Launcher(
            pipeline_node=self._nodes[node],
            mlmd_connection=connection,
            pipeline_info=self._pipeline.pipeline_info,
            pipeline_runtime_spec=self._pipeline.runtime_spec,
            executor_spec=spec,
            custom_driver_spec=runner_utils.extract_custom_driver_spec(self._deployment, node),
            custom_executor_operators=dict.fromkeys(_IN_PROCESS, operator),
        ).launch()
        if spec is None:
            return False
        state = None
        if launched.execution_id is not None:
            with connection as handle:
                (execution,) = handle.store.get_executions_by_id([launched.execution_id])
                state = execution.last_known_state
        if state not in (mlmd.Execution.COMPLETE, mlmd.Execution.CACHED):
            raise RunError("its inputs were not produced; see the log for the input that is missing")
        return bool(state == mlmd.Execution.CACHED)


class _GuardedMetadata(metadata.Metadata):  # type: ignore[misc]  # TFX ships no types
    """A connection to ML Metadata of which only one thread at a time is in a `with` block.

    SQLite would answer others that the database is locked.
    """

    def __init__(self, connection: Any, guard: threading.RLock) -> None:
        super().__init__(connection)
        self._guard = guard

    def __enter__(self) -> "_GuardedMetadata":
        self._guard.acquire()
        try:
            super().__enter__()
        except BaseException:
            self._guard.release()
            raise
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            super().__exit__(*error)
        finally:
            self._guard.release()


class _Operator(base_executor_operator.BaseExecutorOperator):  # type: ignore[misc]  # TFX ships no types
    """Runs an executor where `execute_elsewhere` says."""

    SUPPORTED_EXECUTOR_SPEC_TYPE = _IN_PROCESS
    SUPPORTED_PLATFORM_CONFIG_TYPE = ()

    def __init__(self, executor_spec: Message, platform_config: Message | None, execute_elsewhere: Execute) -> None:
        super().__init__(executor_spec, platform_config)
        self._execute_elsewhere = execute_elsewhere

    def run_executor(self, execution_info: data_types.ExecutionInfo) -> execution_result_pb2.ExecutorOutput:
        invocation = execution_info.to_proto().SerializeToString()
        spec = self._executor_spec
        output = self._execute_elsewhere(Execution(type(spec), spec.SerializeToString(), invocation))
        return execution_result_pb2.ExecutorOutput.FromString(output)
