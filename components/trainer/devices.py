"""Where training runs."""

import logging
from collections.abc import Sequence

import keras
import tensorflow as tf

from imdb_core.errors import DeviceError
from imdb_core.settings import TrainingSettings

_log = logging.getLogger(__name__)


def prepare_device(training: TrainingSettings) -> tf.distribute.Strategy:
    """Chooses the device, and sets TensorFlow and Keras up for it. Call it before anything uses TensorFlow.

    GPU memory is taken as needed rather than all at once. Several GPUs share each batch. `mixed_precision` sets Keras's
    global policy; it is reset to float32 otherwise, since another Trainer may have run in this process.

    Args:
        training: `device` and `mixed_precision`.

    Returns:
        The strategy under whose scope to build and compile the model.

    Raises:
        DeviceError: `device = "gpu"` and there is none; `mixed_precision` with `device = "cpu"`; or TensorFlow was
            already running in this process with other devices than wanted.
    """
    if training.device == "cpu" and training.mixed_precision:
        raise DeviceError(
            "training.mixed_precision = true with training.device = 'cpu': a CPU is slower in float16; "
            "leave mixed_precision false, or set device = 'gpu'"
        )
    if training.device == "cpu":
        hide_gpus()
    gpus = [] if training.device == "cpu" else _grown_gpus()
    if training.device == "gpu" and not gpus:
        raise DeviceError(
            "training.device = 'gpu', but TensorFlow sees no GPU here; install the extra `gpu` (it brings CUDA) on a "
            "machine with an NVIDIA driver and leave CUDA_VISIBLE_DEVICES unset, or set device = 'auto' or 'cpu'"
        )
    if training.mixed_precision and not gpus:
        _log.warning("no GPU found: training.mixed_precision = true is ignored, the CPU computes in float32")
    keras.config.set_dtype_policy("mixed_float16" if training.mixed_precision and gpus else "float32")
    return strategy_over(gpus)


def needs_own_process(device: str) -> bool:
    """Says whether training has to leave this process, which was told to keep off the GPUs, to use one.

    Args:
        device: `training.device`.
    """
    return device != "cpu" and bool(tf.config.list_physical_devices("GPU"))


def strategy_over(devices: Sequence[str]) -> tf.distribute.Strategy:
    """Picks the strategy for a number of accelerators.

    Args:
        devices: names of logical devices, such as `GPU:0`.

    Returns:
        MirroredStrategy over several devices; TensorFlow's default strategy for one or none.
    """
    return tf.distribute.MirroredStrategy(list(devices)) if len(devices) > 1 else tf.distribute.get_strategy()


def hide_gpus() -> None:
    """Keeps this process off the GPUs, for Beam stages: TensorFlow takes all their memory otherwise.

    It lasts for the life of the process. Does nothing on a machine without a GPU.

    Raises:
        DeviceError: TensorFlow has already taken them.
    """
    try:
        tf.config.set_visible_devices([], "GPU")
    except RuntimeError as error:
        raise DeviceError(
            "the GPUs cannot be hidden any more: TensorFlow is already running in this process and sees them; "
            "start it with the environment variable CUDA_VISIBLE_DEVICES=-1"
        ) from error


def _grown_gpus() -> list[str]:
    """Names the visible GPUs, none of whose memory is taken in advance."""
    for gpu in tf.config.get_visible_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:
            _log.warning("TensorFlow has already taken the memory of %s: it was used before training began", gpu.name)
    return [gpu.name.removeprefix("/device:") for gpu in tf.config.list_logical_devices("GPU")]
