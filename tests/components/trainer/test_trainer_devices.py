from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import keras
import pytest
import tensorflow as tf

from components.trainer.devices import hide_gpus, prepare_device, run_where_gpus_are_visible
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
def test_without_a_gpu_hiding_gpus_is_allowed_even_while_tensorflow_runs() -> None:
    tf.constant(1.0) + 1.0
    hide_gpus()


@pytest.mark.parametrize(
    ("device", "gpus", "own_process"),
    [("auto", ["a GPU"], True), ("gpu", ["a GPU"], True), ("cpu", ["a GPU"], False), ("auto", [], False)],
)
def test_training_that_may_use_a_hidden_gpu_runs_in_a_process_of_its_own(
    monkeypatch: pytest.MonkeyPatch, device: str, gpus: list[str], own_process: bool
) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    process = run_where_gpus_are_visible(eval, "__import__('os').getpid()", device)
    assert (process != os.getpid()) == own_process


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
def test_hidden_gpus_stay_hidden() -> None:
    code = """
        import tensorflow as tf
        from components.trainer.devices import hide_gpus
        hide_gpus()
        print(tf.config.list_logical_devices("GPU"))
    """
    assert run(code) == "[]"


def test_several_devices_share_each_batch() -> None:
    # Two logical CPUs stand for two GPUs: same strategy, same splitting of batches, same mirrored variables.
    code = """
        import tempfile
        import numpy as np
        import tensorflow as tf
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        from components.trainer import fitting
        from components.trainer.checkpoints import EpochCheckpoint
        from components.trainer.datasets import Examples
        from components.trainer.devices import strategy_over
        from components.trainer.settings import FitSettings

        strategy = strategy_over(["CPU:0", "CPU:1"])
        settings = FitSettings.model_validate({
            "mode": "vector",
            "transform": {"vocabulary_size": 20, "max_tokens": 6},
            "model": {"embedding_dim": 4, "gru_units": 3, "dense_units": 3, "dropout": 0.1},
            "training": {"epochs": 2, "batch_size": 8},
            "code_digest": "abc",
        })
        examples = Examples(np.full([20, 6], 5, np.int32), np.arange(20, dtype=np.int32) % 2)
        checkpoint = EpochCheckpoint(tempfile.mkdtemp(), 2, "val_log_loss")
        fitting.fit(settings, examples, examples, strategy=strategy, checkpoint=checkpoint, log_dir=tempfile.mkdtemp())
        print(strategy.num_replicas_in_sync, checkpoint.epochs_done)
    """
    assert run(code) == "2 2"
