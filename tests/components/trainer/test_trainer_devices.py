from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import keras
import pytest
import tensorflow as tf

from components.trainer.devices import prepare_device
from imdb_core.errors import DeviceError
from imdb_core.settings import TrainingSettings

pytestmark = pytest.mark.slow

without_gpu = pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="this machine has a GPU")
with_gpu = pytest.mark.skipif(not tf.config.list_physical_devices("GPU"), reason="needs a GPU")


@pytest.fixture(autouse=True)
def _float32() -> Iterator[None]:
    yield
    keras.config.set_dtype_policy("float32")


@without_gpu
@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_trains_on_the_cpu_without_a_gpu(device: str) -> None:
    assert prepare_device(TrainingSettings(device=device)) is tf.distribute.get_strategy()
    assert keras.config.dtype_policy().name == "float32"


@without_gpu
def test_requiring_a_gpu_without_one_is_a_clear_error() -> None:
    with pytest.raises(DeviceError, match=r"training.device = 'gpu'.* sees no GPU.*set device = 'auto' or 'cpu'"):
        prepare_device(TrainingSettings(device="gpu"))


def test_mixed_precision_contradicts_the_cpu() -> None:
    with pytest.raises(DeviceError, match=r"mixed_precision = true with training.device = 'cpu'"):
        prepare_device(TrainingSettings(device="cpu", mixed_precision=True))


@without_gpu
def test_mixed_precision_without_a_gpu_falls_back_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        prepare_device(TrainingSettings(mixed_precision=True))
    assert "mixed_precision = true is ignored" in caplog.text
    assert keras.config.dtype_policy().name == "float32"


@without_gpu
def test_the_policy_of_an_earlier_trainer_is_reset() -> None:
    keras.config.set_dtype_policy("mixed_float16")
    prepare_device(TrainingSettings())
    assert keras.config.dtype_policy().name == "float32"


@without_gpu
def test_a_process_in_which_tensorflow_runs_already_is_warned_of() -> None:
    code = """
        import logging, sys
        import tensorflow as tf
        tf.constant(1.0) + 1.0
        from components.trainer.devices import prepare_device
        from imdb_core.settings import TrainingSettings
        logging.basicConfig(stream=sys.stdout)
        prepare_device(TrainingSettings(device="cpu"))
    """
    assert "its weights may differ in the last digits" in run(code)


@without_gpu
def test_a_cpu_computes_with_one_thread() -> None:
    code = """
        import tensorflow as tf
        from components.trainer.devices import prepare_device
        from imdb_core.settings import TrainingSettings
        prepare_device(TrainingSettings())
        tf.constant(1.0) + 1.0
        threading = tf.config.threading
        print(threading.get_intra_op_parallelism_threads(), threading.get_inter_op_parallelism_threads())
    """
    assert run(code) == "1 1"


def run(code: str) -> str:
    """Runs code in a Python process of its own, because a process configures its devices only once."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


@with_gpu
def test_a_gpu_is_used_with_growing_memory_and_half_precision() -> None:
    code = """
        import keras, tensorflow as tf
        from components.trainer.devices import prepare_device
        from imdb_core.settings import TrainingSettings
        prepare_device(TrainingSettings(device="gpu", mixed_precision=True))
        gpu = tf.config.list_physical_devices("GPU")[0]
        print(tf.config.experimental.get_memory_growth(gpu), keras.config.dtype_policy().name)
    """
    assert run(code) == "True mixed_float16"


@with_gpu
def test_a_training_on_the_cpu_hides_the_gpus() -> None:
    code = """
        import tensorflow as tf
        from components.trainer.devices import prepare_device
        from imdb_core.settings import TrainingSettings
        prepare_device(TrainingSettings(device="cpu"))
        print(tf.config.list_logical_devices("GPU"))
    """
    assert run(code) == "[]"
