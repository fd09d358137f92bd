"""SavedModels in graph-mode sessions, loaded by the same steps as in TensorFlow Serving.

A SavedModel that Python can load may still be one that no server can run (tensorflow/serving#2250). The steps here are
therefore those of the C++ loader: import the graph, restore the variables, run the initialisation.

TensorFlow's default spreads the ops of a run over all cores. The small ops of a recurrent network then spend more time
on being handed from thread to thread than on arithmetic, and a run takes cores from its neighbours without being any
faster. Here each core has a pool of one thread, and every run uses the least busy pool: runs are parallel, not ops.
"""

import contextlib
import copy
import itertools
import os
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow.python.client import pywrap_tf_session

from imdb_core.cores import usable_cores
from serving.server.errors import ServingError, failed_precondition, from_tensorflow, invalid_argument

POOLS: Final = usable_cores()

_INIT_OP: Final = "__saved_model_init_op"
_PLACEHOLDERS: Final = ("Placeholder", "PlaceholderWithDefault", "PlaceholderV2")
_FEED: Final = "serving_feed"
_INIT_OP_COLLECTIONS: Final = ("saved_model_main_op", "legacy_init_op")

# TensorFlow's named pools belong to the process, not to a session: all versions of all models share these counts.
_runs = [0] * POOLS
_runs_lock = threading.Lock()


def session_config() -> tf.compat.v1.ConfigProto:
    """Returns the configuration of sessions that use these thread pools and no GPU."""
    config = tf.compat.v1.ConfigProto(device_count={"GPU": 0}, intra_op_parallelism_threads=1)
    for number in range(POOLS):
        config.session_inter_op_thread_pool.add(num_threads=1, global_name=f"serving-{number}")
    return config


@contextlib.contextmanager
def least_busy() -> Iterator[int]:
    """Reserves the least busy pool for one run; yields the value of `RunOptions.inter_op_thread_pool`."""
    with _runs_lock:
        pool = _runs.index(min(_runs))
        _runs[pool] += 1
    try:
        yield pool
    finally:
        with _runs_lock:
            _runs[pool] -= 1


def open_session(
    path: str, tags: Collection[str] = (tf.saved_model.SERVING,)
) -> tuple[tf.compat.v1.Session, dict[str, meta_graph_pb2.SignatureDef]]:
    """Loads the SavedModel in a folder; returns a session on its final graph, and all signatures by key.

    Args:
        path: The folder.
        tags: Tags of the graph to load.

    Raises:
        ServingError: The SavedModel is missing, damaged or incomplete, or a signature reads a variable that nothing
            restores. TensorFlow Serving notices such a variable only when it runs the signature.
    """
    meta_graph = _read_meta_graph(path, frozenset(tags))
    _forget_input_shapes(meta_graph)
    session = tf.compat.v1.Session(graph=tf.Graph(), config=session_config())
    with contextlib.ExitStack() as failure:
        failure.callback(session.close)
        try:
            with session.graph.as_default():
                tf.import_graph_def(
                    meta_graph.graph_def, name="", producer_op_list=meta_graph.meta_info_def.stripped_op_list
                )
            meta_graph.ClearField("graph_def")  # the session has it, and it may hold all weights as constants
            _restore(session, meta_graph, path)
            _check_variables(session, meta_graph)
        except tf.errors.OpError as error:
            raise from_tensorflow(error) from None
        except (ValueError, TypeError, KeyError) as error:  # raised by Python's graph importer
            raise invalid_argument(f"The graph in {path} cannot be imported: {error}") from None
        session.graph.finalize()
        failure.pop_all()
    # Without the copies, each signature would keep the whole message in memory, including the graph.
    return session, {key: copy.deepcopy(signature) for key, signature in meta_graph.signature_def.items()}


def run_session(
    session: tf.compat.v1.Session,
    fetches: Sequence[tf.Tensor],
    feeds: Mapping[tf.Tensor, NDArray[Any]],
    options: tf.compat.v1.RunOptions,
) -> list[Any]:
    """Computes tensors of a session from `open_session`, as its method `run` does.

    At each call, `run` looks for nested fetches, new operations and values to convert. For a review of ten words that
    takes half as long as the network, and there is nothing to find: the graph is final, and the values are arrays.

    Args:
        session: The session.
        fetches: The tensors.
        feeds: Arrays of the tensors' dtypes; strings are objects of type bytes.
        options: The pool, and the time limit.

    Returns:
        An array for each tensor of `fetches`; bytes for a string without dimensions.
    """
    # The runtime computes no tensor twice, none that it is given, and not nothing.
    computed = list(dict.fromkeys(tensor for tensor in fetches if tensor not in feeds))
    if not computed:
        return [feeds[tensor] for tensor in fetches]
    buffer = pywrap_tf_session.TF_NewBufferFromString(options.SerializeToString())
    try:
        results = session._call_tf_sessionrun(
            buffer,
            {tensor._as_tf_output(): value for tensor, value in feeds.items()},
            [tensor._as_tf_output() for tensor in computed],
            [],
            None,
        )
    finally:
        pywrap_tf_session.TF_DeleteBuffer(buffer)
    values = {**feeds, **dict(zip(computed, results, strict=True))}
    return [values[tensor] for tensor in fetches]


def _read_meta_graph(path: str, tags: frozenset[str]) -> meta_graph_pb2.MetaGraphDef:
    file = os.path.join(path, "saved_model.pb")
    if not tf.io.gfile.exists(file):
        raise ServingError(
            grpc.StatusCode.NOT_FOUND,
            f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}",
        )
    try:
        with tf.io.gfile.GFile(file, "rb") as opened:
            saved = saved_model_pb2.SavedModel.FromString(opened.read())
    except tf.errors.OpError as error:
        raise from_tensorflow(error) from None
    except DecodeError:
        raise ServingError(grpc.StatusCode.DATA_LOSS, f"Can't parse {path}/saved_model.pb as binary proto") from None
    for meta_graph in saved.meta_graphs:
        if tags == set(meta_graph.meta_info_def.tags):
            return meta_graph
    raise ServingError(
        grpc.StatusCode.NOT_FOUND,
        f"Could not find meta graph def matching supplied tags: {{ {' '.join(sorted(tags))} }} in {path}",
    )


def feed_tensor(graph: tf.Graph, name: str) -> tf.Tensor:
    """Returns the tensor to feed for the input `name` of a signature, in the graph of `open_session`."""
    with contextlib.suppress(KeyError):
        return graph.get_tensor_by_name(_feed_name(name))
    return graph.get_tensor_by_name(name)


def _forget_input_shapes(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    """Lets inputs have any shape: Python's sessions check the shapes that they know, the C++ runtime does not.

    A placeholder loses its shape. Any other tensor, such as a feature parsed from a tf.Example, has an inferred shape;
    all that reads it then reads a placeholder of no shape, whose default is this tensor.
    """
    inputs = {
        _output_name(tensor.name): tensor.dtype
        for definition in meta_graph.signature_def.values()
        for tensor in definition.inputs.values()
        if tensor.name
    }
    graph = meta_graph.graph_def
    kinds = {node.name: node.op for node in graph.node}
    inferred = {
        name: dtype for name, dtype in inputs.items() if kinds.get(_node_name(name)) not in (None, *_PLACEHOLDERS)
    }
    placeholders = {_node_name(name) for name in inputs} - {_node_name(name) for name in inferred}
    for node in graph.node:
        if node.name in placeholders and "shape" in node.attr:
            node.attr["shape"].shape.Clear()
            node.attr["shape"].shape.unknown_rank = True
            node.attr.pop("_output_shapes", None)
        for number, name in enumerate(node.input):
            if not name.startswith("^") and _output_name(name) in inferred:
                node.input[number] = _feed_name(_output_name(name))
                node.attr.pop("_output_shapes", None)
    for name, dtype in inferred.items():
        node = graph.node.add(name=_node_name(_feed_name(name)), op="PlaceholderWithDefault", input=[name])
        node.attr["dtype"].type = dtype
        node.attr["shape"].shape.unknown_rank = True


def _output_name(name: str) -> str:
    """Returns the name of a tensor with its number; `x` stands for `x:0`."""
    return name if ":" in name else f"{name}:0"


def _node_name(tensor: str) -> str:
    return tensor.partition(":")[0]


def _feed_name(tensor: str) -> str:
    """Returns the name of the placeholder through which a tensor is fed that is none itself."""
    node, _, number = _output_name(tensor).partition(":")
    return f"{node}/{_FEED}_{number}:0"


def _restore(session: tf.compat.v1.Session, meta_graph: meta_graph_pb2.MetaGraphDef, path: str) -> None:
    """Restores variables and runs the initialisation of a SavedModel of TensorFlow 2 or 1."""
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
    if _INIT_OP in meta_graph.signature_def:
        names = [meta_graph.signature_def[_INIT_OP].outputs[_INIT_OP].name]
    else:
        nodes = (meta_graph.collection_def[collection].node_list.value for collection in _INIT_OP_COLLECTIONS)
        names = list(itertools.chain.from_iterable(nodes))[:1]
    session.run([session.graph.get_operation_by_name(name.partition(":")[0]) for name in names], assets)


def _check_variables(session: tf.compat.v1.Session, meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    """Checks that every variable that a signature reads is initialised."""
    outputs = {
        tensor.name.partition(":")[0]
        for key, definition in meta_graph.signature_def.items()
        if key != _INIT_OP
        for tensor in definition.outputs.values()
    }
    variables = _variables_behind(op for op in session.graph.get_operations() if op.name in outputs)
    with session.graph.as_default():
        checks = [tf.raw_ops.VarIsInitializedOp(resource=variable.outputs[0]) for variable in variables]
    missing = sorted(variable.name for variable, there in zip(variables, session.run(checks), strict=True) if not there)
    if missing:
        raise failed_precondition(
            f"Could not find variable {missing[0]}, which signatures read and nothing restores (of {len(missing)} such "
            "variables). A Keras 3 model saved with tf.saved_model.save is like this: save a tf.Module that holds its "
            "plain tf.Variables instead"
        )


def _variables_behind(operations: Iterable[tf.Operation]) -> list[tf.Operation]:
    """Returns all VarHandleOps that these operations depend on."""
    waiting, seen = list(operations), set[tf.Operation]()
    while waiting:
        operation = waiting.pop()
        if operation not in seen:
            seen.add(operation)
            waiting += [tensor.op for tensor in operation.inputs]
            waiting += operation.control_inputs
    return [operation for operation in seen if operation.type == "VarHandleOp"]
