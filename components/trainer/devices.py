"""The devices that training runs on."""

import functools
import logging

import keras
import tensorflow as tf

from imdb_core.errors import DeviceError
from imdb_core.settings import TrainingSettings

_log = logging.getLogger(__name__)


def prepare_device(training: TrainingSettings) -> tf.distribute.Strategy:
    """Chooses the device and configures TensorFlow and Keras for it. Call it before anything uses TensorFlow.

    GPU memory is taken as needed rather than all at once. Several GPUs share each batch. A CPU computes with one
    thread, because the number of threads would change the last digits of the weights; two trainings side by side, one
    core each, take less time than two with all cores one after the other. The function always sets Keras's global
    dtype policy, because an earlier Trainer in the same process may have changed it.

    Returns:
        The strategy in whose scope to build and compile the model.

    Raises:
        DeviceError: `device = "gpu"` without a GPU; `mixed_precision` with `device = "cpu"`; or TensorFlow already runs
            in this process with other devices than requested.
    """
    if training.device == "cpu" and training.mixed_precision:
        raise DeviceError(
            "training.mixed_precision = true with training.device = 'cpu': a CPU is slower in float16; "
            "leave mixed_precision false, or set device = 'gpu'"
        )
    if training.device == "cpu":
        _hide_gpus()
    gpus = _prepared_gpus()
    if training.device == "gpu" and not gpus:
        raise DeviceError(
            "training.device = 'gpu', but TensorFlow sees no GPU here; install the extra `gpu` (it brings CUDA) on a "
            "machine with an NVIDIA driver and leave CUDA_VISIBLE_DEVICES unset, or set device = 'auto' or 'cpu'"
        )
    if training.mixed_precision and not gpus:
        _log.warning("no GPU found: training.mixed_precision = true is ignored, the CPU computes in float32")
    keras.config.set_dtype_policy("mixed_float16" if training.mixed_precision and gpus else "float32")
    return strategy_over(tuple(gpus))


@functools.cache
def strategy_over(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    """Returns MirroredStrategy for several logical devices such as `GPU:0`, else TensorFlow's default strategy.

    The same devices always get the same strategy: two would mix up their messages between devices.
    """
    return tf.distribute.MirroredStrategy(list(devices)) if len(devices) > 1 else tf.distribute.get_strategy()


def _hide_gpus() -> None:
    try:
        tf.config.set_visible_devices([], "GPU")
    except RuntimeError as error:
        raise DeviceError(
            "the GPUs can no longer be hidden: TensorFlow already uses them in this process; "
            "start it with the environment variable CUDA_VISIBLE_DEVICES=-1"
        ) from error


def _use_one_thread() -> None:
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        _log.warning(
            "TensorFlow already runs in this process, so this training computes with as many threads as that does; "
            "its weights may differ in the last digits from those of a process of its own"
        )


def _prepared_gpus() -> list[str]:
    """Lists the visible GPUs, after setting their memory to grow on demand; without any, sets the CPU's threads.

    Both must happen before TensorFlow is asked for logical devices, which starts it.
    """
    if not tf.config.get_visible_devices("GPU"):
        _use_one_thread()
        return []
    for gpu in tf.config.get_visible_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:
            _log.warning("TensorFlow has already taken all memory of %s, which was used before training", gpu.name)
    return [gpu.name.removeprefix("/device:") for gpu in tf.config.list_logical_devices("GPU")]
