"""A SavedModel in a session, the way TensorFlow Serving loads it.

Graph mode is the point. A SavedModel that Python can load may still be one that no server can run
(tensorflow/serving#2250), so the steps here are those of the C++ loader: import the graph, restore, initialise.
"""

import contextlib
import copy
import os
from collections.abc import Iterable
from typing import Final

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from serving.server.errors import StatusError, from_tensorflow, invalid_argument
from serving.server.execution.run_pools import session_config

_SERVE_TAG: Final = "serve"
INIT_OP: Final = "__saved_model_init_op"
_INIT_OP_COLLECTIONS: Final = ("saved_model_main_op", "legacy_init_op")


def open_session(path: str) -> tuple[tf.compat.v1.Session, dict[str, meta_graph_pb2.SignatureDef]]:
    """Loads a SavedModel, or finds out that it cannot be served.

    Args:
        path: folder of `saved_model.pb`.

    Returns:
        A session on the model's final graph, and all signatures by key.

    Raises:
        StatusError: there is no such SavedModel, its files are damaged or incomplete, or a signature reads a variable
            that nothing restores. A real server finds the last only when it runs the signature.
    """
    meta_graph = _read_meta_graph(path)
    _forget_input_shapes(meta_graph)
    session = tf.compat.v1.Session(graph=tf.Graph(), config=session_config())
    with contextlib.ExitStack() as failure:
        failure.callback(session.close)
        try:
            with session.graph.as_default():
                tf.import_graph_def(
                    meta_graph.graph_def, name="", producer_op_list=meta_graph.meta_info_def.stripped_op_list
                )
            _restore(session, meta_graph, path)
            _check_variables(session, meta_graph)
        except tf.errors.OpError as error:
            raise from_tensorflow(error) from None
        except (ValueError, TypeError, KeyError) as error:  # what Python's graph importer raises
            raise invalid_argument(f"The graph in {path} cannot be imported: {error}") from None
        session.graph.finalize()
        failure.pop_all()
    # Copies: a part of a message keeps all of it in memory, the graph too.
    return session, {key: copy.deepcopy(signature) for key, signature in meta_graph.signature_def.items()}


def _read_meta_graph(path: str) -> meta_graph_pb2.MetaGraphDef:
    try:
        with tf.io.gfile.GFile(os.path.join(path, "saved_model.pb"), "rb") as file:
            saved = saved_model_pb2.SavedModel.FromString(file.read())
    except tf.errors.NotFoundError:
        raise StatusError(
            grpc.StatusCode.NOT_FOUND,
            f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}",
        ) from None
    except DecodeError:
        raise StatusError(grpc.StatusCode.DATA_LOSS, f"Can't parse {path}/saved_model.pb as binary proto") from None
    for meta_graph in saved.meta_graphs:
        if set(meta_graph.meta_info_def.tags) == {_SERVE_TAG}:
            return meta_graph
    raise StatusError(
        grpc.StatusCode.NOT_FOUND,
        f"Could not find meta graph def matching supplied tags: {{ {_SERVE_TAG} }} in {path}",
    )


def _forget_input_shapes(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    """Python's sessions check them; the C++ runtime, whose contract this is, does not."""
    inputs = {
        tensor.name.partition(":")[0]
        for definition in meta_graph.signature_def.values()
        for tensor in definition.inputs.values()
    }
    for node in meta_graph.graph_def.node:
        if node.name in inputs and "shape" in node.attr:
            node.attr["shape"].shape.Clear()
            node.attr["shape"].shape.unknown_rank = True
            node.attr.pop("_output_shapes", None)


def _restore(session: tf.compat.v1.Session, meta_graph: meta_graph_pb2.MetaGraphDef, path: str) -> None:
    """Restores variables and runs the initialisation, of TensorFlow 2's and 1's SavedModels."""
    assets = {
        asset.tensor_info.name: os.path.join(path, "assets", asset.filename) for asset in meta_graph.asset_file_def
    }
    variables = os.path.join(path, "variables", "variables")
    if meta_graph.HasField("saver_def") and tf.io.gfile.exists(variables + ".index"):
        saver = meta_graph.saver_def
        session.run(
            session.graph.get_operation_by_name(saver.restore_op_name.partition(":")[0]),
            {saver.filename_tensor_name: variables},
        )
    if INIT_OP in meta_graph.signature_def:
        names = [meta_graph.signature_def[INIT_OP].outputs[INIT_OP].name]
    else:
        names = [
            name
            for collection in _INIT_OP_COLLECTIONS
            for name in meta_graph.collection_def[collection].node_list.value
        ][:1]
    session.run([session.graph.get_operation_by_name(name.partition(":")[0]) for name in names], assets)


def _check_variables(session: tf.compat.v1.Session, meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    """What a signature reads must have been restored or initialised."""
    outputs = {
        tensor.name.partition(":")[0]
        for key, definition in meta_graph.signature_def.items()
        if key != INIT_OP
        for tensor in definition.outputs.values()
    }
    variables = _variables_behind(op for op in session.graph.get_operations() if op.name in outputs)
    with session.graph.as_default():
        checks = [tf.raw_ops.VarIsInitializedOp(resource=variable.outputs[0]) for variable in variables]
    missing = sorted(variable.name for variable, there in zip(variables, session.run(checks), strict=True) if not there)
    if missing:
        raise StatusError(
            grpc.StatusCode.FAILED_PRECONDITION,
            f"Could not find variable {missing[0]}, which signatures read and nothing restores (of {len(missing)} such "
            "variables). A Keras 3 model saved with tf.saved_model.save is like this: save a tf.Module that holds its "
            "plain tf.Variables instead",
        )


def _variables_behind(operations: Iterable[tf.Operation]) -> list[tf.Operation]:
    """All VarHandleOps that these operations depend on."""
    waiting, seen = list(operations), set[tf.Operation]()
    while waiting:
        operation = waiting.pop()
        if operation not in seen:
            seen.add(operation)
            waiting += [tensor.op for tensor in operation.inputs]
            waiting += operation.control_inputs
    return [operation for operation in seen if operation.type == "VarHandleOp"]
